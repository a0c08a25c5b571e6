"""Rows of saved views, always of one person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.identity.store import q
from shared.postgres import Transaction
from shared.postgres.database import Row


async def views(tx: Transaction, person_id: UUID) -> Sequence[Row]:
    """By name."""
    return await tx.fetch(q.views, person_id)


async def save(
    tx: Transaction, view_id: UUID, marketplace_id: UUID, person_id: UUID, name: str, filters: Mapping[str, str],
    now: datetime,
) -> Row:  # fmt: skip
    """A new view, or the one of this name with these filters from now on."""
    row = await tx.fetchrow(q.save_view, view_id, marketplace_id, person_id, name, dict(filters), now)
    assert row is not None
    return row


async def delete(tx: Transaction, person_id: UUID, view_id: UUID) -> bool:
    return await tx.fetchrow(q.delete_view, person_id, view_id) is not None


async def delete_all(tx: Transaction, person_id: UUID) -> None:
    await tx.execute(q.delete_views, person_id)
