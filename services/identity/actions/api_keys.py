"""API keys: for programs of an organisation, with roles and scopes, exchanged for access tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from services.identity import policy
from services.identity.actions.answers import answer, keep_sealed, recall_sealed, shown_api_key
from services.identity.actions.revoking import revoke
from services.identity.actions.telling import note
from services.identity.context import Context
from services.identity.errors import absent, not_allowed, wrong_field
from services.identity.schemas import NewApiKey
from services.identity.store import people, secrets
from services.identity.tokens import API_KEY, digest, new_secret
from shared.ids import new_id
from shared.postgres.database import Row
from shared.web import Answer, Once, Principal


async def api_key(here: Context, caller: Principal, api_key_id: UUID) -> Row:
    policy.may_look(caller)
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        row = _visible(caller, await secrets.api_key(tx, api_key_id))
    policy.need_manager_of_keys(caller)
    return row


async def api_keys(here: Context, caller: Principal, after: UUID | None, limit: int) -> Sequence[Row]:
    """In the order in which they were made."""
    policy.need_manager_of_keys(caller)
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        return await secrets.list_api_keys(tx, policy.visible_organisation(caller), after, limit)


async def make_api_key(here: Context, caller: Principal, new: NewApiKey, once: Once) -> Answer:
    """The answer is the only place in which the secret stands."""
    organisation_id = new.organisation_id or caller.organisation_id
    policy.need_manager_in_person(caller, organisation_id, "organisation")
    now, api_key_id, secret = here.run.clock(), new_id(), new_secret(API_KEY)
    if new.expires_at is not None and (new.expires_at.tzinfo is None or new.expires_at <= now):
        raise wrong_field("expires_at", "is a time to come, with its offset")
    assert caller.person_id is not None
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await recall_sealed(here, tx, once)) is not None:
            return kept
        organisation = await people.organisation(tx, organisation_id)
        if organisation is None:
            raise absent("organisation")
        policy.need_key_rights(caller, organisation, new.roles)
        row = await secrets.insert_api_key(
            tx, api_key_id, caller.marketplace_id, organisation_id, new.name, sorted(new.roles), sorted(new.scopes),
            digest(secret), caller.person_id, now, new.expires_at,
        )  # fmt: skip
        content = shown_api_key(row) | {"client_id": api_key_id, "client_secret": secret}
        given = answer(201, content, version=row["version"], location=f"/v1/api-keys/{api_key_id}")
        await keep_sealed(here, tx, once, given)
        await note(
            tx, caller, now, "api_key_made", ("api_key", api_key_id), organisation_id, roles=sorted(new.roles),
            scopes=sorted(new.scopes),
        )  # fmt: skip
    return given


async def rotate_api_key(here: Context, caller: Principal, api_key_id: UUID, once: Once) -> Answer:
    """A new secret; the one before works on for `api_key_overlap_hours`, the one before that no longer."""
    now, secret = here.run.clock(), new_secret(API_KEY)
    former_until = now + timedelta(hours=here.settings.api_key_overlap_hours)
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        row = _visible(caller, await secrets.lock_api_key(tx, api_key_id))
        policy.need_manager_in_person(caller, row["organisation_id"], "API key")
        if (kept := await recall_sealed(here, tx, once)) is not None:
            return kept
        if row["revoked_at"] is not None:
            raise not_allowed("This API key was revoked. Make a new one.")
        changed = await secrets.rotate_api_key(tx, api_key_id, digest(secret), former_until)
        content = shown_api_key(changed) | {
            "client_id": api_key_id, "client_secret": secret, "former_secret_until": former_until
        }  # fmt: skip
        given = answer(200, content, version=changed["version"])
        await keep_sealed(here, tx, once, given)
        await note(tx, caller, now, "api_key_rotated", ("api_key", api_key_id), row["organisation_id"])
    return given


async def revoke_api_key(here: Context, caller: Principal, api_key_id: UUID, once: Once) -> Answer:
    """No more access tokens for this key; those that are out count no longer."""
    now = here.run.clock()
    async with here.run.db.tenant(caller.marketplace_id) as tx:
        row = _visible(caller, await secrets.lock_api_key(tx, api_key_id))
        policy.need_manager_in_person(caller, row["organisation_id"], "API key")
        if (kept := await once.recall(tx)) is not None:
            return kept
        if row["revoked_at"] is not None:
            return answer(200, shown_api_key(row), version=row["version"])
        changed = await secrets.revoke_api_key(tx, api_key_id, now)
        await revoke(here, tx, api_key_id, caller.marketplace_id, for_good=True)
        given = await once.keep(tx, answer(200, shown_api_key(changed), version=changed["version"]))
        await note(tx, caller, now, "api_key_revoked", ("api_key", api_key_id), row["organisation_id"])
    return given


def _visible(caller: Principal, row: Row | None) -> Row:
    if row is None:
        raise absent("API key")
    policy.need_visible(caller, row["organisation_id"], "API key")
    return row
