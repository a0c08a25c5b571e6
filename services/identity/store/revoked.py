"""Rows of whose access tokens count no longer."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.identity.store import q
from shared.postgres import Transaction
from shared.web.revoked import mark_of


async def revoke(tx: Transaction, whose: UUID, marketplace_id: UUID, now: datetime, before: datetime) -> None:
    """Tokens of a person, session or API key that were issued before that moment count no longer."""
    await tx.execute(q.revoke, mark_of(str(whose)), marketplace_id, before, now)


async def since(tx: Transaction, moment: datetime) -> dict[str, float]:
    """Marks noted after a moment, each with the time before which its tokens do not count."""
    return {row["mark"]: row["before"].timestamp() for row in await tx.fetch(q.revoked_since, moment)}


async def prune(tx: Transaction, before: datetime) -> None:
    await tx.execute(q.prune_revoked, before)
