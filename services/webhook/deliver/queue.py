"""The queue's rows: claimed, settled, put to rest. Nothing here sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.webhook.audience import Side
from services.webhook.schedule import BREAKER_FAILURES, State, breaker_until
from shared.errors import Unavailable
from shared.postgres import Queries, Statements, Transaction
from shared.postgres.database import TRANSIENT, Row

_q = Queries.load("services.webhook.deliver")
# What another try may not meet; a pool that is all in use is no reason to let go of what was claimed.
TROUBLE: Final = (*TRANSIENT, Unavailable)
LATENCY_BUCKETS: Final = 18


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery taken for sending until its lease ends. `version` is that of the endpoint's settings."""

    endpoint_id: UUID
    delivery_id: UUID
    marketplace_id: UUID
    event_id: UUID
    message_at: datetime
    type: str
    stream_id: UUID
    ordered: bool
    eyes: Side
    origin: str
    claim: int
    attempts: int
    deferrals: int
    tries: int
    version: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One exchange as the log keeps it; durations in milliseconds, `response_headers` as JSON text."""

    started_at: datetime
    duration_ms: int
    connect_ms: int
    status: int | None
    outcome: str
    error: str | None
    response_headers: str | None
    response_body: bytes | None
    response_truncated: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a claim. `attempt` is None where nothing was sent (given back, or ended beforehand)."""

    claimed: Claimed
    state: State
    next_attempt_at: datetime | None
    attempts: int
    deferrals: int
    attempt: Attempt | None = None
    error: str | None = None


@dataclass(slots=True)
class Pulse:
    """What a batch of attempts says of an endpoint."""

    succeeded: int = 0
    failed: int = 0
    throttle_until: datetime | None = None
    error: str | None = None


async def due_drains(tx: Statements, now: datetime, most: int, known: Sequence[UUID]) -> list[UUID]:
    return [row["endpoint_id"] for row in await tx.fetch(_q.due_drains, now, most, list(known))]


async def claim(
    tx: Statements, wanted: Mapping[UUID, tuple[int, int]], now: datetime, lease_seconds: float
) -> list[Claimed]:
    """Take due deliveries: up to `room` for each endpoint of {endpoint: (room, in hand)}.

    The lease is the endpoint's deadline and `lease_seconds` more: a claim that is started within these ends in time.
    """
    rows = await tx.fetch(
        _q.claim,
        list(wanted),
        [room for room, _ in wanted.values()],
        [in_hand for _, in_hand in wanted.values()],
        now,
        lease_seconds,
        BREAKER_FAILURES,
    )
    return [Claimed(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], Side(r[8]), *r[9:]) for r in rows]


def claimed_from(row: Row) -> Claimed:
    """A claim that an intake made: its row, whose first column is the intake's own."""
    return Claimed(row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], Side(row[9]), *row[10:])


async def give_back_lost(
    tx: Statements, streams: Sequence[UUID], endpoints: Sequence[UUID], moment: datetime, now: datetime
) -> list[UUID]:
    """Make due what an intake claimed at `moment` without anybody hearing of it; the endpoints that it is for."""
    rows = await tx.fetch(_q.give_back_lost, list(streams), list(endpoints), moment, now)
    return [row["endpoint_id"] for row in rows]


async def settle(tx: Transaction, results: Sequence[Result], now: datetime) -> tuple[list[Result], list[UUID]]:
    """Write results down. Returns those to bring again (their stream was busy), and endpoints with freed lanes."""
    lanes = {r.claimed.stream_id for r in results if r.claimed.ordered and r.state is not State.PENDING}
    busy: set[UUID] = set()
    if lanes:
        locked = {row["stream_id"] for row in await tx.fetch(_q.lock_streams, sorted(lanes))}
        busy = lanes - locked
    later, ours = [], list(results)
    if busy:
        later = [r for r in results if _ends_in(r, busy)]
        ours = [r for r in results if not _ends_in(r, busy)]
    if not ours:
        return later, []
    rows = await tx.fetch(_q.settle, *_result_columns(ours), now, *_attempt_columns(ours))
    return later, [row["endpoint_id"] for row in rows]


