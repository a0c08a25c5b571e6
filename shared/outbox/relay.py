"""The relay: takes events out of the outbox to Kafka. One is active per service; others stand by."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import asyncpg

from contracts.envelope import unpack_headers
from shared import metrics
from shared.kafka import Producer, SendError
from shared.kafka.producer import Outgoing, Sent
from shared.logs import log
from shared.postgres import Queries
from shared.postgres.database import TRANSIENT, connect
from shared.stop import Stop, Wake

_q = Queries.load(__package__)
STANDBY_SECONDS: Final = 1.0
BACKOFF_FIRST: Final = 0.2
BACKOFF_MOST: Final = 5.0
STATE_SECONDS: Final = 5.0


class Relay:
    """Claim, send all, forget what was acknowledged.

    The session's advisory lock and all statements share one connection: whoever lost the lock has also lost the
    way to delete. Records of one key go out in `seq` order, because writers lock the aggregate before they
    append. A crash between acknowledgement and delete sends again: consumers know the event id.
    """

    def __init__(
        self, dsn: str, make_producer: Callable[[], Producer], *, prefix: str, batch: int, poll: float, wake: Wake
    ) -> None:
        self._dsn, self._make_producer = dsn, make_producer
        self._prefix, self._batch, self._poll, self._wake = prefix, batch, poll, wake

    async def run(self, stop: Stop) -> None:
        """Until asked to stop. Trouble with the database or the broker is waited out with a growing pause."""
        pause = BACKOFF_FIRST
        while not stop.requested:
            started = time.monotonic()
            try:
                await self._session(stop)
            except (SendError, *TRANSIENT) as e:
                reason = "broker" if isinstance(e, SendError) else "database"
                metrics.RELAY_ERRORS.labels(reason).inc()
                log.warning("relay.interrupted", reason=reason, error=str(e), pause_s=pause)
                if time.monotonic() - started > 30:
                    pause = BACKOFF_FIRST
                if await stop.wait(pause):
                    return
                pause = min(pause * 2, BACKOFF_MOST)

    async def _session(self, stop: Stop) -> None:
        conn = await connect(self._dsn, name="ordertrail-relay")
        try:
            while not await conn.fetchval(_q.try_relay_lock):
                if await stop.wait(STANDBY_SECONDS):
                    return
            producer = self._make_producer()
            await producer.start()
            metrics.RELAY_ACTIVE.set(1)
            log.info("relay.active")
            try:
                await self._drain(conn, producer, stop)
            finally:
                metrics.RELAY_ACTIVE.set(0)
                await producer.stop()
        finally:
            await _close(conn)

    async def _drain(self, conn: asyncpg.Connection, producer: Producer, stop: Stop) -> None:
        """The next rows are read while the broker acknowledges the ones before them."""
        acknowledged: list[int] = []
        rows = await conn.fetch(_q.next_rows, [], [], self._batch)
        state_at = 0.0
        while not stop.requested or rows:
            if time.monotonic() >= state_at:
                state_at = time.monotonic() + STATE_SECONDS
                await self._observe(conn)
            if not rows:
                if not acknowledged:
                    await self._wake.wait(self._poll)
                rows = await conn.fetch(_q.next_rows, acknowledged, acknowledged, self._batch)
                acknowledged = []
                continue
            sent = await producer.enqueue(self._records(rows))
            under_way = [r["seq"] for r in rows]
            following = await conn.fetch(_q.next_rows, acknowledged, [*acknowledged, *under_way], self._batch)
            outcome = await producer.settle(sent, len(rows))
            acknowledged = self._count(rows, outcome)
            if len(acknowledged) < len(rows):
                await conn.fetch(_q.next_rows, acknowledged, [], 0)
                raise SendError(_failure(sent))
            rows = [] if stop.requested else following
        if acknowledged:
            await conn.fetch(_q.next_rows, acknowledged, [], 0)

    def _records(self, rows: Sequence[asyncpg.Record]) -> list[Outgoing]:
        prefix = self._prefix
        return [(prefix + topic, key, value, unpack_headers(headers)) for _, topic, key, headers, value in rows]

    @staticmethod
    def _count(rows: Sequence[asyncpg.Record], outcome: Sequence[bool]) -> list[int]:
        by_topic: dict[str, int] = {}
        acknowledged = []
        for row, ok in zip(rows, outcome, strict=True):
            if ok:
                acknowledged.append(row["seq"])
                by_topic[row["topic"]] = by_topic.get(row["topic"], 0) + 1
        for topic, count in by_topic.items():
            metrics.RELAYED.labels(topic).inc(count)
        return acknowledged

    @staticmethod
    async def _observe(conn: asyncpg.Connection) -> None:
        state = await conn.fetchrow(_q.outbox_state)
        assert state is not None
        metrics.OUTBOX_SIZE.set(state["size"])
        metrics.OUTBOX_AGE.set(state["age"])


def _failure(sent: Sequence[Sent]) -> str:
    for future in (s.future for s in sent):
        if future.done() and not future.cancelled() and (error := future.exception()):
            return f"the broker refused a record: {type(error).__name__} {error}"
    return "the broker did not acknowledge in time"


async def _close(conn: asyncpg.Connection) -> None:
    try:
        await conn.close(timeout=2)
    except Exception:
        conn.terminate()
