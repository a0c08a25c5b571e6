"""What the service does with each event. A batch costs a handful of statements, whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from contracts.envelope import Received
from contracts.identity import MemberChanged
from contracts.messaging import MessagePosted
from contracts.order import (
    OrderCanceled,
    OrderCompleted,
    OrderCreated,
    OrderDisputed,
    OrderEvent,
    OrderRefunded,
    OrderUpdated,
)
from contracts.webhook import EndpointDisabled
from services.notification.actions.telling import Teller, with_people
from services.notification.store import telling as store
from services.notification.telling.causes import cause_of
from shared.inbox import Handlers, RetryLater
from shared.postgres import Transaction
from shared.process import Runtime

# How long a message waits for the first event of its order, which travels on another topic.
ORDER_PATIENCE: Final = timedelta(minutes=2)
ORDER_EVENTS: Final = (OrderCreated, OrderUpdated, OrderCompleted, OrderCanceled, OrderRefunded, OrderDisputed)


def handlers(runtime: Runtime) -> Handlers:
    """The table of handlers."""
    handling = Handling(Teller.of(runtime))
    return {
        **dict.fromkeys(ORDER_EVENTS, handling.orders),
        MemberChanged: handling.members,
        MessagePosted: handling.messages,
        EndpointDisabled: handling.endpoints,
    }


class Handling:
    """The handlers, over one teller."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller

    async def members(self, tx: Transaction, events: Sequence[Received[MemberChanged]]) -> None:
        await store.put_members(tx, events)
        tx.after_commit(self._teller.arrivals.set)

    async def orders(self, tx: Transaction, events: Sequence[Received[OrderEvent]]) -> None:
        await store.put_order_refs(tx, [r.event for r in events])
        await self._tell(tx, events)

    async def endpoints(self, tx: Transaction, events: Sequence[Received[EndpointDisabled]]) -> None:
        await self._tell(tx, events)

    async def messages(self, tx: Transaction, events: Sequence[Received[MessagePosted]]) -> None:
        """Who may see an order decides who hears of its messages, so the order has to be known first."""
        refs = await store.order_refs(tx, {r.event.order_id for r in events})
        now = self._teller.clock()
        causes = []
        for received in events:
            event = received.event
            ref = refs.get(event.order_id)
            if ref is None and now - event.posted_at < ORDER_PATIENCE:
                raise RetryLater(f"order {event.order_id} of message {event.message_id} is not known yet")
            cause = cause_of(received)
            if cause is not None:
                causes.append((with_people(cause, ref), event))
        await self._teller.tell(tx, causes)

    async def _tell(self, tx: Transaction, events: Sequence[Received[Any]]) -> None:
        await self._teller.tell(tx, [(c, r.event) for r in events if (c := cause_of(r)) is not None])
