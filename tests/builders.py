"""Events and orders for tests: whole and valid, with what a test cares about given by name."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from contracts.money import Money
from contracts.order import (
    Actor,
    Change,
    Commission,
    Customer,
    LifecycleRef,
    Line,
    OrderCreated,
    OrderEvent,
    OrderSnapshot,
    OrderUpdated,
    Party,
    StatusTime,
    Totals,
)
from shared.ids import new_id

E = TypeVar("E", bound=OrderEvent)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def line(*, currency: str = "EUR", price: int = 1_000, quantity: int = 2, **given: Any) -> Line:
    """An open line: `quantity` pieces at `price` minor units, no tax."""
    amount, zero = Money.of(price * quantity, currency), Money.of(0, currency)
    fields: dict[str, Any] = {
        "line_id": new_id(), "position": 1, "sku": "SKU-1", "name": "A thing",
        "unit_price": Money.of(price, currency), "ordered": Decimal(quantity), "open": Decimal(quantity),
        "accepted": Decimal(0), "rejected": Decimal(0), "canceled": Decimal(0), "shipped": Decimal(0),
        "received": Decimal(0), "returned": Decimal(0), "net": amount, "tax": zero, "total": amount,
        "refunded": zero, "status": "pending",
    }  # fmt: skip
    return Line(**(fields | given))


def snapshot(
    *, marketplace_id: UUID | None = None, currency: str = "EUR", sequence: int = 1, price: int = 1_000, **given: Any
) -> OrderSnapshot:
    """A storefront order in `pending` with one line of two pieces."""
    total, zero = Money.of(2 * price, currency), Money.of(0, currency)
    fields: dict[str, Any] = {
        "order_id": new_id(), "marketplace_id": marketplace_id or new_id(), "number": "ORD-1", "purchase_id": new_id(),
        "sequence": sequence, "lifecycle": LifecycleRef(name="storefront", version=1), "status": "pending",
        "status_label": "Pending / New", "phase": "pending", "money": "paid", "issue": "none", "placed_at": NOON,
        "updated_at": NOON, "channel": "direct",
        "buyer": Party(organisation_id=new_id(), name="Buyer Ltd", person_id=new_id(), person_name="Bea Buyer",
                       email="buyer@storefront.example"),
        "seller": Party(organisation_id=new_id(), name="Seller Ltd"),
        "customer": Customer(name="John Doe", email="john@doe.example"), "currency": currency,
        "lines": (line(currency=currency, price=price),),
        "totals": Totals(lines=total, tax=zero, shipping=zero, discount=zero, adjustment=zero, total=total, paid=total,
                         refunded=zero),
        "commission": Commission(rate=Decimal("0.1"), amount=Money.of(2 * price // 10, currency), reversed=zero),
        "status_times": (StatusTime(status="pending", at=NOON),),
    }  # fmt: skip
    return OrderSnapshot(**(fields | given))


def order_event(cls: type[E], order: OrderSnapshot, *, action: str = "act", **given: Any) -> E:
    """An event of `order` as it is; the change says it stayed in its status unless told otherwise."""
    change = Change(
        action=action, label=action.capitalize(), from_status=order.status, to_status=order.status,
        from_phase=order.phase, to_phase=order.phase,
        actor=Actor(kind="person", id=new_id(), name="Sam Seller", side="seller"),
    )  # fmt: skip
    fields: dict[str, Any] = {
        "marketplace_id": order.marketplace_id, "order_id": order.order_id, "sequence": order.sequence,
        "occurred_at": order.updated_at, "change": change, "order": order,
    }  # fmt: skip
    return cls(**(fields | given))


def life(order: OrderSnapshot, changes: int) -> list[OrderEvent]:
    """An order.created and `changes` order.updated after it, in sequence."""
    events: list[OrderEvent] = [order_event(OrderCreated, order, action="place")]
    for n in range(changes):
        later = order.model_copy(update={"sequence": order.sequence + n + 1})
        events.append(order_event(OrderUpdated, later))
    return events
