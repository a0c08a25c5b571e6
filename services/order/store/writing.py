"""What a decision adds beside the order's row: timeline entries in their hash chain, events, moves of stock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson

from contracts.envelope import ContractError
from contracts.order import OrderEvent, OrderSnapshot
from services.order import workflow
from services.order.workflow import Decision, Lifecycle, Revealed, StockMove
from shared.errors import Conflict, Problem, Unprocessable
from shared.ids import new_id
from shared.outbox import Outbox

# The hash before the first entry of an order.
GENESIS: Final = bytes(32)
# Of the 1,000,000 bytes of an event: with 500 lines accepting, sending and canceling add up to 100,000, which are kept
# free, so that whatever was placed can also be ended.
MOST_BYTES: Final = 850_000
_CANONICAL: Final = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z


def chained(before: bytes, entry: str) -> bytes:
    """The hash of an entry: SHA-256 of the hash before it and the entry's text."""
    return hashlib.sha256(before + entry.encode()).digest()


@dataclass(slots=True)
class Timeline:
    """Timeline rows as parallel arrays, the parameters of the statements that insert them."""

    order_ids: list[UUID] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    occurred_at: list[datetime] = field(default_factory=list)
    event_ids: list[UUID] = field(default_factory=list)
    audiences: list[str] = field(default_factory=list)
    entries: list[str] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)

    def add(self, step: workflow.Step, event_id: UUID, before: bytes, acting_reason: str | None) -> bytes:
        """One entry per step; the hash that the next one builds on is returned."""
        entry = entry_of(step, event_id, acting_reason)
        after = chained(before, entry)
        self.order_ids.append(step.order.order_id)
        self.sequences.append(step.order.sequence)
        self.occurred_at.append(step.at)
        self.event_ids.append(event_id)
        self.audiences.append("{" + ",".join(step.audience) + "}")
        self.entries.append(entry)
        self.hashes.append(after)
        return after

    def args(self) -> tuple[Any, ...]:
        return (
            self.order_ids, self.sequences, self.occurred_at, self.event_ids, self.audiences, self.entries, self.hashes
        )  # fmt: skip


def entry_of(step: workflow.Step, event_id: UUID, acting_reason: str | None) -> str:
    """The canonical text of a timeline entry: what, when, who, on whose behalf, why, who may know."""
    change = step.change
    actor = change.actor
    entry = {
        "order_id": step.order.order_id,
        "sequence": step.order.sequence,
        "at": step.at,
        "event_id": event_id,
        "event": step.kind,
        "action": change.action,
        "label": change.label,
        "from_status": change.from_status,
        "to_status": change.to_status,
        "from_phase": change.from_phase,
        "to_phase": change.to_phase,
        "actor": {
            "kind": actor.kind,
            "id": actor.id,
            "name": actor.name,
            "side": actor.side,
            "on_behalf_of": actor.on_behalf_of,
            "on_behalf_of_name": actor.on_behalf_of_name,
        },
        "acting_reason": acting_reason,
        "reason": change.reason,
        "details": change.details,
        "audience": step.audience,
        "cancel_kind": step.cancel_kind,
        "refund_id": step.refund_id,
        "issue_id": step.issue_id,
    }
    return orjson.dumps(entry, default=str, option=_CANONICAL).decode()


