"""Nobody sees what is not for their side."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import jsonschema
import orjson
import pytest

from contracts.money import Money
from contracts.order import Approval, Deadline, Note, OrderUpdated, Refund, StatusTime
from services.webhook import catalogue
from services.webhook.audience import Side, sides, view
from shared.ids import new_id
from tests.builders import NOON, order_event, snapshot


def event(**given: object) -> bytes:
    notes = tuple(
        Note(note_id=new_id(), at=NOON, by="x", side="seller", text=f"for {'+'.join(who)}", audience=who)
        for who in (("buyer",), ("seller",), ("operator",), ("buyer", "seller", "operator"), ("seller", "operator"))
    )
    refund = Refund(
        refund_id=new_id(), amount=Money.of(1, "EUR"), state="done", at=NOON, commission_reversed=Money.of(1, "EUR")
    )
    order = snapshot(notes=notes, refunds=(refund,), approval=Approval(state="approved", limit=Money.of(5, "EUR")))
    return order_event(OrderUpdated, order).model_dump_json(exclude_none=True).encode()


@pytest.mark.parametrize(
    ("eyes", "texts"),
    [
        (Side.BUYER, {"for buyer", "for buyer+seller+operator"}),
        (Side.SELLER, {"for seller", "for buyer+seller+operator", "for seller+operator"}),
        (Side.OPERATOR, {"for operator", "for buyer+seller+operator", "for seller+operator"}),
        (Side.BUYER | Side.SELLER, {"for buyer", "for seller", "for buyer+seller+operator", "for seller+operator"}),
    ],
)
def test_notes_by_side(eyes: Side, texts: set[str]) -> None:
    seen = orjson.loads(view(event(), eyes))
    assert {n["text"] for n in seen["order"]["notes"]} == texts
    assert "audience" not in seen


def test_the_owners_share_and_the_approval() -> None:
    buyer, seller, operator = (
        orjson.loads(view(event(), s))["order"] for s in (Side.BUYER, Side.SELLER, Side.OPERATOR)
    )
    assert "commission" not in buyer
    assert "payout_held" not in buyer
    assert "commission_reversed" not in buyer["refunds"][0]
    assert buyer["approval"]["state"] == "approved"
    assert "approval" not in seller
    assert seller["commission"] == operator["commission"]
    assert "approval" in operator


def test_what_only_the_seller_has_to_do_is_due_for_no_buyer() -> None:
    deadlines = (
        Deadline(name="acknowledge", due_at=NOON, overdue=True, audience=("seller", "operator")),
        Deadline(name="ship", due_at=NOON),
    )
    data = order_event(OrderUpdated, snapshot(deadlines=deadlines)).model_dump_json(exclude_none=True).encode()
    seen = {s: orjson.loads(view(data, s))["order"]["deadlines"] for s in (Side.BUYER, Side.SELLER, Side.OPERATOR)}
    assert [d["name"] for d in seen[Side.BUYER]] == ["ship"]
    assert [d["name"] for d in seen[Side.SELLER]] == ["acknowledge", "ship"]
    assert seen[Side.OPERATOR] == seen[Side.SELLER]
    assert not any("audience" in d for d in seen[Side.SELLER])


def test_when_an_order_waited_for_its_approval_is_not_the_sellers_affair() -> None:
    later = NOON + timedelta(hours=2)
    order = snapshot(
        approval=Approval(state="approved", decided_at=later),
        status_times=(StatusTime(status="needs_approval", at=NOON), StatusTime(status="pending", at=later)),
    )
    data = order_event(OrderUpdated, order).model_dump_json(exclude_none=True).encode()
    seen = {s: orjson.loads(view(data, s))["order"]["status_times"] for s in (Side.BUYER, Side.SELLER, Side.OPERATOR)}
    assert [t["status"] for t in seen[Side.SELLER]] == ["pending"]
    assert [t["status"] for t in seen[Side.BUYER]] == ["needs_approval", "pending"]
    assert seen[Side.OPERATOR] == seen[Side.BUYER]


def test_a_reader_of_what_was_sent_sees_what_both_may() -> None:
    seen = orjson.loads(view(event(), Side.SELLER, reader=Side.OPERATOR))["order"]
    assert {n["text"] for n in seen["notes"]} == {"for buyer+seller+operator", "for seller+operator"}
    assert "approval" not in seen


def test_nobody_sees_nothing() -> None:
    with pytest.raises(ValueError, match="some side"):
        view(event(), Side.NOBODY)
    assert sides(("seller", "operator")) == Side.SELLER | Side.OPERATOR


@pytest.mark.parametrize("event_type", catalogue.TYPES)
@pytest.mark.parametrize("eyes", [Side.BUYER, Side.SELLER, Side.OPERATOR])
def test_what_is_sent_is_what_the_catalogue_says(event_type: str, eyes: Side) -> None:
    entry = catalogue.described(event_type)
    jsonschema.Draft202012Validator.check_schema(entry["schema"])
    check = jsonschema.Draft202012Validator(entry["schema"])
    check.validate(entry["example"])
    sent = orjson.loads(view(catalogue.example_data(event_type), eyes))
    check.validate({"type": event_type, "timestamp": "2026-03-02T12:00:00Z", "data": sent})


def test_quantities_stay_exact() -> None:
    order = snapshot()
    line = order.lines[0].model_copy(update={"ordered": Decimal("2.50"), "open": Decimal("2.50")})
    data = order_event(OrderUpdated, order.model_copy(update={"lines": (line,)})).model_dump_json().encode()
    assert orjson.loads(view(data, Side.OPERATOR))["order"]["lines"][0]["ordered"] == "2.5"
