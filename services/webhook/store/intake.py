"""Taking events in: streams noted, messages kept, deliveries queued, gaps closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.webhook.audience import Side
from shared.postgres import Queries, Statements, Transaction
from shared.postgres.database import Row

_q = Queries.load("services.webhook.store")
GAPS_AT_ONCE: Final = 500
COLUMNS: Final = (
    "event_id", "marketplace_id", "type", "version", "stream_id", "sequence", "order_id", "occurred_at", "audience",
    "buyer_organisation_id", "seller_organisation_id", "channel", "action", "phase", "traceparent", "data",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Incoming:
    """An event as it is kept. `data` is its JSON, whole; `stream_id` and `sequence` say its place in its order."""

    event_id: UUID
    marketplace_id: UUID
    type: str
    version: int
    stream_id: UUID
    sequence: int
    order_id: UUID | None
    occurred_at: datetime
    audience: Side
    buyer_organisation_id: UUID | None
    seller_organisation_id: UUID | None
    channel: str | None
    action: str | None
    phase: str | None
    traceparent: str
    data: bytes = field(repr=False)


async def take_in(tx: Transaction, events: Sequence[Incoming], now: datetime) -> list[UUID]:
    """Keep and queue a batch; the endpoints that have something to send at once are returned."""
    if not events:
        return []
    return [row["endpoint_id"] for row in await tx.fetch(_q.take_in, *_columns(events), now)]


@dataclass(frozen=True, slots=True)
class Standing:
    """Endpoints for which an intake may claim: how many deliveries each has room for and has in hand.

    A claim ends `lease_seconds` after the endpoint's deadline; `breaker_failures` in a row open a breaker.
    """

    endpoints: list[UUID]
    rooms: list[int]
    in_hands: list[int]
    lease_seconds: float
    breaker_failures: int


NOBODY: Final = Standing([], [], [], 0.0, 0)


@dataclass(frozen=True, slots=True)
class Taken:
    """The endpoints that have something to send at once, and what was claimed: rows as the queue's claims are."""

    ready: list[UUID]
    claimed: list[Row]


async def take_in_at_once(
    alone: Statements, events: Sequence[Incoming], now: datetime, standing: Standing | None = None
) -> Taken | None:
    """The same and the inbox, in one statement that is a transaction of its own and does not wait for the disk.

    For endpoints of `standing` with something to send it is claimed as well. None where nothing was done: one of the
    events is known already, or some event is parked.
    """
    s = standing or NOBODY
    takers = (s.endpoints, s.rooms, s.in_hands, s.lease_seconds, s.breaker_failures)
    rows = await alone.fetch(_q.take_in_at_once, *_columns(events), now, *takers)
    return Taken(rows[0]["ready"], rows[1:]) if rows else None


def _columns(events: Sequence[Incoming]) -> list[list[object]]:
    columns: list[list[object]] = [[getattr(e, name) for e in events] for name in COLUMNS]
    # a flag iterates over its bits, which a driver takes for a nested array
    columns[COLUMNS.index("audience")] = [int(e.audience) for e in events]
    return columns


async def expire_gaps(tx: Transaction, now: datetime, wait: timedelta) -> list[UUID]:
    """Let streams go on whose gap is older than `wait`; the endpoints that have something to send are returned."""
    rows = await tx.fetch(_q.expire_gaps, now - wait, GAPS_AT_ONCE, now)
    if not rows:
        return []
    return await free_lanes(tx, [row["stream_id"] for row in rows], now)


async def free_lanes(tx: Transaction, streams: Sequence[UUID], now: datetime) -> list[UUID]:
    """Let the heads of these streams' lanes go where nothing before them is missing; the endpoints they are of."""
    if not streams:
        return []
    return [row["endpoint_id"] for row in await tx.fetch(_q.free_lanes, list(streams), now)]
