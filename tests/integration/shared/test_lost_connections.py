"""A connection that is closed while it is written to."""

from __future__ import annotations

import asyncio

import pytest
import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

import shared.kafka  # noqa: F401  what is tested is what importing it does
from tests.stack import Stack


def test_writing_to_a_closed_connection_is_an_error_of_the_connection(stack: Stack) -> None:
    async def lose() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap)
        await producer.start()
        try:
            await producer.client.force_metadata_update()
            connection = next(iter(producer.client._conns.values()))
            connection._writer.transport.abort()
            connection._writer.transport.close()
            await asyncio.sleep(0)
            with pytest.raises(KafkaConnectionError):
                await connection.send(MetadataRequest([]))
            assert not connection.connected()
            # the client goes on with another one
            assert await producer.client.force_metadata_update()
            assert not producer.client._sync_task.done()
        finally:
            await producer.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(lose())
