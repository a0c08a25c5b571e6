"""A consumer with one inserted row per event: from the topic to committed effects."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

from benchmarks.world import Figure, World, median, reached
from contracts.envelope import Received, encode
from contracts.examples import examples
from contracts.order import OrderCreated
from shared.clock import utc_now
from shared.ids import new_id
from shared.kafka.producer import SETTINGS
from shared.postgres import Transaction
from shared.process import Service, running, tune_gc

GOAL = ">= 5000"


async def run(world: World) -> list[Figure]:
    """Events per second of one consumer process, effects and inbox in one transaction per batch."""
    count, turns = (1_000, 1) if world.small else (30_000, 3)
    admin = await asyncpg.connect(world.database.admin_dsn)
    try:
        await admin.execute(
            "CREATE TABLE reporting.effect (event_id uuid PRIMARY KEY, key text, sequence int);"
            "GRANT INSERT, SELECT ON reporting.effect TO ordertrail_reporting_worker"
        )
        rates = [count / await _turn(world, admin, count) for _ in range(turns)]
    finally:
        await admin.close()
    return [Figure("inbox: events handled by one consumer", median(rates), "events/s", GOAL)]


async def _turn(world: World, admin: asyncpg.Connection, count: int) -> float:
    await _produce(world, count)
    before: int = await admin.fetchval("SELECT count(*) FROM reporting.effect")
    service = Service(
        "reporting", "reporting", world.settings("reporting"), migrations=Path("services/reporting/migrations"),
        handlers={OrderCreated: _insert},
    )  # fmt: skip

    async def handled() -> int:
        return int(await admin.fetchval("SELECT count(*) FROM reporting.effect")) - before

    async def begun() -> bool:
        return await handled() > 0

    async def finished() -> bool:
        return await handled() >= count

    tune_gc()
    async with running(service, roles={"consumer"}):
        await reached(begun, every=0.005)
        started, first = time.perf_counter(), await handled()
        await reached(finished)
        return (time.perf_counter() - started) * count / max(1, count - first)


async def _insert(tx: Transaction, events: Sequence[Received[Any]]) -> None:
    await tx.execute(
        "INSERT INTO effect SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[])",
        [e.event_id for e in events],
        [str(e.event.order_id) for e in events],
        [e.event.sequence for e in events],
    )


async def _produce(world: World, count: int) -> None:
    example = examples()["order.created", 1]
    assert isinstance(example, OrderCreated)
    producer = AIOKafkaProducer(bootstrap_servers=world.stack.kafka_bootstrap, **SETTINGS)
    await producer.start()
    try:
        for start in range(0, count, 1_000):
            futures = []
            for _ in range(start, min(count, start + 1_000)):
                event = example.model_copy(update={"order_id": new_id()})
                r = encode(event, event_id=new_id(), source="/bench", time=utc_now())
                futures.append(await producer.send(world.prefix + r.topic, r.value, r.key.encode(), headers=r.headers))
            await asyncio.gather(*futures)
    finally:
        await producer.stop()
