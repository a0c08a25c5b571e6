"""Access tokens: verified against the issuer's published keys, remembered for a minute, refused with a reason."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from shared.errors import Unauthenticated, Unavailable
from shared.logs import log
from shared.web.fetching import FetchError, fetch
from shared.web.principal import ClaimsError, Principal, principal_of
from shared.web.revoked import Revoked, mark_of

AUDIENCE: Final = "ordertrail"
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105  the media type of RFC 9068, not a secret
# RFC 9864's name of EdDSA over curve 25519; the only algorithm that is issued or taken.
ALGORITHM: Final = "Ed25519"
MAX_TOKEN_BYTES: Final = 8_192
REMEMBER_SECONDS: Final = 60.0
REMEMBER_MOST: Final = 10_000
UNKNOWN_KEY_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 1.0
KEYS_FRESH_SECONDS: Final = 300.0
KEYS_STALE_SECONDS: Final = 86_400.0
MAX_KEYS_BYTES: Final = 262_144

KeySource = Callable[[], Awaitable[KeySet]]


class KeysUnavailable(FetchError):
    """The issuer's keys could not be had; `str()` says why."""


def keys_at(url: str) -> KeySource:
    """Keys from a JWKS address: no redirects, no proxies, at most 256 kB, five seconds."""

    async def keys() -> KeySet:
        return parse_keys(await fetch(url, MAX_KEYS_BYTES), url)

    return keys


def parse_keys(raw: bytes, origin: str) -> KeySet:
    """The Ed25519 verification keys of a JWKS document. Raises KeysUnavailable for anything else."""
    if len(raw) > MAX_KEYS_BYTES:
        raise KeysUnavailable(f"{origin}: more than {MAX_KEYS_BYTES} bytes of keys")
    try:
        listed = orjson.loads(raw)["keys"]
        mine = [
            k for k in listed if k.get("kty") == "OKP" and k.get("crv") == "Ed25519" and "d" not in k and k.get("kid")
        ]
        return KeySet.import_key_set({"keys": mine})
    except (ValueError, KeyError, TypeError, AttributeError, JoseError) as e:
        raise KeysUnavailable(f"{origin} is not a JWKS document: {e}") from e


@dataclass(frozen=True, slots=True)
class _Known:
    """A verified token: whose it is, until when that is remembered, and what it would be revoked by."""

    principal: Principal
    until: float
    issued: float
    marks: tuple[str, ...]


class Verifier:
    """Turns a bearer token into a principal. One per process; safe to share between tasks.

    Keys are fetched when first needed, again after five minutes, and at most every ten seconds because of an
    unknown `kid`. Known keys go on being used for a day while the issuer cannot be reached.
    """

    def __init__(
        self, issuer: str, keys: KeySource, *, revoked: Revoked | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._issuer = issuer
        self._source = keys
        self._revoked = revoked
        self._clock = clock
        self._keys: dict[str, Any] = {}
        self._fetched = self._tried = -math.inf
        self._fetching: asyncio.Task[None] | None = None
        self._known: dict[str, _Known] = {}

    async def principal(self, token: str) -> Principal:
        """The principal of a token. Raises Unauthenticated with the reason, Unavailable where keys cannot be had."""
        known = self._known.get(token)
        if known is None or known.until <= self._clock():
            self._known.pop(token, None)
            known = await self._verify(token)
        revoked = self._revoked
        if revoked is not None:
            if not revoked.fresh:
                await revoked.look()
            if revoked.refuses(known.marks, known.issued):
                raise Unauthenticated(
                    "token_revoked", "The access token counts no longer: its owner signed out, or has other rights now."
                )
        return known.principal

    async def holds(self, token: str) -> bool:
        """Whether a token that was good still is; where that cannot be said just now, it is."""
        try:
            await self.principal(token)
        except Unauthenticated:
            return False
        except Unavailable:
            pass
        return True

    async def _verify(self, token: str) -> _Known:
        if len(token) > MAX_TOKEN_BYTES:
            raise invalid(f"The token is longer than {MAX_TOKEN_BYTES} bytes.")
        key = await self._key(_kid(token))
        try:
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
        except JoseError:
            raise invalid("The signature of the token does not fit its key.") from None
        expires, issued = self._check(claims)
        try:
            principal = principal_of(claims)
        except ClaimsError as e:
            raise invalid(f"The token's claim {e} is missing or not understood.") from None
        if len(self._known) >= REMEMBER_MOST:
            del self._known[next(iter(self._known))]
        until = min(expires, self._clock() + REMEMBER_SECONDS)
        known = self._known[token] = _Known(principal, until, issued, _marks(principal))
        return known

    def _check(self, claims: dict[str, Any]) -> tuple[float, float]:
        if claims.get("iss") != self._issuer:
            raise invalid("The token was issued by somebody else.")
        audience = claims.get("aud")
        if audience != AUDIENCE and not (isinstance(audience, list) and AUDIENCE in audience):
            raise invalid("The token is meant for another audience.")
        expires, issued, earliest = (_number(claims, name) for name in ("exp", "iat", "nbf"))
        if expires is None or issued is None:
            raise invalid("The token does not say when it was issued and when it expires.")
        now = self._clock()
        if expires <= now:
            raise Unauthenticated("token_expired", "The access token has expired. Get a new one.")
        # 30 s: clocks of two machines that keep time by NTP are well within
        if max(issued, earliest or 0) > now + 30:
            raise invalid("The token is not valid yet: its issuer's clock is ahead.")
        return expires, issued

    async def _key(self, kid: str) -> Any:
        now = time.monotonic()
        key = self._keys.get(kid)
        if key is not None and now - self._fetched < KEYS_STALE_SECONDS:
            if now - self._fetched >= KEYS_FRESH_SECONDS:
                self._fetch(now)  # goes on behind this request: a slow issuer holds up nobody
            return key
        self._fetch(now)
        if self._fetching is not None:
            await asyncio.shield(self._fetching)
        key = self._keys.get(kid)
        if key is not None:
            return key
        if self._fetched < self._tried:
            raise Unavailable("keys_unavailable", "The sign-in service's keys cannot be had at the moment. Try again.")
        raise invalid("The token is signed with a key that is not known here.")

    def _fetch(self, now: float) -> None:
        # after a failure sooner: at start everybody waits for the sign-in service to be there
        pause = RETRY_SECONDS if self._fetched < self._tried else UNKNOWN_KEY_SECONDS
        if self._fetching is None and now - self._tried >= pause:
            self._tried = now
            self._fetching = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        try:
            keys = await self._source()
            self._keys = {k.kid: k for k in keys if k.kid}
            self._fetched = time.monotonic()
        except FetchError as e:
            log.warning("keys.unavailable", reason=str(e))
        finally:
            self._fetching = None


def invalid(detail: str) -> Unauthenticated:
    return Unauthenticated("invalid_token", detail)


def _marks(principal: Principal) -> tuple[str, ...]:
    act = principal.act
    whose = (principal.subject, principal.session_id, str(act.person_id) if act else None)
    return tuple(mark_of(one) for one in whose if one is not None)


def _number(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _kid(token: str) -> str:
    try:
        header = jws.extract_compact(token.encode("ascii")).protected
    except (JoseError, UnicodeEncodeError):
        raise invalid("The bearer token is not a JWT.") from None
    if header.get("alg") != ALGORITHM:
        raise invalid(f"The token is not signed with {ALGORITHM}.")
    if str(header.get("typ", "")).lower().removeprefix("application/") != TOKEN_TYPE:
        raise invalid("The token is not an access token (typ at+jwt).")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise invalid("The token does not name its key (kid).")
    return kid
