"""Offsets are committed beside the batches that follow, never before what was handled is kept for good."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from shared import metrics
from shared.logs import log
from shared.stop import Stop, Wake

# One commit for all that was handled within this time: each costs the broker and us as much as a small batch.
COMMIT_SECONDS: Final = 0.1
# A commit that takes longer is given up and tried again with what has been handled since.
MOST_COMMIT_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 0.5

# of each partition the first offset that was handled and is not committed, and the one after the last
Handled = dict[TopicPartition, tuple[int, int]]


class Witness(Protocol):
    """Knows whether what was committed without waiting for the disk is kept for good."""

    lost: bool

    async def watch(self) -> None:
        """From here on nothing is lost unnoticed. Raises BackOff where the database cannot be reached."""

    async def confirm(self) -> bool:
        """Wait until all that was committed is on the disk. False, and `lost`, where some of it may not be."""

    async def close(self) -> None: ...


class Acknowledger:
    """What one consumer has handled and not committed yet."""

    def __init__(self, consumer: Callable[[], AIOKafkaConsumer], witness: Witness | None = None) -> None:
        self._consumer, self._witness = consumer, witness
        self._handled: Handled = {}
        self._wake = Wake()
        self._committing = asyncio.Lock()

    def handled(self, batch: Sequence[ConsumerRecord[Any, Any]]) -> None:
        """All effects of these records are committed."""
        for r in batch:
            place = TopicPartition(r.topic, r.partition)
            first, _ = self._handled.get(place, (r.offset, 0))
            self._handled[place] = first, r.offset + 1
        self._wake.set()

    def taken_away(self) -> None:
        """The partitions are others', who begin at what was committed."""
        self._handled.clear()

    def rewind(self) -> None:
        """Read again what the database may have lost. Called between two batches: none is under way."""
        if self._witness is None or not self._witness.lost:
            return
        consumer = self._consumer()
        for place, (first, _) in self._handled.items():
            if place in consumer.assignment():
                consumer.seek(place, first)
        log.warning("consumer.rewound", partitions=len(self._handled))
        metrics.CONSUMER_ERRORS.labels("DatabaseCrashed").inc()
        self._handled.clear()
        self._witness.lost = False

    async def watch(self) -> None:
        """Called before a batch is handled. Raises BackOff where the database cannot be reached."""
        if self._witness is not None:
            await self._witness.watch()

    async def run(self, stop: Stop) -> None:
        """Commit what was handled, some times a second, until asked to stop."""
        while not stop.requested:
            await self._wake.wait(1.0)
            await stop.wait(COMMIT_SECONDS if await self.settle() else PAUSE_SECONDS)

    async def settle(self) -> bool:
        """Commit what was handled until now. False where that has to be tried again, or cannot be."""
        async with self._committing:
            handled = dict(self._handled)
            if not handled:
                return True
            try:
                async with asyncio.timeout(MOST_COMMIT_SECONDS):
                    if self._witness is not None and not await self._witness.confirm():
                        return False
                    await self._consumer().commit({place: end for place, (_, end) in handled.items()})
            except (CommitFailedError, IllegalStateError) as e:
                # others have the partitions by now, and begin at what was committed
                log.info("consumer.not_ours_to_commit", error=str(e))
            except (KafkaError, TimeoutError, OSError) as e:
                log.warning("consumer.not_committed", error=f"{type(e).__name__}: {e}")
                return False
            self._forget(handled)
            return True

    def _forget(self, committed: Handled) -> None:
        for place, (_, end) in committed.items():
            if place in self._handled:
                last = self._handled.pop(place)[1]
                if last > end:
                    self._handled[place] = end, last
