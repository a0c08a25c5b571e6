"""The columns of an export."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

Kind = Literal["text", "amount", "time", "number"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, what kind of cells it has, and its value from an order's card."""

    heading: str
    kind: Kind
    of: Callable[[Mapping[str, Any]], Any]


def _field(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda card: card[name]


def _inside(outer: str, inner: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda card: (card.get(outer) or {}).get(inner)


COLUMNS: Final[Sequence[Column]] = (
    Column("number", "text", _field("number")),
    Column("order_id", "text", _field("order_id")),
    Column("purchase_id", "text", _field("purchase_id")),
    Column("placed_at", "time", _field("placed_at")),
    Column("status", "text", _field("status")),
    Column("status_label", "text", _field("status_label")),
    Column("phase", "text", _field("phase")),
    Column("money", "text", _field("money")),
    Column("issue", "text", _field("issue")),
    Column("overdue", "text", lambda card: "yes" if card["overdue"] else "no"),
    Column("channel", "text", _field("channel")),
    Column("external_id", "text", _field("external_id")),
    Column("external_number", "text", _field("external_number")),
    Column("buyer", "text", _inside("buyer", "name")),
    Column("seller", "text", _inside("seller", "name")),
    Column("customer_name", "text", _inside("customer", "name")),
    Column("customer_email", "text", _inside("customer", "email")),
    Column("currency", "text", _field("currency")),
    Column("total", "amount", _inside("total", "amount")),
    Column("paid", "amount", _inside("paid", "amount")),
    Column("refunded", "amount", _inside("refunded", "amount")),
    Column("commission", "amount", _inside("commission", "amount")),
    Column("lines", "number", _field("line_count")),
    Column("delivery_mode", "text", _field("delivery_mode")),
    Column("scheduled_for", "text", _field("scheduled_for")),
    Column("updated_at", "time", _field("updated_at")),
    Column("closed_at", "time", _field("closed_at")),
)


def amount(text: str) -> Decimal:
    return Decimal(text)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
