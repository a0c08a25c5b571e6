"""What a live feed sends: the counts, and each new notification once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from services.notification import metrics
from services.notification.actions import feed
from services.notification.channels.live import OVERLAP, Hub
from services.notification.policy import person_of
from services.notification.schemas import Counts, Notification
from services.notification.settings import Settings
from shared.errors import Problem
from shared.postgres.database import TRANSIENT
from shared.process import Runtime
from shared.web import Principal
from shared.web.streams import HEARTBEAT, Seats, sse

# Ids of what was sent, so that nothing is shown twice though each look overlaps the one before.
MOST_REMEMBERED: Final = 500
RETRY: Final = b"retry: 3000\n\n"


def floor_id(at: datetime) -> UUID:
    """The lowest UUIDv7 of a moment: ids that are made from then on are above it."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


@dataclass
class _Shown:
    """How far one stream has got."""

    looked_at: datetime
    counts: Counts | None = None
    sent: deque[UUID] = field(default_factory=lambda: deque(maxlen=MOST_REMEMBERED))


class Feeds:
    """The live feeds of one process."""

    def __init__(self, runtime: Runtime) -> None:
        self._settings: Settings = runtime.settings
        self._runtime = runtime
        self._hub = Hub(runtime)
        self.seats = Seats(self._settings.stream_clients, self._settings.stream_clients_per_person)

    def open(self, caller: Principal, last_seen: UUID | None) -> AsyncGenerator[bytes, None]:
        """The stream of the caller's own feed, from after `last_seen` where given. Raises where there is no seat."""
        self.seats.check(str(person_of(caller)))
        return self._stream(caller, person_of(caller), last_seen)

    async def _stream(self, caller: Principal, person: UUID, last_seen: UUID | None) -> AsyncGenerator[bytes, None]:
        try:
            with (
                self.seats.seat(str(person)),
                self._hub.watching(caller.marketplace_id, person) as changed,
                metrics.STREAMS.track_inprogress(),
            ):
                async for chunk in self._chunks(caller.marketplace_id, person, last_seen, changed):
                    yield chunk
        except (Problem, *TRANSIENT):
            # The answer has begun, so the stream just ends; the browser comes back after RETRY.
            return

    async def _chunks(
        self, marketplace_id: UUID, person: UUID, last_seen: UUID | None, changed: asyncio.Event
    ) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._settings.stream_minutes * 60
        yield RETRY
        shown = _Shown(self._runtime.clock())
        for chunk in await self._begin(marketplace_id, person, last_seen, shown):
            yield chunk
        while loop.time() < end and not self._runtime.stop.requested:
            try:
                async with asyncio.timeout(self._settings.stream_heartbeat_seconds):
                    await changed.wait()
            except TimeoutError:
                yield HEARTBEAT
                continue
            changed.clear()
            for chunk in await self._news(marketplace_id, person, shown):
                yield chunk

    async def _begin(self, marketplace_id: UUID, person: UUID, last_seen: UUID | None, shown: _Shown) -> list[bytes]:
        """What was missed since `last_seen`, and the counts; what is there already is not news."""
        async with self._runtime.db.tenant(marketplace_id) as tx:
            recent = await feed.fresh(tx, self._runtime, person, floor_id(shown.looked_at - OVERLAP))
            missed = await feed.fresh(tx, self._runtime, person, last_seen) if last_seen else []
            shown.counts = await feed.counts(tx, person)
        shown.sent.extend(n.id for n in recent)
        return [*(_event(n) for n in missed), _counted(shown.counts)]

    async def _news(self, marketplace_id: UUID, person: UUID, shown: _Shown) -> list[bytes]:
        now = self._runtime.clock()
        async with self._runtime.db.tenant(marketplace_id) as tx:
            recent = await feed.fresh(tx, self._runtime, person, floor_id(shown.looked_at - OVERLAP))
            counts = await feed.counts(tx, person)
        shown.looked_at = now
        news = [n for n in recent if n.id not in shown.sent]
        shown.sent.extend(n.id for n in news)
        chunks = [_event(n) for n in news]
        if counts != shown.counts:
            shown.counts = counts
            chunks.append(_counted(counts))
        return chunks


def _event(notification: Notification) -> bytes:
    return sse("notification", notification.model_dump(mode="json"), event_id=str(notification.id))


def _counted(counts: Counts) -> bytes:
    return sse("counts", counts.model_dump())
