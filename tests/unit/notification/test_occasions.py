"""What the events of the five lifecycles mean to people, and that every action of each was thought of."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.envelope import Received
from contracts.money import Money
from contracts.order import (
    Actor,
    Approval,
    Change,
    Issue,
    OrderCanceled,
    OrderCreated,
    OrderDisputed,
    OrderEvent,
    OrderRefunded,
    OrderSnapshot,
    OrderUpdated,
    Parcel,
    Refund,
)
from services.notification.telling.causes import cause_of
from services.notification.telling.occasions import Occasion as O
from services.notification.telling.occasions import occasion
from services.notification.telling.planning import Directory, Person, plan
from services.notification.telling.rules import RULES, To, rules_for
from shared.ids import new_id
from tests.builders import NOON, line, order_event, snapshot

PROFILES = Path(__file__).parents[3] / "services" / "order" / "workflow" / "profiles"
PERSON = Actor(kind="person", id=new_id(), name="Sam", side="seller")
CLOCK = Actor(kind="clock", name="Clock")
PARCEL = Parcel(parcel_id=new_id(), number=1, shipped_at=NOON)


def change(start: Any, end: Any, action: str = "act", actor: Actor = PERSON, **given: Any) -> Change:
    return Change(
        action=action, label=action, from_status=given.pop("status", start), to_status=given.pop("to", end),
        from_phase=start, to_phase=end, actor=actor, **given,
    )  # fmt: skip


def updated(made: Change, **order: Any) -> O | None:
    return occasion(order_event(OrderUpdated, snapshot(phase=made.to_phase, **order), change=made))


def test_progress_follows_the_phases() -> None:
    some_rejected = (line(open=0, accepted=1, rejected=1),)
    assert updated(change(None, "approval")) is O.APPROVAL_NEEDED
    assert updated(change("pending", "preparing")) is O.ACCEPTED
    assert updated(change("pending", "preparing"), lines=some_rejected) is O.PARTLY_ACCEPTED
    assert updated(change("pending", "preparing", "process")) is O.PREPARING
    assert updated(change("preparing", "pending", "reopen")) is O.REOPENED
    assert updated(change("preparing", "in_transit"), delivery_mode="pickup") is O.READY_FOR_PICKUP
    assert updated(change("preparing", "in_transit")) is O.READY_FOR_DELIVERY
    assert updated(change("preparing", "in_transit"), parcels=(PARCEL,)) is O.SHIPPED
    assert updated(change("preparing", "preparing", "ship"), parcels=(PARCEL,)) is O.PARCEL
    assert updated(change("in_transit", "in_transit", "add_tracking"), parcels=(PARCEL,)) is O.TRACKING
    assert updated(change("preparing", "in_transit", "schedule"), scheduled_for=NOON.date()) is O.SCHEDULED
    assert updated(change("completed", "completed", "close", CLOCK, to="closed"), closed_at=NOON) is O.CLOSED
    assert updated(change("pending", "pending", "reject"), lines=some_rejected) is O.LINES_REJECTED


def test_steps_that_nobody_needs_to_hear_of() -> None:
    assert updated(change("pending", "pending", "await_acceptance", CLOCK, to="waiting_acceptance")) is None
    assert updated(change("preparing", "preparing", "select_units")) is None
    assert updated(change("pending", "pending", "accept")) is None


def test_deadlines_come_as_due_and_overdue() -> None:
    for overdue, told in ((False, O.DUE), (True, O.OVERDUE)):
        details = {"deadline": {"name": "ship", "due_at": NOON.isoformat(), "overdue": overdue}}
        assert updated(change("pending", "pending", "ship_due", CLOCK, details=details)) is told


def test_milestones_money_and_issues() -> None:
    order = snapshot()
    assert occasion(order_event(OrderCreated, order, change=change(None, "pending"))) is O.CREATED
    assert occasion(order_event(OrderCreated, order, change=change("approval", "pending"))) is O.APPROVED
    for kind, told in (
        ("rejected", O.REJECTED),
        ("abandoned", O.ABANDONED),
        ("approval_rejected", O.APPROVAL_REJECTED),
    ):
        assert occasion(order_event(OrderCanceled, order, kind=kind)) is told
    zero = order.totals.refunded
    for state, told in (("pending", O.REFUND_BEGUN), ("done", O.REFUND_DONE)):
        refund = Refund(refund_id=new_id(), amount=zero, state=state, at=NOON, commission_reversed=zero)
        assert occasion(order_event(OrderRefunded, order, refund=refund)) is told
    expected: O | None
    for issue_kind, state, expected in (
        ("incident", "open", O.ISSUE_OPENED), ("problem", "closed", O.ISSUE_SETTLED), ("dispute", "open", O.DISPUTED),
        ("dispute", "resolved", O.DISPUTE_RESOLVED), ("chargeback", "open", O.CHARGEBACK),
        ("chargeback", "closed", O.ISSUE_SETTLED), ("cancellation_request", "open", O.CANCELLATION_REQUESTED),
        ("cancellation_request", "declined", O.CANCELLATION_DECLINED), ("cancellation_request", "resolved", None),
    ):  # fmt: skip
        issue = Issue(issue_id=new_id(), kind=issue_kind, state=state, opened_at=NOON, opened_by="buyer")
        assert occasion(order_event(OrderDisputed, order, issue=issue)) is expected


def test_the_channel_itself_tells_its_buyer_of_a_refusal() -> None:
    told = {rule.to for rule in rules_for("lengow", O.REJECTED)}
    assert not told & {To.BUYER, To.OTHER_SIDE}
    assert To.OTHER_SIDE in {rule.to for rule in rules_for("marketpush", O.REJECTED)}


# Actions of which nobody needs to hear by themselves: picking, and what only the machinery or a document needs.
UNTOLD = {"select_units", "await_acceptance", "await_shipment", "reorder", "record_return", "problem_refunded"}
# Told by the event that they lead to, whatever they are called: milestones, money, issues, phases.
TOLD = {
    "accept", "auto_accept", "reject", "refuse", "decline", "process", "ship", "add_tracking", "complete", "confirm",
    "receive", "mark_ready", "reopen", "schedule", "close", "cancel", "abandon", "approve", "reject_approval",
    "request_cancellation", "approve_cancellation", "decline_cancellation", "record_payment", "refund", "refund_done",
    "request_refund", "report_problem", "chargeback", "close_chargeback", "reship", "exchange", "close_problem",
    "open_incident", "resolve_incident", "close_incident", "reopen_incident", "open_dispute", "close_dispute",
    "dispute", "resolve", "add_note", "channel_update",
}  # fmt: skip


@pytest.mark.parametrize("profile", sorted(p.stem for p in PROFILES.glob("*.toml")))
def test_every_action_of_a_lifecycle_was_thought_of(profile: str) -> None:
    document = tomllib.loads((PROFILES / f"{profile}.toml").read_text(encoding="utf-8"))
    names = {t["name"] for t in document["transition"]}
    assert names - UNTOLD - TOLD == set(), "decide who is told of it, then name it here"


def test_every_rule_is_for_an_occasion_and_every_occasion_but_the_made_up_ones_has_rules() -> None:
    made_up = {O.APPROVAL_PENDING, O.ACTED_FOR, O.DIGEST, O.MONEY_HELD}
    assert set(O) - set(RULES) == made_up


def paid_order(paid: int, **given: Any) -> OrderSnapshot:
    """A canceled order for which so much was paid."""
    order = snapshot(status="canceled", phase="canceled", cancel_kind="canceled", **given)
    return order.model_copy(update={"totals": order.totals.model_copy(update={"paid": Money.of(paid, "EUR")})})


def told(event: OrderEvent) -> dict[str, O]:
    """Which of the order's people hear of an event, and of what."""
    order = event.order
    place = order.marketplace_id
    people = {
        "buyer": Person(new_id(), place, order.buyer.organisation_id, frozenset({"admin"}), "b@example.com"),
        "seller": Person(new_id(), place, order.seller.organisation_id, frozenset({"seller"}), "s@example.com"),
        "operator": Person(new_id(), place, new_id(), frozenset({"operator"}), "o@example.com"),
    }
    cause = cause_of(Received(new_id(), "/test", NOON, "", event))
    assert cause is not None
    found = plan(cause, Directory(people.values()), NOON, stale_after=timedelta(days=1))
    names = {p.person_id: n for n, p in people.items()}
    return {names[p.person.person_id]: p.kind for p in found}


