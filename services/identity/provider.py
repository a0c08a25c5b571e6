"""The outside OpenID Connect provider over HTTP: its description, its keys, and a code for who somebody is.

Whatever it sends is foreign: bounded in time and size, from the very address that was asked, never a redirect. The
reason of a failure goes into the log; what callers get holds nothing of it, and neither holds a code or a secret.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
import orjson

from services.identity.errors import outside_failed, outside_stale, provider_away, provider_unusable
from services.identity.id_token import Expected, Jwk, NotProven, Proven, UnknownKey, address_of, subject_of, verify
from services.identity.settings import Settings, is_private_enough
from shared.clock import Clock
from shared.logs import log

# Nobody is created and nobody's name is taken over: an address is all that is asked for.
SCOPE: Final = "openid email"
DOCUMENT_BYTES: Final = 262_144
ANSWER_BYTES: Final = 131_072
MOST_HINT: Final = 6_000
MOST_KEYS: Final = 100
CALL_SECONDS: Final = 5.0
# A sign-in takes up to three calls, and two more where description and keys are new.
SIGN_IN_SECONDS: Final = 15.0
AT_ONCE: Final = 20
FRESH_SECONDS: Final = 300.0
STALE_SECONDS: Final = 86_400.0
UNKNOWN_KEY_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 1.0

T = TypeVar("T")


class _Away(Exception):
    """The provider did not answer, in time or in sense; `str()` says how, without anything that was sent."""


class _Unusable(Exception):
    """The provider answers, but whoever runs the installation has to set something right first."""


@dataclass(frozen=True, slots=True)
class _Description:
    authorization: str
    token: str
    keys: str
    userinfo: str | None
    # where a browser ends its session there (RP-Initiated Logout 1.0)
    end_session: str | None
    # by which the client shows its secret at the token endpoint
    secret_in_body: bool
    names_itself: bool


class Provider:
    """One per process. All methods raise Unavailable where the provider cannot be had or used."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """`settings` names an issuer."""
        self.issuer, self.name = settings.oidc_issuer, settings.provider_name
        self._client_id, self._secret = settings.oidc_client_id, settings.oidc_client_secret
        self._redirect_uri, self._signed_out_uri = settings.oidc_redirect_uri, settings.oidc_signed_out_uri
        self._plain_http = settings.environment == "development"
        self._clock = clock
        self._description = _Kept(self._describe)
        self._keys = _Kept(self._fetch_keys)
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def address(self, state: str, nonce: str, challenge: str) -> str:
        """Where a person is sent to sign in; `challenge` is the S256 of the code verifier (RFC 7636)."""
        described = await self._told(self._description.get)
        asked = urlencode({
            "response_type": "code", "client_id": self._client_id, "redirect_uri": self._redirect_uri, "scope": SCOPE,
            "state": state, "nonce": nonce, "code_challenge": challenge, "code_challenge_method": "S256",
        })  # fmt: skip
        return f"{described.authorization}{'&' if '?' in described.authorization else '?'}{asked}"

    async def farewell(self, id_token: str) -> str | None:
        """Where a browser ends the session at the provider that `id_token` is of, and comes back to the console from.

        None where the provider publishes no such address, or does not answer: being signed out here waits for nobody.
        """
        try:
            async with asyncio.timeout(CALL_SECONDS):
                described = await self._description.get()
        except (_Away, _Unusable, TimeoutError):
            return None
        if described.end_session is None:
            return None
        asked = {"client_id": self._client_id, "post_logout_redirect_uri": self._signed_out_uri}
        # in an address, which has to fit what servers take; without it the provider asks the person
        if len(id_token) <= MOST_HINT:
            asked["id_token_hint"] = id_token
        return f"{described.end_session}{'&' if '?' in described.end_session else '?'}{urlencode(asked)}"

    async def proven(self, code: str, verifier: str, nonce: str, issuer: str | None) -> Proven:
        """Who brought the code back; `issuer` is whom the answer says it is from (RFC 9207), None where it does not.

        Raises BadRequest for a code that is not good (any more), Unauthenticated for what does not hold.
        """
        return await self._told(lambda: self._proven(code, verifier, nonce, issuer))

    async def _told(self, work: Callable[[], Awaitable[T]]) -> T:
        """What callers are told of a failure, and the log of its reason."""
        try:
            async with asyncio.timeout(SIGN_IN_SECONDS), self._turns:
                return await work()
        except (_Away, TimeoutError) as e:
            log.warning("provider.away", issuer=self.issuer, reason=str(e) or "it takes too long")
            raise provider_away(self.name) from None
        except _Unusable as e:
            log.error("provider.unusable", issuer=self.issuer, reason=str(e))
            raise provider_unusable(self.name) from None
        except NotProven as e:
            log.warning("provider.not_proven", issuer=self.issuer, reason=str(e))
            raise outside_failed(self.name) from None

    async def _proven(self, code: str, verifier: str, nonce: str, issuer: str | None) -> Proven:
        described = await self._description.get()
        if issuer != self.issuer and (issuer is not None or described.names_itself):
            raise NotProven("the answer in the browser is from somebody else (iss)")
        answer = await self._exchange(described, code, verifier)
        id_token = answer.get("id_token")
        if not isinstance(id_token, str):
            raise _Unusable("the token endpoint gives no ID token")
        claims = await self._verified(id_token, Expected(self.issuer, self._client_id, nonce))
        subject, (email, verified) = subject_of(claims), address_of(claims)
        if email is None and described.userinfo is not None:
            email, verified = await self._address_elsewhere(described.userinfo, answer.get("access_token"), subject)
        return Proven(subject, email, verified, id_token)

    async def _exchange(self, described: _Description, code: str, verifier: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }  # fmt: skip
        secret, headers = self._secret.get_secret_value(), {"content-type": "application/x-www-form-urlencoded"}
        if described.secret_in_body:
            form |= {"client_id": self._client_id, "client_secret": secret}
        else:
            # both are form-encoded first (RFC 6749, 2.3.1)
            headers["authorization"] = aiohttp.encode_basic_auth(quote_plus(self._client_id), quote_plus(secret))
        status, answer = await _call("POST", described.token, ANSWER_BYTES, headers, urlencode(form).encode())
        error = answer.get("error")
        if status == 400 and error == "invalid_grant":
            raise outside_stale()
        if 400 <= status < 500 and status != 429:
            raise _Unusable(f"the token endpoint refuses: {_word(error)}")
        if status != 200:
            raise _Away(f"the token endpoint answered {status}")
        return answer

    async def _verified(self, id_token: str, expected: Expected) -> Mapping[str, Any]:
        now = self._clock().timestamp()
        try:
            return verify(id_token, await self._keys.get(), expected, now)
        except UnknownKey:
            return verify(id_token, await self._keys.get(anew=True), expected, now)

    async def _address_elsewhere(self, url: str, access_token: Any, subject: str) -> tuple[str | None, bool]:
        """The address from the UserInfo endpoint, where many providers keep it (Core 5.4)."""
        if not isinstance(access_token, str) or not access_token.isascii() or not access_token.isprintable():
            return None, False
        status, claims = await _call("GET", url, ANSWER_BYTES, {"authorization": f"Bearer {access_token}"})
        if status != 200:
            raise _Away(f"the UserInfo endpoint answered {status}")
        # without this, somebody else's answer could be put in its place (Core 5.3.2)
        if claims.get("sub") != subject:
            raise NotProven("the UserInfo endpoint tells of somebody else")
        return address_of(claims)

    async def _describe(self) -> _Description:
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        status, found = await _call("GET", url, DOCUMENT_BYTES)
        if status != 200:
            raise _Away(f"the discovery document: answered {status}")
        if found.get("issuer") != self.issuer:
            raise _Unusable(
                "the discovery document is of another issuer: ORDERTRAIL_OIDC_ISSUER has to be its `issuer`"
            )
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        authorization, token, keys = (self._endpoint(found, name) for name in names)
        methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if not isinstance(methods, list) or not {"client_secret_basic", "client_secret_post"} & {
            str(m) for m in methods
        }:
            raise _Unusable("the provider takes no client secret (client_secret_basic or client_secret_post)")
        return _Description(
            authorization, token, keys,
            self._endpoint(found, "userinfo_endpoint") if found.get("userinfo_endpoint") else None,
            self._end_session(found),
            secret_in_body="client_secret_basic" not in methods,
            names_itself=found.get("authorization_response_iss_parameter_supported") is True,
        )  # fmt: skip

    def _endpoint(self, found: Mapping[str, Any], name: str) -> str:
        url = found.get(name)
        if not isinstance(url, str) or not url.isprintable() or " " in url or "#" in url:
            raise _Unusable(f"the discovery document has no {name} that can be used")
        if not is_private_enough(url, plain_http=self._plain_http):
            raise _Unusable(f"the discovery document's {name} is not https")
        return url

    def _end_session(self, found: Mapping[str, Any]) -> str | None:
        """None also for one that cannot be used: nobody is kept from signing in for it."""
        try:
            return self._endpoint(found, "end_session_endpoint")
        except _Unusable:
            return None

    async def _fetch_keys(self) -> Sequence[Jwk]:
        described = await self._description.get()
        status, found = await _call("GET", described.keys, DOCUMENT_BYTES)
        keys = found.get("keys")
        if status != 200 or not isinstance(keys, list) or len(keys) > MOST_KEYS:
            raise _Away(f"the keys: answered {status}, and not with up to {MOST_KEYS} keys")
        return [k for k in keys if isinstance(k, dict)]


class _Kept(Generic[T]):
    """A document of the provider, fetched when first needed and anew after five minutes, by one task at a time. The
    former one goes on being used for a day where no new one can be had."""

    def __init__(self, fetch: Callable[[], Awaitable[T]]) -> None:
        self._fetch = fetch
        self._value: T | None = None
        self._trouble: _Away | _Unusable | None = None
        self._at = self._failed = -math.inf
        self._turn = asyncio.Lock()

    async def get(self, *, anew: bool = False) -> T:
        """`anew`: not older than ten seconds. Raises _Away, _Unusable."""
        wanted = UNKNOWN_KEY_SECONDS if anew else FRESH_SECONDS
        if (known := self._within(wanted)) is not None:
            return known
        async with self._turn:
            # whoever waited finds what the first has fetched, or that it could not be had
            if (known := self._within(wanted)) is not None:
                return known
            if time.monotonic() - self._failed >= RETRY_SECONDS:
                await self._renew()
            found = self._value if self._trouble is None else self._within(STALE_SECONDS)
            if found is None or isinstance(self._trouble, _Unusable):
                raise self._trouble or _Away("it was never there")
            return found

    async def _renew(self) -> None:
        try:
            self._value, self._trouble = await self._fetch(), None
            self._at = time.monotonic()
        except (_Away, _Unusable) as e:
            self._trouble, self._failed = e, time.monotonic()

    def _within(self, seconds: float) -> T | None:
        return self._value if time.monotonic() - self._at < seconds else None


async def _call(
    method: str, url: str, most: int, headers: Mapping[str, str] | None = None, data: bytes | None = None
) -> tuple[int, Mapping[str, Any]]:
    """Status and JSON object of an answer. Raises _Away, which tells the host and nothing that was sent."""
    place = urlsplit(url).netloc
    sent = {"accept": "application/json", "accept-encoding": "identity", **(headers or {})}
    raw = bytearray()
    try:
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=CALL_SECONDS), trust_env=False, auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
            session.request(method, url, data=data, headers=sent, allow_redirects=False) as answer,
        ):  # fmt: skip
            async for part in answer.content.iter_chunked(65_536):
                raw += part
                if len(raw) > most:
                    raise _Away(f"{place}: more than {most} bytes")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as e:
        # not as its cause: aiohttp's errors carry the request with its headers along
        raise _Away(f"{place}: {type(e).__name__}") from None
    try:
        found = orjson.loads(bytes(raw))
    except ValueError:
        found = None
    if not isinstance(found, dict) or 300 <= answer.status < 400:
        raise _Away(f"{place}: answered {answer.status} without a JSON object")
    return answer.status, found


def _word(error: Any) -> str:
    """An error code of OAuth 2, which is letters of ASCII; anything else is not repeated."""
    fits = isinstance(error, str) and len(error) <= 60 and error.replace("_", "").isalnum() and error.isascii()
    return error if fits else "for a reason that cannot be read"
