"""Who is signed in: kept whole in sealed cookies, so that any console process can go on where another left off.

The cookie holds the tokens and what the pages say of the person. The services check the access token with every call;
what the console reads from its own session decides only what it offers, never what is allowed.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import orjson
from starlette.responses import Response

from services.console.outside import SECONDS, Pending
from services.console.sealing import Sealer

# Browsers keep at least 4096 bytes per cookie, its name and attributes included (RFC 6265, 6.1).
CHUNK: Final = 3_800
MOST_CHUNKS: Final = 4
NOTICE_SECONDS: Final = 120
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Person:
    """What the pages say of the signed-in person."""

    person_id: str
    name: str
    email: str
    roles: tuple[str, ...]
    organisation: str
    organisation_kind: str
    marketplace_id: str
    marketplace: str
    lifecycle: str
    time_zone: str
    # what the person has chosen, "" for nothing: then pages are in the browser's
    language: str = ""

    @property
    def is_operator(self) -> bool:
        return "operator" in self.roles

    @property
    def sells(self) -> bool:
        return self.organisation_kind in ("seller", "both")

    @property
    def manages(self) -> bool:
        """Looks after people: an operator after those of the marketplace, an admin after its organisation's."""
        return bool({"operator", "admin"} & set(self.roles))

    @property
    def sees_balance(self) -> bool:
        """What was earned is for those who sell, and for the operator, who pays it out."""
        return self.is_operator or (self.sells and bool({"seller", "member", "admin"} & set(self.roles)))

    @property
    def sees_dashboard(self) -> bool:
        """What waits and how it goes is for those who sell, and for the operator."""
        return self.is_operator or self.sells

    @property
    def keeps_listings(self) -> bool:
        """What is on sale is kept by those who sell it, and by the operator for everybody."""
        return self.sees_balance

    @property
    def sees_webhooks(self) -> bool:
        """A plain buyer follows its own orders; an endpoint gets those of the whole organisation."""
        return bool(set(self.roles) - {"buyer"})

    @property
    def buys(self) -> bool:
        return self.organisation_kind in ("buyer", "both")


@dataclass(frozen=True, slots=True)
class Session:
    """`csrf` is in every form of this session. Times are seconds since 1970; without a person nobody is signed in."""

    csrf: str
    person: Person | None = None
    access: str = ""
    refresh: str = ""
    access_until: int = 0
    until: int = 0
    # the session of whoever is really here, while logged in as somebody else
    own: Session | None = None
    # when the tokens were last exchanged because they were refused
    anew: int = 0

    @classmethod
    def fresh(cls) -> Session:
        """For somebody who is not signed in. Signing in replaces it, so that no known token lives on."""
        return cls(csrf=secrets.token_urlsafe(24))

    def with_tokens(self, access: str, refresh: str, access_until: int, until: int) -> Session:
        return replace(self, access=access, refresh=refresh, access_until=access_until, until=until)

    def encoded(self) -> bytes:
        return orjson.dumps({"version": VERSION, **asdict(self)})

    @classmethod
    def decoded(cls, content: bytes) -> Session | None:
        """None for a session of another version: its person signs in again."""
        try:
            fields: dict[str, Any] = orjson.loads(content)
            if fields.pop("version") != VERSION:
                return None
            own = fields.pop("own", None)
            return _session(fields, _session(own) if own is not None else None)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def _session(fields: dict[str, Any], own: Session | None = None) -> Session:
    """Raises KeyError, TypeError where these are no fields of a session."""
    person = fields.pop("person")
    if person is not None:
        person = Person(**{**person, "roles": tuple(person["roles"])})
    return Session(**{**fields, "person": person, "own": own})


class Cookies:
    """Writes and reads the sealed cookies. `secure`: sent over https only, and under a name that says so."""

    def __init__(self, sealer: Sealer, *, secure: bool) -> None:
        self._sealer = sealer
        self._secure = secure
        # A cookie named __Host-... can be set by nobody but this very host, over https.
        prefix = "__Host-" if secure else ""
        self._session = f"{prefix}ordertrail_session"
        self._notice = f"{prefix}ordertrail_notice"
        self._pending = f"{prefix}ordertrail_pending"

    def session(self, cookies: Mapping[str, str], now: float) -> Session | None:
        """The session that the browser shows, or None where there is none that counts."""
        parts = [cookies.get(name, "") for name in self._names()]
        content = self._sealer.open("session", "".join(parts))
        found = Session.decoded(content) if content is not None else None
        if found is None or (found.person is not None and (found.own or found).until <= now):
            return None
        return found

    def keep(self, response: Response, session: Session, cookies: Mapping[str, str], now: float) -> None:
        """Have the browser keep the session, in as many cookies as it needs; those of a longer one go."""
        text = self._sealer.seal("session", session.encoded())
        chunks = [text[i : i + CHUNK] for i in range(0, len(text), CHUNK)]
        if len(chunks) > MOST_CHUNKS:
            raise ValueError(f"a session of {len(text)} bytes does not fit into {MOST_CHUNKS} cookies")
        seconds = max(1, int((session.own or session).until - now)) if session.person is not None else None
        for i, name in enumerate(self._names()):
            if i < len(chunks):
                self._set(response, name, chunks[i], seconds)
            elif name in cookies:
                self._drop(response, name)

    def forget(self, response: Response, cookies: Mapping[str, str]) -> None:
        for name in self._names():
            if name in cookies:
                self._drop(response, name)

    def notice(self, cookies: Mapping[str, str]) -> str | None:
        """What the page before wanted said."""
        content = self._sealer.open("notice", cookies.get(self._notice, ""))
        return content.decode() if content is not None else None

    def keep_notice(self, response: Response, text: str) -> None:
        self._set(response, self._notice, self._sealer.seal("notice", text[:500].encode()), NOTICE_SECONDS)

    def forget_notice(self, response: Response) -> None:
        self._drop(response, self._notice)

    def pending(self, cookies: Mapping[str, str]) -> Pending | None:
        """The sign-in by the outside provider that this browser has begun."""
        content = self._sealer.open("pending", cookies.get(self._pending, ""))
        return Pending.decoded(content) if content is not None else None

    def keep_pending(self, response: Response, pending: Pending) -> None:
        self._set(response, self._pending, self._sealer.seal("pending", pending.encoded()), SECONDS)

    def forget_pending(self, response: Response) -> None:
        self._drop(response, self._pending)

    def sealed(self, use: str, text: str) -> str:
        """Text that a form carries and nobody may read in it; `opened` gives it back."""
        return self._sealer.seal(use, text.encode())

    def opened(self, use: str, text: str) -> str | None:
        content = self._sealer.open(use, text)
        return content.decode() if content is not None else None

    def _names(self) -> list[str]:
        return [self._session, *(f"{self._session}_{i}" for i in range(1, MOST_CHUNKS))]

    def _set(self, response: Response, name: str, value: str, seconds: int | None) -> None:
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="lax"
        )  # fmt: skip

    def _drop(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path="/", secure=self._secure, httponly=True, samesite="lax")