@dataclass(slots=True)
class Stock:
    """Differences of stock per listing. `strict` ones must find the free stock that they reserve.

    `seen` ones must find it beside what the seller sees reserved: for the seller itself, and for an order that was
    approved, it is as if no other order waited for approval.
    """

    reserved: dict[UUID, Decimal] = field(default_factory=dict)
    hidden: dict[UUID, Decimal] = field(default_factory=dict)
    on_hand: dict[UUID, Decimal] = field(default_factory=dict)
    strict: set[UUID] = field(default_factory=set)
    seen: set[UUID] = field(default_factory=set)

    def add(self, moves: Iterable[StockMove], *, lenient: bool, by_seller: bool) -> None:
        for move in moves:
            reserve, arrive = _MOVES[move.kind]
            listing, quantity = move.listing_id, move.quantity
            self._book(listing, reserve * quantity, reserve * quantity if move.hidden else _NONE, arrive * quantity)
            if move.kind == "reserve" and not lenient:
                (self.seen if by_seller and not move.hidden else self.strict).add(listing)

    def reveal(self, revealed: Iterable[Revealed], *, lenient: bool) -> None:
        for one in revealed:
            self._book(one.listing_id, _NONE, -one.quantity, _NONE)
            if not lenient:
                self.seen.add(one.listing_id)

    def _book(self, listing: UUID, reserved: Decimal, hidden: Decimal, on_hand: Decimal) -> None:
        for kept, difference in ((self.reserved, reserved), (self.hidden, hidden), (self.on_hand, on_hand)):
            kept[listing] = kept.get(listing, _NONE) + difference

    def args(self) -> tuple[Any, ...]:
        ids = sorted(self.reserved)
        return (
            ids,
            [self.reserved[i] for i in ids],
            [self.hidden[i] for i in ids],
            [self.on_hand[i] for i in ids],
            [i in self.strict or i in self.seen for i in ids],
            [i not in self.strict for i in ids],
        )


_NONE: Final = Decimal(0)
# kind -> (difference of what is reserved, difference of what is on hand) for one piece
_MOVES: Final = {"reserve": (1, 0), "release": (-1, 0), "ship": (-1, -1), "restock": (0, 1)}


@dataclass(slots=True)
class Writing:
    """Everything of one transaction, over one or several orders."""

    outbox: Outbox
    acting_reason: str | None = None
    timeline: Timeline = field(default_factory=Timeline)
    stock: Stock = field(default_factory=Stock)
    events: list[OrderEvent] = field(default_factory=list)
    event_ids: list[UUID] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    # of each order as it is after its last step, by its id
    snapshots: dict[UUID, OrderSnapshot] = field(default_factory=dict)

    def add(self, decision: Decision, lifecycle: Lifecycle, chain: bytes, *, by_seller: bool = False) -> bytes:
        """Take up a decision; the order's new last hash is returned. `by_seller`: who sells has placed it itself."""
        for step in decision.steps:
            event_id = new_id()
            chain = self.timeline.add(step, event_id, chain, self.acting_reason)
            event = workflow.event_of(step, lifecycle)
            self.events.append(event)
            self.event_ids.append(event_id)
            self.times.append(step.at)
            self.snapshots[event.order_id] = event.order
        self.stock.add(decision.of(StockMove), lenient=lifecycle.lenient, by_seller=by_seller)
        self.stock.reveal(decision.of(Revealed), lenient=lifecycle.lenient)
        return chain

    def outbox_args(self) -> Sequence[Any]:
        """Raises Unprocessable or Conflict for an order that has become too large to be told of."""
        try:
            rows = self.outbox.rows(self.events, event_ids=self.event_ids, times=self.times)
        except ContractError as e:
            raise _too_large(any(event.sequence == 1 for event in self.events)) from e
        for event, value in zip(self.events, rows.values, strict=True):
            if len(value) > MOST_BYTES and _adds(event):
                raise _too_large(event.sequence == 1)
        return rows.args()


def _adds(event: OrderEvent) -> bool:
    """Whether the change only adds to the order, and takes it nowhere: what must stay possible is how it goes on."""
    stays = event.change.from_status == event.change.to_status and event.change.actor.kind in ("person", "api_key")
    return event.sequence == 1 or (stays and event.TYPE == "order.updated")


def _too_large(placed: bool) -> Problem:
    if placed:
        return Unprocessable(
            "order_too_large",
            f"With all that is kept of it the order has more than {MOST_BYTES} bytes. Shorten its texts, or make it "
            "several orders.",
        )
    return Conflict(
        "order_too_large", "The order has become too large to hold more. Shorten what is added, or use its messages."
    )
