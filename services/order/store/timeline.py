"""Timeline entries: read for a side, and whole for verification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from contracts.order import Side
from services.order.store.orders import q
from shared.postgres import Transaction
from shared.postgres.database import Row


async def read(tx: Transaction, order_id: UUID, side: Side, after: int, limit: int) -> list[dict[str, Any]]:
    """Entries that a side may know, by sequence."""
    rows = await tx.fetch(q.read_timeline, order_id, side, after, limit)
    return [orjson.loads(r["entry"]) for r in rows]


async def chain(tx: Transaction, order_ids: Sequence[UUID]) -> Sequence[Row]:
    """Every entry of some orders with its hash, by order and sequence."""
    return await tx.fetch(q.timeline_chain, list(order_ids))


async def proven(tx: Transaction, order_id: UUID, side: Side) -> list[dict[str, Any]]:
    """Entries that a side may know with their hash and the one before it (hex), so that each link can be checked."""
    found, before = [], bytes(32)
    for row in await chain(tx, [order_id]):
        if side in row["audience"]:
            hashes = {"hash_before": before.hex(), "hash": row["hash"].hex()}
            found.append(orjson.loads(row["entry"]) | hashes)
        before = row["hash"]
    return found
