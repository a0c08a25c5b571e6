"""The relay's producer: idempotent, acknowledged by all in-sync replicas, whole batches in flight, bounded waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from contracts.envelope import Headers

SETTINGS: Final[dict[str, Any]] = {
    "acks": "all",
    "enable_idempotence": True,
    "linger_ms": 0,
    # a broker takes batches of up to 1,048,588 bytes; half of it holds some hundred snapshots
    "max_batch_size": 524_288,
    "max_request_size": 1_048_576,
    "request_timeout_ms": 10_000,
    "metadata_max_age_ms": 60_000,
}
START_SECONDS: Final = 15.0
ACK_SECONDS: Final = 30.0
STOP_SECONDS: Final = 5.0
PARTITIONS_SECONDS: Final = 60.0

# topic, key, value, headers
Outgoing = tuple[str, str, bytes, Headers]


class SendError(Exception):
    """The producer cannot go on; what was not acknowledged must be sent again by a new one."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch on its way: `future` ends when the broker acknowledged it, `indices` say which records it holds."""

    future: asyncio.Future[Any]
    indices: list[int]


@lru_cache(maxsize=65_536)
def _hash(key: str) -> int:
    # Kafka's own partitioning, so that other producers with the same key meet the same partition. It costs 10 us
    # in Python; an order has several events close together, so remembering pays.
    return int(murmur2(key.encode())) & 0x7FFFFFFF


class Producer:
    """One producer, to be thrown away at the first error: an idempotent producer may be fenced for good.

    Batches are built here, one or more per partition, and handed over whole: with one future per batch instead of
    one per record this sends three times as much per second as `send()` (docs/decisions, benchmarks/relay.py).
    """

    def __init__(self, bootstrap: str, *, client_id: str) -> None:
        self._bootstrap, self._client_id = bootstrap, client_id
        self._producer: AIOKafkaProducer | None = None
        self._partitions: dict[str, tuple[float, int]] = {}

    async def start(self) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, client_id=self._client_id, **SETTINGS)
        try:
            await asyncio.wait_for(producer.start(), START_SECONDS)
        except (KafkaError, OSError, TimeoutError) as e:
            await _quietly(producer)
            raise SendError(f"no broker at {self._bootstrap}: {e or 'timed out'}") from None
        self._producer = producer

    async def enqueue(self, records: Sequence[Outgoing]) -> list[Sent]:
        """Hand the records over; those of one key stay in this order."""
        producer = self._producer
        if producer is None:
            raise SendError("the producer is not started")
        sent: list[Sent] = []
        try:
            async with asyncio.timeout(ACK_SECONDS):
                for topic, partition, builder, indices in await self._batches(producer, records):
                    sent.append(Sent(await producer.send_batch(builder, topic, partition=partition), indices))
        except (KafkaError, OSError, TimeoutError) as e:
            _abandon(sent)
            raise SendError(f"sending failed: {type(e).__name__} {e}") from None
        return sent

    async def _batches(
        self, producer: AIOKafkaProducer, records: Sequence[Outgoing]
    ) -> list[tuple[str, int, Any, list[int]]]:
        counts = {topic: await self._count(producer, topic) for topic in {r[0] for r in records}}
        filled: list[tuple[int, str, int, Any, list[int]]] = []
        open_: dict[tuple[str, int], tuple[int, str, int, Any, list[int]]] = {}
        for index, (topic, key, value, headers) in enumerate(records):
            place = topic, _hash(key) % counts[topic]
            batch = open_.get(place)
            while (
                batch is None or batch[3].append(key=key.encode(), value=value, timestamp=None, headers=headers) is None
            ):
                if batch is not None and not batch[4]:
                    raise SendError(f"a record of {len(value)} bytes fits in no batch of {SETTINGS['max_batch_size']}")
                # rounds: first batches of all partitions leave before any second one, which waits for its first
                batch = open_[place] = (batch[0] + 1 if batch else 0, *place, producer.create_batch(), [])
                filled.append(batch)
            batch[4].append(index)
        return [b[1:] for b in sorted(filled, key=lambda b: b[0])]

    async def _count(self, producer: AIOKafkaProducer, topic: str) -> int:
        now = time.monotonic()
        at, count = self._partitions.get(topic, (-PARTITIONS_SECONDS, 0))
        if now - at > PARTITIONS_SECONDS:
            count = len(await producer.partitions_for(topic))
            self._partitions[topic] = now, count
        return count

    @staticmethod
    async def settle(sent: Sequence[Sent], count: int) -> list[bool]:
        """Which of the `count` records were acknowledged, waiting at most ACK_SECONDS for all together."""
        outcome = [False] * count
        if not sent:
            return outcome
        await asyncio.wait([s.future for s in sent], timeout=ACK_SECONDS)
        for s in sent:
            if s.future.done() and not s.future.cancelled() and s.future.exception() is None:
                for index in s.indices:
                    outcome[index] = True
        _abandon([s for s in sent if not s.future.done()])
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


def _abandon(sent: Sequence[Sent]) -> None:
    for s in sent:
        s.future.add_done_callback(_retrieve)


def _retrieve(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
