"""What a seller has earned: summed over its orders, by currency."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.order.store.orders import q
from shared.postgres import Transaction
from shared.postgres.database import Row


async def of(tx: Transaction, marketplace_id: UUID, seller: UUID) -> Sequence[Row]:
    """currency, orders, paid, refunded, commission, pending, held, available: decimals of the currency."""
    return await tx.fetch(q.seller_balance, marketplace_id, seller)


async def held(
    tx: Transaction, marketplace_id: UUID, seller: UUID, after: tuple[datetime, UUID] | None, rows: int
) -> Sequence[Row]:
    """Orders of which money is held, newest first: their cards, and how much of it."""
    return await tx.fetch(q.held_orders, marketplace_id, seller, *(after or (None, None)), rows)
