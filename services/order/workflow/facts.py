"""What a decision is told from outside the order: who acts, settings, stock, documents; and what placing needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from contracts.inbound import SubmittedOrder
from contracts.money import Money
from contracts.order import Actor as EventActor
from contracts.order import DeliveryMode, Document, Party, Side

ActorKind = Literal["person", "api_key", "channel", "clock", "service"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `organisation_id` and `roles` are the rights that are used.

    Where somebody stands in for another person (log in as), the rights are that person's: `on_behalf_of` names
    them, while `id` and `name` stay those of whoever really acts.
    """

    kind: ActorKind
    name: str
    id: UUID | None = None
    organisation_id: UUID | None = None
    roles: frozenset[str] = frozenset()
    on_behalf_of: UUID | None = None
    on_behalf_of_name: str | None = None

    @property
    def full_name(self) -> str:
        """Who really acts, and in whose name: both stand on whatever comes of it."""
        return f"{self.name} as {self.on_behalf_of_name}" if self.on_behalf_of_name else self.name

    @property
    def person_id(self) -> UUID | None:
        """The person whose rights are used."""
        return self.on_behalf_of or self.id

    def as_event(self, side: Side | None) -> EventActor:
        return EventActor.model_construct(
            kind=self.kind,
            id=self.id,
            name=self.name,
            side=side,
            on_behalf_of=self.on_behalf_of,
            on_behalf_of_name=self.on_behalf_of_name,
        )


CLOCK = Actor("clock", "Clock")
# Takes the automatic transitions.
SYSTEM = Actor("service", "Ordertrail")


@dataclass(frozen=True, slots=True)
class Channel:
    """What the marketplace has set for the channel that an order came from.

    `buffer` is held back from every SKU when accepting automatically, `buffers` replaces it for single SKUs.
    `contact` is shown where only the channel can go on.
    """

    name: str = "direct"
    auto_accept: bool = False
    buffer: Decimal = Decimal(0)
    buffers: Mapping[str, Decimal] = field(default_factory=dict)
    can_refund: bool = False
    contact: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """The world around the order at the time of the decision; each part may be left out where it does not matter.

    settings: the marketplace's, as text; they override the lifecycle's defaults.
    available: free stock per listing, as if this order were not there.
    free_units: per listing, the ids and codes of units that are free to be picked.
    documents: uploaded files by id that the action may attach.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    channel: Channel = Channel()
    available: Mapping[UUID, Decimal] = field(default_factory=dict)
    free_units: Mapping[UUID, Mapping[UUID, str]] = field(default_factory=dict)
    documents: Mapping[UUID, Document] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LineFacts:
    """A submitted line, resolved: whose it is and what its listing says. Same position as in the submitted order.

    `unit_price` is the listing's; a price that the submitted line states wins (the caller decides whether the
    source may state prices, and removes them where not).
    """

    seller_id: UUID
    sku: str
    name: str
    listing_id: UUID | None = None
    unit_price: Money | None = None
    unit_code: str | None = None
    delivery_mode: DeliveryMode | None = None
    tracked: bool = False
    kg_per_unit: Decimal | None = None
    material: str | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Everything that placing needs. `buyer.person_id` is the person who places; `sellers` covers every line.

    `commission_rates` is per seller (0.12 is 12 %). `purchasing_limit` is the person's: None means no limit.
    """

    submitted: SubmittedOrder
    lines: tuple[LineFacts, ...]
    marketplace_id: UUID
    buyer: Party
    sellers: Mapping[UUID, Party]
    commission_rates: Mapping[UUID, Decimal] = field(default_factory=dict)
    purchasing_limit: Money | None = None
    time_zone: str = "UTC"
    destination: str | None = None
    replaces_order_id: UUID | None = None
    reordered_from_id: UUID | None = None
    placed_at: datetime | None = None
