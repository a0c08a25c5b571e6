"""What can be subscribed to: every event type with its JSON Schema and an example, as they are sent. Pure.

The schema is the contract's own, in the envelope of Standard Webhooks. What an organisation on one side of an order
does not get (the owner's share, a purchasing approval) is not required.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import orjson

from contracts.catalog import current
from contracts.envelope import Event
from contracts.examples import examples
from contracts.generate import schema as contract_schema
from contracts.order import (
    OrderCanceled,
    OrderCompleted,
    OrderCreated,
    OrderDisputed,
    OrderEvent,
    OrderRefunded,
    OrderUpdated,
)
from services.webhook.audience import Side, view
from services.webhook.formats import rfc3339

ORDER_EVENTS: Final[tuple[type[OrderEvent], ...]] = (
    OrderCreated, OrderUpdated, OrderCompleted, OrderCanceled, OrderRefunded, OrderDisputed,
)  # fmt: skip
TYPES: Final = (*(cls.TYPE for cls in ORDER_EVENTS), "message.posted")
EVERYBODY: Final = Side.BUYER | Side.SELLER | Side.OPERATOR
_NOT_FOR_ALL: Final = {
    "OrderSnapshot": ("commission", "payout_held", "approval"),
    "Refund": ("commission_reversed",),
    "Note": ("audience",),
    "Deadline": ("audience",),
}


def matches(pattern: str) -> list[str]:
    """The types that a pattern ("order.created", "order.*", "*") stands for; empty where there is none."""
    if pattern == "*":
        return list(TYPES)
    if pattern.endswith(".*"):
        return [t for t in TYPES if t.startswith(pattern[:-1])]
    return [pattern] if pattern in TYPES else []


def event_class(event_type: str) -> type[Event] | None:
    return current(event_type) if event_type in TYPES else None


@cache
def described(event_type: str) -> dict[str, Any]:
    """One entry of the catalogue. Raises KeyError for a type that cannot be subscribed to."""
    cls = event_class(event_type)
    if cls is None:
        raise KeyError(event_type)
    data = contract_schema(cls)
    definitions = data.pop("$defs", {})
    for name in ("$schema", "$id"):
        data.pop(name, None)
    for name, fields in _NOT_FOR_ALL.items():
        _relax(definitions.get(name, {}), fields)
    _relax(data, ("audience",))
    return {
        "type": event_type,
        "version": cls.VERSION,
        "description": " ".join((cls.__doc__ or "").split()),
        "schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": event_type,
            "type": "object",
            "required": ["type", "timestamp", "data"],
            "properties": {
                "type": {"const": event_type},
                "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
                "data": data,
            },
            "$defs": definitions,
        },
        "example": {"type": event_type, **_example(event_type)},
    }


def example_data(event_type: str) -> bytes:
    """The example's `data` as it is stored, whole."""
    cls = current(event_type)
    payload: str = examples()[(event_type, cls.VERSION)].model_dump_json(exclude_none=True)
    return payload.encode()


def _example(event_type: str) -> dict[str, Any]:
    event = examples()[(event_type, current(event_type).VERSION)]
    at = getattr(event, "occurred_at", None) or event.posted_at  # type: ignore[attr-defined]  # one or the other
    return {"timestamp": rfc3339(at), "data": orjson.loads(view(example_data(event_type), EVERYBODY))}


def _relax(schema: dict[str, Any], fields: tuple[str, ...]) -> None:
    required = schema.get("required")
    if required is not None:
        schema["required"] = [name for name in required if name not in fields]
