"""The console in front of the real services, all of them over real HTTP, Kafka and PostgreSQL."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from pydantic import SecretStr

from cli.demo_data import plan
from deploy.embedded.process import free_port
from services.console.app import service as console
from services.console.settings import Settings as ConsoleSettings
from services.identity.app import service as identity
from services.identity.commands import carry_out
from services.identity.plan import Plan
from services.identity.settings import Settings as IdentitySettings
from services.messaging.app import service as messaging
from services.messaging.settings import Settings as MessagingSettings
from services.notification.app import service as notification
from services.notification.settings import Settings as NotificationSettings
from services.order.app import service as order
from services.order.settings import Settings as OrderSettings
from services.reporting.app import service as reporting
from services.reporting.settings import Settings as ReportingSettings
from services.webhook.app import service as webhook
from services.webhook.settings import Settings as WebhookSettings
from shared.process import running
from tests.integration.console.browser import Browser
from tests.integration.webhook.receiver import receiving
from tests.provider import CLIENT, SECRET, OutsideProvider, serving_provider
from tests.stack import Databases, Stack, StackDatabase, fresh_topics
from tests.waiting import until

if TYPE_CHECKING:
    from playwright.async_api import Browser as Chromium

PASSWORD = "a password of the demo"
MARKETPLACES = ("storefront", "supplier")
SELLER, BUYER, OPERATOR = (f"{who}@storefront.example" for who in ("seller", "buyer", "operator"))
# Where nobody listens.
ADDRESS = "http://127.0.0.1:9/hooks"
HOSTILE = "<script>alert(1)</script> \"><img src=x onerror=alert(2)> {{7*7}} '; -- \u202e &amp;"
# What a page does without where it takes longer: a busy machine is no reason to leave anything out.
PATIENT = {"connect_seconds": 30, "call_seconds": 60, "counts_seconds": 10}
SERVICES: dict[str, tuple[Any, Any, set[str]]] = {
    "identity": (identity, IdentitySettings, {"api", "relay", "worker"}),
    "order": (order, OrderSettings, {"api", "relay", "consumer"}),
    "messaging": (messaging, MessagingSettings, {"api", "relay", "consumer"}),
    "notification": (notification, NotificationSettings, {"api", "consumer"}),
    "reporting": (reporting, ReportingSettings, {"api", "consumer"}),
    "webhook": (webhook, WebhookSettings, {"api", "consumer", "worker"}),
}


@dataclass
class Town:
    """Two marketplaces with their people, and the addresses of everything."""

    urls: dict[str, str]
    http: aiohttp.ClientSession
    admin_dsn: str
    identity: IdentitySettings
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def console(self) -> str:
        return self.urls["console"]

    async def call(
        self, email: str, method: str, service: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """What a program would call, in somebody's name."""
        status, answer = await self._sent(email, method, service, path, body, headers)
        if status == 401 and answer["code"] in ("token_expired", "token_revoked"):
            # on a busy machine, a town stands for longer than a token is good; or somebody was given other rights
            del self.tokens[email]
            status, answer = await self._sent(email, method, service, path, body, headers)
        return status, answer

    async def _sent(
        self, email: str, method: str, service: str, path: str, body: Any, headers: dict[str, str]
    ) -> tuple[int, Any]:
        if email not in self.tokens:
            given = {"email": email, "password": PASSWORD}
            async with self.http.post(f"{self.urls['identity']}/v1/sign-in", json=given) as answer:
                self.tokens[email] = (await answer.json())["access_token"]
        sent = {"authorization": f"Bearer {self.tokens[email]}", "content-type": "application/json", **headers}
        data = orjson.dumps(body) if body is not None else None
        async with self.http.request(method, self.urls[service] + path, data=data, headers=sent) as answer:
            raw = await answer.read()
            return answer.status, orjson.loads(raw) if raw else None

    async def listing(self, seller: str, sku: str, currency: str, **more: Any) -> str:
        """A listing's id; waits until the order service knows the seller."""
        body = {"sku": sku, "name": f"The {sku}", "price": {"amount": "10.00", "currency": currency}, **more}

        async def made() -> str | None:
            status, listed = await self.call(seller, "POST", "order", "/v1/listings", body)
            return str(listed["listing_id"]) if status == 201 else None

        return str(await until(made, seconds=120, what="the listing is made"))

    async def place(self, buyer: str, listing_id: str, currency: str, quantity: str = "2", **more: Any) -> str:
        """A new order's id; waits until the order service knows the buyer."""
        body = {
            "currency": currency, "customer": {"name": "Cara Customer", "email": "cara@example.org"},
            "lines": [{"listing_id": listing_id, "quantity": quantity}], **more,
        }  # fmt: skip

        async def placed() -> Any:
            status, answer = await self.call(buyer, "POST", "order", "/v1/orders", body)
            assert status in (201, 503), answer
            return answer if status == 201 else None

        return str((await until(placed, seconds=120, what="the order is placed"))["orders"][0]["order_id"])

    async def talkable(self, email: str, order_id: str) -> None:
        async def known() -> bool:
            return (await self.call(email, "GET", "messaging", f"/v1/orders/{order_id}/messages"))[0] == 200

        await until(known, what="the thread is there")

    async def order(self, email: str, order_id: str) -> Any:
        return (await self.call(email, "GET", "order", f"/v1/orders/{order_id}"))[1]


