"""The identity service as it runs, with two small marketplaces; tokens come from its own sign-in."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
import orjson
import pytest
from pydantic import SecretStr

from services.identity.actions.setting_up import set_up
from services.identity.app import service
from services.identity.context import Context
from services.identity.plan import Plan
from services.identity.settings import Settings
from shared.process import Runtime, running
from tests.stack import Stack, StackDatabase

PASSWORD = "correct horse battery staple"
KEY = secrets.token_urlsafe(32)


def plan(slug: str, currency: str) -> dict[str, Any]:
    """A marketplace with an operator's, a buyer's and a seller's organisation."""
    return {
        "slug": slug, "name": slug.title(), "currency": currency, "time_zone": "Europe/Oslo", "lifecycle": "storefront",
        "settings": {"ship_within_days": "3"},
        "organisations": [
            {"slug": f"{slug}-operator", "name": "Operators", "kind": "operator", "people": [
                {"email": f"operator@{slug}.example", "name": "Olga Operator", "roles": ["operator", "admin"]}]},
            {"slug": f"{slug}-buyer", "name": "Buyers", "kind": "buyer", "people": [
                {"email": f"buyer@{slug}.example", "name": "Bea Buyer", "roles": ["buyer"],
                 "purchasing_limit": {"amount": "100.00", "currency": currency}},
                {"email": f"buyer-admin@{slug}.example", "name": "Ben Boss", "roles": ["admin"]}]},
            {"slug": f"{slug}-seller", "name": "Sellers", "kind": "seller", "people": [
                {"email": f"seller@{slug}.example", "name": "Sam Seller", "roles": ["seller"]},
                {"email": f"admin@{slug}.example", "name": "Ada Admin", "roles": ["admin"]}]},
        ],
    }  # fmt: skip


@dataclass
class Who:
    """Somebody who is signed in."""

    desk: Desk
    email: str
    tokens: dict[str, Any]
    me: dict[str, Any] = field(default_factory=dict)

    async def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any, Mapping[str, str]]:
        """(status, JSON or None, headers). Header names are written with underscores."""
        bearer = {"Authorization": f"Bearer {self.tokens['access_token']}"}
        return await self.desk.call(method, path, body, **bearer, **headers)

    @property
    def person_id(self) -> str:
        return str(self.me["person"]["person_id"])

    @property
    def organisation_id(self) -> str:
        return str(self.me["organisation"]["organisation_id"])

    @property
    def marketplace_id(self) -> str:
        return str(self.me["marketplace"]["marketplace_id"])


@dataclass
class Desk:
    """The running service."""

    url: str
    http: aiohttp.ClientSession
    run: Runtime
    here: Context
    database: StackDatabase

    async def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any, Mapping[str, str]]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None
        if body is not None:
            data, sent["content-type"] = orjson.dumps(body), "application/json"
        async with self.http.request(method, self.url + path, data=data, headers=sent) as answer:
            raw = await answer.read()
            return answer.status, orjson.loads(raw) if raw else None, answer.headers

    async def sign_in(self, email: str, password: str = PASSWORD) -> Who:
        status, tokens, _ = await self.call("POST", "/v1/sign-in", {"email": email, "password": password})
        assert status == 200, tokens
        return await self.as_bearer(email, tokens)

    async def as_bearer(self, email: str, tokens: dict[str, Any]) -> Who:
        who = Who(self, email, tokens)
        status, who.me, _ = await who.call("GET", "/v1/me")
        assert status == 200, who.me
        return who

    async def events(self, person_id: str) -> list[dict[str, Any]]:
        """member.changed of a person that wait in the outbox (no relay runs here), oldest first."""
        async with self.run.worker_db.transaction() as tx:
            rows = await tx.fetch("SELECT value FROM outbox WHERE key = $1 ORDER BY seq", person_id)
        return [orjson.loads(row["value"]) for row in rows]

    async def audit(self, marketplace_id: str, action: str) -> list[dict[str, Any]]:
        async with self.run.worker_db.transaction() as tx:
            rows = await tx.fetch(
                "SELECT * FROM audit WHERE marketplace_id = $1 AND action = $2 ORDER BY sequence",
                UUID(marketplace_id), action,
            )  # fmt: skip
        return [dict(row) for row in rows]


def settings_for(database: StackDatabase, port: int, **more: Any) -> Settings:
    given: dict[str, Any] = {
        "database_url": SecretStr(database.app_dsn("identity")),
        "worker_database_url": SecretStr(database.worker_dsn("identity")),
        "http_port": port, "identity_issuer": f"http://127.0.0.1:{port}", "identity_key": SecretStr(KEY),
        # the least that argon2 and the settings allow: the tests hash some hundred times
        "argon2_memory_kib": 8_192, "argon2_passes": 1, "sign_in_failures_per_address": 100_000,
    }  # fmt: skip
    return Settings(**(given | more))


@pytest.fixture(scope="module")
async def desk(module_database: StackDatabase, stack: Stack) -> AsyncIterator[Desk]:
    from deploy.embedded.process import free_port

    settings = settings_for(module_database, free_port(), kafka_bootstrap_servers=stack.kafka_bootstrap)
    async with running(service(settings), roles={"api", "worker"}) as run, aiohttp.ClientSession() as http:
        here = Context.of(run)
        both = Plan.model_validate({"marketplaces": [plan("alpha", "EUR"), plan("beta", "USD")]})
        await set_up(here, both, PASSWORD)
        yield Desk(f"http://127.0.0.1:{settings.http_port}", http, run, here, module_database)


@pytest.fixture
async def operator(desk: Desk) -> Who:
    return await desk.sign_in("operator@alpha.example")


@pytest.fixture
async def buyer(desk: Desk) -> Who:
    return await desk.sign_in("buyer@alpha.example")


@pytest.fixture
async def seller_admin(desk: Desk) -> Who:
    return await desk.sign_in("admin@alpha.example")


Namer = Callable[[], str]


@pytest.fixture(scope="module")
def fresh_email() -> Namer:
    """An address that nobody has."""
    return lambda: f"person-{secrets.token_hex(6)}@alpha.example"
