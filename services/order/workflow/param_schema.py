"""Action parameters as JSON Schema, so that a client builds its forms from what the lifecycle says.

Beside the standard keywords, `x-type` names the parameter's type here, for a picker of lines, units or documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from contracts.money import exponent
from services.order.workflow.lifecycle import Lifecycle, Param
from services.order.workflow.model import Order
from services.order.workflow.params import CODE_MAX, MOST_LINES, MOST_UNITS, SINGLE_LINE_MAX, TEXT_MAX, URL_MAX

Schema = dict[str, Any]
_QUANTITY: Final[Schema] = {
    "type": ["string", "number"],
    "pattern": r"^[0-9]{1,9}(\.[0-9]{1,6})?$",
    "exclusiveMinimum": 0,
}


def params_schema(specs: Sequence[Param], order: Order, lifecycle: Lifecycle) -> Schema:
    """The schema of a request's `params` object for this order as it is now."""
    properties = {}
    for spec in specs:
        schema = _SCHEMAS[spec.type](spec, order, lifecycle)
        if schema.get("enum") == [] and not spec.required:
            continue
        title = spec.label or spec.name.replace("_", " ").capitalize()
        properties[spec.name] = {"title": title, "x-type": spec.type, **schema}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": [p.name for p in specs if p.required],
    }


def _ids(ids: Sequence[UUID]) -> Schema:
    return {"type": "string", "format": "uuid", "enum": [str(i) for i in ids]}


def _text(spec: Param, _order: Order, _lifecycle: Lifecycle) -> Schema:
    most = spec.max or TEXT_MAX
    long = {} if most <= SINGLE_LINE_MAX else {"x-multiline": True}
    return {"type": "string", "minLength": 1, "maxLength": most, **long}


def _money(_spec: Param, order: Order, _lifecycle: Lifecycle) -> Schema:
    digits = exponent(order.currency)
    point = rf"(\.[0-9]{{1,{digits}}})?" if digits else ""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "amount": {"type": "string", "pattern": rf"^(0|[1-9][0-9]{{0,14}}){point}$"},
            "currency": {"const": order.currency},
        },
        "required": ["amount", "currency"],
    }


def _line_list(spec: Param, order: Order, _lifecycle: Lifecycle) -> Schema:
    properties: Schema = {
        "line_id": _ids([x.line_id for x in order.lines]),
        "quantity": _QUANTITY,
        "unit_ids": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": CODE_MAX},
            "maxItems": MOST_UNITS,
            "description": "units by their ids, or by their codes as they stand on the things",
        },
    }
    if spec.type == "units":
        # as many as are named
        del properties["quantity"]
    return {
        "type": "array",
        "minItems": 1,
        "maxItems": MOST_LINES,
        "items": {
            "type": "object",
            "additionalProperties": False,
            "properties": properties,
            "required": ["line_id", "unit_ids"] if spec.type == "units" else ["line_id"],
        },
    }


def _day(_spec: Param, order: Order, _lifecycle: Lifecycle) -> Schema:
    return {
        "type": "string",
        "anyOf": [{"const": "tomorrow"}, {"format": "date"}],
        "description": f"today or later in {order.time_zone}",
    }


def _images(spec: Param, _order: Order, _lifecycle: Lifecycle) -> Schema:
    return {"type": "array", "items": {"type": "string", "format": "uuid"}, "maxItems": spec.max or 3}


def _issue(spec: Param, order: Order, _lifecycle: Lifecycle) -> Schema:
    return _ids([i.issue_id for i in order.issues if not spec.kinds or i.kind in spec.kinds])


def _state(spec: Param, _order: Order, lifecycle: Lifecycle) -> Schema:
    return {"type": "string", "enum": list(spec.states or lifecycle.states)}


_SCHEMAS: Final[Mapping[str, Callable[[Param, Order, Lifecycle], Schema]]] = {
    "text": _text,
    "choice": lambda spec, _o, _l: {"type": "string", "enum": list(spec.choices)},
    "flag": lambda _s, _o, _l: {"type": "boolean"},
    "quantity": lambda _s, _o, _l: dict(_QUANTITY),
    "money": _money,
    "day": _day,
    "moment": lambda _s, _o, _l: {"type": "string", "format": "date-time"},
    "url": lambda _s, _o, _l: {"type": "string", "format": "uri", "pattern": "^https?://", "maxLength": URL_MAX},
    "line": lambda spec, order, _l: _ids([x.line_id for x in order.lines if not spec.sent or x.shipped > 0]),
    "lines": _line_list,
    "units": _line_list,
    "issue": _issue,
    "refund": lambda _s, order, _l: _ids([r.refund_id for r in order.refunds]),
    "parcel": lambda _s, order, _l: _ids([p.parcel_id for p in order.parcels]),
    "images": _images,
    "invoice": lambda _s, _o, _l: {"type": "string", "format": "uuid"},
    "state": _state,
}
