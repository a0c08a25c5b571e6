"""Reconciling and rebuilding on the real broker: what is wrong is found to the cent and mended while serving."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from contracts.envelope import Event, encode
from contracts.messaging import MessagePosted
from contracts.order import Actor, OrderEvent
from contracts.topics import ORDER_TOPICS
from services.reporting import store
from services.reporting.app import service
from services.reporting.rebuild import RebuildError, rebuild
from services.reporting.reconcile import reconcile
from services.reporting.settings import Settings
from shared.clock import utc_now
from shared.ids import new_id
from shared.process import Runtime, running
from tests.integration.reporting.conftest import settings_for
from tests.integration.reporting.lives import START, World, newest
from tests.stack import Stack, StackDatabase, fresh_topics
from tests.waiting import until

FIGURES = (
    "status_day",
    "channel_day",
    "seller_day",
    "saving_day",
    "reply_day",
    "order_fact",
    "order_movement",
    "reply",
)


def quiet(stage: str, done: int, total: int) -> None:
    assert done <= total


async def send(stack: Stack, prefix: str, events: Sequence[Event]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap)
    await producer.start()
    try:
        for event in events:
            r = encode(event, event_id=new_id(), source="/test", time=utc_now())
            await producer.send(prefix + r.topic, r.value, r.key.encode(), headers=r.headers)
        await producer.flush()
    finally:
        await producer.stop()


def talk(world: World, thread: UUID) -> list[MessagePosted]:
    """A question and its answer on a thread."""
    common: dict[str, Any] = {
        "marketplace_id": world.marketplace_id, "order_id": new_id(), "order_number": "ORD-1", "thread_id": thread,
        "sender": Actor(kind="person", name="X"), "buyer_organisation_id": new_id(),
        "seller_organisation_id": world.sellers[0].organisation_id, "preview": "", "posted_at": START,
    }  # fmt: skip
    return [
        MessagePosted(**common, seq=1, message_id=new_id(), sender_side="buyer"),
        MessagePosted(**common, seq=2, message_id=new_id(), sender_side="seller"),
    ]


class Upkeep:
    """A consuming reporting service with a database and topics of its own."""

    def __init__(self, stack: Stack, settings: Settings, runtime: Runtime) -> None:
        self.stack, self.settings, self.runtime = stack, settings, runtime
        self.sent = 0

    async def send(self, events: Sequence[Event]) -> None:
        await send(self.stack, self.settings.topic_prefix, events)
        self.sent += len(events)

    async def consumed(self, events: Sequence[OrderEvent]) -> None:
        """Wait until the newest snapshot of each order is reported, and whatever else was sent: what an order went
        through before may come behind it, on another topic."""
        wanted = {i: o.sequence for i, o in newest(events).items()}

        async def there() -> bool:
            async with self.runtime.worker_db.transaction() as tx:
                rows = await tx.fetch(
                    "SELECT f.order_id, f.sequence FROM order_fact f"
                    " JOIN marketplace m USING (marketplace_id, generation) WHERE order_id = ANY ($1)",
                    list(wanted),
                )
                handled = await tx.fetchval("SELECT count(*) FROM inbox")
            return {r["order_id"]: r["sequence"] for r in rows} == wanted and handled >= self.sent

        await until(there, what="the newest snapshots are reported")

    async def figures(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows that are served, without the generation's number, and without rows of zeros."""
        found = {}
        async with self.runtime.worker_db.transaction() as tx:
            for table in FIGURES:
                rows = await tx.fetch(
                    f"SELECT d.* FROM {table} d JOIN marketplace m USING (marketplace_id, generation)"
                )
                kept = [{k: v for k, v in r.items() if k != "generation"} for r in rows]
                said = [r for r in kept if not table.endswith("_day") or any(type(v) is int and v for v in r.values())]
                found[table] = sorted((tuple(sorted(r.items())) for r in said), key=str)
        return found

    async def execute(self, sql: str, *args: Any) -> None:
        async with self.runtime.worker_db.transaction() as tx:
            await tx.execute(sql, *args)


