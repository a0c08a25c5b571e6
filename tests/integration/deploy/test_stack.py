"""The fixtures themselves: each test gets a database and topics that no other test sees."""

from __future__ import annotations

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from shared.postgres.migrate import SCHEMAS
from tests.stack import Databases, Stack, StackDatabase


async def test_each_service_signs_in_to_its_own_schema_and_to_no_other(database: StackDatabase) -> None:
    for service, schema in SCHEMAS.items():
        for dsn in (database.app_dsn(service), database.worker_dsn(service)):
            conn = await asyncpg.connect(dsn)
            try:
                assert await conn.fetchval("SELECT current_schema()") == schema
                assert await conn.fetchval("SELECT count(*) FROM outbox") == 0
                for other in set(SCHEMAS.values()) - {schema}:
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await conn.fetch(f"SELECT * FROM {other}.outbox")
            finally:
                await conn.close()


async def test_databases_are_independent_of_each_other(databases: Databases) -> None:
    async with databases.fresh() as one, databases.fresh() as other:
        first = await asyncpg.connect(one.admin_dsn)
        second = await asyncpg.connect(other.admin_dsn)
        try:
            await first.execute("CREATE TABLE public.mark (n int)")
            assert await second.fetchval("SELECT to_regclass('public.mark')") is None
        finally:
            await first.close()
            await second.close()


async def test_an_acknowledged_record_is_read_back(stack: Stack, topic_prefix: str) -> None:
    topic = f"{topic_prefix}order.created"
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        sent = await producer.send_and_wait(topic, b"value", key=b"key")
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka_bootstrap)
    await consumer.start()
    try:
        partition = TopicPartition(topic, sent.partition)
        consumer.assign([partition])
        consumer.seek(partition, sent.offset)
        record = await consumer.getone()
    finally:
        await consumer.stop()
    assert (record.key, record.value) == (b"key", b"value")
