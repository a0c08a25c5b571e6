"""What people do about themselves: their profile, their password, and seeing who was logged in as them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.identity import policy
from services.identity.actions.answers import Json, answer, shown_marketplace, shown_organisation, shown_person
from services.identity.actions.guessing import bucket, count_attempt
from services.identity.actions.revoking import revoke
from services.identity.actions.sessions import begin_session, need_passwords
from services.identity.actions.telling import note, tell
from services.identity.context import Context
from services.identity.errors import absent, grant_refused, sign_in_failed
from services.identity.schemas import EditMe, EditMember, TokenAnswer
from services.identity.store import audit, people, secrets
from services.identity.tokens import digest
from shared.errors import Problem
from shared.postgres import Transaction
from shared.postgres.database import Row
from shared.web import Answer, Precondition, Principal


async def me(here: Context, caller: Principal) -> Json:
    """The caller, as the token says and as identity has it now."""
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        organisation = await people.organisation(tx, caller.organisation_id)
        marketplace = await people.marketplace(tx, caller.marketplace_id)
        person = await people.person(tx, caller.person_id) if caller.person_id else None
    if organisation is None or marketplace is None or (caller.person_id and (not person or person["erased_at"])):
        raise absent("member")
    act = caller.act
    return {
        "kind": caller.kind,
        "person": shown_person(person) if person else None,
        "api_key_id": caller.api_key_id,
        "name": person["name"] if person else caller.name,
        "roles": sorted(caller.roles),
        "scopes": sorted(caller.scopes),
        "organisation": shown_organisation(organisation),
        "marketplace": shown_marketplace(marketplace, caller),
        "logged_in_as_by": {"person_id": act.person_id, "name": act.name, "reason": act.reason} if act else None,
    }


async def edit_me(here: Context, caller: Principal, new: EditMe, if_match: Precondition) -> Answer:
    """Name, language and time zone; everything else is for others to change."""
    person_id = policy.need_oneself(caller)
    now = here.run.clock()
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        row = await _myself(tx, person_id)
        if_match.check(row["version"], shown_person(row))
        same = EditMember.model_construct(
            name=new.name, language=new.language, time_zone=new.time_zone, roles=frozenset(row["roles"]),
            active=row["active"], purchasing_limit=people.limit_of(row),
        )  # fmt: skip
        changed = await people.update_person(tx, person_id, same, now)
        await tell(here, tx, [person_id])
        await note(tx, caller, now, "member_edited", ("person", person_id), row["organisation_id"])
    return answer(200, shown_person(changed), version=changed["version"])


async def change_password(here: Context, caller: Principal, current: str, new: str) -> None:
    """Every session ends, this one too. Raises Unauthenticated where the current password is another, and
    TooManyRequests after too many of those: somebody else's token must not find the password out."""
    person_id = policy.need_oneself(caller)
    need_passwords(here)
    now, tries = here.run.clock(), bucket("own password", str(person_id))
    async with here.run.worker_db.transaction() as tx:
        await count_attempt(here, tx, {tries: here.settings.sign_in_failures_per_email}, now)
        kept = await secrets.password_hash(tx, person_id)
    if not await here.passwords.verify(kept, current):
        raise sign_in_failed()
    hashed = await here.passwords.hash(new)
    async with here.run.worker_db.transaction() as tx:
        await secrets.forgive(tx, tries)
        await secrets.set_password(tx, person_id, caller.marketplace_id, hashed, now)
        await secrets.end_sessions_of(tx, person_id, now, "password_changed")
        await revoke(here, tx, person_id, caller.marketplace_id)
        await note(tx, caller, now, "password_changed", ("person", person_id), caller.organisation_id)


async def set_password(here: Context, token: str, password: str) -> TokenAnswer:
    """Use an invitation up: the person has this password, is signed in here, and nowhere else any more."""
    need_passwords(here)
    now, signer = here.run.clock(), await here.signer()
    async with here.run.worker_db.transaction() as tx:
        # hashing is dear, and made-up tokens cost nothing
        if not await secrets.has_invitation(tx, digest(token), now):
            raise _no_invitation()
    hashed = await here.passwords.hash(password)
    async with here.run.worker_db.transaction() as tx:
        taken = await secrets.take_invitation(tx, digest(token), now)
        if taken is None:
            raise _no_invitation()
        person_id = taken["person_id"]
        await secrets.set_password(tx, person_id, taken["marketplace_id"], hashed, now)
        await secrets.end_sessions_of(tx, person_id, now, "password_changed")
        await revoke(here, tx, person_id, taken["marketplace_id"])
        given = await begin_session(here, signer, tx, person_id, now)
        entry = audit.Entry("password_set", "person", person_id, None, "person", person_id, {"by": "invitation"})
        await audit.append(tx, taken["marketplace_id"], entry, now)
    return given


def _no_invitation() -> Problem:
    return grant_refused("The invitation is not valid (any more). Ask for a new one.")


async def log_ins(here: Context, caller: Principal, before: int | None, limit: int) -> Sequence[Row]:
    """Who was logged in as the caller, newest first."""
    person_id = caller.person_id
    if person_id is None:
        return []
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        return await audit.log_ins_as(tx, caller.marketplace_id, person_id, before, limit)


async def _myself(tx: Transaction, person_id: UUID) -> Row:
    row = await people.lock_person(tx, person_id)
    if row is None or row["erased_at"] is not None:
        raise absent("member")
    return row
