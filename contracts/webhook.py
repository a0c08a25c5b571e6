"""Events of the webhook service."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.envelope import Event


class EndpointDisabled(Event, type="webhook.endpoint_disabled", version=1):
    """An endpoint gets no more deliveries until it is enabled; what is due to it is kept for replay."""

    endpoint_id: UUID
    organisation_id: UUID | None = None
    url: str
    reason: Literal["failing", "gone", "receiver", "person", "warning"]
    detail: str
    at: datetime

    def key(self) -> str:
        return str(self.endpoint_id)
