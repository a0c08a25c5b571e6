"""Logging in as somebody else: short, with a reason, both names in the token, written down and shown to the person."""

from __future__ import annotations

from uuid import UUID

from services.identity import policy
from services.identity.actions.answers import answer, keep_sealed, recall_sealed
from services.identity.actions.sessions import claims_of
from services.identity.actions.telling import note
from services.identity.context import Context
from services.identity.errors import absent
from services.identity.store import people
from shared.web import Answer, Once, Principal


async def log_in_as(here: Context, caller: Principal, person_id: UUID, reason: str, once: Once) -> Answer:
    """An access token with the person's rights and the caller in its `act` claim. It cannot be refreshed."""
    now, signer = here.run.clock(), await here.signer()
    seconds = here.settings.log_in_as_seconds
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        member = await people.held_membership(tx, person_id)
        if member is None or member["erased_at"] is not None:
            raise absent("member")
        policy.need_log_in_as(caller, member)
        if (kept := await recall_sealed(here, tx, once)) is not None:
            return kept
        act = {"sub": caller.subject, "name": caller.name, "reason": reason}
        # it ends with the caller's own session, too
        own = {"sid": caller.session_id} if caller.session_id else {}
        token = signer.access_token(claims_of(member, act=act, **own), seconds)
        given = answer(201, {"access_token": token, "token_type": "Bearer", "expires_in": seconds})
        await keep_sealed(here, tx, once, given)
        await note(
            tx, caller, now, "logged_in_as", ("person", person_id), member["organisation_id"], reason=reason,
            seconds=seconds,
        )  # fmt: skip
    return given
