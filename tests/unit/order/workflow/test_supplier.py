"""The supplier page, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from contracts.inbound import SubmittedLine
from contracts.money import Money
from services.order import workflow as wf
from tests.unit.order.workflow import people
from tests.unit.order.workflow.play import Play

TOTAL = "45.05"


def over_limit() -> Play:
    return Play("supplier", people.placement(limit=people.eur("10.00")))


def accepted() -> Play:
    play = Play("supplier")
    play.do("seller", "accept")
    return play


@pytest.mark.parametrize(
    ("limit", "status"),
    [
        (None, "pending"),
        (people.eur(TOTAL), "pending"),
        (people.eur("45.04"), "needs_approval"),
        (people.eur("0.00"), "needs_approval"),
        (Money(amount="99999", currency="JPY"), "needs_approval"),
    ],
)
def test_the_purchasing_limit(limit: Money | None, status: str) -> None:
    """None set: no limit. Above it, not at it. Zero: always. In another currency it cannot be compared."""
    play = Play("supplier", people.placement(limit=limit))
    assert play.status == status
    assert (play.order.approval is not None) == (status == "needs_approval")


def test_a_limit_of_zero_holds_for_what_costs_nothing_too() -> None:
    free = people.submitted(SubmittedLine(quantity=Decimal(1), unit_price=people.eur("0.00")), shipping="0.00")
    assert Play("supplier", people.placement(free, limit=people.eur("0.00"))).status == "needs_approval"


def test_the_supplier_neither_sees_nor_hears_of_it_until_approved() -> None:
    play = over_limit()
    assert (play.kinds, play.told()) == (["order.updated"], ("buyer",))
    assert not wf.visible(play.order, people.ACTORS["seller"])
    assert wf.visible(play.order, people.ACTORS["operator"])
    assert isinstance(play.refused("seller", "accept"), wf.NotVisible)
    assert wf.allowed_actions(play.order, play.lifecycle, people.ACTORS["seller"], play.now) == ()
    play.do("buyer_admin", "add_note", text="urgent")
    assert play.told() == ("buyer",)
    play.do("approver", "approve", note="within budget")
    assert play.events[-1].TYPE == "order.created"
    assert play.told() == ("buyer", "seller", "operator")
    assert wf.visible(play.order, people.ACTORS["seller"])
    assert play.status == "pending"


def test_the_supplier_does_not_read_why_it_was_approved() -> None:
    play = over_limit()
    play.do("approver", "approve", note="within budget")
    assert play.snapshot("buyer").approval is not None
    assert play.snapshot("seller").approval is None
    assert "within budget" not in play.snapshot("seller").model_dump_json()
    assert [t.status for t in play.snapshot("seller").status_times] == ["pending"]
    assert play.order.approval is not None
    assert play.order.approval.decided_by == people.ACTORS["approver"].id


def test_whoever_placed_it_does_not_approve_it() -> None:
    play = over_limit()
    placer = wf.Actor("person", "Ada", people.ACTORS["placer"].id, people.BUYER_ORG, frozenset({"buyer", "approver"}))
    other = people.ACTORS["approver"]
    as_other = replace(placer, roles=other.roles, on_behalf_of=other.id, on_behalf_of_name=other.name)
    for actor in (placer, as_other):
        with pytest.raises(wf.GuardFailed) as refused:
            wf.decide(play.order, play.lifecycle, "approve", actor, {}, play.now, play.ids)
        assert refused.value.code == "actor_is_not_placer"


def test_a_rejected_approval_ends_it_and_the_supplier_never_hears() -> None:
    play = over_limit()
    play.do("approver", "reject_approval", note="too dear")
    assert play.status == "approval_rejected"
    # the operator hears of it, as there is money to give back
    assert (play.events[-1].TYPE, play.told()) == ("order.canceled", ("buyer", "operator"))
    assert play.events[-1].model_dump()["kind"] == "approval_rejected"
    assert not wf.visible(play.order, people.ACTORS["seller"])
    assert play.moves("release") == play.moves("reserve")
    assert "order.created" not in play.kinds


def test_accepting_whole_or_in_part() -> None:
    assert accepted().status == "accepted"
    play = Play("supplier")
    play.do("seller", "accept", lines=[play.part(2)], note="rest is out of stock")
    assert (play.status, play.label) == ("partially_accepted", "Partially Accepted")
    assert [(x.accepted, x.rejected) for x in play.order.lines] == [
        (Decimal(2), Decimal(1)),
        (Decimal(0), Decimal("2.5")),
    ]
    assert play.moves("release") == Decimal("3.5")
    assert play.snapshot().notes[0].text == "rest is out of stock"


def test_partial_acceptance_can_be_switched_off() -> None:
    play = Play("supplier", facts=people.facts(settings={"allow_partial": "false"}))
    assert play.refused("seller", "accept", lines=[play.part(2)]).code == "partial_allowed"
    play.do("seller", "accept", lines=[play.part(3), {"line_id": play.line(1)}])
    assert play.status == "accepted"


def test_declined_only_while_pending() -> None:
    assert isinstance(accepted().refused("seller", "decline"), wf.WrongState)
    play = Play("supplier")
    play.do("seller", "decline", note="closed this week")
    assert (play.status, play.events[-1].model_dump()["kind"]) == ("declined", "rejected")


@pytest.mark.parametrize(
    ("now", "day", "scheduled"),
    [
        # 23:30 UTC is half past midnight of the next day in Oslo, where the outlet is
        ("2026-03-02T23:30:00", "tomorrow", date(2026, 3, 4)),
        ("2026-03-02T23:30:00", "2026-03-03", date(2026, 3, 3)),
        ("2026-03-02T23:30:00", "2026-03-02", None),
        ("2026-03-02T10:00:00", "2026-03-02", date(2026, 3, 2)),
        ("2026-03-02T10:00:00", "2026-02-30", None),
        ("2026-03-02T10:00:00", "2029-01-01", None),
    ],
)
def test_scheduled_for_tomorrow_or_a_day_that_is_not_past_at_the_outlet(
    now: str, day: str, scheduled: date | None
) -> None:
    play = accepted()
    play.now = datetime.fromisoformat(now).replace(tzinfo=UTC)
    if scheduled is None:
        assert play.refused("seller", "schedule", day=day).code == "bad_params"
        return
    play.do("seller", "schedule", day=day)
    assert (play.status, play.order.scheduled_for) == ("scheduled", scheduled)
    assert play.label == "Scheduled For Delivery"


@pytest.mark.parametrize("day", ["2030-W01-1", "20300101", "2030-1-1", "2030-01-01 ", "0000-01-01"])
def test_days_are_written_as_dates(day: str) -> None:
    refusal = accepted().refused("seller", "schedule", day=day)
    assert "a date such as" in refusal.detail


def test_completing_takes_images_an_invoice_and_a_note_all_optional() -> None:
    accepted().do("placer", "complete")
    play = accepted()
    images = [str(d) for d in people.IMAGES]
    assert play.refused("placer", "complete", images=images[:4]).code == "bad_params"
    assert play.refused("placer", "complete", images=[str(people.PDF.document_id)]).code == "bad_params"
    play.do("placer", "complete", images=images[:3], invoice=str(people.PDF.document_id), note="two boxes")
    assert [d.kind for d in play.order.documents] == ["image"] * 3 + ["invoice"]
    assert play.events[-1].TYPE == "order.completed"
    image_invoice = accepted()
    image_invoice.do("placer", "complete", invoice=images[0])
    assert image_invoice.order.documents[0].kind == "invoice"


def test_dispute_and_resolve_again_and_again() -> None:
    play = accepted()
    play.do("placer", "complete")
    play.do("placer", "dispute", note="one box is wet", images=[str(next(iter(people.IMAGES)))])
    assert (play.status, play.order.issue, play.order.closed_at) == ("in_dispute", "open", None)
    play.do("placer", "resolve", note="credited")
    seen = wf.shown(play.order, play.lifecycle)
    assert (seen.label, seen.mark) == ("Completed after dispute", "red")
    play.do("buyer_admin", "dispute", note="and another")
    play.do("operator", "resolve")
    assert play.status == "completed_after_dispute"
    assert [i.state for i in play.order.issues] == ["resolved", "resolved"], "disputes are counted"
    assert play.kinds.count("order.completed") == 1
    assert play.kinds[-4:] == ["order.disputed"] * 4


def test_a_refund_does_not_stand_over_what_the_page_says_of_disputes() -> None:
    """Page: a special status called Completed after dispute; the label has a red circle."""
    play = accepted()
    play.do("placer", "complete")
    play.do("placer", "dispute", note="all of it is spoilt")
    play.do("operator", "refund")
    assert (play.label, play.order.money) == ("In Dispute", "refunded")
    play.do("placer", "resolve")
    seen = wf.shown(play.order, play.lifecycle)
    assert (seen.label, seen.mark, play.order.money) == ("Completed after dispute", "red", "refunded")
    calm = accepted()
    calm.do("placer", "complete")
    calm.do("operator", "refund")
    assert calm.label == "Refunded"


def test_abandoned_by_the_outlet_or_by_the_clock() -> None:
    play = Play("supplier")
    play.do("placer", "abandon", reason="not needed")
    assert (play.told(), play.events[-1].model_dump()["kind"]) == (
        ("buyer", "seller", "operator"),
        "abandoned",
    )
    for actor in ("placer", "seller", "approver"):
        assert play.labels(actor) == {}, "no further actions"
    assert play.labels("operator") == {"refund": "Refund"}, "none of its course; what was paid is given back"
    play.do("operator", "refund")
    assert play.labels("operator") == {}
    assert (play.status, play.order.money) == ("abandoned", "refunded")
    unpaid = Play("supplier", people.placement(people.submitted(paid=False)))
    unpaid.do("placer", "abandon")
    assert unpaid.labels("operator") == {}
    play = Play("supplier")
    assert play.timer == people.NOW + timedelta(days=30)
    play.wait(days=30)
    assert play.status == "abandoned"
    assert play.events[-1].change.actor.kind == "clock"


def test_an_abandoned_order_that_the_supplier_never_saw_stays_unseen() -> None:
    play = Play("supplier", people.placement(people.submitted(paid=False), limit=people.eur("10.00")))
    play.wait(days=31)
    assert (play.status, play.told()) == ("abandoned", ("buyer",))
    play.do("service", "record_payment", amount={"amount": TOTAL, "currency": "EUR"})
    assert play.told() == ("buyer", "operator")
    play.do("operator", "refund", settled=False)
    assert play.order.money == "refunding"
    play.do("service", "refund_done")
    assert (play.events[-1].TYPE, play.told(), play.order.refund_left) == ("order.refunded", ("buyer", "operator"), 0)
    assert not wf.visible(play.order, people.ACTORS["seller"])


def test_a_chargeback_of_what_was_never_approved_is_told_to_the_operator_and_never_to_the_supplier() -> None:
    play = Play("supplier", people.placement(limit=people.eur("10.00")))
    play.do("approver", "reject_approval")
    play.do("service", "chargeback", amount={"amount": TOTAL, "currency": "EUR"})
    assert (play.status, play.order.money, play.order.issue) == ("approval_rejected", "paid", "open")
    assert (play.events[-1].TYPE, play.told()) == ("order.disputed", ("buyer", "operator"))
    assert play.labels("operator") == {"refund": "Refund", "close_chargeback": "Close chargeback"}
    assert not wf.visible(play.order, people.ACTORS["seller"])
    play.do("operator", "refund")
    play.do("operator", "close_chargeback", resolution="lost")
    assert (play.order.money, play.order.issue, play.labels("operator")) == ("refunded", "resolved", {})


def test_each_step_starts_the_time_to_abandon_anew_and_scheduling_ends_it() -> None:
    play = Play("supplier")
    play.now += timedelta(days=29)
    play.do("seller", "accept")
    assert play.wait(days=2) is None
    play.do("seller", "schedule", day="tomorrow")
    assert play.timer is None


def test_reorder_asks_for_the_same_items_at_todays_prices() -> None:
    play = accepted()
    play.do("placer", "complete")
    decision = play.do("placer", "reorder")
    assert decision.steps == (), "the old order does not change"
    wish = decision.of(wf.PlaceAgain)[0]
    again = wf.again(play.order, wish)
    assert [(x.listing_id, x.quantity, x.unit_price) for x in again.lines] == [
        (people.LISTING, Decimal(3), None),
        (people.LISTING2, Decimal("2.5"), None),
    ]
    assert not again.paid


def test_money_that_comes_in_late_is_recorded_even_when_abandoned() -> None:
    play = Play("supplier", people.placement(people.submitted(paid=False)))
    play.do("placer", "abandon")
    play.do("service", "record_payment", amount={"amount": TOTAL, "currency": "EUR"})
    assert play.order.paid == 4505


def test_a_line_that_was_not_accepted_says_so() -> None:
    play = Play("supplier")
    play.do("seller", "accept", lines=[play.part(1)])
    assert [line.status for line in play.snapshot().lines] == ["partially_accepted", "rejected"]
