"""A batch that failed is read again from every partition that is still ours, also where one was taken away."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from contracts.topics import TOPICS
from shared.kafka.consumer import go_back
from tests.stack import Stack


async def test_a_partition_that_was_taken_away_keeps_no_other_from_going_back(stack: Stack, topic_prefix: str) -> None:
    topic = topic_prefix + next(t.name for t in TOPICS if t.partitions > 1)
    ours, lost = TopicPartition(topic, 1), TopicPartition(topic, 0)
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap)
    await producer.start()
    try:
        for place in (lost, ours, ours):
            await producer.send_and_wait(topic, b"x", partition=place.partition)
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka_bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([lost, ours])
        records = [await consumer.getone() for _ in range(3)]
        consumer.assign([ours])
        consumer.seek(ours, 2)
        batch = tuple(sorted(records, key=lambda r: r.partition))
        go_back(consumer, batch)
        assert await consumer.position(ours) == 0
    finally:
        await consumer.stop()
