"""Parked events: tried again with growing pauses, first of each key first, then given up as dead letters."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from contracts.envelope import ContractError, decode, headers_from_json
from shared import metrics
from shared.ids import new_id
from shared.inbox.processor import MOST_REASON, Processor, RetryLater
from shared.logs import log, unit_of_work
from shared.postgres import Queries, Transaction
from shared.postgres.database import TRANSIENT
from shared.stop import Stop
from shared.telemetry import span

_q = Queries.load(__package__)
LOOK_SECONDS: Final = 0.5
HEADS: Final = 100
MOST_DELAY: Final = 600.0


async def retry_parked(processor: Processor, stop: Stop, *, attempts: int, first_delay: float) -> None:
    """Until asked to stop: try what is due. After `attempts` an event becomes a dead letter and its key goes on."""
    look = 0
    while not await stop.wait(LOOK_SECONDS):
        async with processor.db.transaction() as tx:
            heads = [r["position"] for r in await tx.fetch(_q.due_heads, processor.clock(), HEADS)]
        for position in heads:
            if stop.requested:
                return
            await retry_one(processor, position, attempts=attempts, first_delay=first_delay)
        look += 1
        if heads or look % 10 == 1:
            await observe(processor)


async def observe(processor: Processor) -> None:
    """Set the gauges of what waits for a retry or for a decision."""
    async with processor.db.transaction() as tx:
        counts = await tx.fetchrow(_q.waiting_counts)
    assert counts is not None
    metrics.PARKED.set(counts["parked"])
    metrics.DEAD_LETTERS.set(counts["dead"])


async def retry_one(processor: Processor, position: int, *, attempts: int, first_delay: float) -> None:
    """One parked event: its effect, or the next attempt's time, or a dead letter; in one transaction."""
    async with processor.db.transaction() as tx:
        row = await tx.fetchrow(_q.take_parked, position)
        if row is None:
            return
        with unit_of_work("consumer.retry", event_id=row["event_id"], key=row["key"], attempt=row["attempts"] + 1) as u:
            try:
                async with tx.savepoint():
                    await _apply(processor, tx, row)
                await tx.execute(_q.delete_parked, position)
                metrics.CONSUMED.labels(row["topic"], "retried").inc()
            except TRANSIENT:
                raise
            except Exception as e:
                reason = f"{type(e).__name__}: {e}"[:MOST_REASON].replace("\x00", "\ufffd")
                u.add(outcome="later" if isinstance(e, RetryLater) else "failed", error=reason)
                await _postpone(processor, tx, row, reason, attempts, first_delay)


async def _apply(processor: Processor, tx: Transaction, row: Any) -> None:
    received = decode(headers_from_json(row["headers"]), row["value"])
    handler = processor.handlers.get(type(received.event))
    if handler is None:
        raise ContractError(f"nothing here handles {received.event.TYPE} v{received.event.VERSION}")
    if await tx.fetchval(_q.claim_event, row["event_id"], row["marketplace_id"]):
        with span(f"handle {received.event.TYPE}", traceparent=received.traceparent):
            await handler(tx, [received])


async def _postpone(
    processor: Processor, tx: Transaction, row: Any, reason: str, attempts: int, first_delay: float
) -> None:
    tried = row["attempts"] + 1
    if tried < attempts:
        delay = min(first_delay * 2**tried, MOST_DELAY)
        await tx.execute(
            _q.postpone_parked, row["position"], tried, processor.clock() + timedelta(seconds=delay), reason
        )
        return
    await tx.execute(
        _q.bury, new_id(), row["event_id"], row["marketplace_id"], row["key"], row["topic"], row["partition"],
        row["offset"], row["headers"], row["value"], tried, reason,
    )  # fmt: skip
    await tx.execute(_q.delete_parked, row["position"])
    metrics.CONSUMED.labels(row["topic"], "dead").inc()
    log.error("consumer.dead_letter", event_id=row["event_id"], key=row["key"], topic=row["topic"], reason=reason)
