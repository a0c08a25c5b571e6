"""Having access tokens count no longer: at once here, within seconds at the other services, which ask for the list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from services.identity.context import Context
from services.identity.store import revoked
from shared.postgres import Transaction
from shared.web.revoked import Found

# A row may be committed so much later than the time it carries; the reader is told of it all the same.
OVERLAP: Final = timedelta(seconds=60)


async def revoke(here: Context, tx: Transaction, whose: UUID, marketplace_id: UUID, *, for_good: bool = False) -> None:
    """Tokens of a person, session or API key that are out count no longer; those that are made from now on do.

    `for_good`: there will be no others, and one that is made this very moment does not count either. Of a person, the
    row has to be locked.
    """
    now = here.run.clock()
    await revoked.revoke(tx, whose, marketplace_id, now, now + timedelta(seconds=1) if for_good else now)


async def found(here: Context, after: float | None) -> Found:
    """What was revoked since `after` (seconds since 1970; None: whatever still matters)."""
    now = here.run.clock()
    oldest = now - lifetime(here)
    since = oldest
    if after is not None and oldest.timestamp() < after < now.timestamp():
        since = datetime.fromtimestamp(after, UTC) - OVERLAP
    async with here.run.worker_db.transaction() as tx:
        return Found(now.timestamp(), await revoked.since(tx, since))


def lifetime(here: Context) -> timedelta:
    """How long an access token may be about after it was made, clocks that differ included."""
    settings = here.settings
    return timedelta(seconds=max(settings.access_token_seconds, settings.log_in_as_seconds)) + OVERLAP
