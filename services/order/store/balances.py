"""What a seller has earned: summed over its orders, by currency."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.order.store.orders import q
from shared.postgres import Transaction
from shared.postgres.database import Row


async def of(tx: Transaction, marketplace_id: UUID, seller: UUID) -> Sequence[Row]:
    """currency, orders, paid, refunded, commission, pending, held, available: decimals of the currency."""
    return await tx.fetch(q.seller_balance, marketplace_id, seller)