@pytest.fixture
async def upkeep(stack: Stack, database: StackDatabase) -> AsyncIterator[Upkeep]:
    # more partitions than topics have where nobody asked: how many there are is the broker's to say
    async with fresh_topics(stack.kafka_bootstrap, partitions=ORDER_TOPICS[0].partitions + 2) as topic_prefix:
        settings = settings_for(stack, database, topic_prefix, consumer_batch=40)
        async with running(service(settings), roles={"consumer"}) as runtime:
            yield Upkeep(stack, settings, runtime)


async def test_reconciling_finds_what_is_wrong_and_rebuilding_mends_it(upkeep: Upkeep) -> None:
    world, other = World(31), World(32)
    events = world.lives(60) + other.lives(30)
    await upkeep.send([*events, *talk(world, new_id())])
    await upkeep.consumed(events)
    right = await upkeep.figures()

    result = await reconcile(upkeep.settings, upkeep.runtime.worker_db, quiet)
    assert result.told == []
    assert (result.orders, result.behind) == (90, 0)
    for (marketplace_id, currency), sums in result.sums.items():
        own = [o for o in newest(events).values() if (o.marketplace_id, o.currency) == (marketplace_id, currency)]
        assert sums.told[0] == sums.reported[0] == sum(o.totals.total.minor for o in own)

    await upkeep.execute(
        "UPDATE seller_day SET gross_minor = gross_minor + 1 WHERE ctid = (SELECT ctid FROM seller_day LIMIT 1)"
    )
    await upkeep.execute(
        "UPDATE order_fact SET refunded_minor = refunded_minor + 7 WHERE ctid = (SELECT ctid FROM order_fact LIMIT 1)"
    )
    result = await reconcile(upkeep.settings, upkeep.runtime.worker_db, quiet)
    assert not result.equal
    assert any(t.startswith("seller_day") for t in result.told)
    assert any(t.startswith("order ") and "refunded" in t for t in result.told)

    looked = await rebuild(upkeep.settings, upkeep.runtime.worker_db, quiet, swap=False)
    assert (looked.swapped, looked.events) == (False, len(events) + 2)
    assert await upkeep.figures() != right
    rebuilt = await rebuild(upkeep.settings, upkeep.runtime.worker_db, quiet)
    assert rebuilt.swapped
    assert await upkeep.figures() == right
    assert (await reconcile(upkeep.settings, upkeep.runtime.worker_db, quiet)).equal
    async with upkeep.runtime.worker_db.transaction() as tx:
        for table in FIGURES:
            stale = await tx.fetchval(
                f"SELECT count(*) FROM {table} d JOIN marketplace m USING (marketplace_id)"
                " WHERE d.generation <> m.generation"
            )
            assert stale == 0, table


# What is done to one order, and what is said of it.
FAULTS = {
    "DELETE FROM order_fact WHERE order_id = $1": "were taken in",
    "DELETE FROM order_movement WHERE order_id = $1": "were taken in",
    "UPDATE order_fact SET sequence = sequence + 1 WHERE order_id = $1": "the topics end with",
    "UPDATE order_fact SET seller_organisation_id = gen_random_uuid() WHERE order_id = $1": "counted under",
    "UPDATE order_fact SET late = NOT late WHERE order_id = $1": "late",
    "UPDATE order_fact SET placed_day = placed_day + 1 WHERE order_id = $1": "a day that is not",
    "UPDATE order_movement SET paid_minor = paid_minor + 1 WHERE order_id = $1": "day by day",
}


async def test_nothing_is_equal_that_the_topics_tell_otherwise(upkeep: Upkeep) -> None:
    world = World(37)
    events = world.lives(len(FAULTS) + 3)
    await upkeep.send(events)
    await upkeep.consumed(events)
    wrong = dict(zip(sorted(newest(events)), FAULTS.items(), strict=False))
    for order_id, (sql, _) in wrong.items():
        await upkeep.execute(sql, order_id)
    stray = new_id()
    moved = sorted(newest(events))[-1]
    await upkeep.execute("UPDATE order_fact SET order_id = $2 WHERE order_id = $1", moved, stray)
    async with upkeep.runtime.worker_db.transaction() as tx:
        # the faults are in all figures, so that only the topics know better
        await store.compute_figures(tx, world.marketplace_id)
    result = await reconcile(upkeep.settings, upkeep.runtime.worker_db, quiet, patience=0)
    told = {t.removeprefix("order ").partition(":")[0]: t for t in result.told}
    expected = {str(i): said for i, (_, said) in wrong.items()} | {str(stray): "no topic", str(moved): "were taken in"}
    assert told.keys() == expected.keys(), result.told
    assert all(said in told[i] for i, said in expected.items()), told
    assert result.behind == 3
    # what no topic tells of may be all that is left of it after Kafka's log was lost
    assert result.untold == 1
    before = await upkeep.figures()
    with pytest.raises(RebuildError, match="1 orders that are reported are in no topic"):
        await rebuild(upkeep.settings, upkeep.runtime.worker_db, quiet)
    assert await upkeep.figures() == before
    assert (await rebuild(upkeep.settings, upkeep.runtime.worker_db, quiet, forget=True)).swapped
    assert (await reconcile(upkeep.settings, upkeep.runtime.worker_db, quiet)).told == []


