"""Signing in and staying signed in: tokens from the identity service.

A refresh token works once, and using it a second time ends the whole session. Pages that a browser asks for at the
same moment therefore share one refresh, and a browser that comes back with the former cookie (the answer that held
the new one never arrived) is given the same new tokens for some minutes.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from services.console.calls import Services
from services.console.errors import Refused, ServiceDown, SignedOut
from services.console.outside import Pending, Ways
from services.console.session import Person, Session
from shared.languages import SOURCE

# An access token that ends sooner is exchanged first, so that it does not end half-way through a page.
EARLY_SECONDS: Final = 30
# Identity asks the provider up to five things meanwhile, and gives up after 15 seconds.
OUTSIDE_SECONDS: Final = 20.0
# A token that is refused though it was exchanged just now will be refused the next time as well.
ANEW_SECONDS: Final = 5.0
REMEMBER_SECONDS: Final = 600.0
REMEMBER_MOST: Final = 10_000


@dataclass(slots=True)
class _Renewal:
    at: float
    task: asyncio.Task[Session]


class Tokens:
    """`clock` gives seconds since 1970."""

    def __init__(
        self, services: Services, clock: Callable[[], float] = time.time, *, language_seconds: float = 1.5
    ) -> None:
        self._services = services
        self._clock = clock
        self._patience = language_seconds
        self._renewals: dict[bytes, _Renewal] = {}

    async def sign_in(self, email: str, password: str, address: str) -> Session:
        """A new session. Raises Refused (wrong password, too many tries) and ServiceDown.

        `address` is the browser's: failed tries are counted for it, not for the console.
        """
        given = await self._services.send(
            "POST", "identity", "/v1/sign-in", None, {"email": email, "password": password},
            headers={"x-forwarded-for": address},
        )  # fmt: skip
        return await self._described(self._tokens(Session.fresh(), given.body))

    async def ways(self) -> Ways:
        """How people sign in here; by password where that cannot be had soon."""
        try:
            return Ways.of((await self._services.get("identity", "/v1/sign-in", None, seconds=self._patience)).body)
        except (Refused, ServiceDown):
            return Ways()

    async def outside(self, pending: Pending) -> str:
        """Where to send a person at the outside provider. Raises Refused and ServiceDown."""
        body = {"state": pending.state, "nonce": pending.nonce, "code_challenge": pending.challenge}
        given = await self._services.send("POST", "identity", "/v1/sign-in/outside/start", None, body)
        try:
            return str(given.body["address"])
        except (KeyError, TypeError):
            raise ServiceDown("identity", "an address that cannot be read") from None

    async def returned(self, pending: Pending, code: str, issuer: str, address: str) -> Session:
        """A new session for somebody who is back from the provider. Raises Refused and ServiceDown.

        `issuer` is whom the answer says it is from, "" where it does not; `address` as for `sign_in`.
        """
        body = {"code": code, "code_verifier": pending.verifier, "nonce": pending.nonce}
        given = await self._services.send(
            "POST", "identity", "/v1/sign-in/outside", None, body | ({"iss": issuer} if issuer else {}),
            headers={"x-forwarded-for": address}, seconds=OUTSIDE_SECONDS,
        )  # fmt: skip
        return await self._described(self._tokens(Session.fresh(), given.body))

    async def welcome(self, invitation: str, password: str) -> Session:
        """A new session for somebody who sets a password with an invitation. Raises Refused and ServiceDown."""
        body = {"token": invitation, "password": password}
        given = await self._services.send("POST", "identity", "/v1/password", None, body)
        return await self._described(self._tokens(Session.fresh(), given.body))

    async def stand_in(self, session: Session, person_id: UUID, reason: str, key: str) -> Session:
        """The session of another person, to be used for a short while; `own` is the way back. Raises Refused.

        It has a token for forms of its own: a page of before sends nothing in the other's name, and none of after in
        one's own.
        """
        path = f"/v1/members/{person_id}/log-in-as"
        given = await self._services.send("POST", "identity", path, session.access, {"reason": reason}, key=key)
        return replace(await self._described(self._tokens(Session.fresh(), given.body)), own=session)

    async def sign_out(self, session: Session) -> str:
        """End the session where the identity service can be asked to; the cookie goes in any case.

        Returns where the browser ends the one at the outside provider, "" where there is none.
        """
        session = session.own or session
        if session.refresh:
            with suppress(Refused, ServiceDown, SignedOut):
                body = {"refresh_token": session.refresh}
                given = await self._services.send("POST", "identity", "/v1/sign-out", None, body)
                return str(given.body["address"]) if isinstance(given.body, dict) and given.body else ""
        return ""

    async def fresh(self, session: Session) -> Session:
        """The session with an access token that still lasts. Raises SignedOut and ServiceDown.

        Being logged in as somebody cannot be prolonged: it ends with its token, and one is oneself again.
        """
        if session.access_until - self._clock() > EARLY_SECONDS:
            return session
        if session.own is not None:
            return await self.fresh(session.own)
        if not session.refresh:
            raise SignedOut
        key = hashlib.sha256(session.refresh.encode()).digest()
        self._prune()
        renewal = self._renewals.get(key)
        if renewal is None:
            renewal = _Renewal(self._clock(), asyncio.create_task(self._renew(session)))
            self._renewals[key] = renewal
        try:
            # shielded: a browser that goes away must not take the others' tokens with it
            renewed = await asyncio.shield(renewal.task)
        except (ServiceDown, SignedOut):
            self._renewals.pop(key, None)
            raise
        # the token in memory may itself have grown old while the browser was away
        return renewed if renewed.access_until > self._clock() else await self.fresh(renewed)

    async def anew(self, session: Session) -> Session:
        """The session with another access token, for one that a service refused though its time is not over: its
        person's rights have changed. Being logged in as somebody ends with it. Raises SignedOut and ServiceDown.
        """
        if session.own is not None:
            return await self.fresh(session.own)
        now = self._clock()
        if session.access_until - now <= EARLY_SECONDS or now - session.anew < ANEW_SECONDS:
            raise SignedOut
        return replace(await self.fresh(replace(session, access_until=0)), anew=int(now))

    async def _renew(self, session: Session) -> Session:
        try:
            given = await self._services.send(
                "POST", "identity", "/v1/token", None,
                {"grant_type": "refresh_token", "refresh_token": session.refresh},
            )  # fmt: skip
        except Refused as e:
            if e.status == 429:
                # too many at this moment: the session is as good as before
                raise ServiceDown("identity", "too many renewals", 1) from None
            raise SignedOut from None
        renewed = self._tokens(session, given.body)
        try:
            # roles and names may have changed meanwhile
            return await self._described(renewed)
        except (Refused, ServiceDown):
            return renewed

    async def _described(self, session: Session) -> Session:
        answer, wishes = await asyncio.gather(
            self._services.get("identity", "/v1/me", session.access), self._wishes(session.access)
        )
        person, before = _person(answer.body), session.person
        if wishes is not None:
            person = as_wished(person, wishes)
        elif before is not None:
            person = replace(person, language=before.language, time_zone=before.time_zone)
        return replace(session, person=person)

    async def _wishes(self, access: str) -> Mapping[str, Any] | None:
        """The person's own settings; None where they cannot be had soon: nobody waits for them at the door."""
        try:
            wishes = await self._services.get("notification", "/v1/preferences", access, seconds=self._patience)
        except (Refused, ServiceDown, SignedOut):
            return None
        return wishes.body if isinstance(wishes.body, dict) else None

    def _tokens(self, session: Session, given: Any) -> Session:
        try:
            now = int(self._clock())
            refresh = given.get("refresh_token") or ""
            seconds = int(given["expires_in"])
            until = now + int(given.get("refresh_expires_in") or seconds)
            return session.with_tokens(str(given["access_token"]), refresh, now + seconds, until)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ServiceDown("identity", "tokens that cannot be read") from None

    def _prune(self) -> None:
        oldest = self._clock() - REMEMBER_SECONDS
        while self._renewals:
            key = next(iter(self._renewals))
            if len(self._renewals) < REMEMBER_MOST and self._renewals[key].at > oldest:
                return
            del self._renewals[key]


def as_wished(person: Person, wishes: Mapping[str, Any]) -> Person:
    """The person with the language and the time zone of their own settings, which mails follow as well."""
    zone = str(wishes.get("time_zone") or person.time_zone)
    return replace(person, language=chosen_language(wishes), time_zone=zone)


def chosen_language(wishes: Mapping[str, Any]) -> str:
    """The language that a person has chosen, "" for none. A record says English where nobody said any."""
    language = str(wishes.get("language") or "")
    return language if wishes.get("language_chosen") or language != SOURCE else ""


def _person(me: Any) -> Person:
    try:
        person, organisation, marketplace = me["person"], me["organisation"], me["marketplace"]
        return Person(
            person_id=person["person_id"],
            name=person["name"],
            email=person["email"],
            roles=tuple(me["roles"]),
            organisation=organisation["name"],
            organisation_kind=organisation["kind"],
            marketplace_id=marketplace["marketplace_id"],
            marketplace=marketplace["name"],
            lifecycle=marketplace["lifecycle"],
            time_zone=person["time_zone"],
        )
    except (KeyError, TypeError):
        raise ServiceDown("identity", "a profile that cannot be read") from None
