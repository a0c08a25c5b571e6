"""Closing digest windows, counting what waits, forgetting what is old: the service's periodic work."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.notification import metrics
from services.notification.actions.telling import MAILS
from services.notification.store import delivering as store
from shared.logs import unit_of_work
from shared.process import Runtime
from shared.stop import Stop

AT_ONCE: Final = 200
LONGEST_WAIT: Final = 3.0
SAMPLE_SECONDS: Final = 10.0
PRUNE_SECONDS: Final = 3_600.0
PRUNE_ROWS: Final = 2_000


async def close_digests(runtime: Runtime, stop: Stop) -> None:
    """Close each window when its time has come; what is unread in it goes out as one mail."""
    while not stop.requested:
        now = runtime.clock()
        async with runtime.worker_db.transaction() as tx:
            closed = await store.close_digests(tx, now, AT_ONCE)
            due = None if closed else await store.next_digest_at(tx)
        if closed:
            with unit_of_work("digests.closed", windows=closed):
                runtime.wakes.get(MAILS).set()
            continue
        wait = (due - now).total_seconds() if due else LONGEST_WAIT
        await stop.wait(min(max(wait, 0.05), LONGEST_WAIT))


async def sample(runtime: Runtime, stop: Stop) -> None:
    """Keep the gauges of waiting mail up to date."""
    while not stop.requested:
        now = runtime.clock()
        async with runtime.worker_db.transaction() as tx:
            waiting, oldest = await store.waiting_mails(tx, now)
        metrics.WAITING.set(waiting)
        metrics.OLDEST.set(max(0.0, (now - oldest).total_seconds()) if oldest else 0.0)
        await stop.wait(SAMPLE_SECONDS)


async def prune(runtime: Runtime, stop: Stop) -> None:
    """Forget notifications and what caused them after `notification_retention_days`."""
    while not await stop.wait(PRUNE_SECONDS):
        before = runtime.clock() - timedelta(days=runtime.settings.notification_retention_days)
        more = True
        while more and not stop.requested:
            async with runtime.worker_db.transaction() as tx:
                more = await store.prune(tx, before, PRUNE_ROWS)
