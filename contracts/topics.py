"""The topics: one place that says their names, partitions and retention. Nothing creates topics by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and what it carries. `key` names the record key, by which order is kept.

    `partitions`: how many an installation gets that does not ask for another number; all topics have equally many
    (docs/decisions/0106-three-partitions.md).
    """

    name: str
    key: str
    summary: str
    partitions: int = 3
    # None: kept for ever (reports are rebuilt from the topics). Days otherwise.
    retention_days: int | None = None
    # only the newest record of a key is kept, so that what it says replaces what was said (an erased person)
    compacted: bool = False

    @property
    def retention_ms(self) -> int:
        return -1 if self.retention_days is None else self.retention_days * DAY_MS


ORDER_TOPICS: Final = (
    Topic("order.created", "order id", "An order came into being: once per order."),
    Topic("order.updated", "order id", "An order changed, and no other topic says it more exactly."),
    Topic("order.completed", "order id", "An order was completed: once per order."),
    Topic("order.canceled", "order id", "An order ended without being fulfilled; the kind says how."),
    Topic("order.refunded", "order id", "Money was given back, or a refund changed."),
    Topic("order.disputed", "order id", "An issue (incident, problem, dispute, chargeback) was opened or settled."),
)
TOPICS: Final = (
    *ORDER_TOPICS,
    Topic("order.submitted", "external id", "Inbound: a service or channel hands in an order.", retention_days=30),
    Topic("payment.settled", "order id or external id", "Inbound: a payment reached its end.", retention_days=30),
    Topic("listing.changed", "listing id", "Inbound: a listing's stock, price or place changed.", retention_days=30),
    Topic("member.changed", "person id", "A person, role or organisation is now as the event says.", compacted=True),
    Topic("message.posted", "order id", "A message was posted on an order's thread."),
    Topic("notification.delivered", "person id", "A notification reached a channel.", retention_days=90),
    Topic("notification.failed", "person id", "A notification will not reach a channel.", retention_days=90),
    Topic("webhook.endpoint_disabled", "endpoint id", "A webhook endpoint was disabled.", retention_days=90),
)
ORDER_TOPIC_NAMES: Final = tuple(t.name for t in ORDER_TOPICS)
