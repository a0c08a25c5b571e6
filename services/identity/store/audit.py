"""The audit: who did what to whom, in rows that hold on to each other. No names, so that nothing has to be erased."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from services.identity.store import q
from shared.postgres import Transaction
from shared.postgres.database import Row

GENESIS: Final = bytes(32)
_SORTED: Final = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done. `actor_id` is None where nobody was signed in (first set-up, a reused token)."""

    action: str
    actor_kind: str
    actor_id: UUID | None
    organisation_id: UUID | None
    subject_kind: str
    subject_id: UUID | None
    detail: Mapping[str, Any]


async def append(tx: Transaction, marketplace_id: UUID, entry: Entry, now: datetime) -> None:
    """Add an entry to the marketplace's chain. Call it last: it holds the chain until the transaction ends."""
    await tx.execute(q.lock_audit, str(marketplace_id))
    last = await tx.fetchrow(q.last_audit, marketplace_id)
    sequence, previous = (last["sequence"] + 1, last["hash"]) if last else (1, GENESIS)
    await tx.execute(
        q.insert_audit, marketplace_id, sequence, now, entry.action, entry.actor_kind, entry.actor_id,
        entry.organisation_id, entry.subject_kind, entry.subject_id, dict(entry.detail), previous,
        chained(previous, marketplace_id, sequence, now, entry),
    )  # fmt: skip


def chained(previous: bytes, marketplace_id: UUID, sequence: int, at: datetime, entry: Entry) -> bytes:
    """SHA-256 over the row before and every field of this one."""
    # default=str: orjson takes the standard UUID only, the driver has a class of its own; both write the same text.
    fields = [
        marketplace_id, sequence, at, entry.action, entry.actor_kind, entry.actor_id, entry.organisation_id,
        entry.subject_kind, entry.subject_id, dict(entry.detail),
    ]  # fmt: skip
    return hashlib.sha256(previous + orjson.dumps(fields, default=str, option=_SORTED)).digest()


async def broken_links(tx: Transaction, marketplace_id: UUID) -> AsyncIterator[int]:
    """Sequences at which the chain does not hold: a row that was changed, or one before it that is missing."""
    previous, expected = GENESIS, 1
    while rows := await tx.fetch(q.audit_chain, marketplace_id, expected - 1, 1_000):
        for row in rows:
            hold = row["sequence"] == expected and row["previous_hash"] == previous
            if not hold or chained(previous, marketplace_id, row["sequence"], row["at"], _entry(row)) != row["hash"]:
                yield row["sequence"]
            previous, expected = row["hash"], row["sequence"] + 1


async def audited_marketplaces(tx: Transaction) -> list[UUID]:
    return [row["marketplace_id"] for row in await tx.fetch(q.audited_marketplaces)]


async def entries(
    tx: Transaction, marketplace_id: UUID, organisation_id: UUID | None, before: int | None, limit: int
) -> Sequence[Row]:
    """Newest first; of one organisation, or of all."""
    return await tx.fetch(q.list_audit, marketplace_id, organisation_id, before, limit)


async def log_ins_as(
    tx: Transaction, marketplace_id: UUID, person_id: UUID, before: int | None, limit: int
) -> Sequence[Row]:
    """Who was logged in as this person, when and why; newest first."""
    return await tx.fetch(q.log_ins_as, marketplace_id, person_id, before, limit)


def _entry(row: Row) -> Entry:
    return Entry(
        row["action"], row["actor_kind"], row["actor_id"], row["organisation_id"], row["subject_kind"],
        row["subject_id"], row["detail"],
    )  # fmt: skip
