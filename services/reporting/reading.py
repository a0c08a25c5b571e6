"""The topics that reports are made from, read from their beginning: for reconciling and rebuilding."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

import contracts.catalog  # noqa: F401  registers every event class
from contracts.envelope import ContractError, decode
from contracts.messaging import MessagePosted
from contracts.order import OrderEvent
from contracts.topics import ORDER_TOPIC_NAMES
from services.reporting.settings import Settings
from shared.kafka.scan import partitions_of, scan

MESSAGES: Final = "message.posted"

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Read:
    """One batch of events, and how many records could not be read."""

    orders: list[OrderEvent] = field(default_factory=list)
    messages: list[MessagePosted] = field(default_factory=list)
    unreadable: int = 0


async def partitions(settings: Settings) -> int:
    """How many partitions the topics of orders have here. Raises ScanError where the broker cannot be asked."""
    return await partitions_of(settings.kafka_bootstrap_servers, ORDER_TOPIC_NAMES, prefix=settings.topic_prefix)


async def events(
    settings: Settings, progress: Progress, stage: str, *, messages: bool, partition: int | None = None
) -> AsyncIterator[Read]:
    """The events as the topics hold them now; of one partition number, or of all."""
    topics = [*ORDER_TOPIC_NAMES, MESSAGES] if messages else list(ORDER_TOPIC_NAMES)
    async for scanned in scan(
        settings.kafka_bootstrap_servers,
        topics,
        prefix=settings.topic_prefix,
        partitions=None if partition is None else [partition],
        batch=settings.consumer_batch,
    ):
        read = Read()
        for raw in scanned.records:
            try:
                event = decode(raw.headers, raw.value).event
            except ContractError:
                read.unreadable += 1
                continue
            if isinstance(event, OrderEvent):
                read.orders.append(event)
            elif isinstance(event, MessagePosted):
                read.messages.append(event)
        progress(stage, scanned.done, scanned.total)
        yield read
