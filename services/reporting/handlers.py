"""Which event goes into which projection."""

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
from services.reporting import store
from services.reporting.projections import orders, replies
from shared.inbox import Handlers
from shared.postgres import Transaction


async def on_orders(tx: Transaction, received: Sequence[Received[OrderEvent]]) -> None:
    await orders.project(tx, [r.event for r in received])


async def on_messages(tx: Transaction, received: Sequence[Received[MessagePosted]]) -> None:
    await replies.project(tx, [r.event for r in received])


async def on_members(tx: Transaction, received: Sequence[Received[MemberChanged]]) -> None:
    """A person's event tells how the marketplace and the organisation are now: the newest word of each is kept."""
    places: dict[Any, Any] = {}
    companies: dict[Any, Any] = {}
    for r in sorted(received, key=lambda r: r.time):
        m, o = r.event.marketplace, r.event.organisation
        places[m.marketplace_id] = (m.marketplace_id, m.name, m.time_zone, m.settings, r.time)
        companies[o.organisation_id] = (o.organisation_id, m.marketplace_id, o.name, o.time_zone, r.time)
    await store.set_marketplaces(tx, [places[i] for i in sorted(places)])
    await store.set_organisations(tx, [companies[i] for i in sorted(companies)])


ORDER_EVENTS: Final = (OrderCreated, OrderUpdated, OrderCompleted, OrderCanceled, OrderRefunded, OrderDisputed)
HANDLERS: Final[Handlers] = {
    **dict.fromkeys(ORDER_EVENTS, on_orders),
    MessagePosted: on_messages,
    MemberChanged: on_members,
}
