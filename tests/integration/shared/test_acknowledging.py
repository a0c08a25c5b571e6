"""Offsets are committed behind what they stand for; what a crash of the database may have forgotten is read again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from contracts.topics import TOPICS
from shared.inbox import BackOff, DiskWitness
from shared.kafka.acknowledging import Acknowledger
from shared.postgres import Database
from shared.process import running
from tests.builders import life, snapshot
from tests.integration.shared.conftest import World
from tests.integration.shared.test_eventing import emit
from tests.stack import Stack, StackDatabase
from tests.waiting import until


@pytest.fixture
async def witness(database: StackDatabase) -> AsyncIterator[DiskWitness]:
    made = DiskWitness(database.worker_dsn("webhook"), name="the-witness")
    yield made
    await made.close()


@pytest.fixture
async def reader(stack: Stack, topic_prefix: str) -> AsyncIterator[tuple[AIOKafkaConsumer, TopicPartition]]:
    """A consumer that was given one partition with three records."""
    place = TopicPartition(topic_prefix + TOPICS[0].name, 0)
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap)
    await producer.start()
    try:
        for _ in range(3):
            await producer.send_and_wait(place.topic, b"x", partition=place.partition)
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=stack.kafka_bootstrap, group_id=f"{topic_prefix}group", enable_auto_commit=False,
        auto_offset_reset="earliest",
    )  # fmt: skip
    await consumer.start()
    try:
        consumer.assign([place])
        yield consumer, place
    finally:
        await consumer.stop()


async def test_what_a_crash_may_have_forgotten_is_not_committed_and_read_again(
    reader: tuple[AIOKafkaConsumer, TopicPartition], witness: DiskWitness, database: StackDatabase
) -> None:
    consumer, place = reader
    acks = Acknowledger(lambda: consumer, witness)
    first, second, third = [await consumer.getone() for _ in range(3)]
    await acks.watch()
    acks.handled([first])
    assert await acks.settle()
    acks.handled([second, third])

    await _end_sessions(database, "the-witness")
    await until(lambda: _is_closed(witness), what="the witness to notice")
    await acks.watch()  # it goes on, and has not forgotten
    assert not await acks.settle()
    assert await consumer.committed(place) == 1

    acks.rewind()
    assert await consumer.position(place) == 1
    again = [await consumer.getone() for _ in range(2)]
    acks.handled(again)
    assert await acks.settle()
    assert await consumer.committed(place) == 3


async def test_partitions_that_were_taken_away_are_left_to_others(
    reader: tuple[AIOKafkaConsumer, TopicPartition], witness: DiskWitness, database: StackDatabase
) -> None:
    consumer, place = reader
    acks = Acknowledger(lambda: consumer, witness)
    await acks.watch()
    acks.handled([await consumer.getone()])
    await _end_sessions(database, "the-witness")
    await until(lambda: _is_closed(witness), what="the witness to notice")
    assert not await acks.settle()
    acks.taken_away()
    acks.rewind()
    assert await consumer.position(place) == 1
    await acks.watch()
    assert await acks.settle()
    assert await consumer.committed(place) is None


async def test_the_witness_waits_for_what_did_not_wait_for_the_disk(
    witness: DiskWitness, database: StackDatabase
) -> None:
    db = Database(database.worker_dsn("webhook"), name="lazy")
    admin = await asyncpg.connect(database.admin_dsn)
    await db.open()
    try:
        await witness.watch()
        async with db.transaction(waits=False) as tx:
            await tx.execute(
                "INSERT INTO inbox (event_id, marketplace_id) VALUES (gen_random_uuid(), gen_random_uuid())"
            )
        written = await admin.fetchval("SELECT pg_current_wal_insert_lsn()")
        assert await witness.confirm()
        assert await admin.fetchval("SELECT pg_current_wal_flush_lsn() >= $1", written)
    finally:
        await admin.close()
        await db.close()


async def test_without_a_database_nothing_is_handled(free_port: object) -> None:
    assert callable(free_port)
    witness = DiskWitness(f"postgresql://nobody:none@127.0.0.1:{free_port()}/none", name="the-witness")
    with pytest.raises(BackOff):
        await witness.watch()
    assert not witness.lost


async def test_a_consumer_that_stops_has_committed_all_that_it_handled(world: World) -> None:
    async with running(world.producer(), roles={"relay"}) as producer, running(world.consumer(), roles={"consumer"}):
        for _ in range(5):
            await emit(producer, life(snapshot(), 1))
        await until(lambda: _effects(world, 10), what="all effects")
    admin = AIOKafkaAdminClient(bootstrap_servers=world.stack.kafka_bootstrap)
    await admin.start()
    try:
        group = f"{world.prefix}ordertrail-reporting"
        committed = await admin.list_consumer_group_offsets(group)
        assert sum(at.offset for at in committed.values()) == 10
    finally:
        await admin.close()


async def _effects(world: World, count: int) -> bool:
    return len(await world.effects()) == count


def _is_closed(witness: DiskWitness) -> bool:
    return witness._conn is not None and witness._conn.is_closed()


async def _end_sessions(database: StackDatabase, name: str) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    try:
        ended = await admin.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = $1 AND datname = current_database()",
            name,
        )
        assert len(ended) == 1
    finally:
        await admin.close()
