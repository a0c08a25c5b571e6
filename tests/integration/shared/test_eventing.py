"""Outbox to inbox over the real broker: once each, in order, whatever fails on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from contracts.envelope import Received, encode
from contracts.order import OrderCreated, OrderEvent, OrderUpdated
from shared import telemetry
from shared.clock import utc_now
from shared.ids import new_id
from shared.inbox import DeadLetters, RetryLater
from shared.postgres import Transaction
from shared.process import Runtime, running
from tests.builders import life, snapshot
from tests.integration.shared.conftest import World, failing_on, record_effect
from tests.waiting import until


async def emit(runtime: Runtime, events: list[OrderEvent]) -> None:
    async with runtime.worker_db.transaction() as tx:
        await runtime.outbox.append_many(tx, events)


async def test_every_event_has_its_effect_once_and_in_order(world: World) -> None:
    orders = [snapshot() for _ in range(40)]
    async with running(world.producer(), roles={"relay"}) as producer, running(world.consumer(), roles={"consumer"}):
        await asyncio.gather(*(emit(producer, life(o, 4)) for o in orders))
        await until(lambda: _has(world, 200), what="200 effects")
        effects = await world.effects()
        # created and updated are different topics: only within each is the order promised
        for o in orders:
            mine = [s for k, s in effects if k == str(o.order_id)]
            assert sorted(mine) == [1, 2, 3, 4, 5]
            assert [s for s in mine if s > 1] == [2, 3, 4, 5]
        await until(lambda: _is(world, "orders.outbox", 0))


async def test_a_trace_runs_from_the_change_through_the_broker_to_the_handler(world: World) -> None:
    seen: list[str] = []

    async def handler(tx: Transaction, events: Sequence[Received[Any]]) -> None:
        ids = telemetry.trace_ids()
        seen.append(ids[0] if ids else "")

    consumer = world.consumer({OrderCreated: handler})
    async with running(world.producer(), roles={"relay"}) as producer, running(consumer, roles={"consumer"}):
        with telemetry.span("a request", traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01"):
            await emit(producer, life(snapshot(), 0))
        await until(lambda: seen)
        assert seen == ["ab" * 16]


async def test_nothing_is_sent_from_a_transaction_that_was_undone(world: World) -> None:
    kept, undone = snapshot(), snapshot()
    async with running(world.producer(), roles={"relay"}) as producer, running(world.consumer(), roles={"consumer"}):
        try:
            async with producer.worker_db.transaction() as tx:
                await producer.outbox.append_many(tx, life(undone, 0))
                raise ValueError("changed my mind")
        except ValueError:
            pass
        await emit(producer, life(kept, 0))
        await until(lambda: _has(world, 1))
        assert await world.effects() == [(str(kept.order_id), 1)]


async def test_a_row_that_commits_late_with_a_lower_number_is_not_skipped(world: World) -> None:
    late, early = snapshot(), snapshot()
    async with running(world.producer(), roles={"relay"}) as producer, running(world.consumer(), roles={"consumer"}):
        async with producer.worker_db.transaction() as tx:
            await producer.outbox.append_many(tx, life(late, 0))
            await emit(producer, life(early, 0))
            await until(lambda: _has(world, 1), what="the later number, committed first")
        await until(lambda: _has(world, 2), what="the lower number, committed late")


async def test_a_redelivered_event_has_no_second_effect(world: World) -> None:
    order = snapshot()
    event = life(order, 0)[0]
    record = encode(event, event_id=new_id(), source="/test", time=utc_now())
    async with running(world.consumer(), roles={"consumer"}):
        await _send(world, [(record.topic, record.key.encode(), record.headers, record.value)] * 5)
        marker = life(snapshot(), 0)[0]
        last = encode(marker, event_id=new_id(), source="/test", time=utc_now())
        await _send(world, [(last.topic, record.key.encode(), last.headers, last.value)])
        await until(lambda: _has(world, 2), what="the marker behind the duplicates")
        assert sorted(k for k, _ in await world.effects()) == sorted([event.key(), marker.key()])


async def test_a_failing_event_is_parked_with_its_key_and_stops_nobody_else(world: World) -> None:
    poison, healthy = snapshot(), [snapshot() for _ in range(5)]
    broken = True
    consumer = world.consumer(failing_on(poison.order_id, lambda: broken), parked_attempts=50)
    async with running(world.producer(), roles={"relay"}) as producer, running(consumer, roles={"consumer"}):
        await emit(producer, life(poison, 3))
        for o in healthy:
            await emit(producer, life(o, 3))
        await until(lambda: _has(world, 20), what="all events of the healthy orders")
        await until(lambda: _is(world, "reporting.parked", 4))
        assert str(poison.order_id) not in {k for k, _ in await world.effects()}
        broken = False
        await until(lambda: _has(world, 24), what="the parked events after the cause was mended")
        mine = [s for k, s in await world.effects() if k == str(poison.order_id)]
        assert sorted(mine) == [1, 2, 3, 4]
        assert [s for s in mine if s > 1] == [2, 3, 4]
        await until(lambda: _is(world, "reporting.parked", 0))


async def test_what_a_parked_event_waits_for_may_come_behind_it_on_another_topic(world: World) -> None:
    order = snapshot()
    created, updated = life(order, 1)
    there = False

    async def on_created(tx: Transaction, events: Sequence[Received[Any]]) -> None:
        nonlocal there
        there = True
        await record_effect(tx, events)

    async def on_updated(tx: Transaction, events: Sequence[Received[Any]]) -> None:
        if not there:
            raise RetryLater("the order is not here yet")
        await record_effect(tx, events)

    consumer = world.consumer({OrderCreated: on_created, OrderUpdated: on_updated}, parked_attempts=50)
    async with running(world.producer(), roles={"relay"}) as producer, running(consumer, roles={"consumer"}):
        await emit(producer, [updated])
        await until(lambda: _is(world, "reporting.parked", 1))
        await emit(producer, [created])
        await until(lambda: _has(world, 2), what="the created order, and then the update that waited for it")
        assert [s for _, s in await world.effects()] == [1, 2]


async def _tried(world: World, times: int) -> bool:
    return bool(await world.admin.fetchval("SELECT max(attempts) >= $1 FROM reporting.parked", times))


async def test_what_waits_for_another_event_is_not_given_up_after_some_attempts(world: World) -> None:
    there = False

    async def awaiting(tx: Transaction, events: Sequence[Received[Any]]) -> None:
        if not there:
            raise RetryLater("the order is not here yet")
        await record_effect(tx, events)

    consumer = world.consumer({OrderCreated: awaiting}, parked_attempts=1, parked_first_delay=0.05)
    async with running(world.producer(), roles={"relay"}) as producer, running(consumer, roles={"consumer"}):
        await emit(producer, life(snapshot(), 0))
        await until(lambda: _tried(world, 3), what="more attempts than one")
        there = True
        await until(lambda: _has(world, 1), what="the event that waited")
        assert await world.count("reporting.dead_letter") == 0


@pytest.mark.parametrize("given", [{"parked_waiting_hours": 0}, {"parked_limit": 1}], ids=["too long", "no room"])
async def test_what_waits_too_long_or_where_there_is_no_room_is_given_up(world: World, given: dict[str, Any]) -> None:
    async def awaiting(tx: Transaction, events: Sequence[Received[Any]]) -> None:
        raise RetryLater("the order is not here yet")

    consumer = world.consumer({OrderCreated: awaiting}, parked_attempts=2, parked_first_delay=0.05, **given)
    async with running(world.producer(), roles={"relay"}) as producer, running(consumer, roles={"consumer"}) as c:
        await emit(producer, life(snapshot(), 0))
        await until(lambda: _is(world, "reporting.dead_letter", 1), what="a dead letter")
        (letter,) = await DeadLetters(c.worker_db).list()
        assert (letter["attempts"], letter["reason"]) == (2, "RetryLater: the order is not here yet")
        assert await world.count("reporting.parked") == 0


async def test_an_event_that_keeps_failing_becomes_a_dead_letter_and_can_be_redriven(world: World) -> None:
    poison = snapshot()
    broken = True
    consumer = world.consumer(failing_on(poison.order_id, lambda: broken))
    async with running(world.producer(), roles={"relay"}) as producer, running(consumer, roles={"consumer"}) as c:
        await emit(producer, life(poison, 0))
        await until(lambda: _is(world, "reporting.dead_letter", 1), what="a dead letter after three attempts")
        letters = DeadLetters(c.worker_db)
        (letter,) = await letters.list()
        assert letter["key"] == str(poison.order_id)
        assert "cannot be handled" in letter["reason"]
        assert letter["attempts"] == 3
        broken = False
        await letters.redrive(letter["id"], utc_now())
        await until(lambda: _has(world, 1), what="the redriven event")
        assert await letters.list() == []


async def test_unreadable_records_are_dead_letters_at_once(world: World) -> None:
    good = life(snapshot(), 0)[0]
    record = encode(good, event_id=new_id(), source="/test", time=utc_now())
    h = dict(record.headers)
    bad: list[tuple[str, bytes | None, list[tuple[str, bytes]], bytes | None]] = [
        ("order.created", b"k", [], b"\xff\x00not json"),
        ("order.created", b"k", record.headers, b"{"),
        ("order.created", b"k", record.headers, b'{"order_id": 5}'),
        ("order.created", b"k", record.headers, None),
        ("order.created", None, [("ce_id", b"\xff")], b"{}"),
        ("order.created", b"k", [*{**h, "ce_dataschema": b"urn:ordertrail:schema:order.created:v999"}.items()], b"{}"),
        ("order.created", b"k", [*{**h, "ce_id": b"nonsense"}.items()], record.value),
        ("order.created", b"k\x00", [*{**h, "ce_type": b"order.\x00"}.items()], record.value),
        ("order.created", b"k", record.headers, b"[" * 100_000),
        ("order.updated", b"k", record.headers, record.value),
    ]
    async with running(world.consumer(), roles={"consumer"}) as c:
        await _send(world, [*bad, (record.topic, b"k", record.headers, record.value)])
        await until(lambda: _has(world, 1), what="the good event among the unreadable ones")
        await until(lambda: _is(world, "reporting.dead_letter", len(bad)))
        letters = await DeadLetters(c.worker_db).list()
        assert all(letter["reason"] for letter in letters)


async def test_a_group_of_two_processes_rebalances_without_loss(world: World) -> None:
    orders = [snapshot() for _ in range(60)]
    async with AsyncExitStack() as stack:
        producer = await stack.enter_async_context(running(world.producer(), roles={"relay"}))
        first = AsyncExitStack()
        await first.enter_async_context(running(world.consumer(), roles={"consumer"}))
        await emit(producer, [e for o in orders[:20] for e in life(o, 1)])
        await stack.enter_async_context(running(world.consumer(), roles={"consumer"}))
        await emit(producer, [e for o in orders[20:40] for e in life(o, 1)])
        await until(lambda: _has(world, 80))
        await first.aclose()
        await emit(producer, [e for o in orders[40:] for e in life(o, 1)])
        await until(lambda: _has(world, 120), what="everything, by the second member alone at the end")
        assert len(set(await world.effects())) == len(await world.effects()) == 120


async def test_a_database_that_hangs_up_loses_nothing(world: World) -> None:
    orders = [snapshot() for _ in range(30)]
    async with running(world.producer(), roles={"relay"}) as producer, running(world.consumer(), roles={"consumer"}):
        for o in orders:
            await emit(producer, life(o, 1))
            if o in orders[::7]:
                await _hang_up(world.admin)
        await until(lambda: _has(world, 60))
        assert len(set(await world.effects())) == len(await world.effects()) == 60


async def test_only_one_relay_is_active_and_another_takes_over(world: World) -> None:
    async with AsyncExitStack() as stack:
        first = AsyncExitStack()
        await first.enter_async_context(running(world.producer(), roles={"relay"}))
        standby = await stack.enter_async_context(running(world.producer(), roles={"relay"}))
        await stack.enter_async_context(running(world.consumer(), roles={"consumer"}))
        here = "(SELECT oid FROM pg_database WHERE datname = current_database())"
        locks = f"pg_locks WHERE locktype = 'advisory' AND granted AND database = {here}"
        await until(lambda: _is(world, locks, 1))
        await first.aclose()
        await emit(standby, life(snapshot(), 0))
        await until(lambda: _has(world, 1), what="an event through the second relay")


async def test_another_services_tables_cannot_be_read(world: World) -> None:
    async with running(world.producer(), roles={"relay"}) as producer, producer.worker_db.transaction() as tx:
        try:
            await tx.fetch("SELECT * FROM reporting.inbox")
        except asyncpg.InsufficientPrivilegeError:
            return
        raise AssertionError("the order service's role read the reporting service's schema")


async def _has(world: World, effects: int) -> bool:
    return await world.count("reporting.effect") == effects


async def _is(world: World, table: str, rows: int) -> bool:
    return await world.count(table) == rows


async def _hang_up(admin: asyncpg.Connection) -> None:
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename LIKE '%_worker'"
    )


async def _send(world: World, records: list[Any]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=world.stack.kafka_bootstrap, acks="all")
    await producer.start()
    try:
        for topic, key, headers, value in records:
            await producer.send_and_wait(world.prefix + topic, value, key, headers=headers)
    finally:
        await producer.stop()
