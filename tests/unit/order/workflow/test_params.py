"""What people and programs send as parameters: checked by type, every mistake told, nothing let through."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from services.order import workflow as wf
from tests.unit.order.workflow import people
from tests.unit.order.workflow.journey import JOURNEYS, Journey
from tests.unit.order.workflow.play import Play


def shipping() -> Play:
    play = Play("storefront")
    play.do("seller", "process")
    return play


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"carrier": 5}, "carrier"),
        ({"carrier": "x" * 101}, "carrier"),
        ({"carrier": "DHL\nBcc: x"}, "carrier"),
        ({"carrier": "nul\x00"}, "carrier"),
        ({"carrier": "half\ud800"}, "carrier"),
        ({"tracking_url": "javascript:alert(1)"}, "tracking_url"),
        ({"tracking_url": "https://"}, "tracking_url"),
        ({"tracking_url": "https://user:pw@x.example/"}, "tracking_url"),
        ({"tracking_url": "https://[::1"}, "tracking_url"),
        ({"tracking_url": "https://x.example:99999/"}, "tracking_url"),
        ({"tracking_url": "https://x.example:port/"}, "tracking_url"),
        ({"tracking_url": "https://x.example/a b"}, "tracking_url"),
        ({"lines": []}, "lines"),
        ({"lines": "all"}, "lines"),
        ({"lines": [{"quantity": 1}]}, "lines.0"),
        ({"lines": [{"line_id": "x"}]}, "lines.0.line_id"),
        ({"lines": [{"line_id": "00000000-0000-0000-0000-000000000001"}]}, "lines.0.line_id"),
        ({"shipper": "DHL"}, "shipper"),
    ],
)
def test_what_is_wrong_is_named(params: dict[str, Any], path: str) -> None:
    refusal = shipping().refused("seller", "ship", **params)
    assert isinstance(refusal, wf.BadParams)
    assert [e["path"] for e in refusal.more["errors"]] == [path]


@pytest.mark.parametrize(
    "quantity",
    [0, -1, "0", "-1", "1e3", "NaN", "Infinity", float("nan"), float("inf"), True, "1.0000001", "1\n", [], {}],
)
def test_quantities_that_are_none(quantity: Any) -> None:
    play = shipping()
    refusal = play.refused("seller", "ship", lines=[{"line_id": play.line(), "quantity": quantity}])
    assert refusal.code == "bad_params"


@pytest.mark.parametrize("quantity", [2.5, "2.5", "2.500"])
def test_quantities_as_numbers_and_text(quantity: Any) -> None:
    play = shipping()
    play.do("seller", "ship", lines=[{"line_id": play.line(1), "quantity": quantity}])
    assert f"{play.order.lines[1].shipped.normalize():f}" == "2.5"


@pytest.mark.parametrize(
    ("amount", "path"),
    [
        ("1.00", "amount"),
        (1, "amount"),
        ({"amount": "1.00"}, "amount"),
        ({"amount": "1.00", "currency": "USD"}, "amount.currency"),
        ({"amount": "-1.00", "currency": "EUR"}, "amount.amount"),
        ({"amount": "0.00", "currency": "EUR"}, "amount.amount"),
        ({"amount": "1.001", "currency": "EUR"}, "amount"),
        ({"amount": "1e2", "currency": "EUR"}, "amount"),
        ({"amount": "1.00", "currency": "EUR", "x": 1}, "amount"),
    ],
)
def test_amounts_that_are_none(amount: Any, path: str) -> None:
    refusal = Play("storefront").refused("operator", "refund", amount=amount)
    assert [e["path"] for e in refusal.more["errors"]] == [path]


def test_a_quantity_of_a_refund_belongs_to_a_line() -> None:
    play = Play("storefront")
    assert play.refused("operator", "refund", quantity=1).code == "bad_params"
    both = {"line_id": play.line(), "quantity": 1, "amount": {"amount": "1.00", "currency": "EUR"}}
    assert play.refused("operator", "refund", **both).code == "bad_params"
    assert play.refused("operator", "refund", line_id=play.line(), quantity=4).code == "bad_params"


def test_all_mistakes_are_told_at_once() -> None:
    refusal = shipping().refused("seller", "ship", carrier=1, tracking_url="x", weight=3)
    assert sorted(e["path"] for e in refusal.more["errors"]) == ["carrier", "tracking_url", "weight"]


def test_empty_form_fields_count_as_left_out() -> None:
    play = shipping()
    play.do("seller", "ship", carrier="", tracking_number=None)
    assert play.order.parcels[0].carrier is None
    assert play.refused("seller", "add_note", text="").more["errors"] == [{"path": "text", "message": "is needed"}]


def test_documents_must_have_been_uploaded_and_fit() -> None:
    play = Play("storefront")
    one, two = (str(d) for d in list(people.IMAGES)[:2])
    unknown = "00000000-0000-0000-0000-00000000dead"
    for images in ([unknown], [one, one], "x", [one] * 4):
        assert play.refused("placer", "report_problem", reason_code="late", images=images).code == "bad_params"
    four = play.refused("placer", "report_problem", reason_code="late", images=[one] * 4)
    assert four.detail == "images: are 4; at most 3 are taken"
    play.do("placer", "report_problem", reason_code="late", images=[one, two])
    refusal = play.refused("placer", "report_problem", reason_code="late", images=[one])
    assert refusal.more["errors"] == [{"path": "images.0", "message": "is attached already"}]


def test_notes_are_bounded_since_they_travel_in_every_event() -> None:
    play = Play("storefront")
    for n in range(50):
        play.do("placer", "add_note", text=f"note {n}")
    assert "message thread" in play.refused("placer", "add_note", text="one more").detail


@pytest.mark.parametrize("name", JOURNEYS)
def test_schemas_are_valid_and_accept_what_the_engine_accepts(name: str) -> None:
    """A client that builds its form from the schema sends what the engine takes."""
    journey = Journey(name)
    for state in journey.states:
        order = journey.at(state)
        for who in ("seller_admin", "placer", "operator", "approver"):
            for action in wf.allowed_actions(order, journey.lifecycle, people.ACTORS[who], people.NOW, journey.facts):
                Draft202012Validator.check_schema(action.params)
                assert action.params["additionalProperties"] is False
                given = journey.filled(order, action.name)
                if set(given) <= set(action.params["properties"]):
                    Draft202012Validator(action.params).validate(given)
