"""Marketplaces and organisations: reading, making and editing them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.identity import policy
from services.identity.actions.answers import answer, shown_marketplace, shown_organisation
from services.identity.actions.telling import note
from services.identity.context import Context
from services.identity.errors import absent
from services.identity.schemas import EditMarketplace, EditOrganisation, NewOrganisation
from services.identity.store import people
from shared.ids import new_id
from shared.postgres.database import Row
from shared.web import Answer, Once, Precondition, Principal

REPUBLICATION = "republication"


async def marketplace(here: Context, caller: Principal, marketplace_id: UUID) -> Row:
    """The caller's own marketplace; any other is absent."""
    policy.may_look(caller)
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        row = await people.marketplace(tx, marketplace_id)
    if row is None:
        raise absent("marketplace")
    return row


async def edit_marketplace(
    here: Context, caller: Principal, marketplace_id: UUID, new: EditMarketplace, if_match: Precondition
) -> Answer:
    """Operators only. Everybody in the marketplace is told again, by a worker."""
    if marketplace_id != caller.marketplace_id:
        raise absent("marketplace")
    policy.need_manager(caller, None, "marketplace")
    now = here.run.clock()
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        row = await people.lock_marketplace(tx, marketplace_id)
        if row is None:
            raise absent("marketplace")
        if_match.check(row["version"], shown_marketplace(row, caller))
        changed = await people.update_marketplace(tx, marketplace_id, new, now)
        await people.request_republication(tx, marketplace_id, None, now)
        tx.after_commit(here.run.wakes.get(REPUBLICATION).set)
        settings = {k: v for k, v in changed["settings"].items() if row["settings"].get(k) != v}
        gone = sorted(set(row["settings"]) - set(changed["settings"]))
        await note(
            tx, caller, now, "marketplace_edited", ("marketplace", marketplace_id), None, settings=settings, gone=gone
        )
    return answer(200, shown_marketplace(changed, caller), version=changed["version"])


async def organisation(here: Context, caller: Principal, organisation_id: UUID) -> Row:
    policy.may_look(caller)
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        row = await people.organisation(tx, organisation_id)
    if row is None:
        raise absent("organisation")
    policy.need_visible(caller, row["organisation_id"], "organisation")
    return row


async def organisations(here: Context, caller: Principal, after: tuple[str, UUID] | None, limit: int) -> Sequence[Row]:
    """By name: all of the marketplace for operators, their own for others."""
    policy.may_look(caller)
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        return await people.list_organisations(tx, policy.visible_organisation(caller), after, limit)


async def make_organisation(here: Context, caller: Principal, new: NewOrganisation, once: Once) -> Answer:
    """Operators only. Nobody is told: an organisation is heard of with its first person."""
    policy.need_manager(caller, None, "organisation")
    now, organisation_id = here.run.clock(), new_id()
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        row = await people.insert_organisation(tx, organisation_id, caller.marketplace_id, new.slug, new.kind, new, now)
        given = answer(
            201, shown_organisation(row), version=row["version"], location=f"/v1/organisations/{organisation_id}"
        )
        await once.keep(tx, given)
        await note(
            tx, caller, now, "organisation_made", ("organisation", organisation_id), organisation_id, kind=new.kind
        )
    return given


async def edit_organisation(
    here: Context, caller: Principal, organisation_id: UUID, new: EditOrganisation, if_match: Precondition
) -> Answer:
    """Its admins and operators; the commission is an operator's to set. Its people are told again, by a worker."""
    policy.need_manager(caller, organisation_id, "organisation")
    now = here.run.clock()
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        row = await people.lock_organisation(tx, organisation_id)
        if row is None:
            raise absent("organisation")
        if_match.check(row["version"], shown_organisation(row))
        if new.commission_rate != row["commission_rate"]:
            policy.need_manager(caller, None, "organisation")
        changed = await people.update_organisation(tx, organisation_id, new, now)
        await people.request_republication(tx, caller.marketplace_id, organisation_id, now)
        tx.after_commit(here.run.wakes.get(REPUBLICATION).set)
        fields = [f for f in ("name", "time_zone", "location", "external_ids") if row[f] != changed[f]]
        await note(
            tx, caller, now, "organisation_edited", ("organisation", organisation_id), organisation_id, fields=fields,
            commission_rate=people.rate_text(changed["commission_rate"]),
        )  # fmt: skip
    return answer(200, shown_organisation(changed), version=changed["version"])
