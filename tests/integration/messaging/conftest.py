"""A running messaging service with its parties: what the tests talk to over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from pydantic import SecretStr

from contracts.envelope import Received
from contracts.identity import Marketplace, Member, MemberChanged, Organisation
from contracts.order import OrderCreated, OrderSnapshot, Party
from deploy.embedded.process import free_port
from services.messaging.app import service
from services.messaging.handlers import on_members, on_orders
from services.messaging.settings import Settings
from shared.ids import new_id
from shared.keyring import new_entry
from shared.process import Runtime, running
from tests.builders import order_event, snapshot
from tests.issuer import TokenIssuer, serving_issuer
from tests.stack import Stack, StackDatabase

Answer = tuple[int, Any, Mapping[str, str]]


@dataclass
class Somebody:
    """An organisation and one person in it, as a token names them."""

    kind: str
    roles: tuple[str, ...]
    name: str
    organisation_id: UUID = field(default_factory=new_id)
    person_id: UUID = field(default_factory=new_id)

    def colleague(self, *roles: str, name: str = "Colleague") -> Somebody:
        return Somebody(self.kind, roles or self.roles, name, self.organisation_id)


@dataclass
class Desk:
    """The service, and a marketplace of this test's own."""

    url: str
    http: aiohttp.ClientSession
    issuer: TokenIssuer
    runtime: Runtime
    stack: Stack
    prefix: str
    marketplace_id: UUID = field(default_factory=new_id)
    buyer: Somebody = field(default_factory=lambda: Somebody("buyer", ("buyer",), "Bea Buyer"))
    seller: Somebody = field(default_factory=lambda: Somebody("seller", ("seller",), "Sam Seller"))
    operator: Somebody = field(default_factory=lambda: Somebody("operator", ("operator",), "Olga Operator"))

    def snapshot(self, **given: Any) -> OrderSnapshot:
        """An order between this desk's buyer and seller."""
        b, s = self.buyer, self.seller
        buyer = Party(organisation_id=b.organisation_id, name="Buyer Ltd", person_id=b.person_id, person_name=b.name)
        fields: dict[str, Any] = {"marketplace_id": self.marketplace_id, "buyer": buyer,
                  "seller": Party(organisation_id=s.organisation_id, name="Seller Ltd")}  # fmt: skip
        return snapshot(**(fields | given))

    async def order(self, **given: Any) -> UUID:
        """An order that everybody may know of; its id."""
        order = self.snapshot(**given)
        await self.tell(order_event(OrderCreated, order))
        return order.order_id

    async def tell(self, *events: Any, at: datetime | None = None) -> None:
        """Hand order events to the handler, as the consumer would."""
        received = [Received(new_id(), "/test", at or datetime.now(UTC), "", e) for e in events]
        async with self.runtime.worker_db.transaction() as tx:
            await on_orders(tx, received)

    async def settings(self, **settings: str) -> None:
        """The marketplace's settings from now on, as a member.changed tells them."""
        await self.member(self.seller, settings=settings)

    async def member(self, party: Somebody, *, version: int = 1, settings: Mapping[str, str] | None = None,
                     **given: Any) -> None:  # fmt: skip
        event = MemberChanged(
            marketplace_id=self.marketplace_id, version=version,
            marketplace=Marketplace(marketplace_id=self.marketplace_id, slug="test", name="Test", currency="NOK",
                                    time_zone="Europe/Oslo", lifecycle="storefront", settings=dict(settings or {})),
            organisation=Organisation(organisation_id=party.organisation_id, slug="org", name="Org", time_zone="UTC",
                                      kind=party.kind),
            member=Member(**({"person_id": party.person_id, "email": "p@example.com", "name": party.name,
                              "roles": party.roles} | given)),
        )  # fmt: skip
        at = datetime.now(UTC) + timedelta(seconds=version)
        async with self.runtime.worker_db.transaction() as tx:
            await on_members(tx, [Received(new_id(), "/test", at, "", event)])

    def bearer(self, who: Somebody, **given: Any) -> dict[str, str]:
        claims = {"marketplace_id": self.marketplace_id, "organisation_id": who.organisation_id, "kind": who.kind,
                  "person_id": who.person_id, "roles": who.roles, "name": who.name,
                  "org_name": f"{who.kind} Ltd"}  # fmt: skip
        return self.issuer.bearer(**(claims | given))

    async def get(self, who: Somebody, path: str, **given: Any) -> Answer:
        async with self.http.get(self.url + path, headers=self.bearer(who, **given)) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers

    async def post(self, who: Somebody, path: str, body: Any, *, key: str | None = None, **given: Any) -> Answer:
        headers = self.bearer(who, **given) | ({"Idempotency-Key": key} if key else {})
        async with self.http.post(self.url + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers

    async def say(self, who: Somebody, order_id: UUID, text: str, **given: Any) -> dict[str, Any]:
        """Post a message and return it."""
        status, message, _ = await self.post(who, f"/v1/orders/{order_id}/messages", {"text": text, **given})
        assert status == 201, message
        return dict(message)

    async def upload(
        self, who: Somebody, order_id: UUID, content: bytes, name: str = "photo.png", *, kind: str = "buyer_seller",
        key: str | None = None, **given: Any,
    ) -> Answer:  # fmt: skip
        """Upload a file for a thread."""
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        form.add_field("kind", kind)
        form.add_field("file", content, filename=name, content_type="application/octet-stream")
        headers = self.bearer(who, **given) | ({"Idempotency-Key": key} if key else {})
        path = f"{self.url}/v1/orders/{order_id}/attachments"
        async with self.http.post(path, data=form, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers

    async def attach(self, who: Somebody, order_id: UUID, content: bytes, name: str = "photo.png", **given: Any) -> str:
        """Upload a file that is taken; its id."""
        status, told, _ = await self.upload(who, order_id, content, name, **given)
        assert status == 201, told
        return str(told["attachment_id"])

    async def fetch(self, who: Somebody, path: str, **given: Any) -> tuple[int, bytes, Mapping[str, str]]:
        async with self.http.get(self.url + path, headers=self.bearer(who, **given)) as answer:
            return answer.status, await answer.read(), answer.headers

    async def hear(self, who: Somebody, order_id: UUID, query: str = "") -> list[str]:
        """The texts of an order's thread, as somebody sees them."""
        status, page, _ = await self.get(who, f"/v1/orders/{order_id}/messages?{query}")
        assert status == 200, page
        return [m["text"] for m in page["items"]]


@pytest.fixture(scope="module")
async def running_messaging(
    stack: Stack, module_database: StackDatabase, module_topic_prefix: str
) -> AsyncIterator[tuple[Runtime, TokenIssuer, str]]:
    async with serving_issuer() as issuer:
        settings = Settings(
            database_url=SecretStr(module_database.app_dsn("messaging")),
            worker_database_url=SecretStr(module_database.worker_dsn("messaging")),
            kafka_bootstrap_servers=stack.kafka_bootstrap,
            topic_prefix=module_topic_prefix,
            identity_issuer=issuer.url,
            http_port=free_port(),
            messaging_stream_backlog=3,
            messaging_streams_per_reader=2,
            reply_listen=f"127.0.0.1:{free_port()}",
            reply_domain="reply.test.example",
            reply_keys=SecretStr(new_entry()),
            reply_bytes=2_000_000,
            messaging_attachment_bytes=500_000,
            messaging_attachments_bytes=900_000,
        )
        async with running(service(settings), roles={"api", "relay", "consumer", "worker"}) as runtime:
            yield runtime, issuer, f"http://127.0.0.1:{settings.http_port}"


@pytest.fixture
async def desk(
    running_messaging: tuple[Runtime, TokenIssuer, str], stack: Stack, module_topic_prefix: str
) -> AsyncIterator[Desk]:
    runtime, issuer, url = running_messaging
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=200)) as http:
        yield Desk(url, http, issuer, runtime, stack, module_topic_prefix)
