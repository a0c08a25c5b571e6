"""Creating the topics of the catalogue, and telling whether they are there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from contracts.topics import Topic

_EXISTS: Final = 36  # TOPIC_ALREADY_EXISTS
_REQUEST_MS: Final = 15_000


class TopicError(Exception):
    """The broker refused a topic, or could not be reached in time; the text says which and why."""


async def create_topics(
    bootstrap: str,
    topics: Sequence[Topic],
    *,
    prefix: str = "",
    replication: int = 1,
    partitions: int | None = None,
    seconds: float = 60,
) -> list[str]:
    """Create what is missing and return the names created. Waits up to `seconds` for the broker to know them all.

    Each new topic gets `partitions`, or the catalogue's number. Where some of the topics exist already, new ones get as
    many as these have: a consumer gets the same partition number of all topics, so that an order's events meet one
    process, and those that exist keep theirs, because another number would send an order's next event past its last.
    Raises TopicError where the broker refuses, cannot be reached, or has them with another number than asked for.
    """
    deadline = time.monotonic() + seconds
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_REQUEST_MS, client_id="ordertrail")
    await _start(admin, bootstrap, deadline)
    try:
        there = await _partitions(admin, [prefix + t.name for t in topics])
        count = max(there.values(), default=partitions)
        if partitions is not None and count != partitions:
            raise TopicError(
                f"the topics have {count} partitions, not {partitions}, and keep them, because orders' events would "
                "overtake each other otherwise; say the number that they have, or none"
            )
        wanted = [
            NewTopic(
                prefix + t.name,
                count or t.partitions,
                replication,
                topic_configs={
                    "retention.ms": str(t.retention_ms),
                    "cleanup.policy": "compact" if t.compacted else "delete",
                    "min.insync.replicas": str(max(1, replication - 1)),
                    "message.timestamp.type": "CreateTime",
                },
            )
            for t in topics
        ]
        answer = await admin.create_topics(wanted)
        created = []
        for name, code, *rest in answer.topic_errors:
            if code == 0:
                created.append(name)
            elif code != _EXISTS:
                raise TopicError(f"the broker refused the topic {name}: error {code} {rest[0] if rest else ''}")
        names = {prefix + t.name for t in topics}
        while lacking := names - set(await admin.list_topics()):
            if time.monotonic() > deadline:
                raise TopicError(f"the broker does not know {', '.join(sorted(lacking))} after {seconds:.0f} s")
            await asyncio.sleep(0.1)
        return created
    finally:
        await admin.close()


async def _partitions(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, int]:
    """How many partitions those of the topics have that exist."""
    known = sorted(set(names) & set(await admin.list_topics()))
    described = await admin.describe_topics(known) if known else []
    return {t["topic"]: len(t["partitions"]) for t in described if t["partitions"]}


async def most_partitions(bootstrap: str, names: Collection[str]) -> int:
    """The most partitions that any of these topics has; 0 where none exists. Raises TopicError without a broker."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_REQUEST_MS, client_id="ordertrail")
    await _start(admin, bootstrap, time.monotonic() + _REQUEST_MS / 1_000)
    try:
        return max((await _partitions(admin, names)).values(), default=0)
    finally:
        await admin.close()


async def _start(admin: AIOKafkaAdminClient, bootstrap: str, deadline: float) -> None:
    while True:
        try:
            await admin.start()
            return
        except KafkaError as e:
            if time.monotonic() > deadline:
                raise TopicError(f"no Kafka broker answers at {bootstrap}: {e}") from None
            await asyncio.sleep(0.2)


async def missing_topics(bootstrap: str, names: Sequence[str]) -> list[str]:
    """Those of the names that the broker does not know. Raises KafkaError where it cannot be reached."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=3_000, client_id="ordertrail-ready")
    await admin.start()
    try:
        known = set(await admin.list_topics())
    finally:
        await admin.close()
    return sorted(set(names) - known)
