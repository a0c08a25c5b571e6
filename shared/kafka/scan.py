"""Reading topics from their beginning to their ends as they are now, outside any group: for rebuilding and checking."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.inbox import RawRecord
from shared.kafka.topics import TopicError, most_partitions

FETCH_MS: Final = 1_000
# A broker that gives nothing for so long will not give the rest.
STALL_SECONDS: Final = 60.0
OPEN_TRIES: Final = 4
OPEN_SECONDS: Final = 15.0
OPEN_PAUSE: Final = 0.5

Spans = dict[TopicPartition, tuple[int, int]]


class ScanError(Exception):
    """The topics could not be read to their ends; the text says why."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """Some records, in order within each partition; `done` of `total` records have been read so far."""

    records: list[RawRecord]
    done: int
    total: int


async def partitions_of(bootstrap: str, topics: Sequence[str], *, prefix: str = "") -> int:
    """The most partitions that any of these topics has; 0 where none exists. Raises ScanError."""
    try:
        return await most_partitions(bootstrap, [prefix + t for t in topics])
    except (KafkaError, TopicError) as e:
        raise ScanError(str(e)) from None


async def scan(
    bootstrap: str,
    topics: Sequence[str],
    *,
    prefix: str = "",
    partitions: Collection[int] | None = None,
    batch: int = 2_000,
) -> AsyncIterator[Scanned]:
    """The records that the topics (or some partitions of each) hold at this moment, in batches.

    Nothing is committed and no group is joined. Records that come meanwhile are left out. Raises ScanError.
    """
    consumer, spans = await _opened(bootstrap, [prefix + t for t in topics], partitions)
    try:
        left = {tp for tp, (start, end) in spans.items() if end > start}
        total = sum(end - start for start, end in spans.values())
        done, moved_at = 0, time.monotonic()
        while left:
            found = await consumer.getmany(*left, timeout_ms=FETCH_MS, max_records=batch)
            # by position, not by the last record seen: a compacted topic has offsets without a record
            left = {tp for tp in left if await consumer.position(tp) < spans[tp][1]}
            records = [
                RawRecord(
                    tp.topic.removeprefix(prefix), tp.partition, r.offset, r.key,
                    [(n, v or b"") for n, v in r.headers], r.value,
                )
                for tp, own in found.items() for r in own if r.offset < spans[tp][1]
            ]  # fmt: skip
            done += len(records)
            if records:
                moved_at = time.monotonic()
                yield Scanned(records, done, total)
            elif time.monotonic() - moved_at > STALL_SECONDS:
                raise ScanError(f"{bootstrap} gave nothing for {STALL_SECONDS:.0f} s, {total - done} records early")
    except KafkaError as e:
        raise ScanError(f"reading from {bootstrap} failed: {e}") from None
    finally:
        await consumer.stop()


async def _opened(
    bootstrap: str, topics: Sequence[str], partitions: Collection[int] | None
) -> tuple[AIOKafkaConsumer, Spans]:
    """A consumer at the beginning of the wanted partitions (the others are paused), and the span of each.

    Tried a few times: a broker that has just made the topics, or just changed their leaders, needs a moment.
    """
    reason = ""
    for _ in range(OPEN_TRIES):
        consumer = AIOKafkaConsumer(
            *topics, bootstrap_servers=bootstrap, client_id="ordertrail-scan", group_id=None,
            enable_auto_commit=False, auto_offset_reset="earliest", max_partition_fetch_bytes=4_194_304,
        )  # fmt: skip
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await consumer.start()
                everything = consumer.assignment()
                lacking = set(topics) - {tp.topic for tp in everything}
                if not lacking:
                    wanted = sorted(tp for tp in everything if partitions is None or tp.partition in partitions)
                    consumer.pause(*(everything - set(wanted)))
                    starts, ends = await consumer.beginning_offsets(wanted), await consumer.end_offsets(wanted)
                    return consumer, {tp: (starts[tp], ends[tp]) for tp in wanted}
                reason = f"{bootstrap} does not have the topic(s) {', '.join(sorted(lacking))}"
        except (KafkaError, OSError, TimeoutError) as e:
            reason = f"no broker at {bootstrap} that has the topics: {e or 'timed out'}"
        await consumer.stop()
        await asyncio.sleep(OPEN_PAUSE)
    raise ScanError(reason)
