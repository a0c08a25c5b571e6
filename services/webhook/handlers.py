"""Intake: events from the topics become messages, and rows in the queue of every endpoint that wants them.

One set-based statement fans a whole batch out; the offset is committed after the transaction that holds the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from contracts.envelope import Received
from contracts.messaging import MessagePosted
from contracts.order import OrderEvent
from services.webhook import metrics
from services.webhook.audience import sides
from services.webhook.catalogue import ORDER_EVENTS
from services.webhook.hints import Hints
from services.webhook.store.intake import Incoming, take_in
from shared.inbox import Handlers
from shared.postgres import Transaction
from shared.process import Runtime


def handlers(hints: Hints) -> Callable[[Runtime], Handlers]:
    """The table of handlers of a process; `hints` tells its deliver worker what has come."""

    def table(runtime: Runtime) -> Handlers:
        async def orders(tx: Transaction, batch: Sequence[Received[OrderEvent]]) -> None:
            await _take_in(tx, [_of_order(r) for r in batch])

        async def messages(tx: Transaction, batch: Sequence[Received[MessagePosted]]) -> None:
            await _take_in(tx, [_of_message(r) for r in batch])

        async def _take_in(tx: Transaction, events: Sequence[Incoming]) -> None:
            ready = await take_in(tx, events, runtime.clock())
            for event_type, n in Counter(e.type for e in events).items():
                metrics.QUEUED.labels(event_type).inc(n)
            if ready:
                tx.after_commit(lambda: hints.bring(events))
                tx.after_commit(lambda: hints.add(ready))

        return {**dict.fromkeys(ORDER_EVENTS, orders), MessagePosted: messages}

    return table


def _data(event: Any) -> bytes:
    payload: str = event.model_dump_json(exclude_none=True)
    return payload.encode()


def _of_order(r: Received[OrderEvent]) -> Incoming:
    event = r.event
    return Incoming(
        event_id=r.event_id,
        marketplace_id=event.marketplace_id,
        type=event.TYPE,
        version=event.VERSION,
        stream_id=event.order_id,
        sequence=event.sequence,
        order_id=event.order_id,
        occurred_at=event.occurred_at,
        audience=sides(event.audience),
        buyer_organisation_id=event.order.buyer.organisation_id,
        seller_organisation_id=event.order.seller.organisation_id,
        channel=event.order.channel,
        action=event.change.action,
        phase=event.order.phase,
        traceparent=r.traceparent,
        data=_data(event),
    )


def _of_message(r: Received[MessagePosted]) -> Incoming:
    event = r.event
    return Incoming(
        event_id=r.event_id,
        marketplace_id=event.marketplace_id,
        type=event.TYPE,
        version=event.VERSION,
        stream_id=event.thread_id,
        sequence=event.seq,
        order_id=event.order_id,
        occurred_at=event.posted_at,
        audience=sides(event.audience),
        buyer_organisation_id=event.buyer_organisation_id,
        seller_organisation_id=event.seller_organisation_id,
        channel=None,
        action=None,
        phase=None,
        traceparent=r.traceparent,
        data=_data(event),
    )
