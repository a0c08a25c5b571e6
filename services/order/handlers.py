"""What the order service does about other services' events: a table from event to use case.

Handlers run in the inbox's transaction with the worker's role: every row that they write names its marketplace.
"""

from __future__ import annotations

from contracts.identity import MemberChanged
from contracts.inbound import ListingChanged, OrderSubmitted, PaymentSettled
from contracts.messaging import MessagePosted
from services.order.actions import inbound, knowing
from shared.inbox import Handlers
from shared.process import Runtime


def handlers(run: Runtime) -> Handlers:
    """Event class -> handler. Adding an event means adding a line."""
    return {
        MemberChanged: knowing.members_changed,
        ListingChanged: lambda tx, events: knowing.listings_changed(run, tx, events),
        OrderSubmitted: lambda tx, events: inbound.orders_submitted(run, tx, events),
        MessagePosted: knowing.messages_posted,
        PaymentSettled: lambda tx, events: inbound.payments_settled(run, tx, events),
    }
