"""Reading topics from their beginning to their ends as they are now, outside any group: for rebuilding and checking."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from shared.inbox import RawRecord

FETCH_MS: Final = 1_000
# A broker that gives nothing for so long will not give the rest.
STALL_SECONDS: Final = 60.0
START_SECONDS: Final = 30.0


class ScanError(Exception):
    """The topics could not be read to their ends; the text says why."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """Some records, in order within each partition; `done` of `total` records have been read so far."""

    records: list[RawRecord]
    done: int
    total: int


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
    consumer = AIOKafkaConsumer(
        *(prefix + t for t in topics), bootstrap_servers=bootstrap, client_id="ordertrail-scan", group_id=None,
        enable_auto_commit=False, auto_offset_reset="earliest", max_partition_fetch_bytes=4_194_304,
    )  # fmt: skip
    try:
        async with asyncio.timeout(START_SECONDS):
            await consumer.start()
            everything = sorted(consumer.assignment())
            assigned = [tp for tp in everything if partitions is None or tp.partition in partitions]
            consumer.pause(*(tp for tp in everything if tp not in assigned))
            starts, ends = await consumer.beginning_offsets(assigned), await consumer.end_offsets(assigned)
    except (KafkaError, OSError, TimeoutError) as e:
        await consumer.stop()
        raise ScanError(f"no broker at {bootstrap} that has the topics: {e or 'timed out'}") from None
    if {tp.topic for tp in everything} != {prefix + t for t in topics}:
        await consumer.stop()
        lacking = {prefix + t for t in topics} - {tp.topic for tp in everything}
        raise ScanError(f"{bootstrap} does not have the topic(s) {', '.join(sorted(lacking))}")
    try:
        left = {tp for tp in assigned if ends[tp] > starts[tp]}
        total = sum(ends[tp] - starts[tp] for tp in assigned)
        done, moved_at = 0, time.monotonic()
        while left:
            found = await consumer.getmany(*left, timeout_ms=FETCH_MS, max_records=batch)
            records: list[RawRecord] = []
            for tp, own in found.items():
                topic = tp.topic.removeprefix(prefix)
                records += [
                    RawRecord(topic, tp.partition, r.offset, r.key, [(n, v or b"") for n, v in r.headers], r.value)
                    for r in own
                    if r.offset < ends[tp]
                ]
                if own and own[-1].offset + 1 >= ends[tp]:
                    left.discard(tp)
            done += len(records)
            if records:
                moved_at = time.monotonic()
                yield Scanned(records, done, total)
            elif time.monotonic() - moved_at > STALL_SECONDS:
                raise ScanError(
                    f"{bootstrap} has given nothing for {STALL_SECONDS:.0f} s, {total - done} records early"
                )
    except KafkaError as e:
        raise ScanError(f"reading from {bootstrap} failed: {e}") from None
    finally:
        await consumer.stop()
