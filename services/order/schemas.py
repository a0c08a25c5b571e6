"""What callers may send to the order service, and the configuration that it keeps. Unknown fields are refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from contracts.inbound import PositiveQuantity, ShortText, Text
from contracts.money import Money
from contracts.order import DeliveryMode, Quantity, Side

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Stock = Annotated[Quantity, Field(ge=0, max_digits=15, decimal_places=6)]
Weight = Annotated[Quantity, Field(ge=0, max_digits=12, decimal_places=6)]
UnitCode = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,3}$")]
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose orders a list holds: the whole marketplace's, or those of one side's organisation or person."""

    side: Side
    organisation_id: UUID | None = None
    person_id: UUID | None = None


class ChannelConfig(Strict):
    """What a marketplace has set for a channel.

    `buffer` pieces of every SKU (or `buffers` of single ones) are never promised automatically. `default_buyer` and
    `default_seller` stand in for parties of the channel that are no organisations here. `statuses` maps the channel's
    own statuses to states of the lifecycle. `commission_rate` (0.12 is 12 %) goes before the seller's own.
    """

    title: Text | None = None
    lifecycle: Name | None = None
    auto_accept: bool = False
    buffer: Stock = Decimal(0)
    buffers: Annotated[dict[ShortText, Stock], Field(max_length=1_000)] = Field(default_factory=dict)
    can_refund: bool = False
    contact: Text | None = None
    default_buyer: UUID | None = None
    default_seller: UUID | None = None
    commission_rate: Annotated[Quantity, Field(ge=0, le=1, max_digits=7, decimal_places=6)] | None = None
    statuses: Annotated[dict[ShortText, Name], Field(max_length=100)] = Field(default_factory=dict)


class ActionRequest(Strict):
    """The parameters of an action; which ones there are is told by `allowed_actions`."""

    params: Annotated[dict[str, Any], Field(max_length=40)] = Field(default_factory=dict)


class BulkRequest(Strict):
    """One action for several orders, each decided by itself."""

    action: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
    order_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=200)]
    params: Annotated[dict[str, Any], Field(max_length=40)] = Field(default_factory=dict)


class ReorderRequest(Strict):
    """Nothing to say: the same items again, at today's prices."""


class ListingRequest(Strict):
    """A listing of a seller. `tracked`: every piece has a code of its own.

    `available`, or `on_hand`, which is the same: the stock on hand, what orders have reserved of it included; absent:
    stock is not counted. (A listing that is read shows as `available` what is free of `on_hand`.)

    `on_hand_read`, with a change: the stock that it was decided on. Orders move stock without changing the listing's
    ETag: where `on_hand` is what was read, stock stays as it is by now; another one is refused once stock has moved.
    """

    seller: ShortText | None = None
    sku: ShortText
    name: Text
    price: Money
    unit_code: UnitCode = "C62"
    available: Stock | None = None
    on_hand: Stock | None = None
    on_hand_read: Stock | None = None
    tracked: bool = False
    units: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=100)], ...], Field(max_length=1_000)] = ()
    delivery_mode: DeliveryMode | None = None
    location: Text | None = None
    kg_per_unit: Weight | None = None
    material: ShortText | None = None
    active: bool = True

    @field_validator("sku", "name", "location", "material")
    @classmethod
    def _one_line(cls, value: str | None) -> str | None:
        if value is not None and _CONTROL.search(value):
            raise ValueError("has control characters")
        return value

    @field_validator("on_hand")
    @classmethod
    def _once(cls, value: Decimal | None, told: ValidationInfo) -> Decimal | None:
        if value is not None and told.data.get("available") not in (None, value):
            raise ValueError("is another stock than available says; state one of them")
        return value

    @property
    def stock(self) -> Decimal | None:
        return self.available if self.on_hand is None else self.on_hand


class UnitsRequest(Strict):
    """Codes of things to add to a listing."""

    codes: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=100)], ...], Field(min_length=1, max_length=1_000)
    ]


class LifecycleRequest(Strict):
    """A lifecycle as TOML. The name stands in the text."""

    text: Annotated[str, Field(min_length=1, max_length=200_000)]


class RefundRequest(Strict):
    """Money back: an amount, or a quantity of a line, or (neither) everything that is left.

    `external_id` names the refund at its source: the same one twice is booked once.
    """

    amount: Money | None = None
    line_id: UUID | None = None
    quantity: PositiveQuantity | None = None
    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    external_id: ShortText | None = None


class IssueRequest(Strict):
    """An incident, problem, dispute or chargeback; which ones there are is told by `allowed_actions`."""

    kind: Literal["incident", "problem", "dispute", "chargeback", "cancellation_request"]
    params: Annotated[dict[str, Any], Field(max_length=40)] = Field(default_factory=dict)
