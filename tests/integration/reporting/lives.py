"""Lives of orders, made up from a seed: events of all six types with money, refunds, issues and approvals in them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from contracts.envelope import Received
from contracts.money import Money
from contracts.order import (
    Actor,
    Change,
    Commission,
    Deadline,
    Issue,
    LifecycleRef,
    OrderCanceled,
    OrderCompleted,
    OrderCreated,
    OrderDisputed,
    OrderEvent,
    OrderRefunded,
    OrderSnapshot,
    OrderUpdated,
    Party,
    Refund,
    Side,
)
from shared.ids import new_id
from tests.builders import line, snapshot

START = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)
EVERYBODY: tuple[Side, ...] = ("buyer", "seller", "operator")
STEPS = (("processing", "preparing"), ("shipped", "in_transit"), ("completed", "completed"))


class World:
    """A marketplace with its sellers and buyers."""

    def __init__(self, seed: int, *, currencies: Sequence[str] = ("EUR", "JPY", "BHD"), sellers: int = 4) -> None:
        self.random = random.Random(seed)
        self.marketplace_id = new_id()
        self.sellers = [Party(organisation_id=new_id(), name=f"Seller {n}") for n in range(sellers)]
        self.buyers = [Party(organisation_id=new_id(), name=f"Buyer {n}", person_id=new_id()) for n in range(3)]
        self.currencies = list(currencies)

    def life(self) -> list[OrderEvent]:
        """One order from its first event to wherever chance takes it."""
        return Life(self).events

    def lives(self, orders: int) -> list[OrderEvent]:
        return [e for _ in range(orders) for e in self.life()]


class Life:
    def __init__(self, world: World) -> None:
        self.random = r = world.random
        self.events: list[OrderEvent] = []
        self.at = START + timedelta(minutes=r.randrange(60 * 24 * 3))
        currency, price = r.choice(world.currencies), r.randrange(1, 50_000)
        approval = r.random() < 0.25
        seller, buyer = r.choice(world.sellers), r.choice(world.buyers)
        if r.random() < 0.2:
            buyer = buyer.model_copy(update={"organisation_id": seller.organisation_id, "name": seller.name})
        total = 2 * price
        self.order = snapshot(
            marketplace_id=world.marketplace_id, currency=currency, price=price, number=f"ORD-{r.randrange(10**6)}",
            lifecycle=LifecycleRef(name="loopfront", version=1), seller=seller, buyer=buyer,
            channel=r.choice(["direct", "shop"]),
            placed_at=self.at, updated_at=self.at, status="needs_approval" if approval else "pending",
            phase="approval" if approval else "pending",
            lines=(line(currency=currency, price=price, kg_per_unit=Decimal("12.5"), material="steel"),),
            commission=Commission(
                rate=Decimal("0.1"), amount=Money.of(total // 10, currency), reversed=Money.of(0, currency)
            ),
        )  # fmt: skip
        self._first(approval)
        if self.order.phase == "pending":
            self._walk()

    def _first(self, approval: bool) -> None:
        if not approval:
            self.emit(OrderCreated, None, None)
            return
        self.emit(OrderUpdated, None, None, audience=("buyer", "operator"))
        if self.random.random() < 0.3:
            self.move("approval_rejected", "canceled", OrderCanceled, audience=("buyer", "operator"),
                      cancel_kind="approval_rejected")  # fmt: skip
            return
        self.move("pending", "pending", OrderCreated)

    def _walk(self) -> None:
        for status, phase in STEPS:
            chance = self.random.random()
            if chance < 0.1:
                kind = "rejected" if self.order.phase == "pending" else "canceled"
                self.move("canceled", "canceled", OrderCanceled, cancel_kind=kind)
                return
            if chance < 0.2:
                return
            if chance < 0.4:
                self.order = self.order.model_copy(
                    update={"deadlines": (Deadline(name="ship", due_at=self.at, overdue=chance < 0.3),)}
                )
                self.stay(OrderUpdated)
            if chance > 0.9:
                self.stay(OrderUpdated, audience=("buyer",))  # a note of theirs
            received = {"received": self.order.lines[0].ordered} if phase == "completed" else {}
            self.order = self.order.model_copy(update={"lines": (self.order.lines[0].model_copy(update=received),)})
            self.move(status, phase, OrderCompleted if phase == "completed" else OrderUpdated)
            if chance > 0.8:
                self.refund()
        if self.random.random() < 0.3:
            self.dispute()

    def refund(self) -> None:
        t, currency = self.order.totals, self.order.currency
        amount = self.random.randint(1, max(1, (t.paid.minor - t.refunded.minor) // 2))
        reversed_now = self.order.commission.reversed.minor + amount // 10
        refund = Refund(refund_id=new_id(), amount=Money.of(amount, currency), state="done", at=self.at,
                        commission_reversed=Money.of(amount // 10, currency))  # fmt: skip
        refunded = Money.of(t.refunded.minor + amount, currency)
        first = self.order.lines[0].model_copy(update={"refunded": refunded})
        self.order = self.order.model_copy(update={
            "refunds": (*self.order.refunds, refund), "totals": t.model_copy(update={"refunded": refunded}),
            "lines": (first,), "money": "partially_refunded",
            "commission": self.order.commission.model_copy(update={"reversed": Money.of(reversed_now, currency)}),
        })  # fmt: skip
        self.stay(OrderRefunded, refund=refund)

    def dispute(self) -> None:
        issue = Issue(issue_id=new_id(), kind="dispute", state="open", opened_at=self.at, opened_by="buyer")
        self.order = self.order.model_copy(update={"issues": (issue,), "issue": "open"})
        self.move("in_dispute", "completed", OrderDisputed, issue=issue)

    def move(self, status: str, phase: str, cls: type[OrderEvent], **given: Any) -> None:
        came = self.order.status, self.order.phase
        extra = {"cancel_kind": given.pop("cancel_kind")} if "cancel_kind" in given else {}
        self.order = self.order.model_copy(update={"status": status, "phase": phase, **extra})
        if cls is OrderCanceled:
            given["kind"] = extra["cancel_kind"]
        self.emit(cls, *came, **given)

    def stay(self, cls: type[OrderEvent], **given: Any) -> None:
        self.emit(cls, self.order.status, self.order.phase, **given)

    def emit(self, cls: type[OrderEvent], status: str | None, phase: Any, **given: Any) -> None:
        self.at += timedelta(minutes=self.random.randrange(1, 60 * 30))
        self.order = self.order.model_copy(update={"sequence": len(self.events) + 1, "updated_at": self.at})
        o = self.order
        change = Change(action="act", label="Act", from_status=status, to_status=o.status, from_phase=phase,
                        to_phase=o.phase, actor=Actor(kind="service", name="test"))  # fmt: skip
        fields = {"marketplace_id": o.marketplace_id, "order_id": o.order_id, "sequence": o.sequence,
                  "occurred_at": self.at, "change": change, "order": o, "audience": EVERYBODY}  # fmt: skip
        self.events.append(cls(**(fields | given)))


def received(events: Sequence[Any]) -> list[Received[Any]]:
    """Events as a handler gets them."""
    return [Received(new_id(), "/ordertrail/test", START, "", e) for e in events]


def newest(events: Sequence[OrderEvent]) -> dict[UUID, OrderSnapshot]:
    """By order, its snapshot with the highest sequence: what the figures have to add up to."""
    found: dict[UUID, OrderSnapshot] = {}
    for e in events:
        if e.order_id not in found or e.sequence > found[e.order_id].sequence:
            found[e.order_id] = e.order
    return found
