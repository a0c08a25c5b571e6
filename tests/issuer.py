"""A token issuer for tests: its own key, its JWKS over real HTTP, tokens with any claims (wrong ones too)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from shared.ids import new_id
from shared.web.tokens import ALGORITHM, AUDIENCE, TOKEN_TYPE


def new_key(kid: str = "test-1") -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"kid": kid, "use": "sig", "alg": ALGORITHM})


@dataclass
class TokenIssuer:
    """`url` is the issuer (settings.identity_issuer); keys are published at url + /.well-known/jwks.json."""

    url: str = "http://issuer.test"
    key: OKPKey = field(default_factory=new_key)
    published: list[OKPKey] = field(default_factory=list)
    fetches: int = 0
    broken: bool = False
    # marks with the time of issue before which tokens do not count (shared.web.revoked)
    revoked: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.published = self.published or [self.key]

    async def keys(self) -> KeySet:
        """A key source for `Verifier(issuer.url, issuer.keys)` where no HTTP is wanted."""
        self.fetches += 1
        return KeySet([OKPKey.import_key(k.as_dict(private=False)) for k in self.published])

    def token(
        self,
        *,
        marketplace_id: UUID | None = None,
        organisation_id: UUID | None = None,
        person_id: UUID | None = None,
        api_key_id: UUID | None = None,
        roles: Sequence[str] = ("buyer",),
        kind: str = "buyer",
        seconds: float = 900,
        header: Mapping[str, Any] | None = None,
        key: OKPKey | None = None,
        without: Sequence[str] = (),
        **claims: Any,
    ) -> str:
        """A signed access token, of a person unless `api_key_id` is given; `kind` is the organisation's.

        `claims` replace any other claim, `without` leaves some out.
        """
        now = time.time()
        payload: dict[str, Any] = {
            "iss": self.url, "aud": AUDIENCE, "sub": str(api_key_id or person_id or new_id()),
            "iat": int(now), "exp": now + seconds, "jti": str(new_id()),
            "kind": "api_key" if api_key_id else "person",
            "mkt": str(marketplace_id or new_id()), "mkt_slug": "test",
            "org": str(organisation_id or new_id()), "org_name": "Test Ltd", "org_kind": kind, "roles": list(roles),
            "name": "Pat Person", "email": "pat@test.example", "scopes": [],
        }  # fmt: skip
        payload |= claims
        for name in without:
            payload.pop(name, None)
        key = key or self.key
        full = {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": key.kid, **(header or {})}
        return jwt.encode({k: v for k, v in full.items() if v is not None}, payload, key, algorithms=[ALGORITHM])

    def bearer(self, **given: Any) -> dict[str, str]:
        """The Authorization header of `token(**given)`."""
        return {"Authorization": f"Bearer {self.token(**given)}"}


@asynccontextmanager
async def serving_issuer() -> AsyncIterator[TokenIssuer]:
    """An issuer whose keys are really served over HTTP; set `broken` to have it answer 503."""
    issuer = TokenIssuer()

    async def jwks(_: web.Request) -> web.Response:
        keys = await issuer.keys()
        return web.Response(status=503) if issuer.broken else web.json_response(keys.as_dict(private=False))

    async def revoked(_: web.Request) -> web.Response:
        return web.json_response({"at": time.time(), "revoked": issuer.revoked})

    app = web.Application()
    app.router.add_get("/.well-known/jwks.json", jwks)
    app.router.add_get("/.well-known/revoked-tokens.json", revoked)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    issuer.url = f"http://{host}:{port}"
    try:
        yield issuer
    finally:
        await runner.cleanup()
