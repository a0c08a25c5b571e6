"""Orders, their timeline and lifecycles, as the order service shows them to one side."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import Field

from contracts.money import Money
from contracts.order import Commission, OrderSnapshot, Phase
from services.console.schemas.base import Read


class Action(Read):
    """Something to be done with an order. `params` is its JSON Schema; `blocked` says why it cannot be done yet."""

    name: str
    label: str
    params: dict[str, Any] = Field(default_factory=dict)
    blocked: str | None = None


class Shown(Read):
    """A status as people see it. `mark` is the colour of the dot that its label has."""

    code: str = ""
    tone: str | None = None
    mark: str | None = None


class Order(OrderSnapshot):
    """An order as one side sees it: without the commission for buyers, with what the caller may do."""

    commission: Commission | None = None  # type: ignore[assignment]  # left out for buyers, who must not know it
    shown: Shown = Shown()
    allowed_actions: tuple[Action, ...] = ()
    blocked_actions: tuple[Action, ...] = ()


class CardParty(Read):
    organisation_id: UUID | None = None
    name: str
    person_name: str | None = None


class CardCustomer(Read):
    name: str
    email: str | None = None


class Card(Read):
    """An order in a list."""

    order_id: UUID
    number: str
    status: str
    status_label: str
    shown: Shown = Shown()
    phase: Phase
    money: str
    issue: str
    overdue: bool = False
    placed_at: datetime
    channel: str
    external_number: str | None = None
    external_id: str | None = None
    buyer: CardParty
    seller: CardParty
    customer: CardCustomer
    total: Money
    paid: Money | None = None
    refunded: Money | None = None
    line_count: int = 0

    @property
    def tells_of_payment(self) -> bool:
        """Whether money went back, is to, or is held for an order that has ended."""
        given_back = self.money in ("refunding", "partially_refunded", "refunded")
        return given_back or (self.phase == "canceled" and self.paid is not None and self.paid.minor > 0)


class Cards(Read):
    items: tuple[Card, ...]
    next_cursor: str | None = None


class HeldCard(Card):
    """An order of which money is held: how much, and for what."""

    paid: Money
    refunded: Money
    held: Money
    held_for: tuple[str, ...] = ()


class HeldCards(Read):
    items: tuple[HeldCard, ...] = ()
    next_cursor: str | None = None


class EntryActor(Read):
    name: str
    kind: str = "person"
    side: str | None = None
    on_behalf_of_name: str | None = None


class Entry(Read):
    """One change of an order in its timeline."""

    sequence: int
    at: datetime
    event_id: UUID
    event: str = ""
    label: str
    action: str
    from_status: str | None = None
    to_status: str
    from_phase: Phase | None = None
    to_phase: Phase
    actor: EntryActor
    acting_reason: str | None = None
    reason: str | None = None
    cancel_kind: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class Timeline(Read):
    items: tuple[Entry, ...]
    next_cursor: str | None = None


class ListedUnit(Read):
    """A thing of a listing with a code of its own; `state` is free, or taken by some order."""

    id: UUID
    code: str
    state: str = ""
    order_id: UUID | None = None
    location: str | None = None


class UnitList(Read):
    items: tuple[ListedUnit, ...]


class Offer(Read):
    """Something on sale. `available` is absent where its stock is not counted."""

    listing_id: UUID
    seller_organisation_id: UUID | None = None
    seller_name: str = ""
    sku: str
    name: str
    price: Money
    unit_code: str = "C62"
    available: Decimal | None = None
    delivery_mode: str | None = None
    location: str | None = None


class Offers(Read):
    items: tuple[Offer, ...]
    next_cursor: str | None = None


class Listing(Offer):
    """Something on sale, or kept, as its keeper sees it; `reserved` is absent for everybody else."""

    tracked: bool = False
    on_hand: Decimal | None = None
    reserved: Decimal | None = None
    kg_per_unit: Decimal | None = None
    material: str | None = None
    active: bool = True
    changed_at: datetime


class Listings(Read):
    items: tuple[Listing, ...]
    next_cursor: str | None = None


class State(Read):
    name: str
    phase: Phase
    label: str
    labels: dict[str, str] = Field(default_factory=dict)
    tone: str | None = None
    final: bool = False


class Display(Read):
    """What is shown over a state, of an order or of a line."""

    on: str
    code: str
    label: str


class Decision(Read):
    """An action for several new orders at once, and the roles that may take it."""

    name: str
    label: str
    roles: tuple[str, ...] = ()


class Lifecycle(Read):
    name: str
    version: int
    title: str = ""
    states: tuple[State, ...] = ()
    decisions: tuple[Decision, ...] = ()
    display: tuple[Display, ...] = ()
    # what is due, in words, by the deadline's name
    deadlines: dict[str, str] = Field(default_factory=dict)
