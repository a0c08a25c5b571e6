"""The order aggregate: everything about one order that a decision may need, and the sums derived from it.

Money is in minor units of the order's currency (an int); quantities are exact decimals. Whatever follows
from other fields (open quantity, money state, issue state) is a property and is never stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from contracts.money import CurrencyCode
from contracts.order import (
    Approval,
    Customer,
    DeliveryMode,
    Document,
    Issue,
    IssueState,
    LifecycleRef,
    MoneyState,
    Note,
    Parcel,
    Part,
    Party,
    Quantity,
    Side,
    StatusTime,
    Unit,
)
from services.order.workflow.proportion import allocate, share

# Makes a fresh id; the only thing in here that is not a function of its arguments.
Ids = Callable[[], UUID]
Milestone = Literal["created", "completed", "canceled"]

EVERYONE: tuple[Side, ...] = ("buyer", "seller", "operator")
# States of a unit in which it belongs to its line.
HELD = ("reserved", "selected", "shipped", "received")
ZERO = Decimal(0)


class Line(Part):
    """A line. ordered = open + accepted + rejected + canceled; shipped <= accepted; received, returned <= shipped.

    `unit_price`, `net` and `tax` are minor units; `tracked` says that each thing has its own QR code or serial.
    """

    line_id: UUID
    position: int
    listing_id: UUID | None = None
    sku: str
    name: str
    unit_code: str = "C62"
    unit_price: int
    ordered: Quantity
    accepted: Quantity = ZERO
    rejected: Quantity = ZERO
    canceled: Quantity = ZERO
    shipped: Quantity = ZERO
    received: Quantity = ZERO
    returned: Quantity = ZERO
    net: int
    tax: int = 0
    # of the order's discount, what its source put on this line
    discount: int = 0
    tracked: bool = False
    units: tuple[Unit, ...] = ()
    external_line_id: str | None = None
    kg_per_unit: Quantity | None = None
    material: str | None = None

    @property
    def open(self) -> Decimal:
        """What nobody has decided on yet."""
        return self.ordered - self.accepted - self.rejected - self.canceled

    @property
    def to_ship(self) -> Decimal:
        return self.accepted - self.shipped

    @property
    def given_back(self) -> Decimal:
        """What was rejected or canceled: back at its listing."""
        return self.rejected + self.canceled

    @property
    def total(self) -> int:
        return self.net + self.tax

    def units_in(self, *states: str) -> tuple[Unit, ...]:
        return tuple(u for u in self.units if u.state in states)


class Refund(Part):
    """Money given back (done) or about to be (pending), in minor units."""

    refund_id: UUID
    amount: int
    state: Literal["pending", "done"]
    at: datetime
    line_id: UUID | None = None
    quantity: Quantity | None = None
    reason: str | None = None
    commission_reversed: int = 0
    issue_id: UUID | None = None


class Deadline(Part):
    """Something that is due, frozen when it started to run.

    With `action` the clock takes that transition at `due_at`; without, people are told at `due_at` and, where
    `overdue_at` is set, told again and flagged then (else flagged at once). `told` counts what has been told.
    """

    name: str
    due_at: datetime
    overdue_at: datetime | None = None
    told: int = 0
    overdue: bool = False
    action: str | None = None
    issue_id: UUID | None = None


class Order(Part):
    """One seller's order. `status` is a state of the lifecycle named by `lifecycle`; see module docstring for units."""

    order_id: UUID
    marketplace_id: UUID
    purchase_id: UUID
    number: str
    sequence: int = 0
    lifecycle: LifecycleRef
    status: str
    status_since: datetime
    placed_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    milestones: tuple[Milestone, ...] = ()
    channel: str = "direct"
    external_id: str | None = None
    external_number: str | None = None
    external_status: str | None = None
    buyer: Party
    seller: Party
    customer: Customer
    # IANA zone and place of the buying outlet: what "today" is for a delivery date, where received things go
    time_zone: str = "UTC"
    destination: str | None = None
    currency: CurrencyCode
    lines: tuple[Line, ...]
    shipping: int = 0
    discount: int = 0
    adjustment: int = 0
    paid: int = 0
    commission_rate: Quantity = ZERO
    commission: int = 0
    # of it, what went back because a quantity was rejected or canceled
    commission_released: int = 0
    delivery_mode: DeliveryMode = "delivery"
    delivery_method: str | None = None
    scheduled_for: date | None = None
    parcels: tuple[Parcel, ...] = ()
    issues: tuple[Issue, ...] = ()
    refunds: tuple[Refund, ...] = ()
    notes: tuple[Note, ...] = ()
    documents: tuple[Document, ...] = ()
    approval: Approval | None = None
    deadlines: tuple[Deadline, ...] = ()
    status_times: tuple[StatusTime, ...] = ()
    replaces_order_id: UUID | None = None
    reordered_from_id: UUID | None = None
    attributes: dict[str, str] = Field(default_factory=dict)

    @property
    def total(self) -> int:
        """lines + tax + shipping - discount + adjustment."""
        return sum(line.total for line in self.lines) + self.shipping - self.discount + self.adjustment

    @property
    def refunded(self) -> int:
        """What has been given back; pending refunds are not in it."""
        return sum(r.amount for r in self.refunds if r.state == "done")

    @property
    def refund_left(self) -> int:
        """What may still be refunded: paid, less every refund that is done or pending."""
        return self.paid - sum(r.amount for r in self.refunds)

    @property
    def commission_reversed(self) -> int:
        """What of the commission has gone back: with refunds that are done, and for what is not sold after all."""
        return self.commission_released + sum(r.commission_reversed for r in self.refunds if r.state == "done")

    @property
    def money(self) -> MoneyState:
        if any(r.state == "pending" for r in self.refunds):
            return "refunding"
        if back := self.refunded:
            return "refunded" if back >= self.paid else "partially_refunded"
        total = self.total
        if self.paid >= total:
            return "paid"
        return "paid" if self.paid > 0 and self.paid >= self.owed else "unpaid"

    @property
    def line_values(self) -> tuple[int, ...]:
        """What each line comes to, in the order of the lines: its share of everything but shipping, in minor units.

        A discount or adjustment of the whole order lies on its lines in proportion, beside their own discounts, so that
        all lines and the shipping make exactly the total.
        """
        goods = max(self.total - self.shipping, 0)
        return tuple(allocate(goods, [line.total - line.discount for line in self.lines]))

    @property
    def nothing_left(self) -> bool:
        """Everything was rejected or canceled."""
        return all(line.given_back == line.ordered for line in self.lines)

    @property
    def released(self) -> int:
        """Worth of what was rejected or canceled, in minor units: nobody owes or earns it any more."""
        lines = [(n, line) for n, line in enumerate(self.lines) if line.given_back]
        if not lines:
            return 0
        values = self.line_values
        return sum(share(values[n], line.given_back, line.ordered) for n, line in lines)

    @property
    def owed(self) -> int:
        """What is to be paid for what is sold, in minor units; where nothing is, nothing has to be shipped either."""
        return 0 if self.nothing_left else max(self.total - self.released, 0)

    @property
    def excess(self) -> int:
        """What was paid beyond what is sold, in minor units: nobody has earned it."""
        return max(self.paid - self.owed, 0)

    def of_excess(self, refunds: Sequence[Refund]) -> int:
        """How much of these refunds is what was paid beyond what is sold: it is the first to go back.

        Only a refund of a line that is sold is none of it.
        """
        excess, by_line = self.excess, dict.fromkeys((r.line_id for r in refunds), 0)
        if not excess:
            return 0
        for refund in refunds:
            by_line[refund.line_id] += refund.amount
        plain = by_line.pop(None, 0)
        unsold = {
            x.line_id: share(value, x.given_back, x.ordered)
            for x, value in zip(self.lines, self.line_values, strict=True)
        }
        return min(plain + sum(min(amount, unsold[i]) for i, amount in by_line.items() if i is not None), excess)

    @property
    def excess_left(self) -> int:
        """What of it has not gone back yet; what is on its way counts as here."""
        return self.excess - self.of_excess([r for r in self.refunds if r.state == "done"])

    @property
    def issue(self) -> IssueState:
        told = [i for i in self.issues if i.kind != "cancellation_request"]
        if any(is_active(i) for i in told):
            return "open"
        return "resolved" if told else "none"

    @property
    def payout_held(self) -> bool:
        """An open issue holds payout."""
        return self.issue == "open"

    @property
    def known_to(self) -> tuple[Side, ...]:
        """Sides that know of the order: only the buyer's until it was first pending (supplier page)."""
        return EVERYONE if "created" in self.milestones else ("buyer",)

    def with_(self, **changes: Any) -> Order:
        """A copy with the given fields changed; values are trusted, they come from the engine itself."""
        return self.model_copy(update=changes)


def is_active(issue: Issue) -> bool:
    """An incident is over when it is closed (the seller's resolving only proposes it); others when settled at all."""
    return issue.state == "open" or (issue.kind == "incident" and issue.state == "resolved")


def dump(order: Order) -> dict[str, Any]:
    """The order as a JSON-able document for storage; `load` is its inverse."""
    return order.model_dump(mode="json", exclude_defaults=True)


def load(document: dict[str, Any]) -> Order:
    """The order of a stored document. Raises pydantic.ValidationError where it is not one."""
    return Order.model_validate(document)