def test_the_operator_hears_of_money_that_is_held_for_an_order_that_has_ended() -> None:
    made = change("pending", "canceled", "cancel", CLOCK)
    for paid, kind in ((2_000, O.MONEY_HELD), (0, None)):
        event = order_event(OrderCanceled, paid_order(paid), change=made, kind="canceled")
        assert told(event).get("operator") is kind
        assert told(event)["seller"] is O.CANCELED
    late = change("canceled", "canceled", "record_payment", CLOCK)
    everybody = dict.fromkeys(("buyer", "seller", "operator"), O.PAID_LATE)
    assert told(order_event(OrderUpdated, paid_order(500), change=late)) == everybody
    cause = cause_of(Received(new_id(), "/test", NOON, "", order_event(OrderUpdated, paid_order(500), change=late)))
    assert cause is not None
    assert cause.facts["amount"] == {"amount": "5.00", "currency": "EUR"}


def test_the_seller_hears_nothing_of_a_payment_for_what_was_never_approved() -> None:
    approval = Approval(state="rejected")
    late = change("canceled", "canceled", "record_payment", CLOCK)
    event = order_event(
        OrderUpdated, paid_order(500, approval=approval), change=late, audience=("buyer", "operator")
    )  # fmt: skip
    assert told(event) == {"buyer": O.PAID_LATE, "operator": O.PAID_LATE}
