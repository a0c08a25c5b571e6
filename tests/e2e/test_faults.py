"""kill -9 of whatever carries an order, at random moments, under load.

What this proves, with real processes, a real broker and a real database: every order that was answered 2xx is in
every service exactly once, per order in sequence; its events reached a subscriber, verified by a foreign library;
nothing is lost, doubled or stuck. One run takes ORDERTRAIL_FAULT_SECONDS (8 by default, so that the whole suite stays
short; 60 for the published figures) per fault at ORDERTRAIL_FAULT_RATE orders per second.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from tests.e2e.fleet import Fleet, fleet
from tests.e2e.market import Market, Placed, Receiver, place_orders
from tests.stack import StackDatabase
from tests.waiting import until

SECONDS = float(os.environ.get("ORDERTRAIL_FAULT_SECONDS", "8"))
RATE = float(os.environ.get("ORDERTRAIL_FAULT_RATE", "100" if SECONDS >= 30 else "20"))
SEED = int(os.environ.get("ORDERTRAIL_FAULT_SEED", "20260302"))
PAUSE = (1.0, 4.0) if SECONDS < 30 else (3.0, 10.0)
DRAIN_SECONDS = 240

Fault = Callable[[Fleet, random.Random], Awaitable[None]]

pytestmark = pytest.mark.timeout(SECONDS + 900)


async def kill_relay(f: Fleet, _: random.Random) -> None:
    await f.restart(f.processes["order-relay-1"])


async def kill_consumer(f: Fleet, rng: random.Random) -> None:
    names = ["reporting-all-1", "messaging-all-1", "webhook-consumer-1", "webhook-consumer-2"]
    await f.restart(f.processes[rng.choice(names)])


async def kill_api(f: Fleet, _: random.Random) -> None:
    await f.restart(f.processes["order-api-1"])


async def kill_broker(f: Fleet, rng: random.Random) -> None:
    f.kill_broker()
    await asyncio.sleep(rng.random())
    f.start_broker()
    assert f.broker is not None
    await asyncio.to_thread(f.broker.wait_ready)


async def kill_deliverer(f: Fleet, _: random.Random) -> None:
    await f.restart(f.processes["webhook-worker-1"])


@pytest.fixture(scope="module")
async def running(module_database: StackDatabase) -> AsyncIterator[tuple[Fleet, Market, Receiver]]:
    keys = f"k1:{base64.b64encode(os.urandom(32)).decode()}"
    async with fleet(
        module_database, ORDERTRAIL_WEBHOOK_ALLOW_LOOPBACK="true", ORDERTRAIL_WEBHOOK_SECRET_KEYS=keys,
        # what a killed worker's deliveries wait, beyond the deadline of the endpoint
        ORDERTRAIL_WEBHOOK_LEASE_SECONDS="3",
    ) as f:  # fmt: skip
        for service, role, number in [
            ("order", "api", 1), ("order", "relay", 1), ("order", "consumer", 1), ("order", "worker", 1),
            ("reporting", "all", 1), ("messaging", "all", 1),
            ("webhook", "api", 1), ("webhook", "relay", 1), ("webhook", "worker", 1),
            ("webhook", "consumer", 1), ("webhook", "consumer", 2),
        ]:  # fmt: skip
            f.add(service, role, number=number)
        await f.ready()
        market, receiver = Market(f), Receiver()
        await market.announce()
        runner = await receiver.start()
        admin = await asyncpg.connect(module_database.admin_dsn)
        try:
            await until(lambda: admin.fetchval("SELECT count(*) = 3 FROM orders.member"), what="the people to be known")
            await receiver.subscribe(market, timeout_ms=5_000)
            yield f, market, receiver
        finally:
            await admin.close()
            await runner.cleanup()


@pytest.mark.parametrize("fault", [kill_relay, kill_consumer, kill_api, kill_broker, kill_deliverer])
async def test_nothing_is_lost_doubled_or_stuck(
    running: tuple[Fleet, Market, Receiver], module_database: StackDatabase, fault: Fault
) -> None:
    f, market, receiver = running
    rng = random.Random(f"{SEED}-{fault.__name__}")
    done = asyncio.Event()

    async def faults() -> int:
        count = 0
        # no longer than new orders come: on a busy machine what waits would not get through between two kills
        ends = time.monotonic() + SECONDS
        while not count or time.monotonic() < ends:
            try:
                async with asyncio.timeout(rng.uniform(*PAUSE)):
                    await done.wait()
                return count
            except TimeoutError:
                await fault(f, rng)
                count += 1
        return count

    harm = asyncio.create_task(faults())
    try:
        placed = await place_orders(market, per_second=RATE, seconds=SECONDS, seed=rng.randrange(10**9))
    except BaseExceptionGroup:
        print(f.errors())
        raise
    finally:
        done.set()
    kills = await harm
    assert kills >= 1
    assert placed.unknown == set(), "every request has an answer once the fault is over"

    await arrived_everywhere_once(module_database, f, placed, receiver)
    duplicates = len(receiver.seen) - len({w for w, *_ in receiver.seen})
    print(
        f"\n{fault.__name__}: {len(placed.orders)} orders at {RATE:.0f}/s, {kills} kills, {placed.retries} repeated"
        f" requests, 0 lost, {duplicates} webhook duplicates with the same id so far (seed {SEED})"
    )


async def arrived_everywhere_once(database: StackDatabase, f: Fleet, placed: Placed, receiver: Receiver) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    try:
        try:
            await settled(admin, placed, receiver)
        except AssertionError:
            print(await state(admin, placed, receiver), f.errors(), sep="\n")
            raise
        await every_service_has_each_once(admin, placed, receiver)
    finally:
        await admin.close()


async def state(admin: asyncpg.Connection, placed: Placed, receiver: Receiver) -> str:
    """How far each service is, for the report of a failed test."""
    ids = list(placed.orders.values())
    counts = {
        f"{schema}.{table}": await admin.fetchval(f"SELECT count(*) FROM {schema}.{table}")
        for schema in ("orders", "reporting", "messaging", "webhook")
        for table in ("outbox", "parked", "dead_letter")
    }
    counts["placed"] = len(ids)
    counts["reported"] = await admin.fetchval("SELECT count(*) FROM reporting.order_fact WHERE order_id = ANY($1)", ids)
    counts["threads"] = await admin.fetchval(
        "SELECT count(DISTINCT order_id) FROM messaging.thread WHERE order_id = ANY($1)", ids
    )
    counts["received"] = len(set(ids) & {o for _, o, *_ in receiver.seen})
    return f"{ {name: count for name, count in counts.items() if count} }"


async def settled(admin: asyncpg.Connection, placed: Placed, receiver: Receiver) -> None:
    """Until outboxes are empty and every order has arrived everywhere."""
    ids = list(placed.orders.values())

    async def drained() -> bool:
        for schema in ("orders", "reporting", "messaging", "webhook"):
            if await admin.fetchval(f"SELECT EXISTS (SELECT 1 FROM {schema}.outbox)"):
                return False
            if await admin.fetchval(f"SELECT EXISTS (SELECT 1 FROM {schema}.parked)"):
                return False
        reported = await admin.fetchval("SELECT count(*) FROM reporting.order_fact WHERE order_id = ANY($1)", ids)
        talked = await admin.fetchval(
            "SELECT count(DISTINCT order_id) FROM messaging.thread WHERE order_id = ANY($1)", ids
        )
        return bool(reported == talked == len(ids) and set(ids) <= {o for _, o, *_ in receiver.seen})

    await until(drained, seconds=DRAIN_SECONDS, what="outboxes to drain and every order to be everywhere")


async def every_service_has_each_once(admin: asyncpg.Connection, placed: Placed, receiver: Receiver) -> None:
    ids = list(placed.orders.values())
    assert len(set(ids)) == len(ids), "two references were given one order"
    for table, column in (("orders.orders", "id"), ("reporting.order_fact", "order_id")):
        counts = await admin.fetch(f"SELECT {column} AS id FROM {table} WHERE {column} = ANY($1)", ids)
        assert Counter(str(r["id"]) for r in counts) == Counter(ids), table
    in_all = await admin.fetchval("SELECT count(*) FROM orders.orders WHERE external_id = ANY($1)", list(placed.orders))
    assert in_all == len(ids), "an order exists twice under one external id"
    for schema in ("orders", "reporting", "messaging", "webhook"):
        assert await admin.fetchval(f"SELECT count(*) FROM {schema}.dead_letter") == 0
    by_order: dict[str, list[int]] = {}
    known: set[str] = set()
    for webhook_id, order_id, sequence, _ in receiver.seen:
        if webhook_id not in known:
            known.add(webhook_id)
            by_order.setdefault(order_id, []).append(sequence)
    for order_id in ids:
        sequences = by_order[order_id]
        assert sequences == list(range(1, len(sequences) + 1)), f"{order_id} arrived as {sequences}"
    assert receiver.refused == 0
