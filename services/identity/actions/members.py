"""People and their rights: reading, making, editing, inviting and erasing them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.identity import policy
from services.identity.actions.answers import Json, answer, keep_sealed, recall_sealed, shown_person
from services.identity.actions.revoking import revoke
from services.identity.actions.telling import note, tell
from services.identity.context import Context
from services.identity.errors import absent, not_allowed, wrong_field
from services.identity.schemas import EditMember, NewMember
from services.identity.store import outside, people, secrets, views
from services.identity.tokens import INVITATION, digest, new_secret
from shared.ids import new_id
from shared.postgres import Transaction
from shared.postgres.database import Row
from shared.web import Answer, Once, Precondition, Principal


async def member(here: Context, caller: Principal, person_id: UUID) -> Row:
    policy.may_look(caller)
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        row = await people.person(tx, person_id)
    return _visible(caller, row)


async def members(
    here: Context, caller: Principal, organisation_id: UUID | None, after: tuple[str, UUID] | None, limit: int
) -> Sequence[Row]:
    """By name: of the caller's organisation; for operators of any, or of all."""
    policy.may_look(caller)
    if organisation_id is not None:
        policy.need_visible(caller, organisation_id, "organisation")
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        return await people.list_people(tx, organisation_id or policy.visible_organisation(caller), after, limit)


async def make_member(here: Context, caller: Principal, new: NewMember, once: Once) -> Answer:
    """A person with a password, or with an invitation to set one. Admins of the organisation, and operators."""
    organisation_id = new.organisation_id or caller.organisation_id
    policy.need_manager(caller, organisation_id, "organisation")
    kept_password = await here.passwords.hash(new.password.get_secret_value()) if new.password else None
    now, person_id = here.run.clock(), new_id()
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await recall_sealed(here, tx, once)) is not None:
            return kept
        await _check_rights(tx, caller, organisation_id, new)
        row = await people.insert_person(tx, person_id, caller.marketplace_id, organisation_id, new.email, new, now)
        content = shown_person(row)
        if kept_password:
            await secrets.insert_password(tx, person_id, caller.marketplace_id, kept_password, now)
        else:
            content |= await _invite(here, tx, caller, person_id, now)
        await tell(here, tx, [person_id])
        given = answer(201, content, version=row["version"], location=f"/v1/members/{person_id}")
        await keep_sealed(here, tx, once, given)
        await note(
            tx, caller, now, "member_made", ("person", person_id), organisation_id, roles=sorted(new.roles),
            limit=_limit(row), invited=kept_password is None,
        )  # fmt: skip
    return given


async def edit_member(
    here: Context, caller: Principal, person_id: UUID, new: EditMember, if_match: Precondition
) -> Answer:
    """Whoever may not sign in any more loses their sessions; access tokens with the former rights count no longer."""
    now = here.run.clock()
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        row = _visible(caller, await people.lock_person(tx, person_id))
        policy.need_manager(caller, row["organisation_id"], "member")
        if_match.check(row["version"], shown_person(row))
        rights = _rights(new) != (sorted(row["roles"]), row["active"], _limit(row))
        if rights:
            policy.need_others_rights(caller, person_id)
            await _check_rights(tx, caller, row["organisation_id"], new)
            _need_reach(caller, row)
            await _need_somebody_left(tx, row, new)
        changed = await people.update_person(tx, person_id, new, now)
        if row["active"] and not new.active:
            await secrets.end_sessions_of(tx, person_id, now, "deactivated")
            await secrets.delete_invitation(tx, person_id)
        if rights:
            await revoke(here, tx, person_id, caller.marketplace_id)
        await tell(here, tx, [person_id])
        detail: dict[str, Any] = (
            {"roles": sorted(new.roles), "active": new.active, "limit": _limit(changed)} if rights else {}
        )
        action = "rights_changed" if rights else "member_edited"
        await note(tx, caller, now, action, ("person", person_id), row["organisation_id"], **detail)
    return answer(200, shown_person(changed), version=changed["version"])


async def invite(here: Context, caller: Principal, person_id: UUID, once: Once) -> Answer:
    """A new invitation for somebody who has no password or lost it; what they had stays until they set a new one."""
    now = here.run.clock()
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        row = _visible(caller, await people.lock_person(tx, person_id))
        policy.need_manager_in_person(caller, row["organisation_id"], "member")
        if (kept := await recall_sealed(here, tx, once)) is not None:
            return kept
        _need_reach(caller, row)
        if not row["active"]:
            raise not_allowed("This person may not sign in. Make them active first.")
        given = answer(201, await _invite(here, tx, caller, person_id, now))
        await keep_sealed(here, tx, once, given)
        await note(tx, caller, now, "invited", ("person", person_id), row["organisation_id"])
    return given


