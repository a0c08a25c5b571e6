"""What the service does with each event. A batch costs a handful of statements, whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
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
from shared.inbox import Handlers
from shared.postgres import Transaction
from shared.process import Runtime

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
        known, unknown = [], []
        for received in events:
            cause, ref = cause_of(received), refs.get(received.event.order_id)
            if cause is not None and ref is not None:
                known.append((with_people(cause, ref), received.event))
            elif cause is not None:
                unknown.append((cause, received.event))
        await self._teller.tell(tx, known)
        await self._teller.tell_when_order_is_known(tx, unknown)

    async def _tell(self, tx: Transaction, events: Sequence[Received[Any]]) -> None:
        await self._teller.tell(tx, [(c, r.event) for r in events if (c := cause_of(r)) is not None])
