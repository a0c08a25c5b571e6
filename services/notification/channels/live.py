"""Live feeds: one loop per process asks whose feed has changed and wakes those who watch it.

There is no NOTIFY: it would slow down every event that is told. The loop asks twice a second while somebody
watches, and at once where the change was made in this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.notification.store import feed as store
from services.notification.waiting import woken
from shared.logs import log
from shared.postgres.database import TRANSIENT
from shared.process import Runtime

POLL_SECONDS: Final = 0.5
# A change becomes visible when its transaction commits, which may be this much after the time it carries.
OVERLAP: Final = timedelta(seconds=20)


class Hub:
    """Who watches which feed in this process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self._wake = runtime, runtime.wakes.get("feed")
        self._watching: dict[UUID, dict[UUID, list[asyncio.Event]]] = {}
        self._last: dict[UUID, datetime] = {}
        self._loop: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, marketplace_id: UUID, person_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set whenever the person's feed has changed."""
        changed = asyncio.Event()
        people = self._watching.setdefault(marketplace_id, {})
        people.setdefault(person_id, []).append(changed)
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._run(), name="live-feeds")
        try:
            yield changed
        finally:
            people[person_id].remove(changed)
            if not people[person_id]:
                del people[person_id]
                self._last.pop(person_id, None)
            if not people:
                self._watching.pop(marketplace_id, None)

    async def _run(self) -> None:
        pause = POLL_SECONDS
        while self._watching and not self._runtime.stop.requested:
            try:
                for marketplace_id in list(self._watching):
                    await self._look(marketplace_id)
                pause = POLL_SECONDS
            except TRANSIENT as e:
                pause = min(pause * 2, 10.0)
                log.warning("live.database_away", error=f"{type(e).__name__}: {e}")
            await woken(self._wake, self._runtime.stop, pause)
        self._release_all()

    async def _look(self, marketplace_id: UUID) -> None:
        people = self._watching.get(marketplace_id, {})
        since = self._runtime.clock() - OVERLAP
        async with self._runtime.db.tenant(marketplace_id) as tx:
            touched = await store.touched(tx, list(people), since)
        for person_id, at in touched.items():
            if self._last.get(person_id) == at:
                continue
            self._last[person_id] = at
            for changed in people.get(person_id, ()):
                changed.set()

    def _release_all(self) -> None:
        for people in self._watching.values():
            for events in people.values():
                for changed in events:
                    changed.set()
