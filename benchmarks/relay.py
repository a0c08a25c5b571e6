"""The relay draining an outbox, against a raw aiokafka producer sending the same records with the same settings."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from uuid import UUID

from aiokafka import AIOKafkaProducer

from benchmarks.world import Figure, World, median, reached
from contracts.envelope import Headers, unpack_headers
from contracts.examples import examples
from contracts.order import OrderCreated
from shared.ids import new_id
from shared.kafka.producer import SETTINGS
from shared.outbox import Outbox
from shared.postgres import Database
from shared.process import Service, running, tune_gc

GOAL = ">= 0.8"


async def run(world: World) -> list[Figure]:
    """Records per second of both, in turns, and the ratio of their medians."""
    count, turns = (2_000, 1) if world.small else (30_000, 3)
    db = Database(world.database.worker_dsn("order"), name="bench")
    await db.open()
    try:
        raw, relay = [], []
        for _ in range(turns):
            records = await _fill(db, count)
            tune_gc()
            raw.append(count / await _raw(world, records))
            relay.append(count / await _relay(world, db))
    finally:
        await db.close()
    size = sum(len(r[2]) for r in records) / count
    return [
        Figure("raw aiokafka producer", median(raw), "records/s", note=f"{size:.0f} bytes each"),
        Figure("relay, from outbox rows to empty outbox", median(relay), "records/s"),
        Figure("relay / raw producer", median(relay) / median(raw), "", GOAL),
    ]


async def _fill(db: Database, count: int) -> list[tuple[str, bytes, bytes, Headers]]:
    example = examples()["order.created", 1]
    assert isinstance(example, OrderCreated)
    outbox = Outbox("/ordertrail/bench")
    keys = [new_id() for _ in range(max(1, count // 10))]
    events = [example.model_copy(update={"order_id": UUID(str(keys[n % len(keys)]))}) for n in range(count)]
    rows = outbox.rows(events)
    async with db.transaction() as tx:
        for start in range(0, count, 1_000):
            await outbox.append_many(tx, events[start : start + 1_000], event_ids=rows.event_ids[start : start + 1_000])
    return [
        (topic, key.encode(), value, unpack_headers(headers))
        for topic, key, value, headers in zip(rows.topics, rows.keys, rows.values, rows.headers, strict=True)
    ]


async def _raw(world: World, records: list[tuple[str, bytes, bytes, Headers]]) -> float:
    """Seconds for one loop that awaits send() and gathers the futures, 1,000 at a time."""
    producer = AIOKafkaProducer(bootstrap_servers=world.stack.kafka_bootstrap, **SETTINGS)
    await producer.start()
    try:
        started = time.perf_counter()
        for n in range(0, len(records), 1_000):
            batch = records[n : n + 1_000]
            await asyncio.gather(*[await producer.send(world.prefix + t, v, k, headers=h) for t, k, v, h in batch])
        return time.perf_counter() - started
    finally:
        await producer.stop()


async def _relay(world: World, db: Database) -> float:
    """Seconds from the relay being active until the outbox is empty."""
    service = Service("order", "orders", world.settings("order"), migrations=Path("services/order/migrations"))
    async with running(service, roles={"relay"}):
        started = time.perf_counter()
        await reached(lambda: _empty(db))
        return time.perf_counter() - started


async def _empty(db: Database) -> bool:
    async with db.transaction() as tx:
        return not await tx.fetchval("SELECT EXISTS (SELECT 1 FROM outbox)")
