"""The marketpush page, rule by rule."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from contracts.inbound import SubmittedLine
from services.order import workflow as wf
from tests.unit.order.workflow import people
from tests.unit.order.workflow.play import Play


def at(status: str) -> Play:
    play = Play("marketpush")
    for actor, action, reached in (
        ("seller", "accept", "awaiting_fulfillment"),
        ("seller", "ship", "shipped"),
        ("placer", "receive", "received"),
    ):
        play.do(actor, action)
        if reached == status:
            return play
    raise AssertionError(status)


def test_lines_are_accepted_and_rejected_one_by_one() -> None:
    play = Play("marketpush")
    play.do("seller", "accept", lines=[play.part(2)])
    assert play.status == "pending"
    play.do("seller", "reject", lines=[play.part(1)], reason="one is broken")
    assert play.status == "pending"
    assert [x.status for x in play.snapshot().lines] == ["awaiting_fulfillment", "pending"]
    play.do("seller", "reject", lines=[play.part("2.5", 1)])
    assert play.status == "awaiting_fulfillment"
    assert [x.status for x in play.snapshot().lines] == ["awaiting_fulfillment", "rejected"]
    assert play.moves("release") == Decimal("3.5")
    assert play.kinds == ["order.created", "order.updated", "order.updated", "order.updated"]


def test_the_order_is_rejected_when_every_line_is() -> None:
    play = Play("marketpush")
    play.do("seller", "reject", lines=[play.part(3)])
    play.do("seller", "reject", lines=[play.part("2.5", 1)])
    assert play.status == "rejected"
    assert play.events[-1].TYPE == "order.canceled"
    assert play.events[-1].model_dump()["kind"] == "rejected"
    assert [r["sku"] for r in play.events[-1].model_dump()["returned"]] == ["SKU-1"], "each quantity once"
    assert play.moves("release") == Decimal("5.5")


def test_accepting_the_last_open_line_goes_on() -> None:
    play = Play("marketpush")
    play.do("seller", "reject", lines=[play.part(3)])
    play.do("seller", "accept", lines=[play.part("2.5", 1)])
    assert play.status == "awaiting_fulfillment"
    assert play.refused("seller", "accept").code == "wrong_state"


def test_more_than_is_open_cannot_be_accepted() -> None:
    play = Play("marketpush")
    play.do("seller", "accept", lines=[play.part(2)])
    assert play.refused("seller", "accept", lines=[play.part(2)]).code == "bad_params"
    assert play.refused("seller", "accept", lines=[play.part(1), play.part(1)]).code == "bad_params"


def test_operators_process_for_their_sellers_only_where_that_is_switched_on() -> None:
    play = Play("marketpush")
    refusal = play.refused("operator", "accept")
    assert isinstance(refusal, wf.NotAllowed)
    assert "logs in as the seller's user" in refusal.detail
    on = people.facts(settings={"operator_may_process": "true"})
    play = Play("marketpush", facts=on)
    play.do("operator", "accept")
    play.do("operator", "ship")
    assert play.status == "shipped"
    assert play.events[-1].change.actor.side == "operator"


def test_the_operator_logged_in_as_the_seller_is_named_beside_the_seller() -> None:
    play = Play("marketpush")
    emulated = wf.Actor(
        "person",
        "Olga Operator",
        people.ACTORS["operator"].id,
        people.SELLER_ORG,
        frozenset({"seller"}),
        on_behalf_of=people.ACTORS["seller"].id,
        on_behalf_of_name="Sam Seller",
    )
    decision = wf.decide(play.order, play.lifecycle, "accept", emulated, {}, play.now, play.ids, play.facts)
    actor = decision.steps[0].change.actor
    assert (actor.name, actor.on_behalf_of_name, actor.side) == ("Olga Operator", "Sam Seller", "seller")
    noted = wf.decide(play.order, play.lifecycle, "add_note", emulated, {"text": "Back on Monday"}, play.now, play.ids)
    assert (noted.order.notes[0].by, noted.order.notes[0].side) == ("Olga Operator as Sam Seller", "seller")


@pytest.mark.parametrize(
    ("allowed", "channel_on", "stock", "status"),
    [
        ("true", True, "4", "awaiting_fulfillment"),
        ("true", True, "3", "pending"),
        ("true", False, "9", "pending"),
        ("false", True, "9", "pending"),
    ],
)
def test_auto_accept_needs_the_setting_the_channel_and_the_stock(
    allowed: str, channel_on: bool, stock: str, status: str
) -> None:
    facts = people.facts(
        settings={"allow_auto_accept": allowed},
        channel=wf.Channel(auto_accept=channel_on, buffer=Decimal(1)),
        available={people.LISTING: Decimal(stock), people.LISTING2: Decimal(9)},
    )
    assert Play("marketpush", facts=facts).status == status


@pytest.mark.parametrize("first", ["accept", "reject"])
def test_what_a_seller_has_begun_to_decide_is_not_accepted_by_itself(first: str) -> None:
    """Of 3 that were ordered 2 may be promised: the seller takes 2, or turns 1 away, and decides on the rest."""
    facts = people.facts(
        settings={"allow_auto_accept": "true"},
        channel=wf.Channel(auto_accept=True, buffer=Decimal(1)),
        available={people.LISTING: Decimal(3), people.LISTING2: Decimal(9)},
    )
    play = Play("marketpush", facts=facts)
    play.do("seller", first, lines=[play.part(2 if first == "accept" else 1)])
    assert (play.status, play.order.lines[1].accepted) == ("pending", Decimal(0))
    play.do("seller", "reject", lines=[play.part("2.5", 1)])
    assert play.status == "pending"
    assert play.order.lines[0].accepted == (2 if first == "accept" else 0)
    assert play.order.lines[0].open > 0


def test_an_incident_shows_on_the_line_and_gives_it_its_status_back() -> None:
    play = at("shipped")
    play.do("placer", "open_incident", line_id=play.line(), reason_code="damaged", note="cracked")
    assert play.kinds[-1] == "order.disputed"
    assert [x.status for x in play.snapshot().lines] == ["incident_open", "shipped"]
    assert play.snapshot().lines[0].open_incidents == (play.order.issues[0].issue_id,)
    assert (play.status, play.order.issue) == ("shipped", "open")
    play.do("seller", "resolve_incident", note="sent a new one")
    assert play.snapshot().lines[0].status == "incident_open", "open until the operator closes it"
    play.do("operator", "reopen_incident")
    assert play.order.issues[0].state == "open"
    play.do("seller", "resolve_incident")
    play.do("operator", "close_incident")
    assert [x.status for x in play.snapshot().lines] == ["shipped", "shipped"]
    assert play.order.issue == "resolved"
    assert play.kinds[-5:] == ["order.disputed"] * 5


def test_an_incident_is_of_something_that_was_sent() -> None:
    play = Play("marketpush")
    play.do("seller", "reject", lines=[play.part("2.5", 1)])
    play.do("seller", "accept")
    play.do("seller", "ship")
    refusal = play.refused("placer", "open_incident", line_id=play.line(1), reason_code="damaged")
    assert (refusal.STATUS, refusal.detail) == (422, "line_id: nothing of SKU-1 has been sent")
    opening = next(
        a
        for a in wf.allowed_actions(play.order, play.lifecycle, people.ACTORS["placer"], play.now)
        if a.name == "open_incident"
    )
    assert opening.params["properties"]["line_id"]["enum"] == [play.line()], "a form offers what can be chosen"
    assert [x.status for x in play.snapshot().lines] == ["shipped", "rejected"]


def test_a_partially_refunded_line_gets_that_status_back_after_an_incident() -> None:
    play = at("shipped")
    play.do("seller", "refund", line_id=play.line(), quantity=1)
    play.do("operator", "open_incident", line_id=play.line(), reason_code="missing_parts")
    assert play.snapshot().lines[0].status == "incident_open"
    play.do("operator", "close_incident")
    assert play.snapshot().lines[0].status == "partially_refunded"


def test_the_order_closes_days_after_receipt_but_not_over_an_open_incident() -> None:
    play = at("received")
    assert play.timer == people.NOW + timedelta(days=14)
    play.do("placer", "open_incident", line_id=play.line(), reason_code="not_received")
    assert play.timer is None
    assert play.wait(days=20) is None
    assert play.status == "received"
    decision = play.do("operator", "close_incident")
    assert decision.next_timer_at == people.NOW + timedelta(days=14), "due already"
    play.wait(minutes=1)
    assert (play.status, play.kinds[-1]) == ("closed", "order.updated")
    assert play.order.closed_at == play.now
    assert play.kinds.count("order.completed") == 1


def test_auto_close_follows_the_setting_and_zero_switches_it_off() -> None:
    play = Play("marketpush", facts=people.facts(settings={"auto_close_days": "0"}))
    play.do("seller", "accept")
    play.do("seller", "ship")
    play.do("placer", "receive")
    assert play.timer is None


def test_each_status_has_its_own_time() -> None:
    play = at("received")
    play.wait(days=14)
    assert [(t.status, t.at) for t in play.order.status_times] == [
        ("pending", people.NOW),
        ("awaiting_fulfillment", people.NOW),
        ("shipped", people.NOW),
        ("received", people.NOW),
        ("closed", people.NOW + timedelta(days=14)),
    ]


def test_who_cancels_until_when() -> None:
    play = at("shipped")
    refusal = play.refused("placer", "cancel")
    assert "open an incident" in refusal.detail
    play.do("seller", "cancel", reason="parcel came back")
    assert play.moves("restock") == Decimal("5.5")
    assert play.status == "canceled"
    assert {x.status for x in play.snapshot().lines} == {"canceled"}


def test_the_customer_cannot_cancel_what_is_partly_sent() -> None:
    play = Play("marketpush")
    play.do("seller", "accept")
    play.do("seller", "ship", lines=[play.part(1)])
    assert play.refused("placer", "cancel").code == "nothing_shipped"


def test_the_order_shows_refunded_once_the_full_refund_is_issued() -> None:
    play = at("received")
    play.do("operator", "refund", line_id=play.line())
    assert play.label == "Received"
    assert [x.status for x in play.snapshot().lines] == ["refunded", "received"]
    play.do("operator", "refund")
    assert play.label == "Refunded"
    assert play.status == "received"


def test_what_is_rejected_takes_its_share_of_the_discount_and_the_commission_along() -> None:
    """40 EUR less a discount of 20: half of everything that is left is half of what is paid."""
    order = people.submitted(
        SubmittedLine(listing_id=people.LISTING, quantity=Decimal(3), unit_price=people.eur("10.00")),
        SubmittedLine(listing_id=people.LISTING2, quantity=Decimal(1), unit_price=people.eur("10.00")),
        paid=False, shipping="0.00",
    ).model_copy(update={"discount": people.eur("20.00")})  # fmt: skip
    play = Play("marketpush", people.placement(order))
    assert (play.order.total, play.order.commission) == (2000, 240)
    play.do("seller", "reject", lines=[play.part(3)])
    assert (play.order.released, play.order.commission_reversed) == (1500, 180)
    play.do("seller", "accept")
    play.do("service", "record_payment")
    assert (play.order.paid, play.order.money) == (500, "paid")
    play.do("operator", "refund")
    assert (play.order.refunded, play.order.commission_reversed) == (500, 240)


def test_a_line_that_is_refunded_and_canceled_reverses_its_commission_once() -> None:
    """Whichever comes first, and with a refund that is still on its way."""
    for settled in (True, False):
        play = Play("marketpush", people.placement(people.submitted(shipping="0.00")))
        assert (play.order.total, play.order.commission) == (4005, 481)
        play.do("seller", "accept")
        play.do("operator", "refund", line_id=play.line(), settled=settled)
        play.do("operator", "cancel")
        if not settled:
            play.do("service", "refund_done")
        assert play.order.commission_reversed == 481
        play.do("operator", "refund")
        assert (play.order.money, play.order.commission_reversed) == ("refunded", 481)


def test_what_was_never_paid_for_cannot_be_refunded() -> None:
    """The line was rejected before the customer paid for the rest."""
    play = Play("marketpush", people.placement(people.submitted(paid=False)))
    play.do("seller", "reject", lines=[play.part(2), play.part("2.5", 1)])
    play.do("seller", "accept")
    play.do("service", "record_payment")
    assert (play.order.paid, play.order.released) == (1500, 3005), "ten for the one, five for shipping"
    assert play.refused("operator", "refund", line_id=play.line(1)).code == "refundable"
    assert play.refused(
        "operator", "refund", line_id=play.line(), amount={"amount": "10.01", "currency": "EUR"}
    ).code == ("refund_exceeds_line")
    play.do("operator", "refund", line_id=play.line())
    assert play.order.refunded == 1000


def test_where_nothing_is_sold_no_shipping_is_owed() -> None:
    play = Play("marketpush", people.placement(people.submitted(paid=False)))
    play.do("seller", "reject")
    assert (play.order.total, play.order.owed) == (4505, 0)
    assert play.refused("service", "record_payment").code == "nothing_outstanding"
