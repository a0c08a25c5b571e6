"""The consumer of a service: batches one at a time, acknowledged after their effects are stored.

Acknowledged is beside the batches that follow (`acknowledging.py`): nobody waits for it.
A batch that meets trouble on the way to the database is kept and tried again with growing pauses; it is given
back to the broker (seek) only where that lasts too long or the partitions are taken away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError

from shared import metrics
from shared.inbox import BackOff, RawRecord
from shared.kafka.acknowledging import Acknowledger, Witness
from shared.logs import log
from shared.stop import Stop

HOLD_SECONDS: Final = 60.0
REVOKE_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0
PAUSE_FIRST: Final = 0.1
PAUSE_MOST: Final = 5.0
LAG_SECONDS: Final = 5.0
START_PAUSE_MOST: Final = 5.0
POLL_MS: Final = 1_000
FETCHED_BYTES: Final = 2_097_152
# after an error of the client itself, which tries by itself what can be tried
CLIENT_PAUSE: Final = 5.0

Process = Callable[[Sequence[RawRecord]], Awaitable[None]]
Batch = Sequence[ConsumerRecord[Any, Any]]


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """A member of the service's group on all its topics."""

    def __init__(
        self,
        bootstrap: str,
        process: Process,
        *,
        topics: Sequence[str],
        group: str,
        prefix: str = "",
        batch: int = 500,
        session_timeout_ms: int = 10_000,
        linger_ms: int = 0,
        witness: Witness | None = None,
    ) -> None:
        self._bootstrap, self._process = bootstrap, process
        self._topics, self._group, self._prefix = list(topics), group, prefix
        self._batch, self._session_ms, self._linger = batch, session_timeout_ms, linger_ms / 1000
        self._busy = asyncio.Lock()
        self._witness = witness
        self._consumer: AIOKafkaConsumer | None = None
        self._acks = Acknowledger(self._opened, witness)
        self._revoking = False
        self._stop = Stop()
        self._assigned: set[TopicPartition] = set()
        self.stalled = False  # the batch in hand meets trouble
        self.joined = False

    async def run(self, stop: Stop) -> None:
        """Until asked to stop; the batch in flight is finished first."""
        self._stop = stop
        consumer = self._consumer = await self._started(stop)
        if consumer is None:
            return
        loops = [
            asyncio.create_task(self._acks.run(stop), name="acknowledge"),
            asyncio.create_task(self._consume(consumer), name="consume"),
        ]
        try:
            while not await stop.wait(LAG_SECONDS):
                for loop in loops:
                    if loop.done():
                        loop.result()  # what ended it ends the consumer too, which is then started again
                        raise RuntimeError(f"the loop {loop.get_name()} has ended")
                await self._observe_lag(consumer)
        finally:
            await self._ended(loops)
            await _closed(consumer)

    async def _ended(self, loops: Sequence[asyncio.Task[None]]) -> None:
        """Let the batch in flight end, and commit it."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._in_flight_committed()
        except TimeoutError:
            log.warning("consumer.stopped_while_busy", group=self._group)
        for loop in loops:
            loop.cancel()
        await asyncio.wait(loops, timeout=STOP_SECONDS)
        if self._witness is not None:
            await self._witness.close()

    async def _in_flight_committed(self) -> None:
        async with self._busy:
            pass
        await self._acks.settle()

    async def _started(self, stop: Stop) -> AIOKafkaConsumer | None:
        pause = PAUSE_FIRST
        while not stop.requested:
            consumer = self._make()
            try:
                await consumer.start()
                log.info("consumer.started", group=self._group, topics=self._topics)
                return consumer
            except (KafkaError, OSError) as e:
                log.warning("consumer.no_broker", error=str(e), pause_s=pause)
                await _closed(consumer)
            if await stop.wait(pause):
                return None
            pause = min(pause * 2, START_PAUSE_MOST)
        return None

    def _make(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            client_id=f"ordertrail-{self._group}",
            group_id=self._group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            # the same partition number of every topic goes to the same member: an order's events stay together
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=self._session_ms,
            heartbeat_interval_ms=max(300, self._session_ms // 4),
            rebalance_timeout_ms=max(60_000, self._session_ms),
            fetch_max_wait_ms=500,
            # more is asked for only when all that came has been handled: behind a backlog, some batches of each
            max_partition_fetch_bytes=FETCHED_BYTES,
        )
        consumer.subscribe([self._prefix + t for t in self._topics], listener=self)
        return consumer

    def _opened(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise IllegalStateError("the consumer has not been started")
        return self._consumer

    async def _consume(self, consumer: AIOKafkaConsumer) -> None:
        while not self._stop.requested:
            self._acks.rewind()
            try:
                found = await consumer.getmany(timeout_ms=POLL_MS, max_records=self._batch)
            except ConsumerStoppedError:
                return
            except KafkaError as e:
                log.error("consumer.no_batch", error=f"{type(e).__name__}: {e}", pause_s=CLIENT_PAUSE)
                await self._stop.wait(CLIENT_PAUSE)
                continue
            batch = tuple(chain(*found.values()))
            if not batch or self._stop.requested:
                continue
            try:
                await self._handle(batch)
            except Exception:  # told already, and counted
                go_back(consumer, batch)

    async def _handle(self, batch: Batch) -> None:
        """All effects of the batch; what is raised leaves it to be read again."""
        records = [self._raw(r) for r in batch]
        deadline = time.monotonic() + HOLD_SECONDS
        pause = PAUSE_FIRST
        async with self._busy:
            while True:
                try:
                    await self._acks.watch()
                    await self._process(records)
                    self._acks.handled(batch)
                    self.stalled = False
                    break
                except Exception as e:
                    # Not only BackOff: whatever else went wrong must not turn into redelivery without a pause.
                    self.stalled = True
                    metrics.CONSUMER_ERRORS.labels(type(e).__name__).inc()
                    level = log.warning if isinstance(e, BackOff) else log.exception
                    level("consumer.back_off", records=len(records), error=str(e), pause_s=pause)
                    if self._revoking or self._stop.requested or time.monotonic() > deadline:
                        raise
                    await self._stop.wait(pause)
                    pause = min(pause * 2, PAUSE_MOST)
        # the fuller the batch, the sooner the next: behind a backlog nobody rests
        if self._linger and len(records) < self._batch:
            await self._stop.wait(self._linger * (1 - len(records) / self._batch))

    def _raw(self, r: ConsumerRecord[Any, Any]) -> RawRecord:
        return RawRecord(
            r.topic.removeprefix(self._prefix),
            r.partition,
            r.offset,
            r.key,
            [(n, v or b"") for n, v in r.headers],
            r.value,
        )

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Let the batch in flight end before others get its partitions; the bound is below the group's own."""
        self._revoking = True
        try:
            async with asyncio.timeout(REVOKE_SECONDS):
                await self._in_flight_committed()
        except TimeoutError:
            log.warning("consumer.revoked_while_busy", partitions=len(revoked))
        finally:
            self._acks.taken_away()
            self._revoking = False
            self._assigned = set()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._assigned = set(assigned)
        self.joined = True
        log.info("consumer.assigned", group=self._group, partitions=len(assigned))

    @property
    def assigned(self) -> int:
        """How many partitions this member has now."""
        return len(self._assigned)

    async def _observe_lag(self, consumer: AIOKafkaConsumer) -> None:
        try:
            for tp in list(self._assigned):
                end = consumer.highwater(tp)
                committed = await consumer.committed(tp)
                if end is not None:
                    topic = tp.topic.removeprefix(self._prefix)
                    metrics.CONSUMER_LAG.labels(topic, str(tp.partition)).set(max(0, end - (committed or 0)))
        except (KafkaError, ValueError) as e:
            log.debug("consumer.lag_unknown", error=str(e))


def go_back(consumer: AIOKafkaConsumer, batch: Batch) -> None:
    """Read a batch again that was not handled, from where it began in each partition.

    One that was taken away begins at what was committed, wherever it is now, and must not keep the others from it.
    """
    first: dict[TopicPartition, int] = {}
    for r in batch:
        place = TopicPartition(r.topic, r.partition)
        first[place] = min(r.offset, first.get(place, r.offset))
    for place, offset in first.items():
        try:
            consumer.seek(place, offset)
        except IllegalStateError:
            log.info("consumer.not_rewound", topic=place.topic, partition=place.partition)


async def _closed(consumer: AIOKafkaConsumer) -> None:
    """Leave the group, if the broker answers; it notices by itself otherwise."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await consumer.stop()
    except (KafkaError, OSError, TimeoutError) as e:
        log.warning("consumer.not_closed", error=f"{type(e).__name__}: {e}")
