"""A marketplace whose people every service learns of by the topic, and the load that its buyers make."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
from aiohttp import web
from aiokafka import AIOKafkaProducer
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from contracts.envelope import encode
from contracts.identity import Marketplace, Member, MemberChanged, Organisation
from shared.clock import utc_now
from shared.ids import new_id
from tests.e2e.fleet import Fleet

PLACE_SECONDS = 180


@dataclass
class Market:
    """A storefront marketplace with one person of each side; `token(side)` signs each in."""

    fleet: Fleet
    marketplace_id: UUID = field(default_factory=new_id)
    organisations: dict[str, UUID] = field(
        default_factory=lambda: {s: new_id() for s in ("buyer", "seller", "operator")}
    )
    people: dict[str, UUID] = field(default_factory=lambda: {s: new_id() for s in ("buyer", "seller", "operator")})

    async def announce(self) -> None:
        """member.changed of every person, as the identity service would send it."""
        market = Marketplace(
            marketplace_id=self.marketplace_id, slug="storefront", name="Storefront", currency="USD",
            time_zone="UTC", lifecycle="storefront",
        )  # fmt: skip
        producer = AIOKafkaProducer(bootstrap_servers=self.fleet.kafka.bootstrap, acks="all")
        await producer.start()
        try:
            for side, organisation_id in self.organisations.items():
                event = MemberChanged(
                    marketplace_id=self.marketplace_id, version=1, marketplace=market,
                    organisation=Organisation(organisation_id=organisation_id, slug=f"{side}-co", name=f"{side} co",
                                              kind=side, time_zone="UTC"),
                    member=Member(person_id=self.people[side], email=f"{side}@storefront.example", name=side.title(),
                                  roles=(side,)),
                )  # fmt: skip
                record = encode(event, event_id=new_id(), source="/test", time=utc_now())
                await producer.send_and_wait(record.topic, record.value, record.key.encode(), headers=record.headers)
        finally:
            await producer.stop()

    def token(self, side: str, seconds: float = 3_600) -> str:
        return self.fleet.issuer.token(
            marketplace_id=self.marketplace_id, organisation_id=self.organisations[side],
            person_id=self.people[side], roles=(side,), kind=side, seconds=seconds,
        )  # fmt: skip

    def headers(self, side: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(side)}"}

    def order(self, reference: str) -> dict[str, Any]:
        """A paid order of one line, named by its external id."""
        return {
            "external_id": reference,
            "channel": "direct",
            "currency": "USD",
            "paid": True,
            "buyer": str(self.organisations["buyer"]),
            "customer": {"name": "John Doe", "email": "john@doe.example"},
            "lines": [
                {"sku": "LAMP", "name": "Lamp", "quantity": "2", "seller": str(self.organisations["seller"]),
                 "unit_price": {"amount": "42.50", "currency": "USD"}}
            ],
        }  # fmt: skip


@dataclass
class Placed:
    """What became of every request: order ids that were answered 201, and references that never were."""

    orders: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    retries: int = 0


async def place_orders(market: Market, *, per_second: float, seconds: float, seed: int) -> Placed:
    """Place at a steady rate; a request without an answer is repeated with its key until it has one."""
    placed = Placed()
    rng = random.Random(seed)
    headers = market.headers("operator")
    started = time.monotonic()
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=64), timeout=aiohttp.ClientTimeout(total=20)
    ) as http, asyncio.TaskGroup() as group:  # fmt: skip
        for n in range(int(per_second * seconds)):
            ahead = started + n / per_second - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)
            group.create_task(_place(market, http, headers, f"e2e-{seed}-{n}", placed, rng))
    return placed


async def _place(
    market: Market,
    http: aiohttp.ClientSession,
    headers: dict[str, str],
    reference: str,
    placed: Placed,
    rng: random.Random,
) -> None:
    deadline = time.monotonic() + PLACE_SECONDS
    placed.unknown.add(reference)
    while time.monotonic() < deadline:
        try:
            async with http.post(
                f"{market.fleet.url('order')}/v1/orders", json=market.order(reference),
                headers={**headers, "Idempotency-Key": reference},
            ) as answer:  # fmt: skip
                body = await answer.json(content_type=None)
                if answer.status in (200, 201):
                    (order,) = body["orders"]
                    placed.orders[reference] = order["order_id"]
                    placed.unknown.discard(reference)
                    return
                assert answer.status in (409, 429, 502, 503), f"{answer.status}: {body}"
        except (TimeoutError, aiohttp.ClientError):
            pass
        placed.retries += 1
        await asyncio.sleep(0.1 + rng.random() * 0.4)


class Receiver:
    """A foreign webhook receiver: verifies with the public `standardwebhooks` package and keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, int, float]] = []  # webhook-id, order id, sequence, time
        self.refused = 0
        self.secret = ""
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            payload = Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.refused += 1
            return web.Response(status=400)
        data = payload["data"]
        self.seen.append((request.headers["webhook-id"], data["order_id"], data["sequence"], time.time()))
        return web.Response(status=204)

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/hook", self.handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        return runner

    async def subscribe(self, market: Market, **endpoint: Any) -> None:
        """Make an endpoint of the operator's for order events and keep its secret."""
        async with market.fleet.http.post(
            f"{market.fleet.url('webhook')}/v1/endpoints", headers=market.headers("operator"),
            json={"url": self.url, "event_types": ["order.*"], "retry_schedule": [1, 1, 2, 2, *[5] * 16], **endpoint},
        ) as answer:  # fmt: skip
            body = await answer.json()
            assert answer.status == 201, body
            self.secret = body["secret"]
