"""From the JSON Schema of an action's parameters to a form.

`x-type` names a parameter's type where the order service has one of its own (lines, units, money, a day); anything
else is drawn by its JSON Schema type alone, so that a lifecycle with new parameters needs no new console.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from babel.numbers import format_decimal

from contracts.order import Line
from services.console.forms.fields import Choice, Field, Form, Kind, LineRow, UnitChoice
from services.console.language import N_, label, locale, tr
from services.console.posted import Posted
from services.console.rendering import became, day, money, words
from services.console.schemas import Action, Order

IMAGES: Final = "image/jpeg,image/png,image/webp,image/gif"
SINGLE_LINE: Final = 200
# UN/ECE Rec 20 codes that people meet; a piece needs no word.
UNITS: Final[Mapping[str, str]] = {
    "C62": "", "H87": "", "EA": "", "KGM": "kg", "GRM": "g", "LTR": "l", "MTR": "m", "MTK": "m²", "HUR": "h",
    "DAY": N_("days"), "TNE": "t", "MLT": "ml", "XBX": N_("boxes"), "XPK": N_("packs"),
}  # fmt: skip
Units = Mapping[str, Sequence[UnitChoice]]
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a field is built from: its name and schema, the order, the free units of its lines."""

    name: str
    schema: Schema
    required: bool
    order: Order
    units: Units

    @property
    def label(self) -> str:
        title = str(self.schema.get("title") or "")
        # what has no label of its own is called by its name
        return words(self.name) if title.lower() in ("", self.name.replace("_", " ")) else label(title)

    def field(self, kind: Kind, **more: Any) -> Field:
        description = tr(str(self.schema.get("description") or ""))
        hint = description[:1].upper() + description[1:]
        return Field(self.name, kind, self.label, required=self.required, **{"hint": hint, **more})


@dataclass(slots=True)
class _Built:
    fields: list[Field] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def build(
    action: Action,
    order: Order,
    *,
    units: Units | None = None,
    values: Posted | None = None,
    errors: Mapping[str, str] | None = None,
) -> Form:
    """The form of an action.

    `units` are those to pick from, by line; `values` and `errors` are those of a form that came back.
    """
    properties = action.params.get("properties") or {}
    required = set(action.params.get("required") or ())
    built = _Built()
    for name, schema in properties.items():
        ground = _Ground(str(name), schema, name in required, order, units or {})
        made = _field(ground)
        if made is not None:
            built.fields.append(made)
        elif ground.required:
            built.unknown.append(ground.label)
    return Form(
        action.name, label(action.label), tuple(built.fields), tuple(built.unknown), values or Posted(), errors or {}
    )  # fmt: skip


def _field(ground: _Ground) -> Field | None:
    """None for a schema that no form can be made for."""
    make = _BY_X_TYPE.get(str(ground.schema.get("x-type", "")))
    if make is not None:
        return make(ground)
    return _by_schema(ground)


def _by_schema(ground: _Ground) -> Field | None:
    schema = ground.schema
    kinds = _types(schema)
    if "enum" in schema:
        return _choice(ground)
    if "boolean" in kinds:
        return ground.field("flag")
    if kinds & {"integer", "number"}:
        whole = "number" not in kinds
        return ground.field(
            "number",
            least=_text_of(schema.get("minimum")),
            greatest=_text_of(schema.get("maximum")),
            step="1" if whole else "any",
        )
    if "array" in kinds and _types(schema.get("items") or {}) == {"string"}:
        return ground.field("texts", hint=tr("One on each line."))
    if "string" not in kinds:
        return None
    if schema.get("format") == "date":
        return ground.field("day")
    if schema.get("format") == "date-time":
        return _moment(ground)
    if schema.get("format") == "uri":
        return _url(ground)
    return _text(ground)


def _types(schema: Schema) -> set[str]:
    given = schema.get("type", ())
    return {given} if isinstance(given, str) else set(given)


def _text_of(value: Any) -> str:
    return "" if value is None else str(value)


def _text(ground: _Ground) -> Field:
    most = ground.schema.get("maxLength")
    multiline = ground.schema.get("x-multiline") or (most or SINGLE_LINE + 1) > SINGLE_LINE
    if multiline:
        return ground.field("textarea", most=most)
    return ground.field("text", most=most, pattern=_text_of(ground.schema.get("pattern")))


def _choice(ground: _Ground) -> Field:
    choices = tuple(Choice(str(v), words(v)) for v in ground.schema.get("enum", ()))
    return ground.field("select", choices=choices)


def _quantity(ground: _Ground) -> Field:
    return ground.field("quantity", most=16, hint=tr("A number such as 2 or 2.5."))


