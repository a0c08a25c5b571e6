"""A worker: sends member.changed of everybody whose organisation or marketplace changed, some hundred at a time."""

from __future__ import annotations

from typing import Final

from services.identity.actions.places import REPUBLICATION
from services.identity.settings import Settings
from services.identity.store import people
from shared.logs import unit_of_work
from shared.process import Runtime
from shared.stop import Stop

POLL_SECONDS: Final = 1.0


async def republish(run: Runtime, stop: Stop) -> None:
    """Until asked to stop. Woken in this process when something changed; looks every second besides."""
    settings: Settings = run.settings
    wake = run.wakes.get(REPUBLICATION)
    while not stop.requested:
        if not await republish_some(run, settings.republication_batch):
            await wake.wait(POLL_SECONDS)


async def republish_some(run: Runtime, batch: int) -> bool:
    """One batch of the oldest request, in one transaction. False where nothing is waiting."""
    async with run.worker_db.transaction() as tx:
        request = await people.next_republication(tx)
        if request is None:
            return False
        with unit_of_work("members.republished", marketplace=str(request["marketplace_id"])) as line:
            touched = await people.touch_people(
                tx, request["marketplace_id"], request["organisation_id"], request["after"], batch
            )
            await run.outbox.append_many(tx, await people.changed(tx, touched))
            if len(touched) < batch:
                await people.finish_republication(tx, request["republication_id"])
            else:
                await people.advance_republication(tx, request["republication_id"], max(touched))
            line.add(people=len(touched))
    return True
