"""The order as every service and every outsider sees it, and the events of its life.

Each event carries the change and the whole order as it is after the change. `sequence` counts an order's
changes from 1 without gaps, over all order topics together: keep the snapshot with the highest one.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from contracts.envelope import Event
from contracts.money import CurrencyCode, Money

Phase = Literal["approval", "pending", "preparing", "in_transit", "completed", "canceled"]
CancelKind = Literal["rejected", "canceled", "abandoned", "expired", "approval_rejected"]
MoneyState = Literal["unpaid", "paid", "refunding", "partially_refunded", "refunded"]
IssueState = Literal["none", "open", "resolved"]
IssueKind = Literal["incident", "problem", "dispute", "chargeback", "cancellation_request"]
Side = Literal["buyer", "seller", "operator"]
DeliveryMode = Literal["delivery", "pickup"]


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


# Exact decimal as text ("2.5"): a double would not hold every quantity.
Quantity = Annotated[Decimal, PlainSerializer(_plain, return_type=str, when_used="json")]


class Part(BaseModel):
    """Base of everything inside a snapshot."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Party(Part):
    """A side of the order: an organisation, and the person who stands for it where there is one."""

    organisation_id: UUID
    name: str
    person_id: UUID | None = None
    person_name: str | None = None
    email: str | None = None


class Address(Part):
    """A postal address as given; `country` is ISO 3166-1 alpha-2."""

    name: str | None = None
    line1: str | None = None
    line2: str | None = None
    postal_code: str | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None


class Customer(Part):
    """Who the goods are for, as the order says; not necessarily a person who signs in."""

    name: str
    email: str | None = None
    phone: str | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None


class Unit(Part):
    """One thing of a line that has its own identity (QR code, serial number)."""

    unit_id: UUID
    code: str
    state: Literal["reserved", "selected", "shipped", "received", "released"] = "reserved"


class Line(Part):
    """A line. ordered = open + accepted + rejected + canceled; shipped <= accepted; received, returned <= shipped."""

    line_id: UUID
    position: int
    listing_id: UUID | None = None
    sku: str
    name: str
    unit_code: str = "C62"  # UN/ECE Rec 20: one
    unit_price: Money
    ordered: Quantity
    open: Quantity
    accepted: Quantity
    rejected: Quantity
    canceled: Quantity
    shipped: Quantity
    received: Quantity
    returned: Quantity
    net: Money
    tax: Money
    total: Money
    refunded: Money
    # how much of the order's discount lies on this line, where its source divides it; else it lies on all of them
    discount: Money | None = None
    status: str  # derived for display: the order's status unless the line has one of its own
    units: tuple[Unit, ...] = ()
    external_line_id: str | None = None
    kg_per_unit: Quantity | None = None
    material: str | None = None
    # ids of the open incidents on this line
    open_incidents: tuple[UUID, ...] = ()


class ParcelLine(Part):
    line_id: UUID
    quantity: Quantity
    unit_ids: tuple[UUID, ...] = ()


class Parcel(Part):
    """A shipment of some lines; `tracking_url` is only ever http or https."""

    parcel_id: UUID
    number: int
    shipped_at: datetime
    carrier: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    lines: tuple[ParcelLine, ...] = ()


class Issue(Part):
    """An incident on a line, a problem, a dispute, a chargeback, or a cancellation request awaiting a decision."""

    issue_id: UUID
    kind: IssueKind
    state: Literal["open", "resolved", "closed", "declined"]
    reason_code: str | None = None
    line_id: UUID | None = None
    opened_at: datetime
    opened_by: Side
    note: str | None = None
    resolution: str | None = None
    settled_at: datetime | None = None
    evidence_due_at: datetime | None = None
    document_ids: tuple[UUID, ...] = ()


class Refund(Part):
    """Money given back, or about to be. The sum of all refunds never exceeds what was paid."""

    refund_id: UUID
    amount: Money
    state: Literal["pending", "done"]
    at: datetime
    line_id: UUID | None = None
    quantity: Quantity | None = None
    reason: str | None = None
    commission_reversed: Money


class Note(Part):
    """A note on the order; `audience` says which sides may read it."""

    note_id: UUID
    at: datetime
    by: str
    side: Side
    text: str
    audience: tuple[Side, ...] = ("buyer", "seller", "operator")