async def unlink(here: Context, caller: Principal, person_id: UUID) -> None:
    """Let a person sign in by another account at the outside provider: the next that shows their address is theirs.

    Their sessions end, since it may be the account that is not theirs any more. Nothing happens where none was linked.
    """
    now = here.run.clock()
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        row = _visible(caller, await people.lock_person(tx, person_id))
        policy.need_manager_in_person(caller, row["organisation_id"], "member")
        policy.need_others_rights(caller, person_id)
        _need_reach(caller, row)
        if await outside.unlink(tx, person_id):
            await secrets.end_sessions_of(tx, person_id, now, "outside_unlinked")
            await revoke(here, tx, person_id, caller.marketplace_id)
            await note(tx, caller, now, "outside_unlinked", ("person", person_id), row["organisation_id"])


async def erase(here: Context, caller: Principal, person_id: UUID, once: Once) -> Answer:
    """Take a person's name, address and rights out of identity for good, and tell everybody who keeps a copy.

    What they did stays, under an id that leads to nobody.
    """
    now = here.run.clock()
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        row = _visible(caller, await people.lock_person(tx, person_id))
        policy.need_manager_in_person(caller, row["organisation_id"], "member")
        policy.need_others_rights(caller, person_id)
        _need_reach(caller, row)
        changed = await people.erase_person(tx, person_id, now)
        await secrets.delete_password(tx, person_id)
        await secrets.delete_invitation(tx, person_id)
        await views.delete_all(tx, person_id)
        await outside.unlink(tx, person_id)
        await secrets.end_sessions_of(tx, person_id, now, "erased")
        await revoke(here, tx, person_id, caller.marketplace_id, for_good=True)
        await tell(here, tx, [person_id])
        given = answer(200, {"person_id": person_id, "erased_at": changed["erased_at"]})
        await once.keep(tx, given)
        await note(tx, caller, now, "erased", ("person", person_id), row["organisation_id"])
    return given


def _visible(caller: Principal, row: Row | None) -> Row:
    if row is None or row["erased_at"] is not None:
        raise absent("member")
    policy.need_visible(caller, row["organisation_id"], "member")
    return row


def _need_reach(caller: Principal, row: Row) -> None:
    if "operator" in row["roles"] and not caller.is_operator:
        raise not_allowed("Only an operator may change an operator.")


async def _check_rights(tx: Transaction, caller: Principal, organisation_id: UUID, new: EditMember) -> None:
    organisation = await people.organisation(tx, organisation_id)
    if organisation is None:
        raise absent("organisation")
    policy.need_grantable(caller, organisation, new.roles)
    if new.purchasing_limit is not None:
        marketplace = await people.marketplace(tx, caller.marketplace_id)
        assert marketplace is not None
        if new.purchasing_limit.currency != marketplace["currency"]:
            raise wrong_field("purchasing_limit.currency", f"is {marketplace['currency']} in this marketplace")


async def _need_somebody_left(tx: Transaction, row: Row, new: EditMember) -> None:
    for role in ("operator", "admin"):
        loses = role in row["roles"] and (role not in new.roles or not new.active)
        if loses and not await people.others_with_rights(tx, row["organisation_id"], [role], row["person_id"]):
            raise not_allowed(f"This is the last active {role} of the organisation. Make another one first.")


async def _invite(here: Context, tx: Transaction, caller: Principal, person_id: UUID, now: datetime) -> Json:
    token = new_secret(INVITATION)
    expires = now + timedelta(days=here.settings.invitation_days)
    await secrets.set_invitation(tx, person_id, caller.marketplace_id, digest(token), caller.person_id, now, expires)
    return {"invitation": {"token": token, "expires_at": expires}}


def _rights(new: EditMember) -> tuple[list[str], bool, str | None]:
    limit = new.purchasing_limit
    return sorted(new.roles), new.active, f"{limit.minor} {limit.currency}" if limit else None


def _limit(row: Row) -> str | None:
    return None if row["limit_minor"] is None else f"{row['limit_minor']} {row['limit_currency']}"
