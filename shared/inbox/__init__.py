"""The inbox: each event has its effect once, a failing one is parked with its key, an unreadable one is put aside."""

from shared.inbox.dead_letters import DeadLetters
from shared.inbox.parked import Patience, retry_parked
from shared.inbox.processor import AtOnce, BackOff, Handler, Handlers, Processor, RawRecord, RetryLater
from shared.inbox.topics import handled_topics
from shared.inbox.witness import DiskWitness

__all__ = [
    "AtOnce",
    "BackOff",
    "DeadLetters",
    "DiskWitness",
    "Handler",
    "Handlers",
    "Patience",
    "Processor",
    "RawRecord",
    "RetryLater",
    "handled_topics",
    "retry_parked",
]
