"""Mail over real SMTP: what arrives, what is tried again, what is given up, and that nothing is sent twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from contracts.order import Address, Customer, Deadline
from deploy.embedded.mailbox import Behaviour
from shared.ids import new_id
from tests.builders import line
from tests.integration.notification.world import World
from tests.waiting import until

HOSTILE = (
    "=?utf-8?q?a=0d=0aBcc:_evil@x.example?=",
    "A\r\nBcc: evil@x.example\r\n\r\nbody",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7777*7777 }} {% raw %}",
    "'; DROP TABLE member; --",
    "Ærlig Øystein ‮gpj.exe 你好 🎉",
    "x" * 5_000,
    "%(total)s %s %",
    "\x00\x1b[31m\x85",
)


async def settled(world: World, *states: str) -> None:
    """All mails have these states, in any order."""
    await until(lambda: _are(world, sorted(states)), what=f"mails to be {sorted(states)}")


async def _are(world: World, states: list[str]) -> bool:
    return await world.states() == states


async def test_the_confirmation_arrives_with_everything_in_it(world: World) -> None:
    customer = Customer(
        name="Bea Buyer", shipping_address=Address(line1="Storgata 1", postal_code="0155", city="Oslo", country="NO")
    )
    order = world.order(number="ORD-77", customer=customer, lines=(line(name="Green chair", sku="CH-1", price=12_550),))
    await world.tell(world.created(order))
    async with world.sending():
        await settled(world, "sent", "sent", "skipped")
    [mail] = world.mailbox.mails(to="seller@")
    assert mail.subject == "New order ORD-77 from Buyer-org Ltd"
    assert mail.message["From"] == "Test Market <no-reply@ordertrail.example>"
    assert mail.message["To"] == "Seller Person <seller@test.example>"
    link = f"http://127.0.0.1:8000/orders/{order.order_id}"
    for part in (mail.text, mail.html):
        assert link in part
        for said in ("View order", "Green chair", "CH-1", "€125.50", "Storgata 1", "0155 Oslo", "Norway", "ORD-77"):
            assert said in part
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["List-Unsubscribe"] is None  # not on confirmations
    assert mail.message["References"] == f"<order.{order.order_id}@ordertrail.example>"
    [row] = [r for r in await world.mails() if r["message_id"] == mail.message["Message-ID"]]
    assert (row["state"], row["attempts"], row["address"]) == ("sent", 1, "seller@test.example")
    assert await world.outbox("notification.delivered") == 3 + 2


async def test_mails_are_in_the_recipients_language_and_zone(world: World) -> None:
    await world.tell(world.member("seller", "seller-org", "seller", language="nb", time_zone="Europe/Oslo"))
    await world.tell(world.created(world.order(placed_at=datetime(2026, 7, 1, 22, 30, tzinfo=UTC))))
    async with world.sending():
        await settled(world, "sent", "sent", "skipped")
    [mail] = world.mailbox.mails(to="seller@")
    assert mail.subject.startswith("Ny ordre ORD-1 fra")
    assert "Se ordren" in mail.html
    assert "2. juli 2026" in mail.text  # the day it was in Oslo
    [other] = world.mailbox.mails(to="buyer@")
    assert "1 July 2026" in other.text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_text_in_every_field_stays_text(world: World, text: str) -> None:
    clean = text.replace("\x00", "")
    names = {"buyer": world.party("buyer", "buyer-org"), "seller": world.party(None, "seller-org")}
    parties = {k: v.model_copy(update={"name": clean, "person_name": clean}) for k, v in names.items()}
    customer = Customer(name=clean, email=clean, shipping_address=Address(name=clean, line1=clean, city=clean))
    order = world.order(number=clean[:50] or "-", customer=customer, lines=(line(name=clean, sku=clean),), **parties)
    await world.tell(world.member("seller", "seller-org", "seller", full_name=clean))
    await world.tell(world.created(order), world.message(order, world.actor("buyer", "buyer"), "buyer", clean[:200]))
    async with world.sending():
        await settled(world, "sent", "sent", "sent", "skipped")
    mails = world.mailbox.mails()
    assert sorted(m.rcpt_to[0].partition("@")[0] for m in mails) == ["buyer", "seller", "seller"]
    for mail in mails:
        names_seen = [name.lower() for name in mail.message]
        assert "bcc" not in names_seen
        assert len(names_seen) == len(set(names_seen)) == 10
        assert not re.search(r"[\r\n\x00-\x1f\x7f‮]", mail.subject)
        assert "<script>" not in mail.html
        assert "onerror=alert(1)>" not in mail.html
        # 7777 * 7777: no time and no id has these digits by chance
        assert "60481729" not in mail.text


async def test_a_bad_address_is_suppressed_and_nobody_else_suffers(world: World) -> None:
    await world.tell(world.member("seller", "seller-org", "seller", email="a@b.example\r\nRCPT TO:<evil@x.example>"))
    await world.tell(world.created())
    async with world.sending():
        await settled(world, "sent", "skipped", "suppressed")
    assert [m.rcpt_to for m in world.mailbox.mails()] == [("buyer@test.example",)]


async def test_a_temporary_refusal_is_tried_again(world: World) -> None:
    world.mailbox.behave(Behaviour(mode="defer", stage="rcpt", match="seller@", times=2))
    await world.tell(world.created())
    async with world.sending():
        await settled(world, "sent", "sent", "skipped")
    assert len(world.mailbox.mails(to="seller@")) == 1
    assert sorted(r["attempts"] for r in await world.mails(state="sent")) == [1, 3]


async def test_a_mail_that_is_always_deferred_has_failed_in_the_end(world: World) -> None:
    world.mailbox.behave(Behaviour(mode="defer", stage="data", match="seller@"))
    await world.tell(world.created())
    async with world.sending():
        await settled(world, "failed", "sent", "skipped")
    [failed] = await world.mails(state="failed")
    assert "451" in failed["reason"]
    assert failed["attempts"] == 4
    assert await world.outbox("notification.failed") == 1


async def test_a_permanent_refusal_suppresses_the_address(world: World) -> None:
    world.mailbox.behave(Behaviour(mode="refuse", stage="rcpt", match="seller@", times=1))
    await world.tell(world.created())
    async with world.sending():
        await settled(world, "sent", "skipped", "suppressed")
        [refused] = await world.mails(state="suppressed")
        assert "550 5.1.1" in refused["reason"]
        # the next one is not even tried
        await world.tell(world.created(world.order()))
        await settled(world, "sent", "sent", "skipped", "skipped", "suppressed", "suppressed")
    assert world.mailbox.mails(to="seller@") == []


async def test_a_connection_lost_after_data_is_unknown_and_never_sent_again(world: World) -> None:
    world.mailbox.behave(Behaviour(mode="drop", stage="data", match="seller@"))
    await world.tell(world.created())
    async with world.sending():
        await settled(world, "sent", "skipped", "unknown")
    world.mailbox.behave(Behaviour())
    async with world.sending():
        await world.tell(world.created(world.order()))
        await settled(world, "sent", "sent", "sent", "skipped", "skipped", "unknown")
    assert len([m for m in world.mailbox.mails(to="seller@") if m.dropped]) == 1
    assert len(world.mailbox.mails(to="seller@")) == 2
    assert await world.outbox("notification.failed") == 1


async def test_a_server_that_never_answers_the_mail_is_unknown_too(make_world: Callable[..., Any]) -> None:
    # what the other mail's answer may take is more than a busy machine needs
    async with make_world(smtp_answer_seconds=4) as world:
        world.mailbox.behave(Behaviour(mode="tarpit", stage="data", match="seller@", seconds=60))
        await world.tell(world.created())
        async with world.sending():
            await settled(world, "sent", "skipped", "unknown")
        assert len(world.mailbox.mails(to="seller@")) <= 1


async def test_a_silent_server_before_data_is_trouble_and_costs_no_attempt(make_world: Callable[..., Any]) -> None:
    async with make_world(smtp_timeout_seconds=1, smtp_connections=1) as world:
        world.mailbox.behave(Behaviour(mode="tarpit", stage="rcpt", match="seller@", seconds=20, times=1))
        await world.tell(world.created())
        async with world.sending():
            await settled(world, "sent", "sent", "skipped")
        assert {r["attempts"] for r in await world.mails(state="sent")} == {1}


async def test_no_server_at_all_loses_nothing(make_world: Callable[..., Any], free_port: Callable[[], int]) -> None:
    async with make_world() as world:
        await world.tell(world.created())
        async with world.sending(smtp_port=free_port()):
            await until(lambda: _tried(world), what="an attempt")
        assert await world.states() == ["pending", "pending", "skipped"]
        async with world.sending():
            await settled(world, "sent", "sent", "skipped")


async def _tried(world: World) -> bool:
    return any("connect" in r["reason"] for r in await world.mails(state="pending"))


async def test_quiet_hours_hold_back_what_is_not_critical(make_world: Callable[..., Any]) -> None:
    # 23:30 in Oslo, where it is quiet from 22 to 7
    async with make_world(at=datetime(2026, 3, 2, 22, 30, tzinfo=UTC)) as world:
        await world.wishes("buyer", quiet_from=time(22), quiet_until=time(7), time_zone="Europe/Oslo")
        order = world.order()
        await world.tell(world.created(order), world.moved(order, "preparing", world.actor("seller", "seller")))
        async with world.sending():
            await settled(world, "pending", "sent", "sent", "skipped")
            [held] = await world.mails(state="pending")
            assert held["not_before"] == datetime(2026, 3, 3, 6, 0, tzinfo=UTC)
            world.clock.ahead += timedelta(hours=8)
            await settled(world, "sent", "sent", "sent", "skipped")


async def test_what_is_late_waits_for_the_end_of_quiet_hours_too(make_world: Callable[..., Any]) -> None:
    """A mail is due at half past nine in Oslo; when a server takes it again, it is quiet there since ten."""
    async with make_world(at=datetime(2026, 3, 2, 20, 30, tzinfo=UTC)) as world:
        await world.wishes("buyer", quiet_from=time(22), quiet_until=time(7), time_zone="Europe/Oslo")
        order = world.order()
        await world.tell(world.created(order), world.moved(order, "preparing", world.actor("seller", "seller")))
        world.clock.ahead += timedelta(hours=3)
        async with world.sending():
            await settled(world, "pending", "sent", "sent", "skipped")

            async def put_off() -> bool:
                [late] = await world.mails(state="pending")
                return bool(late["not_before"] == datetime(2026, 3, 3, 6, 0, tzinfo=UTC))

            await until(put_off, what="the mail to be put off until seven")
            assert [m.subject for m in world.mailbox.mails(to="buyer@")] == ["Your order ORD-1 has been placed"]
            world.clock.ahead += timedelta(hours=8)
            await settled(world, "sent", "sent", "sent", "skipped")


async def test_a_digest_is_one_mail_of_what_is_unread(make_world: Callable[..., Any]) -> None:
    async with make_world(at=datetime(2026, 3, 2, 9, 10, tzinfo=UTC)) as world:
        await world.wishes("buyer", digest="hourly")
        orders = [world.order(number=f"ORD-{n}") for n in range(4)]
        await world.tell(*(world.moved(o, "preparing", world.actor("seller", "seller")) for o in orders))
        windows = await world.admin.fetch("SELECT * FROM notification.digest")
        assert [w["closes_at"] for w in windows] == [datetime(2026, 3, 2, 10, 0, tzinfo=UTC)]
        # one of them is read before the window closes
        await world.admin.execute(
            "UPDATE notification.notification SET read_at = now() WHERE order_id = $1", orders[0].order_id
        )
        async with world.sending():
            await until(lambda: _are(world, ["pending"] * 4), what="four to wait")
            world.clock.ahead += timedelta(minutes=55)
            await settled(world, "sent", "sent", "sent", "sent", "skipped")
        [mail] = world.mailbox.mails(to="buyer@")
        assert "ORD-0" not in mail.text
        assert {m["address"] for m in await world.mails(state="sent")} == {"buyer@test.example"}, (
            "each says where it went"
        )
        assert all(f"ORD-{n}" in mail.text for n in (1, 2, 3))
        assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert await world.outbox("notification.delivered") == 4 + 3  # the feed's and the three that were mailed


async def test_a_reminder_can_be_stopped_with_one_click(world: World) -> None:
    late = world.moved(
        world.order(), "pending", world.actor(None, None), action="ship_overdue",
        change={"details": {"deadline": {"name": "ship", "overdue": True}}},
    )  # fmt: skip
    await world.tell(late)
    async with world.sending():
        await settled(world, "sent", "sent", "sent")
    [mail] = world.mailbox.mails(to="seller@")
    assert re.fullmatch(r"<http://127\.0\.0\.1:8002/v1/unsubscribe\?token=[\w-]+>", mail.message["List-Unsubscribe"])


async def test_the_buyer_is_kept_informed_of_a_late_shipment(world: World) -> None:
    """Storefront page: reach out to the seller, keep the buyer informed about any delays."""
    due_at = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    deadline = Deadline(name="ship", due_at=due_at, overdue=True)
    order = world.order(number="ORD-9", phase="preparing", status="processing", deadlines=(deadline,))
    late = world.moved(
        order, "preparing", world.actor(None, None), action="ship_overdue",
        change={"details": {"deadline": {"name": "ship", "due_at": due_at.isoformat(), "overdue": True}}},
    )  # fmt: skip
    await world.tell(world.member("buyer", "buyer-org", "buyer", time_zone="Europe/Oslo"), late)
    async with world.sending():
        await settled(world, "sent", "sent", "sent")
    [mail] = world.mailbox.mails(to="buyer@")
    assert mail.subject == "Order ORD-9 is delayed"
    for part in (mail.text, mail.html):
        said = " ".join(part.split())
        assert "Shipping the order was due on 2 March 2026, 13:00 CET. Seller-org Ltd has been reminded." in said
        assert "Write to Seller-org Ltd on the order page if you cannot wait." in said
        assert f"http://127.0.0.1:8000/orders/{order.order_id}" in said
    # news of one's own order, which the settings switch, not a reminder to act
    assert mail.message["List-Unsubscribe"] is None
    [owner] = world.mailbox.mails(to="operator@")
    assert owner.subject == "Order ORD-9 of Seller-org Ltd is overdue"
    assert "Reach out to Seller-org Ltd and keep Buyer-org Ltd informed." in owner.text


async def test_what_a_person_switches_off_meanwhile_is_not_sent(world: World) -> None:
    order = world.order()
    await world.tell(world.moved(order, "preparing", world.actor("seller", "seller")))
    await world.wishes("buyer", choices={"order_progress": {"email": False}})
    async with world.sending():
        await settled(world, "skipped")
    assert world.mailbox.mails() == []


async def test_two_workers_send_each_mail_once(world: World) -> None:
    await world.tell(*(world.created(world.order(number=f"ORD-{n}")) for n in range(60)))
    async with world.sending(), world.sending():
        await settled(world, *["sent"] * 120, *["skipped"] * 60)
    ids = [m.message["Message-ID"] for m in world.mailbox.mails()]
    assert len(ids) == len(set(ids)) == 120


async def test_a_lease_that_has_ended_keeps_its_mail_from_being_handed_over(world: World) -> None:
    from services.notification.store import delivering

    await world.tell(world.created())
    now = world.clock()
    async with world.runtime.worker_db.transaction() as tx:
        [first, *_] = await delivering.claim(tx, now, now + timedelta(seconds=1), 10)
    late = now + timedelta(seconds=2)
    async with world.runtime.worker_db.transaction() as tx:
        assert not await delivering.hand_over(tx, first, late, late, "a@b.example", f"<{new_id()}@x>")
        [again, *_] = await delivering.claim(tx, late, late + timedelta(seconds=60), 10)
        assert again.delivery_id == first.delivery_id
        assert await delivering.hand_over(tx, again, late, late, "a@b.example", f"<{new_id()}@x>")
        # and the one that was thought dead cannot hand it over a second time
        assert not await delivering.hand_over(tx, first, now, late, "a@b.example", f"<{new_id()}@x>")
