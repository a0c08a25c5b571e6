"""What other services and channels may tell the order service. Unknown fields are refused: money is at stake."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from contracts.envelope import Event
from contracts.money import CurrencyCode, Money

Text = Annotated[str, Field(min_length=1, max_length=500)]
ShortText = Annotated[str, Field(min_length=1, max_length=100)]
ExternalId = Annotated[str, Field(min_length=1, max_length=200)]
PositiveQuantity = Annotated[Decimal, Field(gt=0, max_digits=15, decimal_places=6)]


def _of_our_age(value: datetime) -> datetime:
    """Further away, a time has no equivalent in some zones, and no calendar shows it."""
    if not 1970 <= value.year <= 2199:
        raise ValueError("must lie between 1970 and 2199")
    return value


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SubmittedAddress(Strict):
    name: Text | None = None
    line1: Text | None = None
    line2: Text | None = None
    postal_code: ShortText | None = None
    city: Text | None = None
    region: Text | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None


class SubmittedCustomer(Strict):
    name: Text
    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    phone: ShortText | None = None
    shipping_address: SubmittedAddress | None = None
    billing_address: SubmittedAddress | None = None


class SubmittedLine(Strict):
    """A line. With `listing_id` the price, name and seller come from the listing unless a channel states them."""

    listing_id: UUID | None = None
    sku: ShortText | None = None
    name: Text | None = None
    quantity: PositiveQuantity
    unit_code: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,3}$")] = "C62"
    unit_price: Money | None = None
    net: Money | None = None  # where the source states a line amount that is not quantity x price
    # how much of the order's discount lies on this line, where the source divides it
    discount: Money | None = None
    tax: Money | None = None
    tax_rate: Annotated[Decimal, Field(ge=0, le=1, max_digits=7, decimal_places=6)] | None = None
    seller: ShortText | None = None  # organisation id, slug or external id
    external_line_id: ShortText | None = None


class SubmittedOrder(Strict):
    """An order as a channel or service hands it in. (marketplace, channel, external_id) makes it one order."""

    external_id: ExternalId | None = None
    external_number: ShortText | None = None
    external_status: ShortText | None = None
    channel: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] = "direct"
    lifecycle: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] | None = None
    placed_at: Annotated[datetime, AfterValidator(_of_our_age)] | None = None
    currency: CurrencyCode
    buyer: ShortText | None = None  # organisation id, slug or external id; the caller's own by default
    customer: SubmittedCustomer
    lines: Annotated[tuple[SubmittedLine, ...], Field(min_length=1, max_length=500)]
    shipping: Money | None = None
    discount: Money | None = None  # the lines' own included; their sum where it is not stated
    tax: Money | None = None  # where the source states tax only for the whole order
    total: Money | None = None  # stated total; a difference from the lines is kept as an adjustment
    paid: bool = False
    delivery_mode: Literal["delivery", "pickup"] | None = None
    delivery_method: ShortText | None = None
    note: Annotated[str, Field(max_length=5_000)] | None = None
    attributes: Annotated[dict[ShortText, Annotated[str, Field(max_length=500)]], Field(max_length=50)] = Field(
        default_factory=dict
    )


class OrderSubmitted(Event, type="order.submitted", version=1):
    """Take this order in: the same as placing it over HTTP. Without external_id it could not be idempotent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: SubmittedOrder

    def key(self) -> str:
        return self.order.external_id or ""

    def lane(self) -> str:
        """An external id is its channel's own, and its marketplace's."""
        named = self.order.external_id
        return f"{self.marketplace_id} {self.order.channel} {named}" if named else ""


class PaymentSettled(Event, type="payment.settled", version=1):
    """A payment for an order, named by order_id or by (channel, external_id), was settled, failed or refunded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    payment_id: Text
    order_id: UUID | None = None
    channel: ShortText | None = None
    external_id: ExternalId | None = None
    kind: Literal["paid", "refund_done", "chargeback"]
    amount: Money
    refund_id: UUID | None = None
    settled_at: Annotated[datetime, AfterValidator(_of_our_age)]

    def key(self) -> str:
        return str(self.order_id or self.external_id or self.payment_id)

    def lane(self) -> str:
        """An external id is its channel's own, and its marketplace's."""
        return f"{self.marketplace_id} {'' if self.order_id else self.channel or ''} {self.key()}"


class ListingChanged(Event, type="listing.changed", version=1):
    """A listing is now so. Fields left out stay as they are; `available` is the stock on hand, not a difference."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    listing_id: UUID
    seller: ShortText
    sku: ShortText
    changed_at: Annotated[datetime, AfterValidator(_of_our_age)]
    name: Text | None = None
    price: Money | None = None
    available: Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=6)] | None = None
    unit_code: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,3}$")] | None = None
    delivery_mode: Literal["delivery", "pickup"] | None = None
    location: Text | None = None
    kg_per_unit: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=6)] | None = None
    material: ShortText | None = None
    active: bool | None = None

    def key(self) -> str:
        return str(self.listing_id)
