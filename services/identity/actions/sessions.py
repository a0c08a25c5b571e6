"""Signing in and staying so: passwords, refresh tokens, API keys for access tokens, signing out.

None of these callers has a tenant yet, so all of it runs as the worker role and names its rows exactly.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.identity.actions.guessing import bucket, count_attempt
from services.identity.actions.revoking import revoke
from services.identity.context import Context
from services.identity.errors import grant_refused, passwords_off, sign_in_failed
from services.identity.schemas import TokenAnswer, TokenRequest, plain_email
from services.identity.signing import Signer
from services.identity.store import audit, people, secrets
from services.identity.tokens import REFRESH, digest, new_secret, same
from services.identity.vault import VaultError
from shared.ids import new_id
from shared.postgres import Transaction
from shared.postgres.database import Row


async def sign_in(here: Context, email: str, password: str, address: str) -> TokenAnswer:
    """Tokens for the person with this address and password.

    Raises Unauthenticated in the same words and after the same work for a wrong password, an unknown address and a
    person who may not sign in; TooManyRequests after too many failures of the address or the caller's host; Forbidden
    where people sign in by an outside provider only.
    """
    need_passwords(here)
    now = here.run.clock()
    email = plain_email(email)
    person, host = bucket("email", email), bucket("address", address)
    limits = {
        person: here.settings.sign_in_failures_per_email,
        host: here.settings.sign_in_failures_per_address,
    }
    async with here.run.worker_db.transaction() as tx:
        # Counted before the password is looked at, and taken back when it is right: of a burst of guesses no more
        # are looked at than of as many in a row.
        await count_attempt(here, tx, limits, now)
        found = await secrets.signing_in(tx, email)
    right = await here.passwords.verify(found["password_hash"] if found else None, password)
    if found is None or not right or not found["active"]:
        raise sign_in_failed()
    renewed = await here.passwords.hash(password) if here.passwords.outdated(found["password_hash"]) else None
    signer = await here.signer()
    async with here.run.worker_db.transaction() as tx:
        await secrets.forgive(tx, person)
        await secrets.uncount(tx, host)
        if renewed:
            await secrets.set_password(tx, found["person_id"], found["marketplace_id"], renewed, now)
        return await begin_session(here, signer, tx, found["person_id"], now)


async def token(here: Context, request: TokenRequest) -> TokenAnswer:
    """The token endpoint: a refresh token or an API key for an access token. Raises BadRequest(invalid_grant)."""
    if request.grant_type == "refresh_token":
        if request.refresh_token is None or request.client_id or request.client_secret:
            raise grant_refused("grant_type refresh_token takes refresh_token and nothing else.")
        return await _refresh(here, request.refresh_token.get_secret_value())
    if request.client_id is None or request.client_secret is None or request.refresh_token:
        raise grant_refused("grant_type client_credentials takes client_id and client_secret and nothing else.")
    return await _client(here, request.client_id, request.client_secret.get_secret_value())


async def sign_out(here: Context, refresh_token: str) -> str | None:
    """End the session of a refresh token, and its access tokens with it; nothing happens where there is none.

    Of a session that began at the outside provider, the address where the browser ends the one there.
    """
    now = here.run.clock()
    async with here.run.worker_db.transaction() as tx:
        session = await secrets.lock_session_of(tx, digest(refresh_token))
        if session is not None:
            await secrets.end_session(tx, session["session_id"], now, "signed_out")
            await revoke(here, tx, session["session_id"], session["marketplace_id"], for_good=True)
    if session is None or session["outside_token"] is None or here.provider is None or not here.settings.oidc_sign_out:
        return None
    try:
        id_token = here.vault.open(session["outside_token"], _outside(session["session_id"])).decode()
    except VaultError:
        # the key is retired: the session here has ended all the same
        return None
    return await here.provider.farewell(id_token)


async def begin_session(
    here: Context, signer: Signer, tx: Transaction, person_id: UUID, now: datetime, id_token: str | None = None
) -> TokenAnswer:
    """A session for a person who has just proven who they are, by the provider's `id_token` or otherwise.

    Raises Unauthenticated where they may not sign in.
    """
    member = await people.held_membership(tx, person_id)
    if member is None or not member["active"]:
        raise sign_in_failed()
    session_id = new_id()
    ends = now + timedelta(days=here.settings.session_days)
    sealed = here.vault.seal(id_token.encode(), _outside(session_id)) if id_token is not None else None
    await secrets.insert_session(tx, session_id, member["marketplace_id"], member["person_id"], now, ends, sealed)
    return await _tokens(here, signer, tx, member, session_id, ends, now)


def _outside(session_id: UUID) -> str:
    return f"outside session {session_id}"


def need_passwords(here: Context) -> None:
    """Raises Forbidden where people sign in by the outside provider only."""
    if here.settings.oidc_only:
        raise passwords_off(here.settings.provider_name)


def claims_of(member: Row, **more: Any) -> dict[str, Any]:
    """The claims of a person's access token."""
    limit = people.limit_of(member)
    claims: dict[str, Any] = {
        "sub": str(member["person_id"]), "kind": "person", "name": member["name"], "email": member["email"],
        "mkt": str(member["marketplace_id"]), "mkt_slug": member["m_slug"], "org": str(member["organisation_id"]),
        "org_name": member["o_name"], "org_kind": member["o_kind"], "roles": list(member["roles"]), "scopes": [],
    }  # fmt: skip
    return claims | ({"limit": limit.model_dump()} if limit else {}) | more


