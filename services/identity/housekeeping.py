"""A worker: forgets what has had its time (sessions, failed attempts, invitations) and renews the signing key."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.identity.actions.revoking import lifetime
from services.identity.context import Context
from services.identity.store import keys, revoked, secrets
from shared.logs import unit_of_work
from shared.stop import Stop

EVERY_SECONDS: Final = 600.0
MOST_ROWS: Final = 1_000
# an ended session is kept so long to tell a reused refresh token from a made-up one
SESSIONS_KEPT: Final = timedelta(days=1)
WINDOWS_KEPT: Final = timedelta(days=1)
KEYS_KEPT: Final = timedelta(days=30)


async def keep_house(here: Context, stop: Stop) -> None:
    """Every ten minutes until asked to stop, the first time at once."""
    while True:
        await tidy(here)
        if await stop.wait(EVERY_SECONDS):
            return


async def tidy(here: Context) -> None:
    """Once."""
    now = here.run.clock()
    with unit_of_work("identity.tidied") as line:
        await here.ring.renew()
        sessions, gone = 0, MOST_ROWS
        while gone == MOST_ROWS:
            async with here.run.worker_db.transaction() as tx:
                gone = await secrets.prune(
                    tx, before=now - SESSIONS_KEPT, windows=now - WINDOWS_KEPT, now=now, most=MOST_ROWS
                )
                sessions += gone
        async with here.run.worker_db.transaction() as tx:
            await keys.prune_signing_keys(tx, now - KEYS_KEPT)
            await revoked.prune(tx, now - lifetime(here))
        line.add(sessions=sessions)
