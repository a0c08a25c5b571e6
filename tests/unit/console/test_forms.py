"""Forms from JSON Schemas, and back to parameters."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest

from services.console.calls import File
from services.console.errors import BadForm
from services.console.forms import Form, UnitChoice, build, filled
from services.console.posted import Posted
from services.console.rendering import Renderer
from services.console.schemas import Action
from services.order import workflow
from services.order.workflow.lifecycle import Param
from services.order.workflow.param_schema import _SCHEMAS
from tests.unit.console.builders import LINE_1, LINE_2, order

OSLO = ZoneInfo("Europe/Oslo")
ORDER = order()
LINES = [str(LINE_1), str(LINE_2)]
QUANTITY = {"type": ["string", "number"], "pattern": r"^[0-9]{1,9}(\.[0-9]{1,6})?$", "exclusiveMinimum": 0}


def lines_schema(**more: Any) -> dict[str, Any]:
    item = {"line_id": {"type": "string", "format": "uuid", "enum": LINES}, "quantity": QUANTITY}
    return {"type": "array", "minItems": 1, "items": {"type": "object", "properties": item}, **more}


def action(*required: str, **properties: dict[str, Any]) -> Action:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return Action(name="do_it", label="Do it", params=schema)


def sent(form: Form, given: dict[str, Any], files: dict[str, list[File]] | None = None) -> Posted:
    """The form as a browser posts it with these inputs filled in."""
    values = {f"k.{f.name}": [f.described] for f in form.fields}
    values |= {name: value if isinstance(value, list) else [value] for name, value in given.items()}
    return Posted(values, files or {})


def params(form: Form, **given: Any) -> dict[str, Any]:
    found = filled(sent(form, {f"p.{k.replace('__', '.')}": v for k, v in given.items()}), OSLO)
    assert not found.errors, found.errors
    return found.params


@pytest.mark.parametrize(
    ("schema", "kind", "typed", "expected"),
    [
        ({"type": "string", "maxLength": 100, "x-type": "text"}, "text", "UPS", "UPS"),
        ({"type": "string", "maxLength": 2000, "x-multiline": True}, "textarea", "a\nb", "a\nb"),
        ({"type": "string", "enum": ["late", "lost_in_transit"], "x-type": "choice"}, "select", "late", "late"),
        ({"type": "boolean", "x-type": "flag"}, "flag", "yes", True),
        ({**QUANTITY, "x-type": "quantity"}, "quantity", "2,5", "2.5"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "number", "3", 3),
        ({"type": "number"}, "number", "0.5", 0.5),
        ({"type": "string", "format": "uri", "x-type": "url"}, "url", "https://a.example/", "https://a.example/"),
        ({"type": "string", "format": "date"}, "day", "2026-03-14", "2026-03-14"),
        ({"type": "array", "items": {"type": "string"}}, "texts", "one\n\ntwo", ["one", "two"]),
        (
            {"type": "string", "format": "date-time", "x-type": "moment"},
            "moment", "2026-07-01T12:00", "2026-07-01T12:00:00+02:00",
        ),
        (
            {"type": "object", "properties": {"amount": {"type": "string"}, "currency": {"const": "EUR"}},
             "x-type": "money"},
            "money", "1 012,50", {"amount": "1012.50", "currency": "EUR"},
        ),
    ],
)  # fmt: skip
def test_a_parameter_gets_its_field_and_is_read_back(
    schema: dict[str, Any], kind: str, typed: str, expected: Any
) -> None:
    form = build(action(wanted=schema), ORDER)
    [field] = form.fields
    assert field.kind == kind
    assert params(form, wanted=typed) == {"wanted": expected}
    assert params(form, wanted="") == {}
    needed = build(action("wanted", wanted=schema), ORDER)
    assert filled(sent(needed, {}), OSLO).errors == {"wanted": "This is needed."}


def test_quantities_of_lines_leave_out_what_was_left_empty() -> None:
    form = build(action(lines=lines_schema(**{"x-type": "lines"})), ORDER)
    assert [r.facts for r in form.fields[0].rows] == ["3 ordered, 1 shipped", "2.5 kg ordered, 1 kg shipped"]
    first, second = LINES
    assert params(form, **{f"lines__{first}": "2", f"lines__{second}": ""}) == {
        "lines": [{"line_id": first, "quantity": "2"}]
    }
    assert params(form, **{f"lines__{first}": "1", f"lines__{second}": "0"})["lines"][0]["line_id"] == first
    nothing = filled(sent(form, {f"p.lines.{first}": "0", f"p.lines.{second}": ""}), OSLO)
    assert "lines" in nothing.errors, "none of anything is not the same as everything"
    wrong = filled(sent(form, {f"p.lines.{first}": "two"}), OSLO)
    assert "two" in wrong.errors["lines"]


def test_units_are_picked_per_line_and_unticking_all_is_said_too() -> None:
    form = build(
        action("units", units=lines_schema(**{"x-type": "units"})), ORDER,
        units={LINES[0]: [UnitChoice("u1", "QR-1", chosen=True), UnitChoice("u2", "QR-2")]},
    )  # fmt: skip
    assert [(r.line_id, [u.code for u in r.units]) for r in form.fields[0].rows] == [(LINES[0], ["QR-1", "QR-2"])]
    name = f"units__{LINES[0]}"
    assert params(form, **{name: ["", "u2"]}) == {"units": [{"line_id": LINES[0], "unit_ids": ["u2"]}]}
    assert params(form, **{name: [""]}) == {"units": [{"line_id": LINES[0], "unit_ids": []}]}


def test_tomorrow_or_a_date() -> None:
    schema = {"type": "string", "anyOf": [{"const": "tomorrow"}, {"format": "date"}], "x-type": "day"}
    form = build(action("day", day=schema), ORDER)
    assert params(form, day__when="tomorrow", day="2026-01-01") == {"day": "tomorrow"}
    assert params(form, day__when="date", day="2026-01-01") == {"day": "2026-01-01"}
    assert "date such as" in filled(sent(form, {"p.day.when": "date", "p.day": "soon"}), OSLO).errors["day"]


def test_files_are_kept_apart_to_be_uploaded_first() -> None:
    form = build(
        action(images={"type": "array", "maxItems": 3, "x-type": "images"}, invoice={"x-type": "invoice"}), ORDER
    )
    assert form.has_files
    file = File("a.png", "image/png", b"x")
    found = filled(sent(form, {}, {"p.images": [file, file], "p.invoice": [file]}), OSLO)
    assert (found.params, found.errors) == ({}, {})
    assert (len(found.files["images"].files), found.files["images"].single) == (2, False)
    assert (found.files["invoice"].kind, found.files["invoice"].single) == ("invoice", True)
    assert filled(sent(form, {}, {"p.invoice": [file, file]}), OSLO).errors == {"invoice": "Choose one file."}


def test_choices_of_the_orders_parts_are_named_as_people_know_them() -> None:
    form = build(
        action(
            line_id={"type": "string", "enum": LINES, "x-type": "line"},
            issue_id={"type": "string", "enum": [str(ORDER.issues[0].issue_id)], "x-type": "issue"},
            refund_id={"type": "string", "enum": [str(ORDER.refunds[0].refund_id)], "x-type": "refund"},
            parcel_id={"type": "string", "enum": [str(ORDER.parcels[0].parcel_id)], "x-type": "parcel"},
        ),
        ORDER,
    )
    assert [f.choices[0].label for f in form.fields] == [
        "1. Plain (Plain)", "Problem of 12 Mar 2026: Plain", "€2.00, 12 Mar 2026", "Parcel 1 Plain Plain",
    ]  # fmt: skip


def test_a_parameter_without_a_field_is_named_where_it_is_needed() -> None:
    odd = {"type": "object", "title": "A tree"}
    assert build(action(tree=odd), ORDER).unknown == ()
    assert build(action("tree", tree=odd), ORDER).unknown == ("A tree",)


def test_every_parameter_type_of_the_order_service_has_a_field() -> None:
    """A new type there without a field here would leave people unable to act."""
    lifecycle = workflow.builtin("storefront")
    plain: Any = ORDER.model_copy(update={"time_zone": "UTC"})
    for name, make in _SCHEMAS.items():
        schema = {"x-type": name, **make(Param.model_validate({"name": "wanted", "type": name}), plain, lifecycle)}
        form = build(action("wanted", wanted=schema), ORDER)
        assert not form.unknown, name
        assert len(form.fields) == 1, name


def test_what_is_sent_satisfies_the_schema_that_the_form_was_built_from() -> None:
    schemas = {
        "lines": lines_schema(**{"x-type": "lines"}),
        "amount": {
            "type": "object", "x-type": "money", "required": ["amount", "currency"], "additionalProperties": False,
            "properties": {
                "amount": {"type": "string", "pattern": r"^[0-9]+\.[0-9]{2}$"},
                "currency": {"const": "EUR"},
            },
        },
        "text": {"type": "string", "minLength": 1, "maxLength": 500, "x-type": "text"},
        "settled": {"type": "boolean", "x-type": "flag"},
    }  # fmt: skip
    wanted = action("amount", **schemas)
    given = params(
        build(wanted, ORDER), amount="12,50", text="so", settled="yes", **{f"lines__{LINES[0]}": "1"}
    )  # fmt: skip
    jsonschema.validate(given, wanted.params)
    assert set(given) == set(schemas)


@pytest.mark.parametrize(
    "posted",
    [
        {"k.a": ["nonsense||"]},
        {"k.__class__": ["text||"]},
        {f"k.a{i}": ["text||"] for i in range(41)},
    ],
)
def test_forms_that_are_not_ours_are_refused(posted: dict[str, list[str]]) -> None:
    with pytest.raises(BadForm):
        filled(Posted(posted), OSLO)


def test_a_form_that_came_back_keeps_what_was_typed_and_points_at_what_is_wrong() -> None:
    wanted = action("carrier", carrier={"type": "string", "maxLength": 100, "x-type": "text"})
    form = build(wanted, ORDER, values=Posted({"p.carrier": ['"><b>']}), errors={"carrier": "No <i>."})
    html = Renderer().render(
        "action.html",
        {"order": ORDER, "form": form, "changed": None, "lost": (), "me": None, "own": None, "csrf": "c",
         "notice": None, "counts": None, "zone": OSLO, "path": "/x", "here": "/x"},
    )  # fmt: skip
    assert 'value="&#34;&gt;&lt;b&gt;"' in html
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="do_it-carrier-error "' in html
    assert "No &lt;i&gt;." in html
    assert "<b>" not in html
