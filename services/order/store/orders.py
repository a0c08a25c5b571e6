"""Orders: placing, locking, changing. Each is one statement, because each statement is a round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.order.schemas import ChannelConfig
from services.order.store import rows
from services.order.store.writing import GENESIS, Writing
from services.order.workflow import Decision, Lifecycle, Order, Relocation, UnitMove
from shared.ids import new_id
from shared.postgres import Queries, Transaction
from shared.postgres.database import Row
from shared.web import Answer, Once

q: Final = Queries.load("services.order")
_NO_ANSWER: Final = (None,) * 8


@dataclass(frozen=True, slots=True)
class Held:
    """An order as read, with what its marketplace and channel have set. `chain` is its last timeline hash."""

    order: Order
    chain: bytes
    timer_at: datetime | None
    settings: Mapping[str, str]
    channel: ChannelConfig


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A decision of placing with what its row needs beside it."""

    decision: Decision
    lifecycle: Lifecycle
    part: int
    fingerprint: bytes | None = None
    by_seller: bool = False


class StockShort(Exception):
    """Listings without the free stock that was to be reserved; the transaction must not be committed."""

    def __init__(self, listing_ids: Sequence[UUID]) -> None:
        super().__init__(f"not enough stock of {len(listing_ids)} listing(s)")
        self.listing_ids = listing_ids


class UnitsTaken(Exception):
    """Units that somebody else took in the meantime; the transaction must not be committed."""


@dataclass(slots=True)
class Changes:
    """What one statement writes about orders; `answer` is kept under the caller's idempotency key with it.

    `new` are orders to place, with their last timeline hash. A decision about an order that is here is given to
    `change` by itself.
    """

    writing: Writing
    once: Once | None = None
    answer: Answer | None = None
    new: list[tuple[NewOrder, bytes]] = field(default_factory=list)

    def add(self, new: NewOrder) -> None:
        chain = self.writing.add(new.decision, new.lifecycle, GENESIS, by_seller=new.by_seller)
        self.new.append((new, chain))

    def answered(self) -> tuple[Any, ...]:
        if self.once is None or self.once.key is None or self.answer is None:
            return _NO_ANSWER
        return self.once.row(self.answer)


async def place(tx: Transaction, changes: Changes) -> None:
    """Insert orders with their timeline, events, reservations and kept answer. Raises StockShort."""
    writing = changes.writing
    columns: list[tuple[Any, ...]] = []
    for new, chain in changes.new:
        columns.append(
            rows.placing(
                new.decision.order,
                new.lifecycle,
                new.decision.next_timer_at,
                chain,
                part=new.part,
                fingerprint=new.fingerprint,
            )
        )
    stock = writing.stock.args()
    moved = await tx.fetch(
        q.place_orders,
        *(list(column) for column in zip(*columns, strict=True)),
        *writing.timeline.args(),
        *writing.outbox_args(),
        *stock,
        *changes.answered(),
    )
    _check_stock(stock[0], [r["id"] for r in moved])
    for new, _ in changes.new:
        await _world(tx, new.decision)
    tx.after_commit(writing.outbox.wake)


async def change(
    tx: Transaction, held: Held, decision: Decision, lifecycle: Lifecycle, chain: bytes, changes: Changes
) -> None:
    """Write a decision about a locked order. `chain` is what `changes.writing.add` gave for it.

    Raises StockShort and UnitsTaken.
    """
    writing = changes.writing
    order = decision.order
    stock = writing.stock.args()
    row = await tx.fetchrow(
        q.change_order,
        order.order_id,
        held.order.sequence,
        *rows.changing(order, lifecycle, decision.next_timer_at, chain),
        *writing.timeline.args(),
        *writing.outbox_args(),
        *stock,
        *changes.answered(),
    )
    if row is None or row["changed"] != 1:
        raise RuntimeError(f"order {order.order_id} was changed without its lock")
    _check_stock(stock[0], row["stock"])
    await _world(tx, decision)
    tx.after_commit(writing.outbox.wake)


def _check_stock(asked: Sequence[UUID], moved: Sequence[UUID]) -> None:
    if len(moved) < len(asked):
        raise StockShort([i for i in asked if i not in moved])


async def _world(tx: Transaction, decision: Decision) -> None:
    """Units and places that a decision moves. Most decisions move none."""
    order = decision.order
    for move in decision.of(UnitMove):
        if move.kind == "give_back":
            await tx.execute(q.give_back_units, list(move.unit_ids), order.order_id)
            continue
        taken = await tx.fetch(q.take_units, list(move.unit_ids), order.order_id, move.line_id)
        if len(taken) < len(move.unit_ids):
            raise UnitsTaken("somebody else took a unit")
    for away in decision.of(Relocation):
        await tx.execute(
            q.relocate, order.marketplace_id, new_id(), order.order_id, away.line_id, away.listing_id,
            away.quantity, list(away.unit_ids), away.organisation_id, away.location, order.updated_at,
        )  # fmt: skip


async def lock(tx: Transaction, order_id: UUID) -> Held | None:
    """The order, locked until the transaction ends; None where the tenant has none of that id."""
    return held_of(await tx.fetchrow(q.lock_order, order_id))


async def lock_due(tx: Transaction, order_id: UUID, now: datetime) -> Held | None:
    """The order if its time has come and nobody else holds it; None otherwise."""
    return held_of(await tx.fetchrow(q.lock_due_order, order_id, now))


async def read(tx: Transaction, order_id: UUID) -> Held | None:
    return held_of(await tx.fetchrow(q.read_order, order_id))


def held_of(row: Row | None) -> Held | None:
    if row is None:
        return None
    return Held(
        order=rows.order_of(row["doc"]),
        chain=row["chain"],
        timer_at=row["timer_at"],
        settings=row["settings"] or {},
        channel=ChannelConfig.model_validate(row["channel"] or {}),
    )


async def set_timer(tx: Transaction, order_id: UUID, at: datetime | None) -> None:
    """Only for an order whose clock had nothing to do: a change sets its timer itself."""
    await tx.execute(q.set_timer, order_id, at)


async def find_external(tx: Transaction, marketplace_id: UUID, channel: str, external_id: str) -> Sequence[Any]:
    """(id, purchase_id, fingerprint, part) of the orders that this submission became, first part first."""
    return await tx.fetch(q.find_external, marketplace_id, channel, external_id)


async def numbers(tx: Transaction, marketplace_id: UUID, count: int) -> list[str]:
    rows_ = await tx.fetch(q.next_numbers, marketplace_id, count)
    return [f"{rows.NUMBER_PREFIX}{r['number']}" for r in rows_]
