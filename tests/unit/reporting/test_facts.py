"""From events to rows: the newest snapshot, flags that rise, and how sums differ."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from contracts.order import Deadline, Issue, OrderCompleted, OrderCreated, OrderUpdated
from services.reporting.projections.calendar import days_in
from services.reporting.projections.facts import fact, flags, fold, movement
from services.reporting.projections.rollups import Difference, OrderDifferences
from shared.ids import new_id
from tests.builders import NOON, order_event, snapshot

UTC_DAYS = days_in("UTC")


def test_folding_takes_the_highest_sequence_and_all_flags_in_any_order() -> None:
    order = snapshot()
    overdue = Deadline(name="ship", due_at=NOON, overdue=True)
    events = [
        order_event(OrderCreated, order),
        order_event(OrderUpdated, order.model_copy(update={"sequence": 2, "deadlines": (overdue,)})),
        order_event(OrderUpdated, order.model_copy(update={"sequence": 3, "status": "processing"})),
    ]
    for arrived in (events, events[::-1], [*events, *events]):
        folded = fold(arrived)[order.order_id]
        assert folded.newest.sequence == 3
        assert folded.flags.late
        assert folded.flags.due
        assert sorted(folded.by_sequence) == [1, 2, 3]


def test_flags_of_an_event() -> None:
    order = snapshot()
    assert not flags(order_event(OrderCreated, order, audience=("buyer", "operator"))).seller_knows
    assert flags(order_event(OrderUpdated, order.model_copy(update={"phase": "preparing"}))).accepted
    assert flags(order_event(OrderCompleted, order)).completed_at == NOON
    request = Issue(issue_id=new_id(), kind="cancellation_request", state="open", opened_at=NOON, opened_by="buyer")
    assert not flags(order_event(OrderUpdated, order.model_copy(update={"issues": (request,)}))).issue
    dispute = request.model_copy(update={"kind": "dispute"})
    assert flags(order_event(OrderUpdated, order.model_copy(update={"issues": (dispute,)}))).issue


def test_what_only_the_buyer_is_told_of_is_no_lateness_of_the_seller() -> None:
    for audience, late in ((("buyer", "operator"), False), (("seller", "operator"), True), (None, True)):
        overdue = Deadline(name="decide", due_at=NOON, overdue=True, audience=audience)
        found = flags(order_event(OrderUpdated, snapshot().model_copy(update={"deadlines": (overdue,)})))
        assert (found.late, found.due) == (late, late), audience


@pytest.mark.parametrize(("zone", "day"), [("UTC", date(2026, 3, 1)), ("Europe/Oslo", date(2026, 3, 2))])
def test_the_zone_of_the_marketplace_decides_the_day(zone: str, day: date) -> None:
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    event = order_event(OrderCreated, snapshot(placed_at=late, updated_at=late))
    moved = movement(event, days_in(zone))
    assert moved.day == day
    assert fact(event.order, moved, flags(event), days_in(zone)).placed_day == day


def test_money_by_event_date_is_the_difference_from_the_event_before() -> None:
    order = snapshot(price=1_000)
    zero = order.totals.refunded
    refunded = order.totals.model_copy(update={"refunded": zero.of(300, "EUR")})
    events = [
        order_event(OrderCreated, order),
        order_event(OrderUpdated, order.model_copy(
            update={"sequence": 2, "totals": refunded, "updated_at": NOON + timedelta(days=1)})),
    ]  # fmt: skip
    chain = [movement(e, UTC_DAYS) for e in events]
    differences = OrderDifferences()
    differences.add_events(fact(order, chain[0], flags(events[0]), UTC_DAYS), chain, None, 1)
    columns = differences.channel.columns()
    assert columns is not None
    days, gross, refunds = columns[2], columns[11], columns[14]
    assert list(zip(days, gross, refunds, strict=True)) == [(date(2026, 3, 2), 2_000, 0), (date(2026, 3, 3), 0, 300)]


def test_what_cancels_out_is_not_written_and_keys_come_in_order() -> None:
    difference = Difference(2)
    difference.add(("b",), (1, 2), 1)
    difference.add(("c",), (5, 5), 1)
    difference.add(("c",), (5, 5), -1)
    difference.add(("a",), (0, 3), -1)
    assert difference.columns() == [["a", "b"], [0, 1], [-3, 2]]
    assert Difference(1).columns() is None
