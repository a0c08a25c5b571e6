"""Events of the notification service: what became of a notification."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.envelope import Event


class _NotificationOutcome(Event):
    notification_id: UUID
    delivery_id: UUID
    # the event that caused the notification
    cause_event_id: UUID
    person_id: UUID
    order_id: UUID | None = None
    category: str
    channel: Literal["email", "in_app"]
    at: datetime

    def key(self) -> str:
        return str(self.person_id)

    def subject(self) -> str:
        return str(self.notification_id)


class NotificationDelivered(_NotificationOutcome, type="notification.delivered", version=1):
    """The channel took the notification (for e-mail: the mail server answered 250)."""


class NotificationFailed(_NotificationOutcome, type="notification.failed", version=1):
    """The notification will not be tried again on this channel."""

    state: Literal["unknown", "bounced", "failed", "suppressed"]
    reason: str
