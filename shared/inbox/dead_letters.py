"""Dead letters: looked at, redriven or discarded by a person; never by the system itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.envelope import ContractError, decode, headers_from_json
from shared.inbox.processor import lane_of
from shared.postgres import Database, Queries, Transaction

_q = Queries.load(__package__)


class DeadLetters:
    """The dead letters of one service, through its worker role."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list(self, *, after: UUID | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Oldest first, without their bytes."""
        async with self._db.transaction() as tx:
            return [dict(r) for r in await tx.fetch(_q.list_dead, after, limit)]

    async def show(self, id: UUID) -> dict[str, Any] | None:
        """One with its headers and value (bytes), or None."""
        async with self._db.transaction() as tx:
            row = await tx.fetchrow(_q.show_dead, id)
            return dict(row) if row else None

    async def redrive(self, id: UUID, now: datetime) -> str:
        """Hand it to the handlers again, at the end of its key's queue. Returns what was done.

        Raises LookupError where there is none, ContractError where it is still unreadable.
        """
        async with self._db.transaction() as tx:
            row = await _take(tx, id)
            try:
                received = decode(headers_from_json(row["headers"]), row["value"])
            except ContractError as e:
                raise ContractError(f"still unreadable: {e.reason}") from None
            await tx.execute(
                _q.park, received.event_id, received.event.marketplace_id, lane_of(received), row["topic"],
                row["partition"], row["offset"], row["headers"], row["value"], now, "redriven",
            )  # fmt: skip
            await tx.execute(_q.delete_dead, id)
        return f"{received.event.TYPE} {received.event_id} will be handled again"

    async def discard(self, id: UUID) -> None:
        """Forget it. Raises LookupError where there is none."""
        async with self._db.transaction() as tx:
            await _take(tx, id)
            await tx.execute(_q.delete_dead, id)


async def _take(tx: Transaction, id: UUID) -> Any:
    row = await tx.fetchrow(_q.take_dead, id)
    if row is None:
        raise LookupError(f"there is no dead letter {id}")
    return row