async def _tokens(
    here: Context, signer: Signer, tx: Transaction, member: Row, session_id: UUID, session_ends: datetime, now: datetime
) -> TokenAnswer:
    refresh = new_secret(REFRESH)
    ends = min(session_ends, now + timedelta(days=here.settings.session_idle_days))
    await secrets.insert_refresh_token(tx, digest(refresh), member["marketplace_id"], session_id, ends)
    seconds = here.settings.access_token_seconds
    return TokenAnswer(
        access_token=signer.access_token(claims_of(member, sid=str(session_id)), seconds), expires_in=seconds,
        refresh_token=refresh, refresh_expires_in=int((ends - now).total_seconds()),
    )  # fmt: skip


async def _refresh(here: Context, refresh_token: str) -> TokenAnswer:
    now, signer = here.run.clock(), await here.signer()
    given = digest(refresh_token)
    async with here.run.worker_db.transaction() as tx:
        await secrets.hold_person_of(tx, given)
        session = await secrets.lock_session_of(tx, given)
        if session is None or session["ended_at"] is not None or session["token_expires_at"] <= now:
            raise grant_refused("The refresh token is not valid (any more). Sign in again.")
        if session["used_at"] is None:
            member = await people.membership(tx, session["person_id"])
            if member is None or not member["active"]:
                raise grant_refused("This person may not sign in any more.")
            await secrets.use_refresh_token(tx, given, now)
            return await _tokens(here, signer, tx, member, session["session_id"], session["expires_at"], now)
        # Somebody has used this token before: one of the two is a thief, and nobody can say which.
        await secrets.end_session(tx, session["session_id"], now, "refresh_token_reused")
        await revoke(here, tx, session["session_id"], session["marketplace_id"], for_good=True)
        entry = audit.Entry(
            "session_ended", "system", None, None, "person", session["person_id"], {"because": "refresh_token_reused"}
        )
        await audit.append(tx, session["marketplace_id"], entry, now)
    raise grant_refused("This refresh token was used before, so the whole session was ended. Sign in again.")


async def _client(here: Context, client_id: UUID, client_secret: str) -> TokenAnswer:
    now, signer = here.run.clock(), await here.signer()
    async with here.run.worker_db.transaction() as tx:
        key = await secrets.key_of_client(tx, client_id)
        given = digest(client_secret)
        right = same(key["secret_hash"] if key else None, given)
        former = same(key["former_hash"] if key else None, given)
        if key is None or not (right or (former and key["former_until"] > now)):
            raise grant_refused("The API key is not valid.")
        if key["revoked_at"] is not None or (key["expires_at"] is not None and key["expires_at"] <= now):
            raise grant_refused("The API key was revoked or has expired.")
        await secrets.mark_api_key_used(tx, client_id, now)
    claims = {
        "sub": str(client_id), "kind": "api_key", "name": key["name"], "mkt": str(key["marketplace_id"]),
        "mkt_slug": key["m_slug"], "org": str(key["organisation_id"]), "org_name": key["o_name"],
        "org_kind": key["o_kind"], "roles": list(key["roles"]), "scopes": list(key["scopes"]),
    }  # fmt: skip
    seconds = here.settings.access_token_seconds
    return TokenAnswer(access_token=signer.access_token(claims, seconds), expires_in=seconds)
