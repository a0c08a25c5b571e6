"""Every second or at a word: gaps waited for long enough, replays, stopped endpoints' queues set aside, lost wakes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.webhook.hints import Hints
from services.webhook.settings import Settings
from services.webhook.store import intake, replays
from services.webhook.upkeep import pace, rows
from shared.logs import log
from shared.postgres import Transaction
from shared.postgres.database import Row
from shared.process import Runtime
from shared.stop import Stop

EVERY_SECONDS: Final = 1.0
REPLAY_PAGE: Final = 1_000
# A replay waits while its endpoint has this many waiting: the queue stays small, the message table is the backlog.
REPLAY_WAITING_MOST: Final = 20_000
# Replays that an open transaction holds back are passed over, so many at a time.
HELD_MOST: Final = 100
FIRST: Final = UUID(int=0)
SHELVE_AT_ONCE: Final = 5_000
# A word to wake an endpoint is lost where a worker puts it to rest while an intake that read "awake" is still open, and
# is then killed. This bounds what that costs.
FORGOTTEN_SECONDS: Final = 5.0


async def run(runtime: Runtime, stop: Stop, hints: Hints) -> None:
    wake = runtime.wakes.get("upkeep")
    woken, turns = -FORGOTTEN_SECONDS, Turns()
    while not stop.requested:
        if time.monotonic() - woken >= FORGOTTEN_SECONDS:
            woken = time.monotonic()
            await _wake_forgotten(runtime, hints)
        busy = await _gaps(runtime, hints)
        busy = await _replay(runtime, hints, turns) or busy
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


@dataclass(slots=True)
class Turns:
    """Whose replay was advanced last: the next page is another's, so that a long one keeps no short one waiting."""

    last: UUID = FIRST


async def _replay(runtime: Runtime, hints: Hints, turns: Turns) -> bool:
    """One page of one replay. True where there is more to do at once."""
    held: list[UUID] = []
    while len(held) < HELD_MOST:
        async with runtime.worker_db.transaction() as tx:
            replay = await replays.next_running(tx, REPLAY_WAITING_MOST, turns.last, held)
            if replay is None:
                return False
            advanced = await _advance(tx, replay, runtime)
        if advanced:
            turns.last = replay["replay_id"]
            hints.add([replay["endpoint_id"]])
            return True
        held.append(replay["replay_id"])
    return False


async def _advance(tx: Transaction, replay: Row, runtime: Runtime) -> bool:
    """Queue its next page, or end it. False where a transaction that is still open holds it back."""
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