def _ends_in(r: Result, streams: Set[UUID]) -> bool:
    """Whether it ends a delivery in a lane of one of these streams."""
    return r.state is not State.PENDING and r.claimed.ordered and r.claimed.stream_id in streams


def _result_columns(results: Sequence[Result]) -> tuple[list[Any], ...]:
    return (
        [r.claimed.endpoint_id for r in results],
        [r.claimed.delivery_id for r in results],
        [r.claimed.claim for r in results],
        [r.state.value for r in results],
        [r.next_attempt_at for r in results],
        [r.attempts for r in results],
        [r.deferrals for r in results],
        [r.attempt is not None for r in results],
        [r.attempt.status if r.attempt else None for r in results],
        [(r.attempt.error if r.attempt else None) or r.error for r in results],
    )


def _attempt_columns(results: Sequence[Result]) -> tuple[list[Any], ...]:
    tried = [(r.claimed, r.attempt) for r in results if r.attempt is not None]
    return (
        [c.delivery_id for c, _ in tried],
        [c.tries + 1 for c, _ in tried],
        [c.marketplace_id for c, _ in tried],
        [c.endpoint_id for c, _ in tried],
        [a.started_at for _, a in tried],
        [a.duration_ms for _, a in tried],
        [a.connect_ms for _, a in tried],
        [a.status for _, a in tried],
        [a.outcome for _, a in tried],
        [a.error for _, a in tried],
        [a.response_headers for _, a in tried],
        [a.response_body for _, a in tried],
        [a.response_truncated for _, a in tried],
    )


async def note_health(tx: Transaction, pulses: Mapping[UUID, Pulse], now: datetime, spread: float) -> None:
    """Bring the endpoints' health up to date; open the breakers that are to be open."""
    rows = await tx.fetch(
        _q.note_health,
        list(pulses),
        [p.succeeded for p in pulses.values()],
        [p.failed for p in pulses.values()],
        [p.throttle_until for p in pulses.values()],
        [p.error for p in pulses.values()],
        now,
        BREAKER_FAILURES,
    )
    opened = {
        row["endpoint_id"]: until
        for row in rows
        if (until := breaker_until(row["failures"], row["probes"], now, spread)) is not None
    }
    if opened:
        await tx.execute(_q.open_breakers, list(opened), list(opened.values()))


async def rest(tx: Transaction, endpoint_ids: Sequence[UUID], now: datetime) -> dict[UUID, float]:
    """Note when each endpoint has something due next; seconds until then, an hour at most. Busy ones are left out."""
    locked = [row["endpoint_id"] for row in await tx.fetch(_q.lock_drains, list(endpoint_ids))]
    if not locked:
        return {}
    return {row["endpoint_id"]: row["seconds"] for row in await tx.fetch(_q.rest, locked, now)}


def latency_bucket(milliseconds: int) -> int:
    """The bucket of a duration: n where it is below 2^n ms, the last one for the rest."""
    return min(milliseconds.bit_length(), LATENCY_BUCKETS - 1)


async def add_hours(
    tx: Transaction, hours: Mapping[tuple[UUID, datetime], tuple[UUID, int, int, int, list[int]]]
) -> None:
    """Add to the hourly figures: (endpoint, hour) to (marketplace, succeeded, failed, total ms, latency counts)."""
    if not hours:
        return
    values = list(hours.values())
    await tx.execute(
        _q.add_hours,
        [e for e, _ in hours],
        [h for _, h in hours],
        [v[0] for v in values],
        [v[1] for v in values],
        [v[2] for v in values],
        [v[3] for v in values],
        ["{" + ",".join(map(str, v[4])) + "}" for v in values],
    )
