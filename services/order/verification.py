"""Whether the timelines are what was written: every hash, every link, every order's last entry.

Reads as the worker role. What it can show: an entry that was changed, removed, inserted or exchanged, and an order
whose state is not what its last entry says. What it cannot: somebody with the owner's rights who rewrites a whole
order with all of its hashes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final
from uuid import UUID

import orjson

from services.order.store import timeline
from services.order.store.orders import q
from services.order.store.rows import NUMBER_PREFIX
from services.order.store.writing import GENESIS, chained
from shared.postgres import Database
from shared.postgres.database import Row

AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an order's timeline, and where."""

    order_id: UUID
    number: str
    sequence: int
    reason: str


@dataclass(slots=True)
class Verified:
    """How much was looked at so far."""

    orders: int = 0
    entries: int = 0


async def verify(
    db: Database, *, marketplace_id: UUID | None = None, verified: Verified | None = None
) -> AsyncIterator[Fault]:
    """Every fault of every order (of one marketplace, if given), some hundred orders at a time."""
    seen = verified or Verified()
    after = UUID(int=0)
    while True:
        async with db.transaction() as tx:
            orders = await tx.fetch(q.orders_to_verify, marketplace_id, after, AT_ONCE)
            if not orders:
                return
            rows = await timeline.chain(tx, [o["id"] for o in orders])
        entries = {order_id: list(own) for order_id, own in groupby(rows, key=lambda r: r["order_id"])}
        for order in orders:
            own = entries.get(order["id"], [])
            seen.orders += 1
            seen.entries += len(own)
            for fault in faults_of(order, own):
                yield fault
        after = orders[-1]["id"]


def faults_of(order: Row, entries: Sequence[Row]) -> list[Fault]:
    """The faults of one order. After the first broken link the rest says nothing more, so there it ends."""

    def fault(sequence: int, reason: str) -> Fault:
        return Fault(order["id"], f"{NUMBER_PREFIX}{order['number']}", sequence, reason)

    before, last = GENESIS, None
    for expected, row in enumerate(entries, 1):
        if row["sequence"] != expected:
            return [fault(expected, f"entry {expected} is missing; the next one is {row['sequence']}")]
        if chained(before, row["entry"]) != row["hash"]:
            return [fault(expected, "the entry's text does not fit its hash and the entry before it")]
        last = orjson.loads(row["entry"])
        told = (last["order_id"], last["sequence"], last["event_id"], last["audience"])
        if told != (str(row["order_id"]), row["sequence"], str(row["event_id"]), list(row["audience"])):
            return [fault(expected, "the entry's columns do not fit its text")]
        before = row["hash"]
    if len(entries) != order["sequence"]:
        return [fault(order["sequence"], f"the order has had {order['sequence']} changes, {len(entries)} are here")]
    if before != order["chain"]:
        return [fault(order["sequence"], "the order's own hash is not that of its last entry")]
    if last is None or last["to_status"] != order["status"]:
        return [fault(order["sequence"], f"the order is {order['status']}, its last entry says otherwise")]
    return []
