"""The consumer of a service: FastStream's batches, one at a time, acknowledged after their effects are stored.

Acknowledged is beside the batches that follow (`acknowledging.py`): nobody waits for it.
A batch that meets trouble on the way to the database is kept and tried again with growing pauses; it is given
back to the broker (seek) only where that lasts too long or the partitions are taken away.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import KafkaAckableMessage

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

# FastStream warns at every start that topics are not made automatically, which is as it should be
_faststream_log = logging.getLogger("ordertrail.faststream")
_faststream_log.setLevel(logging.ERROR)
Process = Callable[[Sequence[RawRecord]], Awaitable[None]]


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
        self._acks = Acknowledger(lambda: self._subscriber.consumer, witness)
        self._revoking = False
        self._stop = Stop()
        self._assigned: set[TopicPartition] = set()
        self._subscriber: Any = None
        self.stalled = False  # the batch in hand meets trouble
        self.joined = False

    async def run(self, stop: Stop) -> None:
        """Until asked to stop; the batch in flight is finished first."""
        self._stop = stop
        broker = await self._started(stop)
        if broker is None:
            return
        committing = asyncio.create_task(self._acks.run(stop), name="acknowledge")
        try:
            while not await stop.wait(LAG_SECONDS):
                if committing.done():
                    committing.result()  # what ended it ends the consumer too, which is then started again
                await self._observe_lag()
        finally:
            await self._ended(committing)
            await broker.stop()

    async def _ended(self, committing: asyncio.Task[None]) -> None:
        """Let the batch in flight end, and commit it."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._in_flight_committed()
        except TimeoutError:
            log.warning("consumer.stopped_while_busy", group=self._group)
        committing.cancel()
        if self._witness is not None:
            await self._witness.close()

    async def _in_flight_committed(self) -> None:
        async with self._busy:
            pass
        await self._acks.settle()

    async def _started(self, stop: Stop) -> KafkaBroker | None:
        pause = PAUSE_FIRST
        while not stop.requested:
            broker = self._make()
            try:
                await broker.start()
                log.info("consumer.started", group=self._group, topics=self._topics)
                return broker
            except (KafkaError, OSError) as e:
                log.warning("consumer.no_broker", error=str(e), pause_s=pause)
                await broker.stop()
            if await stop.wait(pause):
                return None
            pause = min(pause * 2, START_PAUSE_MOST)
        return None

    def _make(self) -> KafkaBroker:
        broker = KafkaBroker(
            self._bootstrap,
            client_id=f"ordertrail-{self._group}",
            parser=self._unparsed,
            decoder=_undecoded,
            apply_types=False,
            # its own start-up chatter is below; what it has to say of failures comes through our log
            logger=_faststream_log,
            log_level=logging.DEBUG,
            graceful_timeout=15.0,
            allow_auto_create_topics=False,
        )
        subscriber = broker.subscriber(
            *(self._prefix + t for t in self._topics),
            batch=True,
            max_records=self._batch,
            batch_timeout_ms=POLL_MS,
            group_id=self._group,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.NACK_ON_ERROR,
            no_reply=True,
            listener=self,
            # the same partition number of every topic goes to the same member: an order's events stay together
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=self._session_ms,
            heartbeat_interval_ms=max(300, self._session_ms // 4),
            rebalance_timeout_ms=max(60_000, self._session_ms),
            fetch_max_wait_ms=500,
        )
        subscriber(self._consume)
        # FastStream's own sleeps as long again after an empty wait: what comes meanwhile would be late
        subscriber.get_msg = self._next_batch  # type: ignore[method-assign]  # its one public place to do so
        self._subscriber = subscriber
        return broker

    async def _next_batch(self, consumer: AIOKafkaConsumer) -> tuple[ConsumerRecord[Any, Any], ...]:
        self._acks.rewind()
        if self._stop.requested:
            await asyncio.sleep(POLL_MS / 1_000)
            return ()
        return tuple(chain(*(await consumer.getmany(timeout_ms=POLL_MS, max_records=self._batch)).values()))

    async def _consume(self, batch: Sequence[ConsumerRecord[Any, Any]]) -> None:
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

    async def _unparsed(self, batch: tuple[ConsumerRecord[Any, Any], ...]) -> KafkaMessage:
        # FastStream's own parser decodes every header, so that one that is not UTF-8 would fail the whole batch.
        consumer = Rewinding(self._subscriber.consumer)
        return KafkaAckableMessage(
            body=b"", raw_message=batch, consumer=consumer, message_id="", headers={}, batch_headers=[]
        )

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

    async def _observe_lag(self) -> None:
        consumer = self._subscriber.consumer if self._subscriber is not None else None
        if consumer is None:
            return
        try:
            for tp in list(self._assigned):
                end = consumer.highwater(tp)
                committed = await consumer.committed(tp)
                if end is not None:
                    topic = tp.topic.removeprefix(self._prefix)
                    metrics.CONSUMER_LAG.labels(topic, str(tp.partition)).set(max(0, end - (committed or 0)))
        except (KafkaError, ValueError) as e:
            log.debug("consumer.lag_unknown", error=str(e))


class Rewinding:
    """What a batch asks of its consumer: to go back to where it began in each partition, if it was not handled."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def commit(self) -> None:
        """Nothing: what was handled is committed beside the batches that follow."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go back in one partition. One that was taken away begins at what was committed, wherever it is now, and must
        not keep the batch's other partitions from going back."""
        try:
            self._consumer.seek(partition, offset)
        except IllegalStateError:
            log.info("consumer.not_rewound", topic=partition.topic, partition=partition.partition)


async def _undecoded(message: KafkaMessage) -> Any:
    # The records are read one by one later: a decoder that fails would take the whole batch with it.
    return message.raw_message