def key_ring() -> SecretStr:
    return SecretStr(f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}")


@pytest.fixture(scope="package")
async def town(databases: Databases, stack: Stack) -> AsyncIterator[Town]:
    async with (
        databases.fresh() as database,
        fresh_topics(stack.kafka_bootstrap) as prefix,
        running_town(database, prefix, stack.kafka_bootstrap) as town,
    ):
        yield town


@asynccontextmanager
async def running_town(database: StackDatabase, topic_prefix: str, kafka: str) -> AsyncIterator[Town]:
    ports = {name: free_port() for name in (*SERVICES, "console")}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    own: dict[str, dict[str, Any]] = {
        "identity": {
            "identity_key": SecretStr(secrets.token_urlsafe(32)), "argon2_memory_kib": 8_192, "argon2_passes": 1,
        },
        "webhook": {"webhook_secret_keys": key_ring(), "environment": "development"},
    }  # fmt: skip
    made = {}
    for name, (_, settings, _) in SERVICES.items():
        made[name] = settings(
            database_url=SecretStr(database.app_dsn(name)),
            worker_database_url=SecretStr(database.worker_dsn(name)),
            kafka_bootstrap_servers=kafka, topic_prefix=topic_prefix, http_port=ports[name],
            identity_issuer=urls["identity"], **own.get(name, {}),
        )  # fmt: skip
    wanted = Plan(marketplaces=tuple(m for m in plan().marketplaces if m.slug in MARKETPLACES))
    await carry_out(wanted, PASSWORD, made["identity"])
    async with AsyncExitStack() as running_services, aiohttp.ClientSession() as http:
        async with asyncio.timeout(180):
            started = [
                await running_services.enter_async_context(running(service(made[name]), roles=roles))
                for name, (service, _, roles) in SERVICES.items()
            ]
            await running_services.enter_async_context(running(console(console_settings(urls)), roles={"api"}))
        yield Town(urls, http, database.admin_dsn, made["identity"])
        # all at once, not one after the other
        for runtime in started:
            runtime.stop.request()


def console_settings(urls: dict[str, str], **more: Any) -> ConsoleSettings:
    addresses = {f"{name}_url": url for name, url in urls.items()}
    port = int(urls["console"].rpartition(":")[2])
    given: dict[str, Any] = {"http_port": port, "console_session_keys": key_ring(), **PATIENT, **addresses, **more}
    return ConsoleSettings(**given)


@dataclass
class Annex:
    """Another identity service and console of the town: there people may sign in by a provider as well."""

    town: Town
    provider: OutsideProvider
    console: str
    # what the console's cookies are sealed with
    ring: SecretStr

    async def person(self, **more: Any) -> tuple[str, str]:
        """Address and id of somebody new, who has never signed in."""
        email = f"person-{secrets.token_hex(6)}@storefront.example"
        body = {"email": email, "name": "Pat Person", "roles": ["buyer"], **more}
        status, made = await self.town.call("buyer-admin@storefront.example", "POST", "identity", "/v1/members", body)
        assert status == 201, made
        return email, str(made["person_id"])