def _money(ground: _Ground) -> Field | None:
    parts = ground.schema.get("properties") or {}
    currency = (parts.get("currency") or {}).get("const")
    if not currency:
        return None
    return ground.field("money", constant=str(currency))


def _moment(ground: _Ground) -> Field:
    return ground.field("moment")


def _day(ground: _Ground) -> Field:
    tomorrow = any(option.get("const") == "tomorrow" for option in ground.schema.get("anyOf", ()))
    return ground.field("day", constant="tomorrow" if tomorrow else "")


def _url(ground: _Ground) -> Field:
    return ground.field("url", most=ground.schema.get("maxLength"), hint=tr("An address that begins with https://"))


def _files(ground: _Ground) -> Field:
    most = int(ground.schema.get("maxItems") or 3)
    return ground.field(
        "files",
        most=most,
        accept=IMAGES,
        constant="image",
        hint=tr("At most %(most)s: JPEG, PNG, WebP or GIF, 5 MB each.", most=most),
    )


def _invoice(ground: _Ground) -> Field:
    accept = f"{IMAGES},application/pdf"
    return ground.field("files", most=1, accept=accept, constant="invoice", hint=tr("One image or PDF, at most 5 MB."))


def _line_list(ground: _Ground) -> Field:
    hint = tr("Leave all of them empty for everything; otherwise only lines with a quantity count.")
    return ground.field("lines", hint=hint, rows=tuple(_rows(ground)))


def _unit_list(ground: _Ground) -> Field:
    rows = tuple(row for row in _rows(ground) if row.units)
    return ground.field(
        "units", hint=tr("Tick exactly the things that go out.") if rows else tr("No units are free."), rows=rows
    )


def _rows(ground: _Ground) -> Sequence[LineRow]:
    item = ((ground.schema.get("items") or {}).get("properties") or {}).get("line_id") or {}
    allowed = set(item.get("enum") or ())
    pending = ground.order.phase == "pending"
    return [_row(line, ground.units, pending) for line in ground.order.lines if str(line.line_id) in allowed]


def _row(line: Line, units: Units, pending: bool) -> LineRow:
    """A line with what has become of it so far; while others are decided, also that all of it is accepted."""
    line_id = str(line.line_id)
    parts = [tr("%(quantity)s ordered", quantity=quantity(line.ordered, line.unit_code))]
    for name in ("open", "accepted", "shipped", "received", "returned"):
        amount: Decimal = getattr(line, name)
        if amount and (amount != line.ordered or (pending and name == "accepted")):
            parts.append(became(name, quantity(amount, line.unit_code)))
    return LineRow(line_id, line.name, line.sku, ", ".join(parts), tuple(units.get(line_id, ())), int(line.accepted))


def quantity(amount: Decimal, unit_code: str) -> str:
    """A quantity with its unit: "2.5 kg", "3"."""
    plain = format_decimal(amount.normalize(), "0.######", locale=locale())
    return f"{plain} {tr(UNITS.get(unit_code, unit_code))}".strip()


def _line(ground: _Ground) -> Field:
    return _of_order(ground, {str(x.line_id): f"{x.position}. {x.name} ({x.sku})" for x in ground.order.lines})


def _issue(ground: _Ground) -> Field:
    named = {}
    for i in ground.order.issues:
        told = tr("%(issue)s of %(day)s", issue=words(i.kind), day=day(i.opened_at.date()))
        named[str(i.issue_id)] = f"{told}: {words(i.reason_code)}" if i.reason_code else told
    return _of_order(ground, named)


def _refund(ground: _Ground) -> Field:
    return _of_order(ground, {str(r.refund_id): f"{money(r.amount)}, {day(r.at.date())}" for r in ground.order.refunds})


def _parcel(ground: _Ground) -> Field:
    named = {
        str(p.parcel_id): " ".join(
            filter(None, (tr("Parcel %(number)s", number=p.number), p.carrier, p.tracking_number))
        )
        for p in ground.order.parcels
    }
    return _of_order(ground, named)


def _of_order(ground: _Ground, named: Mapping[str, str]) -> Field:
    """A part of the order, by the words that people know it by."""
    choices = tuple(Choice(str(v), named.get(str(v), str(v))) for v in ground.schema.get("enum", ()))
    return ground.field("select", choices=choices)


_BY_X_TYPE: Final[Mapping[str, Callable[[_Ground], Field | None]]] = {
    "text": _text,
    "choice": _choice,
    "state": _choice,
    "quantity": _quantity,
    "money": _money,
    "day": _day,
    "moment": _moment,
    "url": _url,
    "line": _line,
    "lines": _line_list,
    "units": _unit_list,
    "issue": _issue,
    "refund": _refund,
    "parcel": _parcel,
    "images": _files,
    "invoice": _invoice,
}
