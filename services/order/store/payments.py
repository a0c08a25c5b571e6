"""Settlements that were booked, each by what names it at its source."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.order.store.orders import q
from shared.postgres import Transaction


async def book(
    tx: Transaction,
    marketplace_id: UUID,
    kind: str,
    identity: str,
    order_ids: Sequence[UUID],
    amount_minor: int,
    settled_at: datetime,
) -> tuple[frozenset[UUID], int] | None:
    """Keep the settlement; where it is kept already, the orders and the amount (minor units) that it was booked for."""
    new = await tx.fetchval(q.book_payment, marketplace_id, kind, identity, list(order_ids), amount_minor, settled_at)
    if new is not None:
        return None
    known = await tx.fetchrow(q.booked_payment, marketplace_id, kind, identity)
    assert known is not None
    return frozenset(known["order_ids"]), int(known["amount_minor"])
