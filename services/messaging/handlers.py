"""Which event makes or corrects what: threads from orders, people and policies from members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from contracts.envelope import Received
from contracts.identity import MemberChanged
from contracts.order import (
    OrderCanceled,
    OrderCompleted,
    OrderCreated,
    OrderDisputed,
    OrderEvent,
    OrderRefunded,
    OrderSnapshot,
    OrderUpdated,
)
from services.messaging import store
from shared.inbox import Handlers
from shared.postgres import Transaction


async def on_orders(tx: Transaction, received: Sequence[Received[OrderEvent]]) -> None:
    """Threads of the orders whose seller may know of them.

    supplier page: the supplier does not see an order until it is approved, so until then there is nobody to write to.
    """
    newest: dict[UUID, OrderSnapshot] = {}
    for r in received:
        e = r.event
        if "seller" in e.audience and (e.order_id not in newest or e.sequence > newest[e.order_id].sequence):
            newest[e.order_id] = e.order
    if newest:
        await store.put_threads(tx, newest, max(r.time for r in received))


async def on_members(tx: Transaction, received: Sequence[Received[MemberChanged]]) -> None:
    """People by their version; their marketplace as the newest event says."""
    places: dict[UUID, Any] = {}
    for r in sorted(received, key=lambda r: r.time):
        m = r.event.marketplace
        places[m.marketplace_id] = (m.marketplace_id, m.name, m.time_zone, m.settings, r.time)
    await store.put_marketplaces(tx, [places[i] for i in sorted(places)])
    await store.put_members(tx, [r.event for r in received])


ORDER_EVENTS: Final = (OrderCreated, OrderUpdated, OrderCompleted, OrderCanceled, OrderRefunded, OrderDisputed)
HANDLERS: Final[Handlers] = {**dict.fromkeys(ORDER_EVENTS, on_orders), MemberChanged: on_members}
