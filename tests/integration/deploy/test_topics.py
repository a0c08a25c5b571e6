"""Topics as an installation gets them: as many partitions as asked for, and the same number for ever."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from contracts.topics import ORDER_TOPICS, TOPICS
from shared.kafka import create_topics
from shared.kafka.topics import TopicError, most_partitions
from tests.stack import Stack

SOME = ORDER_TOPICS[:2]
MORE = ORDER_TOPICS[:4]


@pytest.fixture
async def prefix(stack: Stack) -> AsyncIterator[str]:
    prefix = f"t{secrets.token_hex(5)}."
    yield prefix
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka_bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([prefix + t.name for t in TOPICS])
    finally:
        await admin.close()


async def counts(stack: Stack, prefix: str) -> list[int]:
    return [await most_partitions(stack.kafka_bootstrap, [prefix + t.name]) for t in MORE]


async def test_new_topics_have_the_catalogues_number_unless_another_is_asked_for(stack: Stack, prefix: str) -> None:
    made = await create_topics(stack.kafka_bootstrap, SOME, prefix=prefix, partitions=2)
    assert sorted(made) == sorted(prefix + t.name for t in SOME)
    await create_topics(stack.kafka_bootstrap, MORE, prefix=f"{prefix}b.")
    try:
        assert await counts(stack, prefix) == [2, 2, 0, 0]
        assert await counts(stack, f"{prefix}b.") == [t.partitions for t in MORE]
    finally:
        admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka_bootstrap)
        await admin.start()
        await admin.delete_topics([f"{prefix}b.{t.name}" for t in MORE])
        await admin.close()


async def test_a_topic_that_comes_later_gets_as_many_as_those_that_are_there(stack: Stack, prefix: str) -> None:
    await create_topics(stack.kafka_bootstrap, [replace(t, partitions=5) for t in SOME], prefix=prefix)
    made = await create_topics(stack.kafka_bootstrap, MORE, prefix=prefix)
    assert sorted(made) == sorted(prefix + t.name for t in MORE[2:])
    assert await counts(stack, prefix) == [5, 5, 5, 5]
    assert await most_partitions(stack.kafka_bootstrap, [prefix + t.name for t in TOPICS]) == 5


async def test_topics_keep_their_number_and_say_so(stack: Stack, prefix: str) -> None:
    await create_topics(stack.kafka_bootstrap, SOME, prefix=prefix, partitions=2)
    with pytest.raises(TopicError, match="have 2 partitions, not 4"):
        await create_topics(stack.kafka_bootstrap, MORE, prefix=prefix, partitions=4)
    assert await counts(stack, prefix) == [2, 2, 0, 0]
    assert await create_topics(stack.kafka_bootstrap, MORE, prefix=prefix, partitions=2)
