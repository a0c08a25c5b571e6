"""Changed time zones: the days of a marketplace's facts are set anew, and its figures computed from them again."""

from __future__ import annotations

from uuid import UUID

from services.reporting import store
from shared.logs import log, unit_of_work
from shared.process import Runtime
from shared.stop import Stop


async def keep_zones(run: Runtime, stop: Stop) -> None:
    """Until asked to stop: apply what identity has said of marketplaces' zones."""
    while not await stop.wait(run.settings.reporting_zone_poll_seconds):
        async with run.worker_db.transaction() as tx:
            changed = await store.changed_zones(tx)
        for marketplace_id in changed:
            if not stop.requested:
                await move_zone(run, marketplace_id)


async def move_zone(run: Runtime, marketplace_id: UUID) -> None:
    """Make the wanted zone the one that decides, in one transaction; batches of the marketplace wait meanwhile."""
    with unit_of_work("reporting.zone", marketplace=str(marketplace_id)) as line:
        async with run.worker_db.transaction() as tx:
            await store.allow_long(tx, run.settings.reporting_compute_seconds)
            wanted = await store.wanted_zone(tx, marketplace_id)
            if wanted is None:
                return
            line.add(zone=wanted)
            if not await store.zone_exists(tx, wanted):
                log.error("reporting.unknown_zone", marketplace=str(marketplace_id), zone=wanted)
                await store.refuse_zone(tx, marketplace_id)
                return
            await store.move_days(tx, marketplace_id, wanted)
            await store.compute_figures(tx, marketplace_id)
