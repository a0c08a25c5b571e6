"""Taking events in: streams noted, messages kept, deliveries queued, gaps closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.webhook.audience import Side
from shared.postgres import Queries, Transaction

_q = Queries.load("services.webhook.store")
GAPS_AT_ONCE: Final = 500


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
    sequences: dict[UUID, list[int]] = {}
    owner: dict[UUID, UUID] = {}
    for e in events:
        sequences.setdefault(e.stream_id, []).append(e.sequence)
        owner[e.stream_id] = e.marketplace_id
    streams = list(sequences)
    rows = await tx.fetch(
        _q.see_streams,
        streams,
        [owner[s] for s in streams],
        ["{" + ",".join(map(str, sequences[s])) + "}" for s in streams],
        now,
    )
    seen: dict[UUID, int] = {row["stream_id"]: row["seen_through"] for row in rows}
    ready = await tx.fetch(_q.fan_out, *_columns(events, seen), now)
    endpoints = {row["endpoint_id"] for row in ready}
    closed = [s for s in streams if closes_gap(seen[s], sequences[s])]
    if closed:
        endpoints.update(await free_lanes(tx, closed, now))
    return list(endpoints)


def closes_gap(seen_through: int, sequences: Sequence[int]) -> bool:
    """Whether, with these, sequences that had come before beyond a gap are now within what was seen."""
    within = {s for s in sequences if s <= seen_through}
    return bool(within) and seen_through - min(within) + 1 != len(within)


def _columns(events: Sequence[Incoming], seen: dict[UUID, int]) -> tuple[list[object], ...]:
    names = (
        "event_id", "marketplace_id", "type", "version", "stream_id", "sequence", "order_id", "occurred_at", "audience",
        "buyer_organisation_id", "seller_organisation_id", "channel", "action", "phase", "traceparent", "data",
    )  # fmt: skip
    columns: list[list[object]] = [[getattr(e, name) for e in events] for name in names]
    # a flag iterates over its bits, which a driver takes for a nested array
    columns[names.index("audience")] = [int(e.audience) for e in events]
    return (*columns, [e.sequence <= seen[e.stream_id] for e in events])


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
