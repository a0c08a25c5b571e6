"""The lengow page, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from contracts.inbound import SubmittedLine
from services.order import workflow as wf
from tests.unit.order.workflow import people
from tests.unit.order.workflow.play import Play

AUTO = wf.Channel("zalando", auto_accept=True, buffer=Decimal(1), contact="partner@zalando.example")
REFUNDS = wf.Channel("zalando", can_refund=True, contact="partner@zalando.example")


def plenty(**stock: str) -> dict[UUID, Decimal]:
    return {people.LISTING: Decimal(stock.get("first", "9")), people.LISTING2: Decimal(stock.get("second", "9"))}


def test_new_moves_on_to_waiting_acceptance_by_itself() -> None:
    play = Play("lengow", actor="channel")
    assert play.status == "waiting_acceptance"
    assert [(e.TYPE, e.change.to_status) for e in play.events] == [
        ("order.created", "new"),
        ("order.updated", "waiting_acceptance"),
    ]
    assert [e.change.actor.kind for e in play.events] == ["channel", "service"]


def test_accepted_moves_on_to_awaiting_shipment_and_an_event_tells_the_channel() -> None:
    play = Play("lengow")
    decision = play.do("seller", "accept")
    assert [(s.change.action, s.change.to_status) for s in decision.steps] == [
        ("accept", "accepted"),
        ("await_shipment", "awaiting_shipment"),
    ]


def test_refused_is_told_as_rejected_and_gives_the_stock_back() -> None:
    play = Play("lengow")
    play.do("seller", "refuse", reason="sold out")
    assert (play.status, play.label) == ("refused", "Refused")
    assert play.events[-1].model_dump()["kind"] == "rejected"
    assert play.moves("release") == Decimal("5.5")


def test_automatic_acceptance_when_every_line_leaves_the_buffer() -> None:
    facts = people.facts(channel=AUTO, available=plenty(first="4", second="3.5"))
    play = Play("lengow", facts=facts, actor="channel")
    assert play.status == "awaiting_shipment"
    assert [e.change.action for e in play.events] == ["place", "await_acceptance", "auto_accept", "await_shipment"]


@pytest.mark.parametrize(
    ("first", "buffers", "reason"),
    [
        ("3", {}, "SKU-0: 3 ordered, 3 available less a buffer of 1"),
        ("9", {"SKU-1": Decimal(8)}, "SKU-1: 2.5 ordered, 9 available less a buffer of 8"),
    ],
)
def test_otherwise_it_waits_for_a_person_with_the_reason_shown(
    first: str, buffers: dict[str, Decimal], reason: str
) -> None:
    channel = wf.Channel("zalando", auto_accept=True, buffer=Decimal(1), buffers=buffers)
    facts = people.facts(channel=channel, available=plenty(first=first))
    play = Play("lengow", facts=facts, actor="channel")
    assert play.status == "waiting_acceptance"
    assert [n.text for n in play.snapshot("seller").notes] == [f"Automatic acceptance waits for a person. {reason}."]
    assert play.snapshot("buyer").notes == (), "stock levels are nothing for the customer"
    assert play.events[-1].change.details == {"waits_for_person": True}


def test_without_automatic_acceptance_nothing_is_said() -> None:
    play = Play("lengow", actor="channel")
    assert play.order.notes == ()


def test_two_lines_of_one_listing_share_its_stock() -> None:
    facts = people.facts(channel=AUTO, available=plenty(first="6"))
    lines = tuple(
        SubmittedLine(listing_id=people.LISTING, quantity=Decimal(3), unit_price=people.eur("1.00")) for _ in range(2)
    )
    what = people.placement(people.submitted(*lines), (people.line_facts(0), people.line_facts(2)))
    assert Play("lengow", what, facts).status == "waiting_acceptance"


def test_a_tracked_delivery_needs_carrier_or_tracking_number() -> None:
    play = Play("lengow", people.placement(people.submitted(delivery_method="Tracked")))
    play.do("seller", "accept")
    refusal = play.refused("seller", "ship")
    assert (refusal.code, refusal.STATUS) == ("tracking_given", 422)
    assert refusal.more["errors"][0]["path"] == "carrier", "a form shows it beside its field"
    play.do("seller", "ship", carrier="Colissimo")
    assert play.status == "shipped"
    untracked = Play("lengow")
    untracked.do("seller", "accept")
    untracked.do("seller", "ship")
    assert untracked.status == "shipped"


def test_only_customer_and_channel_cancel_and_the_merchant_is_told_whom_to_ask() -> None:
    play = Play("lengow", facts=people.facts(channel=REFUNDS))
    play.do("seller", "accept")
    refusal = play.refused("seller", "cancel")
    assert isinstance(refusal, wf.NotAllowed)
    assert "partner@zalando.example" in refusal.detail
    play.do("placer", "cancel")
    assert play.status == "canceled"


def test_refunding_and_refunded_are_shown_over_refused_and_canceled() -> None:
    play = Play("lengow", facts=people.facts(channel=REFUNDS))
    play.do("seller", "refuse")
    play.do("seller", "request_refund")
    assert (play.status, play.label, play.order.money) == ("refused", "Refunding", "refunding")
    play.do("channel", "refund_done")
    assert (play.status, play.label, play.order.money) == ("refused", "Refunded", "refunded")
    assert [t.status for t in play.order.status_times][-2:] == ["refunding", "refunded"]
    assert wf.shown(play.order, play.lifecycle).code == "refunded"
    assert play.refused("seller", "request_refund").code == "refundable"


def test_a_channel_without_refunds_refuses_the_request() -> None:
    play = Play("lengow")
    play.do("channel", "cancel")
    assert play.refused("seller", "request_refund").code == "channel_can_refund"


def test_shipped_closes_by_itself_unless_a_dispute_is_open() -> None:
    play = Play("lengow")
    play.do("seller", "accept")
    play.do("seller", "ship")
    play.do("placer", "open_dispute", note="empty box")
    assert play.wait(days=30) is None
    play.do("channel", "close_dispute")
    play.wait(seconds=1)
    assert play.status == "closed"
    assert play.kinds[-1] == "order.completed"


def test_the_channel_jumps_over_stages_and_the_times_between_are_inferred() -> None:
    play = Play("lengow", actor="channel")
    at = "2026-03-02T08:30:00+01:00"
    play.do("channel", "channel_update", status="shipped", external_status="EXPEDIEE", at=at, carrier="GLS")
    assert play.status == "shipped"
    assert play.order.external_status == "EXPEDIEE"
    assert [(t.status, t.inferred) for t in play.order.status_times] == [
        ("new", False),
        ("waiting_acceptance", False),
        ("accepted", True),
        ("awaiting_shipment", True),
        ("shipped", False),
    ]
    assert play.order.status_times[-1].at == datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
    assert [e.change.action for e in play.events[2:]] == ["channel_update"], "one change, one event"
    assert play.order.parcels[0].carrier == "GLS"
    assert all(x.shipped == x.ordered for x in play.order.lines)


def test_a_jump_to_the_end_tells_each_milestone_once() -> None:
    play = Play("lengow", actor="channel")
    play.do("channel", "channel_update", status="closed")
    assert play.kinds == ["order.created", "order.updated", "order.completed"]
    assert all(x.received == x.ordered for x in play.order.lines)


def test_a_channel_that_cancels_after_shipment() -> None:
    play = Play("lengow", actor="channel")
    play.do("channel", "channel_update", status="shipped")
    play.do("channel", "channel_update", status="canceled", external_status="CANCELLED")
    assert play.kinds[-1] == "order.canceled"
    assert play.moves("restock") == Decimal("5.5")


def test_a_channel_that_lags_behind_is_refused_and_its_raw_status_can_be_kept() -> None:
    play = Play("lengow", actor="channel")
    play.do("channel", "channel_update", status="shipped", external_status="S")
    assert play.refused("channel", "channel_update", status="accepted").code == "channel_behind"
    play.do("channel", "channel_update", external_status="ACCEPTED-LATE")
    assert (play.status, play.order.external_status) == ("shipped", "ACCEPTED-LATE")
    assert play.do("channel", "channel_update", external_status="ACCEPTED-LATE").steps == ()
    assert play.refused("channel", "channel_update", status="lost").code == "bad_params"


def test_a_jump_over_acceptance_takes_units_as_they_are() -> None:
    play = Play("lengow", people.placement(tracked=True), actor="channel")
    play.do("channel", "channel_update", status="shipped")
    assert play.status == "shipped"
    assert [x.shipped for x in play.order.lines] == [Decimal(3), Decimal("2.5")]
    assert [str(x.quantity) for x in play.order.parcels[0].lines] == ["3", "2.5"]


def test_a_chargeback_holds_closing_too() -> None:
    play = Play("lengow")
    play.do("seller", "accept")
    play.do("seller", "ship")
    play.do("service", "chargeback")
    assert play.timer == people.NOW + timedelta(days=7), "the evidence, not the closing"


def test_the_customer_cancels_until_something_has_been_sent() -> None:
    """Else what is on its way would be on the shelf again."""
    play = Play("lengow")
    play.do("seller", "accept")
    play.do("seller", "ship", lines=[play.part(1)])
    assert play.status == "awaiting_shipment"
    assert play.refused("placer", "cancel").code == "nothing_shipped"
    play.do("channel", "cancel")
    assert play.status == "canceled"


def test_the_owner_records_what_was_given_back_without_the_channel() -> None:
    """Depending upon the channel a refund action is possible; without it the money is not held for ever."""
    play = Play("lengow", facts=people.facts(channel=wf.Channel(can_refund=False)))
    play.do("channel", "cancel")
    assert isinstance(play.refused("seller", "request_refund"), wf.GuardFailed)
    play.do("operator", "refund", reason="paid back by bank transfer")
    assert (play.status, play.order.money, play.snapshot().status_label) == ("canceled", "refunded", "Refunded")
