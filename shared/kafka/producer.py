"""The relay's producer: idempotent, acknowledged by all in-sync replicas, many records in flight, bounded waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contracts.envelope import Headers

SETTINGS: Final[dict[str, Any]] = {
    "acks": "all",
    "enable_idempotence": True,
    "linger_ms": 0,
    # one batch holds some hundred snapshots; below 128 kB aiokafka spends its time on batch hand-over
    "max_batch_size": 262_144,
    "max_request_size": 1_048_576,
    "request_timeout_ms": 10_000,
    "metadata_max_age_ms": 60_000,
}
START_SECONDS: Final = 15.0
ACK_SECONDS: Final = 30.0
STOP_SECONDS: Final = 5.0


class SendError(Exception):
    """The producer cannot go on; what was not acknowledged must be sent again by a new one."""


class Producer:
    """One producer, to be thrown away at the first error: an idempotent producer may be fenced for good."""

    def __init__(self, bootstrap: str, *, client_id: str) -> None:
        self._bootstrap, self._client_id = bootstrap, client_id
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, client_id=self._client_id, **SETTINGS)
        try:
            await asyncio.wait_for(producer.start(), START_SECONDS)
        except (KafkaError, OSError, TimeoutError) as e:
            await _quietly(producer)
            raise SendError(f"no broker at {self._bootstrap}: {e or 'timed out'}") from None
        self._producer = producer

    async def enqueue(self, records: Sequence[tuple[str, bytes, bytes, Headers]]) -> list[asyncio.Future[Any]]:
        """Hand (topic, key, value, headers) over in this order; each future ends when the broker acknowledged."""
        producer = self._producer
        if producer is None:
            raise SendError("the producer is not started")
        futures: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(ACK_SECONDS):
                for topic, key, value, headers in records:
                    futures.append(await producer.send(topic, value, key, headers=headers))
        except (KafkaError, OSError, TimeoutError) as e:
            for future in futures:
                future.add_done_callback(_retrieve)
            raise SendError(f"sending failed: {type(e).__name__} {e}") from None
        return futures

    @staticmethod
    async def settle(futures: Sequence[asyncio.Future[Any]]) -> list[bool]:
        """Which of them were acknowledged, waiting at most ACK_SECONDS for all together."""
        if futures:
            await asyncio.wait(futures, timeout=ACK_SECONDS)
        outcome = [f.done() and not f.cancelled() and f.exception() is None for f in futures]
        for future in futures:
            if not future.done():
                future.add_done_callback(_retrieve)
        return outcome

    async def stop(self) -> None:
        """Let go of the broker within STOP_SECONDS; what is still in flight stays in the outbox."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _quietly(producer)


async def _quietly(producer: AIOKafkaProducer) -> None:
    stopping = asyncio.ensure_future(producer.stop())
    done, _ = await asyncio.wait([stopping], timeout=STOP_SECONDS)
    if not done:
        stopping.cancel()
    else:
        stopping.exception()


def _retrieve(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
