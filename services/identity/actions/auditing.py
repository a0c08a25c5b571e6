"""Reading the audit, and checking that its chain holds."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.identity import policy
from services.identity.context import Context
from services.identity.store import audit
from shared.postgres import Database
from shared.postgres.database import Row
from shared.web import Principal


async def entries(here: Context, caller: Principal, before: int | None, limit: int) -> Sequence[Row]:
    """Newest first: the marketplace's for operators, their organisation's for admins."""
    only = policy.visible_organisation(caller)
    policy.need_manager_of_audit(caller)
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        return await audit.entries(tx, caller.marketplace_id, only, before, limit)


async def broken_links(db: Database) -> dict[UUID, list[int]]:
    """Marketplaces whose chain does not hold, and where. The last rows of a chain can be missing unnoticed."""
    broken: dict[UUID, list[int]] = {}
    async with db.transaction() as tx:
        for marketplace_id in await audit.audited_marketplaces(tx):
            found = [sequence async for sequence in audit.broken_links(tx, marketplace_id)]
            if found:
                broken[marketplace_id] = found
    return broken
