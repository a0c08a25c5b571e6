"""The live stream: tells readers that something was posted, wherever it was posted. Bounded in every direction.

One loop per process looks at the last seconds of messages while anybody listens, and is woken by posts of its own
process. It looks back far enough to meet messages that were committed late, and remembers which it has told. A notice
names the thread and the number; the text is fetched as always, so that nothing about masking is decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from contracts.order import Side
from services.messaging import metrics, store
from services.messaging.policy import Reach
from services.messaging.settings import Settings
from shared.errors import TooManyRequests, Unavailable
from shared.logs import log
from shared.postgres.database import TRANSIENT
from shared.process import Runtime
from shared.web.streams import HEARTBEAT, sse

# A message carries the time at which its transaction read the clock: it is visible at most this much later.
LOOK_BACK: Final = timedelta(seconds=15)
# More notices than this in one look are not told one by one: everybody is told to fetch anew.
MOST_AT_ONCE: Final = 2_000
TICK_SECONDS: Final = 1.0

RESYNC: Final = sse("resync", {})


@dataclass(slots=True, eq=False)
class Stream:
    """One open stream. What its reader is too slow for is replaced by the word to fetch anew."""

    marketplace_id: UUID
    reader: Reach
    queue: asyncio.Queue[bytes]
    closes_at: float
    overflowed: bool = field(default=False)

    def tell(self, notice: bytes) -> None:
        try:
            self.queue.put_nowait(notice)
        except asyncio.QueueFull:
            if not self.overflowed:
                metrics.STREAM_OVERFLOWS.inc()
            self.overflowed = True


class Live:
    """The open streams of this process."""

    def __init__(self, run: Runtime) -> None:
        self._run = run
        self._settings: Settings = run.settings
        self._streams: set[Stream] = set()
        self._told: dict[UUID, datetime] = {}
        self._loop: asyncio.Task[None] | None = None

    def open(self, marketplace_id: UUID, reader: Reach) -> Stream:
        """A new stream. Raises TooManyRequests or Unavailable where there are enough of them."""
        s = self._settings
        if sum(x.reader.reader_id == reader.reader_id for x in self._streams) >= s.messaging_streams_per_reader:
            raise TooManyRequests(
                "too_many_streams", f"You have {s.messaging_streams_per_reader} live streams open. Close one first."
            )
        if len(self._streams) >= s.messaging_streams_most:
            raise Unavailable("streams_full", "All live streams of this server are taken. Try again in a minute.")
        closes_at = asyncio.get_running_loop().time() + s.messaging_stream_seconds
        stream = Stream(marketplace_id, reader, asyncio.Queue(s.messaging_stream_backlog), closes_at)
        self._streams.add(stream)
        metrics.STREAMS.set(len(self._streams))
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._look_on(), name="messaging-live")
        return stream

    async def notices(self, stream: Stream) -> AsyncGenerator[bytes, None]:
        """What the stream sends, until its time is up, the process stops or the reader goes."""
        try:
            yield sse("ready", {})
            clock = asyncio.get_running_loop().time
            silent_since = clock()
            while clock() < stream.closes_at and not self._run.stop.requested:
                notice = await self._next(stream)
                if notice is None and clock() - silent_since < self._settings.messaging_heartbeat_seconds:
                    continue
                silent_since = clock()
                yield notice or HEARTBEAT
        finally:
            self._close(stream)

    def _close(self, stream: Stream) -> None:
        self._streams.discard(stream)
        metrics.STREAMS.set(len(self._streams))

    async def _next(self, stream: Stream) -> bytes | None:
        if stream.overflowed:
            while not stream.queue.empty():
                stream.queue.get_nowait()
            stream.overflowed = False
            return RESYNC
        try:
            async with asyncio.timeout(TICK_SECONDS):
                return await stream.queue.get()
        except TimeoutError:
            return None

    async def _look_on(self) -> None:
        """While anybody listens; ends with the last stream."""
        began = self._run.clock()
        while self._streams and not self._run.stop.requested:
            try:
                await self._look(began)
            except Exception as e:
                level = log.warning if isinstance(e, TRANSIENT) else log.exception
                level("live.failed", error=f"{type(e).__name__}: {e}")
            await self._run.wakes.get("posted").wait(self._settings.messaging_poll_seconds)

    async def _look(self, began: datetime) -> None:
        now, late = self._run.clock(), asyncio.get_running_loop().time() - 10 * TICK_SECONDS
        for stream in [s for s in self._streams if s.closes_at < late]:
            self._close(stream)  # its reader went before the first byte, so nobody else will
        async with self._run.worker_db.transaction() as tx:
            rows = await store.posted_since(tx, max(began - LOOK_BACK, now - LOOK_BACK), MOST_AT_ONCE + 1)
        fresh = [r for r in rows if r["message_id"] not in self._told]
        self._told = {r["message_id"]: r["posted_at"] for r in rows}
        if len(rows) > MOST_AT_ONCE:
            for stream in self._streams:
                stream.tell(RESYNC)
            return
        for row in fresh:
            for stream in list(self._streams):
                if stream.marketplace_id == row["marketplace_id"] and (side := stream.reader.side_of(_Posted(row))):
                    stream.tell(_notice(row, side))


class _Posted:
    """A message's row as the policy asks for it."""

    def __init__(self, row: Any) -> None:
        self.kind = row["kind"]
        self.buyer_organisation_id: UUID = row["buyer_organisation_id"]
        self.buyer_person_id: UUID | None = row["buyer_person_id"]
        self.seller_organisation_id: UUID = row["seller_organisation_id"]


def _notice(row: Any, side: Side) -> bytes:
    told = {
        "order_id": str(row["order_id"]),
        "order_number": row["order_number"],
        "thread_id": str(row["thread_id"]),
        "kind": row["kind"],
        "seq": row["seq"],
        "sender_side": row["sender_side"],
        "own": row["sender_side"] == side,
    }
    return sse("message", told)
