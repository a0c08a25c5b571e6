"""Every second or at a word: gaps waited for long enough, replays, stopped endpoints' queues set aside, lost wakes."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

from services.webhook.hints import Hints
from services.webhook.settings import Settings
from services.webhook.store import intake, replays
from services.webhook.upkeep import pace, rows
from shared.logs import log
from shared.process import Runtime
from shared.stop import Stop

EVERY_SECONDS: Final = 1.0
REPLAY_PAGE: Final = 1_000
# A replay waits while its endpoint has this many waiting: the queue stays small, the message table is the backlog.
REPLAY_WAITING_MOST: Final = 20_000
SHELVE_AT_ONCE: Final = 5_000
# A word to wake an endpoint is lost where a worker puts it to rest while an intake that read "awake" is still open, and
# is then killed. This bounds what that costs.
FORGOTTEN_SECONDS: Final = 5.0


async def run(runtime: Runtime, stop: Stop, hints: Hints) -> None:
    wake = runtime.wakes.get("upkeep")
    woken = -FORGOTTEN_SECONDS
    while not stop.requested:
        if time.monotonic() - woken >= FORGOTTEN_SECONDS:
            woken = time.monotonic()
            await _wake_forgotten(runtime, hints)
        busy = await _gaps(runtime, hints)
        busy = await _replay(runtime, hints) or busy
        busy = await _shelve(runtime) or busy
        if not busy:
            await pace.rest(wake, stop, EVERY_SECONDS)


async def _wake_forgotten(runtime: Runtime, hints: Hints) -> None:
    async with runtime.worker_db.transaction() as tx:
        found = await rows.wake_forgotten(tx, runtime.clock())
    if found:
        log.warning("webhook.woken_late", endpoints=len(found))
        hints.add(found)


async def _gaps(runtime: Runtime, hints: Hints) -> bool:
    settings: Settings = runtime.settings
    async with runtime.worker_db.transaction() as tx:
        wait = timedelta(seconds=settings.webhook_gap_seconds)
        freed = await intake.expire_gaps(tx, runtime.clock(), wait)
    if freed:
        log.warning("webhook.gap_passed", endpoints=len(freed))
        hints.add(freed)
    return False


async def _replay(runtime: Runtime, hints: Hints) -> bool:
    """One page of one replay. True where there is more to do at once."""
    async with runtime.worker_db.transaction() as tx:
        replay = await replays.next_running(tx, REPLAY_WAITING_MOST)
        if replay is None:
            return False
        now = runtime.clock()
        if replay["status"] in ("disabled", "deleted"):
            await replays.cancel(tx, replay["replay_id"], now)
            return True
        examined, queued = await replays.advance(tx, replay, now, REPLAY_PAGE)
        if not examined:
            if await replays.has_more(tx, replay):
                return False
            await replays.finish(tx, replay, now)
            log.info("webhook.replayed", replay_id=replay["replay_id"], endpoint_id=replay["endpoint_id"])
        if queued or not examined:
            await rows.wake_if_active(tx, replay["endpoint_id"], now)
    hints.add([replay["endpoint_id"]])
    return True


async def _shelve(runtime: Runtime) -> bool:
    async with runtime.worker_db.transaction() as tx:
        found = await rows.next_shelving(tx)
        if found is None:
            return False
        endpoint_id, state, why = found
        moved = await rows.shelve(tx, endpoint_id, state, why, runtime.clock(), SHELVE_AT_ONCE)
        if not moved:
            await rows.shelved(tx, endpoint_id)
    return moved == SHELVE_AT_ONCE
