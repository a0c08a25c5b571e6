"""What the webhook benchmarks share: endpoints, events on the topic, the service and the receiver as processes."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
from aiokafka import AIOKafkaProducer

from benchmarks.webhook_wire import Wire
from benchmarks.world import World, reached
from contracts.envelope import encode
from contracts.examples import examples
from contracts.order import OrderCreated, OrderSnapshot
from services.webhook.app import PLANS, with_server_settings
from services.webhook.schedule import DEFAULT_SCHEDULE
from services.webhook.signing import SigningKey
from services.webhook.store import endpoints as store
from services.webhook.store.endpoints import EndpointRow
from services.webhook.vault import Vault
from shared.clock import utc_now
from shared.ids import new_id
from shared.kafka import Producer
from shared.kafka.producer import SETTINGS, Outgoing
from shared.keyring import new_entry
from shared.postgres import Database

RING = new_entry()
PROBE_SECONDS = 0.05
KEY = SigningKey.generate("hmac")
# stands in an event that was made beforehand until it is sent
UNSENT = datetime(2000, 1, 1, microsecond=1, tzinfo=UTC)


@dataclass
class Rig:
    """A marketplace whose operator has the endpoints; `receiver` is the receiver's base URL."""

    world: World
    marketplace: UUID
    operator: UUID
    db: Database
    admin: asyncpg.Connection
    http: aiohttp.ClientSession
    receiver: str
    producer: AIOKafkaProducer
    example: OrderCreated = field(default_factory=lambda: _example())

    async def endpoints(self, paths: Sequence[str], **given: Any) -> list[UUID]:
        """One endpoint for each path of the receiver, in one transaction."""
        vault, now = Vault.parse(RING), utc_now()
        settings: dict[str, Any] = {
            "description": "", "event_types": ["*"], "channels": None, "sellers": None, "actions": None, "phases": None,
            "sealed_headers": None, "header_names": (), "format": "standard", "signature": "hmac",
            "http_signature": False, "ordered": True, "retry_schedule": DEFAULT_SCHEDULE, "timeout_ms": 15_000,
            "max_in_flight": 64, "rate_limit": None, "handshake": "none",
        }  # fmt: skip
        made = [new_id() for _ in paths]
        async with self.db.transaction() as tx:
            for endpoint_id, path in zip(made, paths, strict=True):
                row = EndpointRow(url=self.receiver + path, **(settings | given))
                await store.insert(tx, endpoint_id, (self.marketplace, self.operator, True), row, "bench", now)
                secret_id = new_id()
                sealed = vault.seal(KEY.material, self.marketplace, secret_id, "secret")
                await store.add_key(tx, secret_id, (self.marketplace, endpoint_id), KEY, sealed, now)
        return made

    def event(self, at: datetime | None = None) -> OrderCreated:
        """An order.created of a new order, happening now or then."""
        order_id, now = new_id(), at or utc_now()
        order: OrderSnapshot = self.example.order.model_copy(
            update={"order_id": order_id, "marketplace_id": self.marketplace, "updated_at": now}
        )
        changes = {"order_id": order_id, "marketplace_id": self.marketplace, "occurred_at": now, "order": order}
        return self.example.model_copy(update=changes)

    async def produce(self, count: int) -> None:
        """That many events on the topic, as the relay sends them. They are made beforehand: who measures, waits."""
        records = [self._record() for _ in range(count)]
        relay = Producer(self.world.stack.kafka_bootstrap, client_id="bench")
        await relay.start()
        try:
            for start in range(0, count, 500):
                batch = records[start : start + 500]
                assert all(await relay.settle(await relay.enqueue(batch), len(batch)))
        finally:
            await relay.stop()

    async def produce_at(self, rate: float, seconds: float) -> int:
        """Events at a steady rate; how many there were. They are made beforehand; each happens as it is sent."""
        count = round(rate * seconds)
        records = [self._record(UNSENT) for _ in range(count)]
        futures, started = [], time.perf_counter()
        for n, record in enumerate(records):
            await asyncio.sleep(max(0.0, started + n / rate - time.perf_counter()))
            futures.append(await self._send(record))
        await asyncio.gather(*futures)
        return count

    def _record(self, at: datetime | None = None) -> Outgoing:
        r = encode(self.event(at), event_id=new_id(), source="/bench", time=at or utc_now())
        return self.world.prefix + r.topic, r.key, r.value, r.headers

    async def _send(self, record: Outgoing) -> asyncio.Future[Any]:
        topic, key, value, headers = record
        now = _text(utc_now())
        value, headers = value.replace(_text(UNSENT), now), [(n, v.replace(_text(UNSENT), now)) for n, v in headers]
        sent: asyncio.Future[Any] = await self.producer.send(topic, value, key.encode(), headers=headers)
        return sent

    async def figures(self, *, reset: bool = False) -> dict[str, float]:
        return await self.tell("reset" if reset else "figures")

    async def tell(self, word: str) -> dict[str, float]:
        """Say "figures", "reset" or "silence" to the receiver; its figures until then."""
        async with self.http.get(f"{self.receiver}/{word}") as response:
            return dict(await response.json(content_type=None))

    async def arrived(self, count: int, seconds: float = 300) -> dict[str, float]:
        """The figures once so many different deliveries have arrived."""

        async def there() -> bool:
            return (await self.figures())["unique"] >= count

        await reached(there, seconds=seconds, every=0.05)
        return await self.figures()

    @asynccontextmanager
    async def service(self, *roles: str, **env: str) -> AsyncIterator[list[int]]:
        """The service's processes, one for each role; ready when the block begins. Their process ids."""
        processes = [await self._start(role, env) for role in roles]
        try:
            yield [p.pid for p in processes]
        finally:
            for p in processes:
                p.terminate()
            await asyncio.gather(*(asyncio.wait_for(p.wait(), 90) for p in processes))

    async def _start(self, role: str, env: dict[str, str]) -> asyncio.subprocess.Process:
        common = self.world.common("webhook")
        settings = {
            "ORDERTRAIL_DATABASE_URL": common["database_url"].get_secret_value(),
            "ORDERTRAIL_WORKER_DATABASE_URL": common["worker_database_url"].get_secret_value(),
            "ORDERTRAIL_KAFKA_BOOTSTRAP_SERVERS": self.world.stack.kafka_bootstrap,
            "ORDERTRAIL_TOPIC_PREFIX": self.world.prefix,
            "ORDERTRAIL_HTTP_PORT": "0",
            "ORDERTRAIL_WEBHOOK_SECRET_KEYS": RING,
        }
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.webhook", role, env={**os.environ, **settings, **env},
            stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    def through(self, wire: Wire) -> dict[str, str]:
        """The service's settings with its database behind a counting proxy."""
        return {
            "ORDERTRAIL_DATABASE_URL": wire.through(self.world.database.app_dsn("webhook")),
            "ORDERTRAIL_WORKER_DATABASE_URL": wire.through(self.world.database.worker_dsn("webhook")),
        }

    async def waiting(self) -> int:
        return int(await self.admin.fetchval("SELECT count(*) FROM webhook.pending"))


