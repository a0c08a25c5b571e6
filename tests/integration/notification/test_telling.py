"""Who is told of what, on the real database: recipients, audience, once per event, people who are known late."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.examples import examples as contract_examples
from contracts.messaging import MessagePosted
from contracts.order import Approval, Issue, OrderCanceled, OrderDisputed
from contracts.webhook import EndpointDisabled
from shared.ids import new_id
from shared.postgres import Transaction
from tests.integration.notification.world import World, opened
from tests.stack import StackDatabase
from tests.waiting import until


async def test_a_placed_order_is_told_to_both_sides(world: World) -> None:
    [event_id] = await world.tell(world.created())
    assert await world.told(event_id) == {
        "buyer": "order_confirmation", "seller": "order_confirmation", "mate": "team_orders",
    }  # fmt: skip
    assert await world.states() == ["pending", "pending", "skipped"]  # a colleague's e-mail is off by default
    [unwanted] = await world.mails(state="skipped")
    assert (world.name_of(unwanted["person_id"]), unwanted["reason"]) == (
        "mate",
        "off unless the person switches it on",
    )
    assert await world.outbox("notification.delivered") == 3  # each of them is in a feed


async def test_what_a_person_has_switched_off_says_so(world: World) -> None:
    await world.wishes("mate", choices={"team_orders": {"in_app": False, "email": False}})
    [event_id] = await world.tell(world.created())
    [unwanted] = await world.mails(event_id=event_id, state="skipped")
    assert unwanted["reason"] == "switched off by the person"


async def test_the_same_event_again_tells_nobody_again(world: World) -> None:
    event = world.created()
    [event_id] = await world.tell(event)
    await world.tell(event, ids=[event_id])
    # the topic replayed after the inbox has forgotten it, and somebody has joined meanwhile
    await world.admin.execute("DELETE FROM notification.inbox")
    await world.tell(world.member("newcomer", "seller-org", "admin"))
    await world.tell(event, ids=[event_id])
    assert set(await world.told(event_id)) == {"buyer", "seller", "mate"}
    assert await world.outbox("notification.delivered") == 3


async def test_an_order_that_waits_for_approval_never_reaches_the_seller(world: World) -> None:
    waiting = world.order(phase="approval", status="needs_approval", approval=Approval(state="needed"))
    # even where the audience names the seller by mistake
    needed = world.moved(waiting, "approval", world.actor("buyer", "buyer"))
    needed = needed.model_copy(
        update={
            "audience": ("buyer", "seller", "operator"),
            "change": needed.change.model_copy(update={"from_phase": None, "from_status": None}),
        }
    )
    talk = world.message(waiting, world.actor("boss", "buyer"), "buyer", "May I have this?")
    rejected = world.moved(
        waiting, "canceled", world.actor("boss", "buyer"), cls=OrderCanceled, kind="approval_rejected",
        order={"approval": Approval(state="rejected"), "cancel_kind": "approval_rejected"},
    )  # fmt: skip
    [first, second, third] = await world.tell(needed, talk, rejected)
    assert await world.told(first) == {"boss": "approvals", "buyer": "order_progress"}
    assert await world.told(second) == {}
    assert await world.told(third) == {"buyer": "order_canceled", "operator": "refunds"}, "it was paid for"


async def test_the_supplier_hears_of_an_abandoned_order_only_if_it_saw_it(world: World) -> None:
    seen = world.order(approval=Approval(state="approved"))
    hidden = world.order(phase="approval", approval=Approval(state="needed"))
    abandoned = [
        world.moved(o, "canceled", world.actor(None, None), cls=OrderCanceled, kind="abandoned")
        for o in (seen, hidden)
    ]  # fmt: skip
    [first, second] = await world.tell(*abandoned)
    assert (await world.told(first))["seller"] == "order_canceled"
    assert await world.told(second) == {"buyer": "order_canceled", "operator": "refunds"}, "it was paid for"


async def test_a_dispute_goes_to_the_supplier_by_mail(world: World) -> None:
    order = world.order(phase="completed")
    issue = Issue(
        issue_id=new_id(), kind="dispute", state="open", opened_at=world.clock(), opened_by="buyer", note="Two broken"
    )
    disputed = world.moved(order, "completed", world.actor("buyer", "buyer"), cls=OrderDisputed, issue=issue)
    [event_id] = await world.tell(disputed)
    assert await world.told(event_id) == {"seller": "issues", "operator": "issues"}
    [mail] = await world.mails(event_id=event_id)
    assert world.name_of(mail["person_id"]) == "seller"


async def test_a_seller_who_has_not_begun_is_told_to_owner_and_seller(world: World) -> None:
    order = world.order()
    late = world.moved(
        order, "pending", world.actor(None, None), action="acknowledge_overdue", audience=("seller", "operator"),
        change={"details": {"deadline": {"name": "acknowledge", "overdue": True}}},
    )  # fmt: skip
    [event_id] = await world.tell(late)
    assert await world.told(event_id) == {"seller": "reminders", "operator": "reminders"}


async def test_a_late_shipment_is_told_to_the_buyer_too_but_not_that_it_will_be_due(world: World) -> None:
    order = world.order()
    due, late = (
        world.moved(
            order, "preparing", world.actor(None, None), action=f"ship_{name}",
            change={"details": {"deadline": {"name": "ship", "overdue": name == "overdue"}}},
        )
        for name in ("due", "overdue")
    )  # fmt: skip
    [first, second] = await world.tell(due, late)
    assert await world.told(first) == {"seller": "reminders", "operator": "reminders"}
    assert await world.told(second) == {"seller": "reminders", "operator": "reminders", "buyer": "order_progress"}


async def test_an_audience_of_one_side_is_obeyed(world: World) -> None:
    order = world.order()
    accepted = world.moved(order, "preparing", world.actor(None, None), audience=("seller",))
    [event_id] = await world.tell(accepted)
    assert await world.told(event_id) == {"seller": "order_progress"}


async def test_nobody_of_another_marketplace_or_organisation_is_told(
    world: World, module_database: StackDatabase
) -> None:
    async with opened(module_database, world.mailbox, empty=False) as other:
        # the other marketplace's order names organisations and people of this one
        foreign = other.order(buyer=world.party("buyer", "buyer-org"), seller=world.party("seller", "seller-org"))
        [event_id] = await other.tell(other.created(foreign))
        rows = await world.admin.fetch("SELECT 1 FROM notification.notification WHERE event_id = $1", event_id)
        assert rows == []
    [event_id] = await world.tell(world.created())
    assert "rival" not in await world.told(event_id)


async def test_whoever_acted_is_not_told_and_who_was_stood_for_is(world: World) -> None:
    order = world.order()
    seller = world.people["seller"]
    actor = world.actor("operator", "seller", on_behalf_of=seller.person_id, on_behalf_of_name=seller.name)
    [event_id] = await world.tell(world.moved(order, "preparing", actor, action="process"))
    assert await world.told(event_id) == {"buyer": "order_progress", "seller": "security"}


async def test_a_message_goes_to_the_person_of_the_order_only(world: World) -> None:
    await world.tell(world.member("other-buyer", "buyer-org", "buyer"))
    order = world.order()
    await world.tell(world.created(order))
    [event_id] = await world.tell(world.message(order, world.actor("seller", "seller"), "seller", "Back door?"))
    assert await world.told(event_id) == {"buyer": "messages"}
    # and a word between operator and seller is not for the buyer
    private = world.message(
        order, world.actor("operator", "operator"), "operator", "Please hurry", thread_kind="seller_operator",
        audience=("seller", "operator"),
    )  # fmt: skip
    [event_id] = await world.tell(private)
    assert await world.told(event_id) == {"seller": "messages"}


async def test_a_message_that_comes_before_its_order_waits_for_it(world: World) -> None:
    order = world.order()
    # both in one batch, the message first: they have the same key, so neither may block the other
    talk = world.message(order, world.actor("seller", "seller"), "seller", "Hello")
    [event_id, created] = await world.tell(talk, world.created(order))
    assert await world.told(event_id) == {}
    assert set(await world.told(created)) == {"buyer", "seller", "mate"}
    async with world.sending():
        assert await until(lambda: told_if(world, event_id, 1)) == {"buyer": "messages"}


async def test_a_message_of_an_order_that_stays_unknown_goes_to_those_who_see_every_order(world: World) -> None:
    talk = world.message(world.order(), world.actor("seller", "seller"), "seller", "Hello")
    [event_id] = await world.tell(talk)
    world.clock.ahead += timedelta(minutes=3)
    async with world.sending():
        assert await until(lambda: told_if(world, event_id, 1)) == {"boss": "messages"}
    assert await world.admin.fetchval("SELECT count(*) FROM notification.awaited_order") == 0


async def test_a_disabled_endpoint_is_told_to_its_organisation(world: World) -> None:
    def disabled(organisation: str) -> EndpointDisabled:
        return EndpointDisabled(
            marketplace_id=world.marketplace_id, endpoint_id=new_id(),
            organisation_id=world.organisations[organisation],
            url="https://hooks.example/in?key=s3cret", reason="failing", detail="Nothing but 500.", at=world.clock(),
        )  # fmt: skip

    await world.tell(world.member("chief", "seller-org", "admin"))
    [sellers] = await world.tell(disabled("seller-org"))
    assert set(await world.told(sellers)) == {"chief", "seller"}, "whoever may have made it, and no other member"
    [ours, theirs] = await world.tell(disabled("buyer-org"), disabled("operator-org"))
    assert await world.told(ours) == {"boss": "integrations"}
    assert await world.told(theirs) == {"operator": "integrations"}
    assert "s3cret" not in str(await world.admin.fetch("SELECT facts FROM notification.cause"))


async def test_who_has_gone_to_another_organisation_hears_no_more_of_an_order(world: World) -> None:
    order = world.order()
    await world.tell(world.member("buyer", "buyer-rival", "buyer"))
    [event] = await world.tell(world.moved(order, "preparing", world.actor("seller", "seller")))
    assert set(await world.told(event)) == {"boss"}, "those who see every order of the organisation that it is of"


async def test_people_who_are_known_late_are_told_late(world: World) -> None:
    world.organisations["seller-late"] = new_id()
    order = world.order(seller=world.party(None, "seller-late"))
    [event_id] = await world.tell(world.created(order))
    assert set(await world.told(event_id)) == {"buyer"}
    async with world.sending():
        await world.tell(world.member("late", "seller-late", "seller"))
        told = await until(lambda: told_if(world, event_id, 2), what="the late seller to be told")
    assert told["late"] == "order_confirmation"
    assert await world.admin.fetchval("SELECT count(*) FROM notification.awaited_party") == 0


async def told_if(world: World, event_id: UUID, count: int) -> dict[str, str]:
    told = await world.told(event_id)
    return told if len(told) == count else {}


async def test_an_event_from_long_ago_is_shown_but_not_mailed(world: World) -> None:
    long_ago = world.clock() - timedelta(days=30)
    [event_id] = await world.tell(world.created(world.order(updated_at=long_ago)))
    assert set(await world.told(event_id)) == {"buyer", "seller", "mate"}
    assert await world.states() == ["skipped"] * 3


async def test_the_highest_version_of_a_person_wins(world: World) -> None:
    old = world.member("buyer", "buyer-org", "buyer", email="old@test.example")
    new = world.member("buyer", "buyer-org", "buyer", email="new@test.example", active=False)
    await world.tell(new)
    await world.tell(old)
    row = await world.admin.fetchrow(
        "SELECT email, active FROM notification.member WHERE person_id = $1", world.people["buyer"].person_id
    )
    assert row is not None
    assert (row["email"], row["active"]) == ("new@test.example", False)
    # the named person is gone, so whoever administers stands in
    [event_id] = await world.tell(world.created())
    assert set(await world.told(event_id)) == {"boss", "seller", "mate"}


async def test_a_batch_costs_the_same_few_statements_whatever_its_size(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = 0
    mine = asyncio.current_task()
    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        original = getattr(Transaction, name)

        async def counted(*args: Any, original: Any = original) -> Any:
            nonlocal statements
            # other loops of this process go on meanwhile
            statements += asyncio.current_task() is mine
            return await original(*args)

        monkeypatch.setattr(Transaction, name, counted)
    costs = []
    for size in (2, 200):
        statements = 0
        await world.tell(*(world.created(world.order()) for _ in range(size)))
        costs.append(statements)
    assert costs[0] == costs[1] <= 8
    assert await world.admin.fetchval("SELECT count(*) FROM notification.notification") == 202 * 3


async def test_an_event_of_every_type_is_taken(world: World) -> None:
    examples = [e for e in contract_examples().values() if type(e) in world.processor.handlers]
    assert {type(e) for e in examples} == set(world.processor.handlers)
    ids = await world.tell(*(e for e in examples if not isinstance(e, MessagePosted)))
    assert len(ids) == len(examples) - 1
    await world.tell(*(e for e in examples if isinstance(e, MessagePosted)))
    assert await world.admin.fetchval("SELECT count(*) FROM notification.parked") == 0
    assert await world.admin.fetchval("SELECT count(*) FROM notification.dead_letter") == 0
