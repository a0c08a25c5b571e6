"""Intake: events from the topics become messages, and rows in the queue of every endpoint that wants them.

One set-based statement takes a whole batch in, where nothing stands in its way; the offset is committed after it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any
from uuid import UUID

from contracts.envelope import Received
from contracts.messaging import MessagePosted
from contracts.order import OrderEvent
from services.webhook import metrics
from services.webhook.audience import sides
from services.webhook.catalogue import ORDER_EVENTS
from services.webhook.hints import Hints
from services.webhook.store.intake import Incoming, Taken, take_in, take_in_at_once
from shared.inbox import AtOnce, Handlers
from shared.postgres import Transaction
from shared.process import Runtime


def handlers(hints: Hints) -> Callable[[Runtime], Handlers]:
    """The table of handlers of a process; `hints` tells its deliver worker what has come."""

    def table(runtime: Runtime) -> Handlers:
        async def take(tx: Transaction, batch: Sequence[Received[Any]]) -> None:
            events = [of_received(r) for r in batch]
            ready = await take_in(tx, events, runtime.clock())
            tx.after_commit(lambda: _tell(hints, events, ready))

        return dict.fromkeys((*ORDER_EVENTS, MessagePosted), take)

    return table


def _tell(hints: Hints, events: Sequence[Incoming], ready: Sequence[UUID]) -> None:
    """Tell the worker: of the events if somebody is to get them, and of the endpoints for which it is to claim."""
    if ready:
        hints.bring(events)
        hints.add(ready)
    _count(events)


def at_once(hints: Hints) -> Callable[[Runtime], AtOnce]:
    """The same for a whole batch with its inbox, in one statement."""

    def of(runtime: Runtime) -> AtOnce:
        async def take(batch: Sequence[Received[Any]]) -> bool:
            events = [of_received(r) for r in batch]
            taken, claimed_for = await _with_claims(runtime, hints, events)
            if taken is None:
                return False
            _count(events)
            unclaimed = [i for i in taken.ready if i not in claimed_for]
            if unclaimed:
                hints.add(unclaimed)
            # who sends them goes first; what is left to do here is to write it down
            await asyncio.sleep(0)
            return True

        return take

    return of


async def _with_claims(
    runtime: Runtime, hints: Hints, events: Sequence[Incoming]
) -> tuple[Taken | None, Collection[UUID]]:
    """What was taken in, if anything, and for which endpoints it was claimed as well, if they were ready."""
    taker, moment = hints.taker, runtime.clock()
    async with runtime.worker_db.statements() as alone:
        standing = taker.standing(len(events)) if taker is not None else None
        try:
            taken = await take_in_at_once(alone, events, moment, standing)
        except BaseException:
            if taker is not None and standing is not None:
                taker.lost(standing, events, moment)
            raise
        if taken is not None and taken.ready:
            hints.bring(events)
        if taker is not None and standing is not None:
            # while the connection is still held: giving it back takes several turns of the loop
            taker.given(standing, taken)
    return taken, standing.endpoints if standing is not None else ()


def _count(events: Sequence[Incoming]) -> None:
    for event_type, n in Counter(e.type for e in events).items():
        metrics.QUEUED.labels(event_type).inc(n)


def of_received(r: Received[Any]) -> Incoming:
    """An event as it is kept."""
    return _of_message(r) if isinstance(r.event, MessagePosted) else _of_order(r)


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
