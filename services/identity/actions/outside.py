"""Signing in by the outside provider: what it proves is exchanged for a session of ours, as a password would be.

A subject of the provider is linked to a person the first time, by a verified e-mail address, and stays so. Nobody
comes to be here, and no right changes, by what a provider says. As in `sessions`, no caller has a tenant yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.identity.actions.guessing import bucket, count_attempt
from services.identity.actions.sessions import begin_session
from services.identity.context import Context
from services.identity.errors import (
    outside_email_unverified,
    outside_inactive,
    outside_off,
    outside_other,
    outside_unknown,
)
from services.identity.id_token import Proven
from services.identity.provider import Provider
from services.identity.schemas import FinishOutside, StartOutside, TokenAnswer, plain_email
from services.identity.store import audit, outside, people, secrets
from shared.errors import Forbidden, Unavailable
from shared.postgres import Transaction
from shared.postgres.database import Row


@dataclass(frozen=True, slots=True)
class _Decision:
    """`person` is None for somebody who is nobody here, `refusal` None for whom may come in."""

    person: Row | None
    refusal: Forbidden | None = None
    linked: bool = False


def ways(here: Context) -> dict[str, Any]:
    """How people sign in to this installation."""
    provider = here.provider
    return {
        "password": not here.settings.oidc_only,
        "outside": {"name": provider.name} if provider is not None else None,
    }


async def start(here: Context, asked: StartOutside) -> str:
    """Where to send a person. Raises NotFound where there is no provider, Unavailable where it is away."""
    return await _provider(here).address(asked.state, asked.nonce, asked.code_challenge)


async def finish(here: Context, given: FinishOutside, address: str) -> TokenAnswer:
    """Tokens for whoever brought a code back from the provider.

    Raises Unauthenticated and BadRequest where it proves nothing, Forbidden where it proves somebody who may not come
    in, TooManyRequests after too many failures of the caller's host, Unavailable where the provider is away.
    """
    provider, now = _provider(here), here.run.clock()
    host = bucket("address", address)
    async with here.run.worker_db.transaction() as tx:
        await count_attempt(here, tx, {host: here.settings.sign_in_failures_per_address}, now)
    try:
        proven = await provider.proven(
            given.code.get_secret_value(), given.code_verifier.get_secret_value(), given.nonce, given.iss
        )
    except Unavailable:
        # the provider's trouble is nobody's guess
        async with here.run.worker_db.transaction() as tx:
            await secrets.uncount(tx, host)
        raise
    signer = await here.signer()
    async with here.run.worker_db.transaction() as tx:
        decided = await _decide(tx, provider, proven, now)
        if decided.refusal is None and decided.person is not None:
            await secrets.uncount(tx, host)
            tokens = await begin_session(here, signer, tx, decided.person["person_id"], now, proven.id_token)
            if decided.linked:
                await _note(tx, provider, decided.person, "outside_linked", now)
            return tokens
        if decided.person is not None and decided.refusal is not None:
            await _note(tx, provider, decided.person, "outside_refused", now, because=decided.refusal.code)
    assert decided.refusal is not None
    raise decided.refusal


async def _decide(tx: Transaction, provider: Provider, proven: Proven, now: datetime) -> _Decision:
    """Whom the subject is here. The person's row is locked, so two first sign-ins at once are one after the other."""
    person_id = await outside.person_of(tx, provider.issuer, proven.subject)
    if person_id is not None:
        person = await people.lock_person(tx, person_id)
        return _Decision(person, None if person is not None and person["active"] else outside_inactive())
    email = _looked_up(proven.email)
    found = await people.people_by_email(tx, [email]) if email else []
    person = await people.lock_person(tx, found[0]["person_id"]) if found else None
    # first, so that nobody learns from an address that is not theirs whether it is known here
    if not proven.verified:
        return _Decision(person, outside_email_unverified(provider.name))
    if person is None or person["email"] != email:
        return _Decision(None, outside_unknown(provider.name))
    if not person["active"]:
        return _Decision(person, outside_inactive())
    kept = await outside.subject_of(tx, provider.issuer, person["person_id"])
    if kept is None and await outside.link(
        tx, provider.issuer, proven.subject, person["marketplace_id"], person["person_id"], now
    ):
        return _Decision(person, linked=True)
    return _Decision(person, None if kept == proven.subject else outside_other(provider.name))


def _looked_up(email: str | None) -> str | None:
    """The address as it is kept here; None where it would only become one of ours by letters being changed.

    Capitals of ASCII are the same address; a Kelvin sign, which folding makes a plain k, is another mailbox.
    """
    if email is None:
        return None
    plain = plain_email(email)
    return plain if email.isascii() or plain == email else None


async def _note(tx: Transaction, provider: Provider, person: Row, action: str, now: datetime, **detail: Any) -> None:
    """An audit row: the issuer, and never what it calls the person, which could not be erased again."""
    entry = audit.Entry(
        action, "person" if action == "outside_linked" else "system",
        person["person_id"] if action == "outside_linked" else None, person["organisation_id"],
        "person", person["person_id"], {"issuer": provider.issuer, **detail},
    )  # fmt: skip
    await audit.append(tx, person["marketplace_id"], entry, now)


def _provider(here: Context) -> Provider:
    if here.provider is None:
        raise outside_off()
    return here.provider
