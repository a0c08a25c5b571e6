"""What a decision says: the order as it becomes, the changes with their events, and what is asked of the world."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from contracts.order import CancelKind, Change, Returned, Side
from services.order.workflow.model import Order

EventKind = Literal[
    "order.created", "order.updated", "order.completed", "order.canceled", "order.refunded", "order.disputed"
]


@dataclass(frozen=True, slots=True)
class Step:
    """One state change and its one event. `order` is the whole order after it; its sequence is this event's."""

    kind: EventKind
    change: Change
    audience: tuple[Side, ...]
    order: Order
    at: datetime
    refund_id: UUID | None = None
    issue_id: UUID | None = None
    cancel_kind: CancelKind | None = None
    returned: tuple[Returned, ...] = ()


@dataclass(frozen=True, slots=True)
class StockMove:
    """Stock of a listing, always positive.

    reserve: available -> reserved (placing). release: reserved -> available (rejected or canceled before it left).
    ship: reserved -> gone. restock: gone -> available (canceled after it left, or returned).
    `hidden`: for an order that waits for approval, so that its seller must not see it.
    """

    kind: Literal["reserve", "release", "ship", "restock"]
    listing_id: UUID
    line_id: UUID
    quantity: Decimal
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Revealed:
    """A quantity that was reserved unseen, of an order that was approved: its seller may see it from now on."""

    listing_id: UUID
    line_id: UUID
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class UnitMove:
    """Units (QR, serial) taken for a line, or given back to their listing."""

    kind: Literal["take", "give_back"]
    listing_id: UUID
    line_id: UUID
    unit_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Relocation:
    """Received things are now at the buyer's: the listing's units (all of the quantity where it has none) move."""

    listing_id: UUID | None
    line_id: UUID
    quantity: Decimal
    unit_ids: tuple[UUID, ...]
    organisation_id: UUID
    location: str | None


@dataclass(frozen=True, slots=True)
class Saving:
    """A received quantity counts as reuse in the reports of both organisations."""

    line_id: UUID
    sku: str
    quantity: Decimal
    kg_per_unit: Decimal | None
    material: str | None
    buyer_organisation_id: UUID
    seller_organisation_id: UUID


@dataclass(frozen=True, slots=True)
class Released:
    """Money of a rejected or canceled quantity, in minor units: no longer owed, earned or held."""

    line_id: UUID
    amount: int


@dataclass(frozen=True, slots=True)
class PlaceAgain:
    """A further order is asked for: `replacement` (free of charge, linked) or `reorder` (re-priced, limit checked)."""

    kind: Literal["replacement", "reorder"]
    order_id: UUID
    lines: tuple[tuple[UUID, Decimal], ...]
    issue_id: UUID | None = None


World = StockMove | Revealed | UnitMove | Relocation | Saving | Released | PlaceAgain


@dataclass(frozen=True, slots=True)
class Decision:
    """The result of `decide`, `fire` and (per order) `place`.

    steps: each is one event, in sequence; empty where nothing changed. order: as after the last step.
    world: what else must happen in the same transaction, in order.
    next_timer_at: when `fire` has to be called next; None for never. Replaces what was stored before.
    """

    order: Order
    steps: tuple[Step, ...]
    world: tuple[World, ...]
    next_timer_at: datetime | None

    def of(self, kind: type[Any]) -> tuple[Any, ...]:
        """The parts of `world` of one class."""
        return tuple(w for w in self.world if isinstance(w, kind))


@dataclass(frozen=True, slots=True)
class Placed:
    """A purchase: one decision per seller's order, in the order in which the sellers first appear."""

    purchase_id: UUID
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class AllowedAction:
    """An action that the actor could take now. `params` is the JSON Schema of the request's params object.

    `blocked` says why it cannot be taken yet (such actions are only listed where asked for); else None.
    """

    name: str
    label: str
    params: dict[str, Any]
    blocked: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What people see as the status: derived from state, money and issues by the lifecycle's display rules."""

    code: str
    label: str
    tone: str
    mark: str | None = None