async def test_a_rebuild_while_events_come_in_loses_none_and_reports_are_served(upkeep: Upkeep) -> None:
    world = World(33)
    before, during = world.lives(60), world.lives(60)
    thread = new_id()
    await upkeep.send([*before, *talk(world, thread)])
    await upkeep.consumed(before)

    async def arrive() -> None:
        for start in range(0, len(during), 20):
            await upkeep.send(during[start : start + 20])

    rebuilding = asyncio.create_task(rebuild(upkeep.settings, upkeep.runtime.worker_db, quiet))
    arriving = asyncio.create_task(arrive())
    served = 0
    while not rebuilding.done():
        async with upkeep.runtime.db.tenant(world.marketplace_id) as tx:
            served += 1
            count = await tx.fetchval(
                "SELECT count(*) FROM order_fact WHERE generation = (SELECT generation FROM marketplace)"
            )
        assert count >= 60
        await asyncio.sleep(0.01)
    await arriving
    assert (await rebuilding).swapped
    assert served
    await upkeep.consumed(before + during)
    result = await reconcile(upkeep.settings, upkeep.runtime.worker_db, quiet)
    assert result.told == []
    assert result.orders == 120


async def test_the_whole_topic_again_and_two_consumers_change_nothing(upkeep: Upkeep) -> None:
    world = World(34)
    events = world.lives(50)
    await upkeep.send(events)
    await upkeep.consumed(events)
    right = await upkeep.figures()
    again = events * 2
    random.Random(1).shuffle(again)
    async with running(service(upkeep.settings), roles={"consumer"}):
        await upkeep.send(again)
        marker = World(35).lives(1)
        await upkeep.send(marker)
        await upkeep.consumed(marker)
    await upkeep.execute("DELETE FROM marketplace WHERE marketplace_id = $1", marker[0].marketplace_id)
    assert await upkeep.figures() == right


async def test_the_commands_say_what_they_found(upkeep: Upkeep) -> None:
    events = World(36).lives(10)
    await upkeep.send(events)
    await upkeep.consumed(events)
    env = {
        "ORDERTRAIL_WORKER_DATABASE_URL": upkeep.settings.worker_database_url.get_secret_value(),
        "ORDERTRAIL_KAFKA_BOOTSTRAP_SERVERS": upkeep.settings.kafka_bootstrap_servers,
        "ORDERTRAIL_TOPIC_PREFIX": upkeep.settings.topic_prefix,
    }

    async def command(*args: str, **more: str) -> tuple[int | None, bytes, bytes]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.reporting", *args, env={**env, **more}, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(), 120)
        return process.returncode, out, err

    code, out, err = await command("reconcile", "--json")
    assert code == 0, err
    assert (code, orjson.loads(out)["equal"], orjson.loads(out)["orders"]) == (0, True, 10)
    assert b"orders of partition" in err
    await upkeep.execute("UPDATE order_fact SET total_minor = total_minor + 1")
    code, out, _ = await command("reconcile", "--quiet")
    assert code == 1
    assert b"DIFFERENT order" in out
    code, out, _ = await command("rebuild", "--quiet")
    assert code == 0
    assert b"DIFFERENT" in out
    assert (await command("reconcile", "--quiet"))[0] == 0
    code, _, err = await command("reconcile", ORDERTRAIL_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert code == 2
    assert b"reconcile: no Kafka broker" in err