class Document(Part):
    """An attached file, fetched by its id from the order service."""

    document_id: UUID
    kind: Literal["image", "invoice"]
    file_name: str
    media_type: str
    bytes: int
    sha256: str
    added_at: datetime
    side: Side


class Approval(Part):
    """A purchasing approval: why it was needed and how it was decided."""

    state: Literal["needed", "approved", "rejected"]
    limit: Money | None = None
    decided_at: datetime | None = None
    decided_by: UUID | None = None
    note: str | None = None


class Deadline(Part):
    """Something that is due. `overdue` is set once the moment has passed and the thing was not done; `audience` says
    which sides it concerns, where these are not all."""

    name: str
    due_at: datetime
    overdue: bool = False
    audience: tuple[Side, ...] | None = None


class Commission(Part):
    """The owner's share, frozen when the order was placed; `reversed` grows with refunds."""

    rate: Quantity  # 0.12 is 12 %
    amount: Money
    reversed: Money


class Totals(Part):
    """total = lines + tax + shipping - discount + adjustment; refunded <= paid."""

    lines: Money
    tax: Money
    shipping: Money
    discount: Money
    # what a channel's stated total differs from its own lines by; zero for orders placed here
    adjustment: Money
    total: Money
    paid: Money
    refunded: Money


class StatusTime(Part):
    """When the order entered a status; `inferred` where a channel jumped over it."""

    status: str
    at: datetime
    inferred: bool = False


class LifecycleRef(Part):
    name: str
    version: int


class OrderSnapshot(Part):
    """The whole order as it is after a change."""

    order_id: UUID
    marketplace_id: UUID
    number: str
    purchase_id: UUID
    sequence: int
    lifecycle: LifecycleRef
    status: str
    status_label: str
    phase: Phase
    cancel_kind: CancelKind | None = None
    money: MoneyState
    issue: IssueState
    placed_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    channel: str
    external_id: str | None = None
    external_status: str | None = None
    external_number: str | None = None
    buyer: Party
    seller: Party
    customer: Customer
    currency: CurrencyCode
    lines: tuple[Line, ...]
    totals: Totals
    commission: Commission
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
    payout_held: bool = False
    # free-form facts that a source gave and that outlive the import (tags, references)
    attributes: dict[str, str] = Field(default_factory=dict)


class Actor(Part):
    """Who did it. `on_behalf_of` is the person who is stood for (log in as, operator for a seller)."""

    kind: Literal["person", "api_key", "channel", "clock", "service"]
    id: UUID | None = None
    name: str
    side: Side | None = None
    on_behalf_of: UUID | None = None
    on_behalf_of_name: str | None = None


class Change(Part):
    """What happened: the action, and the statuses before and after (equal where only an axis moved)."""

    action: str
    label: str
    from_status: str | None = None
    to_status: str
    from_phase: Phase | None = None
    to_phase: Phase
    actor: Actor
    reason: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class OrderEvent(Event):
    """Base of the order events. `audience` is who may know of this change; consumers obey it."""

    order_id: UUID
    sequence: int = Field(ge=1)
    occurred_at: datetime
    audience: tuple[Side, ...] = ("buyer", "seller", "operator")
    change: Change
    order: OrderSnapshot

    def key(self) -> str:
        return str(self.order_id)


class OrderCreated(OrderEvent, type="order.created", version=1):
    """The order entered phase pending for the first time: exactly once per order."""


class OrderUpdated(OrderEvent, type="order.updated", version=1):
    """The order changed in a way that no other event says more exactly."""


class OrderCompleted(OrderEvent, type="order.completed", version=1):
    """The order entered phase completed for the first time: at most once per order."""


class Returned(Part):
    """Quantity that went back to stock because of the cancellation."""

    line_id: UUID
    listing_id: UUID | None = None
    sku: str
    quantity: Quantity


class OrderCanceled(OrderEvent, type="order.canceled", version=1):
    """The order ended in phase canceled: at most once per order."""

    kind: CancelKind
    returned: tuple[Returned, ...] = ()


class OrderRefunded(OrderEvent, type="order.refunded", version=1):
    """A refund was begun or done. `refund` is this one; the order's totals hold the sum."""

    refund: Refund


class OrderDisputed(OrderEvent, type="order.disputed", version=1):
    """An issue was opened or settled; `issue` is its state now."""

    issue: Issue
