"""An OpenID Connect provider for tests, over real HTTP: strict where it is right, and wrong in whatever way is asked.

People sign in at its page by choosing an account. It checks what a provider has to check: the client and its secret,
the redirect URI letter by letter, PKCE, that a code is used once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from aiohttp import web
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

CLIENT: Final = "ordertrail"
# letters that have to be encoded on their way
SECRET: Final = "s3cret: with/odd+letters%"
Key = RSAKey | ECKey | OKPKey
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
KID: Final = "rsa-1"
RSA: Final = RSAKey.generate_key(2_048, {"kid": KID, "use": "sig"})


@dataclass
class OutsideProvider:
    """`accounts` are claims by the subject; the other fields are what may be changed by a test, until `reset`."""

    redirect_uri: str = ""
    url: str = ""
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    key: Key = field(default_factory=lambda: RSA)
    alg: str = "RS256"
    published: list[Key] | None = None
    # claims of the ID token that are others than they should be; None leaves one out
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    # in place of an endpoint, by its path
    instead: dict[str, Handler] = field(default_factory=dict)
    hits: list[str] = field(default_factory=list)
    # subjects that have signed out there
    ended: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    async def end(self, request: web.Request) -> web.Response:
        """Signs out whom the hint names, and sends the browser to the console's sign-in page, which is registered."""
        asked, origin = request.query, urlsplit(self.redirect_uri)
        claims = json.loads(_decoded(asked["id_token_hint"].split(".")[1]))
        assert (claims["aud"], asked["client_id"]) == (CLIENT, CLIENT)
        assert asked["post_logout_redirect_uri"] == f"{origin.scheme}://{origin.netloc}/sign-in"
        self.ended.append(claims["sub"])
        raise web.HTTPFound(asked["post_logout_redirect_uri"])

    def reset(self) -> None:
        """Right in every way again; accounts and codes stay."""
        fresh = OutsideProvider()
        for name in (
            "key",
            "alg",
            "published",
            "claims",
            "header",
            "discovery",
            "userinfo",
            "instead",
            "hits",
            "ended",
        ):
            setattr(self, name, getattr(fresh, name))

    def account(self, email: str | None, *, verified: Any = True, subject: str = "") -> str:
        """The subject of a new account."""
        subject = subject or f"sub-{secrets.token_hex(6)}"
        stated = {} if email is None else {"email": email, "email_verified": verified}
        self.accounts[subject] = {"sub": subject, **stated}
        return subject

    def consent(self, address: str, subject: str) -> str:
        """Where the browser is sent after somebody has signed in at the page of this address."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["client_id"] == CLIENT
        assert asked["redirect_uri"] == self.redirect_uri
        assert asked["response_type"] == "code"
        assert set(asked["scope"].split()) == {"openid", "email"}
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(24)
        self.codes[code] = {**asked, "sub": subject}
        return f"{self.redirect_uri}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.url})}"

    def id_token(self, asked: Mapping[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
            **self.accounts[asked["sub"]], **self.claims,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.alg, "kid": self.key.kid, **self.header}
        header = {name: value for name, value in header.items() if value is not None}
        registry = jws.JWSRegistry(algorithms=[self.alg], strict_check_header=False)
        return jwt.encode(header, claims, self.key, algorithms=[self.alg], registry=registry)

    async def describe(self, _: web.Request) -> web.Response:
        described = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "end_session_endpoint": f"{self.url}/end",
        }
        return web.json_response(described | self.discovery)

    async def keys(self, _: web.Request) -> web.Response:
        published = self.published if self.published is not None else [self.key]
        return web.json_response(KeySet(list(published)).as_dict(private=False))

    async def page(self, request: web.Request) -> web.Response:
        """A page as a provider has it: who do you want to be? Its form goes to itself."""
        if request.method == "GET":
            named = [(html.escape(sub), html.escape(str(claims.get("email")))) for sub, claims in self.accounts.items()]
            buttons = "".join(f'<p><button name="sub" value="{sub}">{email}</button></p>' for sub, email in named)
            refuse = '<p><button name="sub" value="">Cancel</button></p>'
            page = f"<!doctype html><title>Contoso</title><h1>Contoso</h1><form method=post>{buttons}{refuse}</form>"
            return web.Response(text=page, content_type="text/html")
        subject = str((await request.post())["sub"])
        if subject:
            raise web.HTTPFound(self.consent(str(request.url), subject))
        refused = {"error": "access_denied", "state": request.query["state"], "iss": self.url}
        raise web.HTTPFound(f"{self.redirect_uri}?{urlencode(refused)}")

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            client, _, secret = base64.b64decode(given).decode().partition(":")
            right = (unquote_plus(client), unquote_plus(secret)) == (CLIENT, SECRET)
        else:
            right = (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        if not right:
            return web.json_response({"error": "invalid_client"}, status=401)
        asked = self.codes.pop(str(form["code"]), None)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        if not asked or asked["code_challenge"] != _encoded(digest) or form["redirect_uri"] != asked["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = {"access_token": asked["sub"], "token_type": "Bearer", "expires_in": 60}
        return web.json_response({**token, "id_token": self.id_token(asked)})

    async def tell(self, request: web.Request) -> web.Response:
        subject = request.headers["authorization"].removeprefix("Bearer ")
        return web.json_response(self.accounts[subject] if self.userinfo is None else self.userinfo)


PROVIDER: Final = web.AppKey("provider", OutsideProvider)


def moved(name: str) -> Handler:
    """An endpoint that sends whoever asks on to where it does answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.query:
            handler: Handler = getattr(request.app[PROVIDER], name)
            return await handler(request)
        return web.Response(status=307, headers={"location": f"{request.path}?again=1"}, text="{}")

    return answer


def resigned(provider: OutsideProvider, alg: str, key: bytes | None) -> Callable[[Mapping[str, str]], str]:
    """ID tokens with the right claims, signed by HMAC with any key or not at all, which joserfc does not do."""

    def made(asked: Mapping[str, str]) -> str:
        _, claims, _ = OutsideProvider.id_token(provider, asked).split(".")
        header = _encoded(json.dumps({"alg": alg, "kid": KID}).encode())
        signature = hmac.digest(key, f"{header}.{claims}".encode(), "sha256") if key is not None else b""
        return f"{header}.{claims}.{_encoded(signature)}"

    return made


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(plain: bytes) -> str:
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


@asynccontextmanager
async def serving_provider(redirect_uri: str) -> AsyncIterator[OutsideProvider]:
    """A provider with `CLIENT` registered for this redirect URI."""
    provider = OutsideProvider(redirect_uri)

    def routed(name: str) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            provider.hits.append(request.path)
            handler: Handler = provider.instead.get(request.path) or getattr(provider, name)
            return await handler(request)

        return answer

    app = web.Application()
    app[PROVIDER] = provider
    app.router.add_get("/.well-known/openid-configuration", routed("describe"))
    app.router.add_get("/keys", routed("keys"))
    app.router.add_route("*", "/authorize", routed("page"))
    app.router.add_post("/token", routed("token"))
    app.router.add_get("/userinfo", routed("tell"))
    app.router.add_get("/end", routed("end"))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    # to browsers this is another site than 127.0.0.1, as a provider is one
    provider.url = f"http://localhost:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()
