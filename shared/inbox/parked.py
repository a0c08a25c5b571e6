"""Parked events: tried again with growing pauses, first of each key first, then given up as dead letters.

What fails is given up after some attempts, so that somebody looks at it. What only waits for another event to come
first (RetryLater) is nobody's fault, and waits by the hour, as long as there is room.
"""

from __future__ import annotations

from dataclasses import dataclass
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
# 2**30 times the first pause is longer than MOST_DELAY for any that is set
MOST_DOUBLINGS: Final = 30


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a parked event is tried: `attempts`, with pauses from `first_delay` seconds that double each time.

    What waits for its predecessor is tried for `waiting` at least, unless more than `room` keys are parked.
    """

    attempts: int
    first_delay: float
    waiting: timedelta
    room: int


async def retry_parked(processor: Processor, stop: Stop, patience: Patience) -> None:
    """Until asked to stop: try what is due. What is given up becomes a dead letter, and its key goes on."""
    look = 0
    while not await stop.wait(LOOK_SECONDS):
        async with processor.db.transaction() as tx:
            heads = [r["position"] for r in await tx.fetch(_q.due_heads, processor.clock(), HEADS)]
        for position in heads:
            if stop.requested:
                return
            await retry_one(processor, position, patience)
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


async def retry_one(processor: Processor, position: int, patience: Patience) -> None:
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
                if await _is_worth_another(processor, tx, row, e, patience):
                    await _postpone(processor, tx, row, reason, patience)
                else:
                    await _give_up(tx, row, reason)


async def _apply(processor: Processor, tx: Transaction, row: Any) -> None:
    received = decode(headers_from_json(row["headers"]), row["value"])
    handler = processor.handlers.get(type(received.event))
    if handler is None:
        raise ContractError(f"nothing here handles {received.event.TYPE} v{received.event.VERSION}")
    if await tx.fetchval(_q.claim_event, row["event_id"], row["marketplace_id"]):
        with span(f"handle {received.event.TYPE}", traceparent=received.traceparent):
            await handler(tx, [received])


async def _is_worth_another(
    processor: Processor, tx: Transaction, row: Any, error: Exception, patience: Patience
) -> bool:
    if row["attempts"] + 1 < patience.attempts:
        return True
    if not isinstance(error, RetryLater) or processor.clock() - row["parked_at"] >= patience.waiting:
        return False
    return bool(await tx.fetchval(_q.parked_keys) <= patience.room)


async def _postpone(processor: Processor, tx: Transaction, row: Any, reason: str, patience: Patience) -> None:
    tried = row["attempts"] + 1
    delay = min(patience.first_delay * 2 ** min(tried, MOST_DOUBLINGS), MOST_DELAY)
    next_at = processor.clock() + timedelta(seconds=delay)
    await tx.execute(_q.postpone_parked, row["position"], tried, next_at, reason)


async def _give_up(tx: Transaction, row: Any, reason: str) -> None:
    await tx.execute(
        _q.bury, new_id(), row["event_id"], row["marketplace_id"], row["key"], row["topic"], row["partition"],
        row["offset"], row["headers"], row["value"], row["attempts"] + 1, reason,
    )  # fmt: skip
    await tx.execute(_q.delete_parked, row["position"])
    metrics.CONSUMED.labels(row["topic"], "dead").inc()
    log.error("consumer.dead_letter", event_id=row["event_id"], key=row["key"], topic=row["topic"], reason=reason)
