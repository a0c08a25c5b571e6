"""The transactional outbox: events are rows of the transaction that changed the state; the relay sends them."""

from shared.outbox.append import Outbox, OutboxRows
from shared.outbox.relay import Relay

__all__ = ["Outbox", "OutboxRows", "Relay"]
