"""The inbox: each event has its effect once, a failing one is parked with its key, an unreadable one is put aside."""

from shared.inbox.dead_letters import DeadLetters
from shared.inbox.parked import Patience, retry_parked
from shared.inbox.processor import BackOff, Handler, Handlers, Processor, RawRecord, RetryLater
from shared.inbox.witness import DiskWitness

__all__ = [
    "BackOff",
    "DeadLetters",
    "DiskWitness",
    "Handler",
    "Handlers",
    "Patience",
    "Processor",
    "RawRecord",
    "RetryLater",
    "retry_parked",
]
