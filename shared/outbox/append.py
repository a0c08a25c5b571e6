"""Writing to the outbox, inside the transaction of the change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.envelope import Event, encode, pack_headers
from shared.clock import Clock, utc_now
from shared.ids import new_id
from shared.postgres import Queries, Transaction
from shared.telemetry import current_traceparent

_q = Queries.load(__package__)


@dataclass(frozen=True, slots=True)
class OutboxRows:
    """Outbox rows as parallel arrays, in the order in which they are to be sent; the parameters of insert_outbox."""

    event_ids: list[UUID]
    marketplace_ids: list[UUID]
    topics: list[str]
    keys: list[str]
    headers: list[bytes]
    values: list[bytes]

    def args(self) -> tuple[list[UUID], list[UUID], list[str], list[str], list[bytes], list[bytes]]:
        return self.event_ids, self.marketplace_ids, self.topics, self.keys, self.headers, self.values


class Outbox:
    """Appends events of one source (a service). The relay is woken after the commit, in this process."""

    def __init__(self, source: str, clock: Clock = utc_now, wake: Callable[[], None] = lambda: None) -> None:
        self.source = source
        self._clock = clock
        self.wake = wake

    async def append(self, tx: Transaction, event: Event, *, event_id: UUID | None = None) -> UUID:
        """Add one event; its id is returned. Raises ContractError for one that is too large."""
        return (await self.append_many(tx, [event], event_ids=[event_id] if event_id else None))[0]

    async def append_many(
        self, tx: Transaction, events: Sequence[Event], *, event_ids: Sequence[UUID] | None = None
    ) -> list[UUID]:
        """Add events in this order with one statement."""
        if not events:
            return []
        rows = self.rows(events, event_ids=event_ids)
        await tx.execute(_q.insert_outbox, *rows.args())
        tx.after_commit(self.wake)
        return rows.event_ids

    def rows(
        self,
        events: Sequence[Event],
        *,
        event_ids: Sequence[UUID] | None = None,
        times: Sequence[datetime] | None = None,
    ) -> OutboxRows:
        """The rows for a caller that inserts them in a statement of its own, and calls `wake` after commit."""
        traceparent = current_traceparent()
        now = self._clock()
        ids = list(event_ids) if event_ids is not None else [new_id() for _ in events]
        records = [
            encode(e, event_id=i, source=self.source, time=times[n] if times else now, traceparent=traceparent)
            for n, (e, i) in enumerate(zip(events, ids, strict=True))
        ]
        return OutboxRows(
            ids,
            [r.marketplace_id for r in records],
            [r.topic for r in records],
            [r.key for r in records],
            [pack_headers(r.headers) for r in records],
            [r.value for r in records],
        )