def _text(at: datetime) -> bytes:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


def _example() -> OrderCreated:
    example = examples()["order.created", 1]
    assert isinstance(example, OrderCreated)
    return example


@asynccontextmanager
async def rig(world: World) -> AsyncIterator[Rig]:
    """A receiver, a producer and connections, closed at the end."""
    receiver = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.webhook_receiver", KEY.text,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert receiver.stdout is not None
    port = int(await receiver.stdout.readline())
    db = Database(with_server_settings(world.database.worker_dsn("webhook"), PLANS), name="bench")
    await db.open()
    admin = await asyncpg.connect(world.database.admin_dsn)
    producer = AIOKafkaProducer(bootstrap_servers=world.stack.kafka_bootstrap, **SETTINGS)
    await producer.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield Rig(world, new_id(), new_id(), db, admin, http, f"http://127.0.0.1:{port}", producer)
    finally:
        await producer.stop()
        await admin.close()
        await db.close()
        receiver.terminate()
        await receiver.wait()


@asynccontextmanager
async def disk() -> AsyncIterator[list[float]]:
    """Milliseconds that 8 kB take to reach the disk, asked twenty times a second while the block lasts."""
    took: list[float] = []
    done = asyncio.Event()
    with tempfile.NamedTemporaryFile(prefix="ordertrail-bench-") as file:
        task = asyncio.create_task(_probe(file.fileno(), took, done))
        try:
            yield took
        finally:
            done.set()
            await task


async def _probe(file: int, took: list[float], done: asyncio.Event) -> None:
    while not done.is_set():
        started = time.perf_counter()
        await asyncio.to_thread(_write, file)
        took.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(PROBE_SECONDS)


def _write(file: int) -> None:
    os.pwrite(file, b"x" * 8_192, 0)
    os.fdatasync(file)
