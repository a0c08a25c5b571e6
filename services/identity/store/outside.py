"""Rows of outside identities: whom a subject of a provider is here."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.identity.store import q
from shared.postgres import Transaction


async def person_of(tx: Transaction, issuer: str, subject: str) -> UUID | None:
    """Whom the provider's subject is linked to (worker role: no tenant is known yet)."""
    found: UUID | None = await tx.fetchval(q.outside_person, issuer, subject)
    return found


async def subject_of(tx: Transaction, issuer: str, person_id: UUID) -> str | None:
    """What the provider calls the person (worker role)."""
    found: str | None = await tx.fetchval(q.outside_subject, issuer, person_id)
    return found


async def link(
    tx: Transaction, issuer: str, subject: str, marketplace_id: UUID, person_id: UUID, now: datetime
) -> bool:
    """False, and nothing changed, where the subject is somebody's or the person has another one there."""
    return await tx.fetchrow(q.link_outside, issuer, subject, marketplace_id, person_id, now) is not None


async def unlink(tx: Transaction, person_id: UUID) -> bool:
    """Whether the person was linked to anything."""
    return await tx.execute(q.unlink_outside, person_id) != "DELETE 0"
