"""The storefront page, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from services.order import workflow as wf
from services.order.workflow.decision import Released
from tests.unit.order.workflow import people
from tests.unit.order.workflow.play import Play


def shipped() -> Play:
    play = Play("storefront")
    play.do("seller", "process")
    play.do("seller", "ship", carrier="DHL")
    return play


def test_the_way_from_purchase_to_delivery() -> None:
    play = shipped()
    assert play.label == "Shipped / In Transit"
    play.do("seller", "complete")
    assert (play.status, play.label) == ("completed", "Completed / Delivered")
    assert play.kinds == ["order.created", "order.updated", "order.updated", "order.completed"]
    assert [t.status for t in play.order.status_times] == ["pending", "processing", "shipped", "completed"]
    assert play.order.closed_at == people.NOW
    assert [line.received for line in play.order.lines] == [Decimal(3), Decimal("2.5")]


def test_tracking_may_be_left_out_and_added_later() -> None:
    play = Play("storefront")
    play.do("seller", "process")
    play.do("seller", "ship")
    assert play.order.parcels[0].tracking_number is None
    play.do("seller", "complete")
    play.do("seller", "add_tracking", carrier="UPS", tracking_number="1Z", tracking_url="https://ups.example/1Z")
    assert play.snapshot().parcels[0].tracking_number == "1Z"
    assert play.kinds[-1] == "order.updated"
    assert play.refused("seller", "add_tracking").code == "bad_params"


def test_several_parcels_with_lines_and_quantities() -> None:
    """The order is shipped once everything accepted has been sent."""
    play = Play("storefront")
    play.do("seller", "process")
    play.do("seller", "ship", carrier="DHL", lines=[play.part(2)])
    assert play.status == "processing"
    refusal = play.refused("seller", "ship", lines=[play.part(2)])
    assert refusal.more["errors"] == [{"path": "lines.0.quantity", "message": "only 1 of SKU-0 can be sent"}]
    play.do("seller", "ship", lines=[play.part(1), play.part("2.5", 1)])
    assert play.status == "shipped"
    assert [[(str(x.quantity)) for x in p.lines] for p in play.order.parcels] == [["2"], ["1", "2.5"]]
    assert [p.number for p in play.order.parcels] == [1, 2]
    assert play.moves("ship") == Decimal("5.5")


def test_acknowledge_is_due_after_24_hours_and_overdue_after_48() -> None:
    play = Play("storefront")
    assert play.timer == people.NOW + timedelta(hours=24)
    assert play.wait(hours=23) is None
    play.wait(hours=1)
    assert (play.events[-1].change.action, play.told()) == ("acknowledge_due", ("seller", "operator"))
    assert not wf.is_overdue(play.order)
    assert play.wait(hours=1) is None, "told once"
    play.wait(hours=23)
    assert (play.events[-1].change.action, play.told()) == ("acknowledge_overdue", ("seller", "operator"))
    assert wf.is_overdue(play.order)
    assert play.wait(hours=1) is None
    play.do("seller", "process")
    assert [d.name for d in play.order.deadlines] == ["ship"]
    assert not wf.is_overdue(play.order)


def test_a_clock_that_was_off_for_days_fires_each_deadline_once() -> None:
    play = Play("storefront")
    decision = play.wait(days=30)
    assert decision is not None
    assert [s.change.action for s in decision.steps] == ["acknowledge_overdue", "ship_overdue"]
    assert decision.next_timer_at is None
    assert play.wait(days=1) is None


def test_late_shipping_is_flagged_and_told_and_never_cancels() -> None:
    play = Play("storefront", facts=people.facts(settings={"ship_within_days": "5"}))
    play.do("seller", "process")
    assert play.timer == people.NOW + timedelta(days=5)
    play.wait(days=5)
    assert play.events[-1].change.action == "ship_overdue"
    assert play.told() == ("buyer", "seller", "operator")
    assert [(d.name, d.overdue) for d in play.snapshot().deadlines] == [("ship", True)]
    play.wait(days=300)
    assert play.status == "processing"
    play.do("seller", "ship")
    assert not wf.is_overdue(play.order)


def test_the_time_to_ship_runs_on_from_the_order_not_from_its_processing() -> None:
    play = Play("storefront")
    play.now += timedelta(days=2)
    play.do("seller", "process")
    assert [(d.name, d.due_at) for d in play.order.deadlines] == [("ship", people.NOW + timedelta(days=3))]


def test_cancellation_is_asked_for_and_decided_by_the_owner() -> None:
    play = Play("storefront")
    play.do("placer", "request_cancellation", note="ordered twice")
    assert play.kinds[-1] == "order.updated"
    assert play.snapshot().issue == "none", "a request is no dispute and holds no payout"
    assert play.refused("seller", "request_cancellation").code == "no_active_issue"
    play.do("operator", "decline_cancellation", reason="packed already")
    assert play.order.issues[0].state == "declined"
    play.do("seller", "request_cancellation")
    play.do("operator", "approve_cancellation")
    assert play.status == "canceled"
    assert play.kinds[-1] == "order.canceled"
    assert play.moves("release") == Decimal("5.5")


def test_a_request_lapses_when_the_order_is_sent() -> None:
    play = Play("storefront")
    play.do("seller", "process")
    play.do("placer", "request_cancellation")
    play.do("seller", "ship")
    assert play.order.issues[0].state == "declined"
    assert play.status == "shipped"


def test_a_request_is_granted_when_the_owner_cancels_directly() -> None:
    play = Play("storefront")
    play.do("placer", "request_cancellation")
    play.do("operator", "cancel")
    assert play.order.issues[0].state == "resolved"


def test_cancelling_gives_everything_back_once() -> None:
    play = Play("storefront")
    play.do("seller", "process")
    play.do("operator", "cancel", reason="fraud")
    event = play.events[-1]
    assert event.TYPE == "order.canceled"
    assert event.model_dump()["kind"] == "canceled"
    assert [(r["sku"], r["quantity"]) for r in event.model_dump()["returned"]] == [
        ("SKU-0", Decimal(3)),
        ("SKU-1", Decimal("2.5")),
    ]
    assert play.moves("reserve") == play.moves("release") == Decimal("5.5")
    assert sum(w.amount for w in play.world if isinstance(w, Released)) == 3000 + 1005
    assert play.order.money == "paid", "a refund may be issued, it does not come by itself"
    play.do("operator", "refund")
    assert play.label == "Refunded"
    assert play.status == "canceled"


def test_no_cancelling_once_a_parcel_has_left() -> None:
    play = Play("storefront")
    play.do("seller", "process")
    play.do("seller", "ship", lines=[play.part(1)])
    assert play.refused("operator", "cancel").code == "nothing_shipped"
    assert play.refused("placer", "request_cancellation").code == "nothing_shipped"


def test_refunds_by_amount_line_and_quantity_until_what_was_paid_is_used_up() -> None:
    play = shipped()
    play.do("operator", "refund", line_id=play.line(), quantity=1, reason="scratched")
    assert (play.order.refunded, play.order.money) == (1000, "partially_refunded")
    assert play.snapshot().lines[0].status == "partially_refunded"
    play.do("operator", "refund", line_id=play.line())
    assert play.snapshot().lines[0].status == "refunded"
    assert play.label == "Shipped / In Transit", "a refund does not overwrite the fulfilment"
    refusal = play.refused("operator", "refund", line_id=play.line(), amount={"amount": "0.01", "currency": "EUR"})
    assert refusal.code == "refund_exceeds_line"
    assert (
        play.refused("operator", "refund", amount={"amount": "15.06", "currency": "EUR"}).code == "refund_exceeds_paid"
    )
    play.do("operator", "refund", amount={"amount": "15.05", "currency": "EUR"})
    assert (play.order.money, play.label) == ("refunded", "Refunded")
    assert [t.status for t in play.order.status_times][-1] == "refunded", "each status has its time"
    assert play.refused("operator", "refund").code == "refundable"
    assert play.kinds[-3:] == ["order.refunded"] * 3


def test_commission_is_frozen_and_reversed_to_the_cent() -> None:
    play = shipped()
    assert play.snapshot().commission.amount.amount == "4.81"
    for amount in ("0.01", "17.77", "20.00"):
        play.do("operator", "refund", amount={"amount": amount, "currency": "EUR"})
    play.do("operator", "refund")
    reversed_parts = [r.commission_reversed for r in play.order.refunds]
    assert sum(reversed_parts) == 481 == play.order.commission_reversed
    assert min(reversed_parts) >= 0


def test_a_pending_refund_counts_against_what_is_left_and_becomes_done() -> None:
    play = shipped()
    play.do("operator", "refund", settled=False, amount={"amount": "45.00", "currency": "EUR"})
    assert play.order.money == "refunding"
    assert play.order.refunded == 0
    assert play.order.commission_reversed == 0
    assert (
        play.refused("operator", "refund", amount={"amount": "1.00", "currency": "EUR"}).code == "refund_exceeds_paid"
    )
    play.do("service", "refund_done", refund_id=str(play.order.refunds[0].refund_id))
    assert (play.order.money, play.order.refunded) == ("partially_refunded", 4500)
    assert play.kinds[-2:] == ["order.refunded", "order.refunded"]


def test_nothing_is_refunded_before_anything_was_paid() -> None:
    play = Play("storefront", people.placement(people.submitted(paid=False)))
    assert play.order.money == "unpaid"
    assert play.refused("operator", "refund").code == "refundable"
    play.do("service", "record_payment", amount={"amount": "20.00", "currency": "EUR"})
    assert play.order.money == "unpaid"
    play.do("service", "record_payment")
    assert (play.order.money, play.order.paid) == ("paid", 4505)
    assert play.refused("service", "record_payment").code == "nothing_outstanding"


def test_a_problem_holds_payout_until_the_owner_has_mediated() -> None:
    play = shipped()
    play.do("placer", "report_problem", reason_code="not_as_described", note="blue, not red", line_id=play.line())
    assert (play.snapshot().issue, play.snapshot().payout_held) == ("open", True)
    assert play.kinds[-1] == "order.disputed"
    assert play.status == "shipped", "an issue does not overwrite the fulfilment"
    play.do("operator", "close_problem", note="colour as pictured")
    assert (play.snapshot().issue, play.snapshot().payout_held) == ("resolved", False)
    assert play.order.issues[0].resolution == "colour as pictured"
    assert play.kinds[-1] == "order.disputed"


def test_lost_in_transit_is_answered_by_a_linked_replacement() -> None:
    play = shipped()
    play.do("seller", "report_problem", reason_code="lost_in_transit")
    decision = play.do("operator", "reship", lines=[play.part(2)])
    wish = decision.of(wf.PlaceAgain)[0]
    assert (wish.kind, wish.lines) == ("replacement", ((play.order.lines[0].line_id, Decimal(2)),))
    again = wf.again(play.order, wish)
    assert again.paid
    assert [(x.listing_id, x.quantity, x.unit_price.minor) for x in again.lines if x.unit_price] == [
        (people.LISTING, Decimal(2), 0)
    ]
    assert play.order.issues[0].resolution == "reship"


def test_a_refund_in_answer_to_a_problem_settles_it_in_a_change_of_its_own() -> None:
    play = shipped()
    play.do("placer", "report_problem", reason_code="late")
    issue_id = str(play.order.issues[0].issue_id)
    decision = play.do("operator", "refund", issue_id=issue_id, amount={"amount": "5.00", "currency": "EUR"})
    assert [s.kind for s in decision.steps] == ["order.refunded", "order.disputed"]
    assert (play.order.issues[0].state, play.order.issues[0].resolution) == ("resolved", "refund")


def test_what_comes_back_is_on_the_shelf_again() -> None:
    play = shipped()
    play.do("seller", "record_return", lines=[play.part(1)])
    assert play.order.lines[0].returned == 1
    assert play.moves("restock") == 1
    assert play.refused("seller", "record_return", lines=[play.part(3)]).code == "bad_params"


def test_a_chargeback_has_a_due_date_for_its_evidence() -> None:
    play = shipped()
    play.do("service", "chargeback", amount={"amount": "45.05", "currency": "EUR"})
    issue = play.order.issues[0]
    assert (issue.kind, issue.evidence_due_at) == ("chargeback", people.NOW + timedelta(days=7))
    assert play.snapshot().payout_held
    play.wait(days=7)
    assert play.events[-1].change.action == "evidence_overdue"
    play.do("operator", "close_chargeback", resolution="won")
    assert [d for d in play.order.deadlines if d.name == "evidence"] == []
    assert play.order.issues[0].resolution == "won"


def test_buyers_and_sellers_can_report_a_chargeback_as_a_problem() -> None:
    play = shipped()
    play.do("placer", "report_problem", reason_code="chargeback", evidence_due_at="2026-04-01T00:00:00Z")
    assert play.order.issues[0].kind == "chargeback"
    assert play.order.issues[0].evidence_due_at == datetime(2026, 4, 1, tzinfo=UTC)
    refusal = play.refused("placer", "report_problem", reason_code="chargeback", evidence_due_at="2020-01-01T00:00:00Z")
    assert refusal.code == "bad_params"


def test_with_two_problems_open_the_one_has_to_be_named() -> None:
    play = shipped()
    play.do("placer", "report_problem", reason_code="late")
    play.do("placer", "report_problem", reason_code="not_as_described")
    assert play.refused("operator", "close_problem").code == "bad_params"
    play.do("operator", "close_problem", issue_id=str(play.order.issues[1].issue_id))
    assert [i.state for i in play.order.issues] == ["open", "closed"]
    assert (
        play.refused("operator", "close_problem", issue_id=str(play.order.issues[1].issue_id)).code == "issue_settled"
    )


def test_a_note_can_be_kept_to_one_side() -> None:
    play = Play("storefront")
    play.do("seller", "add_note", text="fragile, pack well", audience="own_side")
    assert play.told() == ("seller",)
    assert [n.text for n in play.snapshot("seller").notes] == ["fragile, pack well"]
    assert play.snapshot("buyer").notes == ()
    play.do("placer", "add_note", text="please ring twice")
    assert play.told() == ("buyer", "seller", "operator")


def test_up_to_three_images_and_one_invoice() -> None:
    play = shipped()
    images = [str(d) for d in people.IMAGES]
    assert play.refused("seller", "complete", images=images[:4]).code == "bad_params"
    play.do("seller", "complete", images=images[:3], invoice=str(people.PDF.document_id), note="left at the door")
    assert [d.kind for d in play.snapshot().documents] == ["image", "image", "image", "invoice"]
    assert play.snapshot().notes[0].text == "left at the door"
