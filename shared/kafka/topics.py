"""Creating the topics of the catalogue, and telling whether they are there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from contracts.topics import Topic

_EXISTS: Final = 36  # TOPIC_ALREADY_EXISTS
_REQUEST_MS: Final = 15_000


class TopicError(Exception):
    """The broker refused a topic, or could not be reached in time; the text says which and why."""


async def create_topics(
    bootstrap: str, topics: Sequence[Topic], *, prefix: str = "", replication: int = 1, seconds: float = 60
) -> list[str]:
    """Create what is missing and return the names created. Waits up to `seconds` for the broker to know them all."""
    deadline = time.monotonic() + seconds
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_REQUEST_MS, client_id="ordertrail")
    await _start(admin, bootstrap, deadline)
    try:
        wanted = [
            NewTopic(
                prefix + t.name,
                t.partitions,
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
