"""Saved views of the order list: a person's own filters under names. What they mean, the order service knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from services.identity import policy
from services.identity.actions.answers import Json, answer
from services.identity.context import Context
from services.identity.errors import absent, too_many_views
from services.identity.schemas import SaveView
from services.identity.store import people
from services.identity.store import views as store
from shared.ids import new_id
from shared.postgres.database import Row
from shared.web import Answer, Once, Principal

# More of them no list shows.
MOST_VIEWS: Final = 50


async def views(here: Context, caller: Principal) -> Sequence[Row]:
    """The caller's own, by name; an API key has none."""
    if caller.person_id is None:
        return []
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        return await store.views(tx, caller.person_id)


async def save(here: Context, caller: Principal, new: SaveView, once: Once) -> Answer:
    """Filters under a name; a name that is there gets these. Raises Conflict where there are MOST_VIEWS already."""
    person_id, now = policy.need_oneself(caller), here.run.clock()
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        # one after the other, so that the bound holds
        if (row := await people.lock_person(tx, person_id)) is None or row["erased_at"] is not None:
            raise absent("member")
        there = {view["name"] for view in await store.views(tx, person_id)}
        if new.name not in there and len(there) >= MOST_VIEWS:
            raise too_many_views(MOST_VIEWS)
        saved = await store.save(tx, new_id(), caller.marketplace_id, person_id, new.name, new.filters, now)
        return await once.keep(tx, answer(201, shown(saved)))


async def delete(here: Context, caller: Principal, view_id: UUID) -> None:
    person_id = policy.need_oneself(caller)
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        if not await store.delete(tx, person_id, view_id):
            raise absent("view")


def shown(row: Row) -> Json:
    return {name: row[name] for name in ("view_id", "name", "filters", "saved_at")}