@asynccontextmanager
async def annexed(town: Town, **more: Any) -> AsyncIterator[Annex]:
    ports, ring = {name: free_port() for name in ("identity", "console")}, key_ring()
    urls = town.urls | {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    async with serving_provider(f"{urls['console']}/sign-in/callback") as provider:
        named = {
            "http_port": ports["identity"], "console_url": urls["console"], "oidc_issuer": provider.url,
            "oidc_client_id": CLIENT, "oidc_client_secret": SecretStr(SECRET), "oidc_name": "Contoso & Co", **more,
        }  # fmt: skip
        async with (
            running(identity(town.identity.model_copy(update=named)), roles={"api"}),
            running(console(console_settings(urls, console_session_keys=ring)), roles={"api"}),
        ):
            yield Annex(town, provider, urls["console"], ring)


@pytest.fixture(scope="package")
async def whole_annex(town: Town) -> AsyncIterator[Annex]:
    async with annexed(town) as annex:
        yield annex


@pytest.fixture
def annex(whole_annex: Annex) -> Annex:
    """Its provider does everything right."""
    whole_annex.provider.reset()
    return whole_annex


@pytest.fixture
async def seller(town: Town) -> AsyncIterator[Browser]:
    async with Browser(town.console) as browser:
        await browser.sign_in("seller@storefront.example", PASSWORD)
        yield browser


@pytest.fixture
async def buyer(town: Town) -> AsyncIterator[Browser]:
    async with Browser(town.console) as browser:
        await browser.sign_in("buyer@storefront.example", PASSWORD)
        yield browser


@pytest.fixture(scope="package")
async def mug(town: Town) -> str:
    """A listing in the storefront."""
    return await town.listing("seller@storefront.example", "MUG", "USD", available="1000")


@pytest.fixture
async def order_id(town: Town, mug: str) -> str:
    """A fresh order of buyer@ from seller@, pending."""
    return await town.place("buyer@storefront.example", mug, "USD")


@pytest.fixture
async def filled(town: Town, mug: str, order_id: str) -> AsyncIterator[str]:
    """An order with something of everything around it."""
    await town.talkable(BUYER, order_id)
    await town.call(BUYER, "POST", "messaging", f"/v1/orders/{order_id}/messages", {"text": "Hei"})
    await town.call(SELLER, "POST", "order", f"/v1/orders/{order_id}/actions/process", {})
    async with receiving() as receiver:
        body = {"url": receiver.url, "event_types": ["order.created"], "description": "Hei"}
        endpoint_id = (await town.call(SELLER, "POST", "webhook", "/v1/endpoints", body))[1]["endpoint_id"]
        await town.call(SELLER, "POST", "webhook", f"/v1/endpoints/{endpoint_id}/test", {"type": "order.created"})
        yield order_id
        await town.call(SELLER, "DELETE", "webhook", f"/v1/endpoints/{endpoint_id}")


@pytest.fixture(scope="package")
async def browser() -> AsyncIterator[Chromium]:
    """A browser with a script engine. Tests that need one are skipped where there is none, and say so."""
    # only now: most tests of the console need none
    from tests.integration.console.chromium import chromium, launched

    path = chromium()
    if path is None:
        pytest.skip("there is no Chromium here: install it, or name it in ORDERTRAIL_TEST_CHROMIUM")
    async with launched(path) as started:
        yield started


@dataclass
class Made:
    """An endpoint made by a program, and its page's address."""

    endpoint_id: str

    @property
    def page(self) -> str:
        return f"/webhooks/{self.endpoint_id}"


async def made(town: Town, **more: Any) -> Made:
    body = {"url": ADDRESS, "event_types": ["*"], **more}
    status, endpoint = await town.call(SELLER, "POST", "webhook", "/v1/endpoints", body)
    assert status == 201, endpoint
    return Made(str(endpoint["endpoint_id"]))


async def deleted(town: Town, endpoint: Made) -> None:
    assert (await town.call(SELLER, "DELETE", "webhook", f"/v1/endpoints/{endpoint.endpoint_id}"))[0] == 204


@pytest.fixture
async def endpoint(town: Town) -> AsyncIterator[Made]:
    found = await made(town)
    yield found
    await deleted(town, found)
