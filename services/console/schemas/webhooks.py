"""Webhook endpoints, deliveries and their attempts."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from services.console.schemas.base import Read


class Health(Read):
    breaker: str = "closed"
    failures: int = 0
    failing_since: datetime | None = None
    held_back_until: datetime | None = None
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_error: str | None = None


class Key(Read):
    key_id: str
    kind: str
    public_key: str | None = None
    created_at: datetime
    expires_at: datetime | None = None


class EndpointFilter(Read):
    """What an event has to be of; None lets everything through."""

    channels: tuple[str, ...] | None = None
    sellers: tuple[UUID, ...] | None = None
    actions: tuple[str, ...] | None = None
    phases: tuple[str, ...] | None = None


class Endpoint(Read):
    """A webhook endpoint; its secrets are never in it."""

    endpoint_id: UUID
    organisation_id: UUID | None = None
    url: str
    description: str = ""
    event_types: tuple[str, ...]
    filter: EndpointFilter = EndpointFilter()
    header_names: tuple[str, ...] = ()
    format: str = "standard"
    signature: str = "hmac"
    http_signature: bool = False
    ordered: bool = True
    rate_limit: float | None = None
    retry_schedule: tuple[int, ...] = ()
    timeout_ms: int = 15_000
    status: str
    disabled_reason: str | None = None
    disabled_detail: str | None = None
    handshake: str = "none"
    handshake_error: str | None = None
    health: Health = Health()
    waiting: int = 0
    keys: tuple[Key, ...] = ()
    created_by: str | None = None
    created_at: datetime


class Endpoints(Read):
    items: tuple[Endpoint, ...]
    next_cursor: str | None = None


class Delivery(Read):
    delivery_id: UUID
    endpoint_id: UUID
    webhook_id: str
    event_id: UUID
    type: str
    order_id: UUID | None = None
    sequence: int | None = None
    origin: str = ""
    state: str
    attempts: int = 0
    last_status: int | None = None
    last_error: str | None = None
    next_attempt_at: datetime | None = None
    created_at: datetime
    finished_at: datetime | None = None


class Deliveries(Read):
    items: tuple[Delivery, ...]
    next_cursor: str | None = None


class Attempt(Read):
    number: int
    started_at: datetime
    duration_ms: int | None = None
    status: int | None = None
    outcome: str = ""
    error: str | None = None
    response_body: str | None = None
    response_truncated: bool | None = None


class DeliveryInFull(Delivery):
    payload: Any = None
    attempt_log: tuple[Attempt, ...] = ()


class Stats(Read):
    attempts: int = 0
    succeeded: int = 0
    failed: int = 0
    success_rate: float | None = None
    mean_ms: float | None = None
    p50_ms: int | None = None
    p95_ms: int | None = None


class HourStats(Stats):
    hour: datetime


class EndpointStats(Read):
    """`hours` are those in which something was sent, oldest first."""

    total: Stats = Stats()
    hours: tuple[HourStats, ...] = ()


class EventType(Read):
    type: str
    description: str = ""


class EventTypes(Read):
    items: tuple[EventType, ...]


class Replay(Read):
    """`queued` of the `examined` events so far; both grow until `status` is no longer "running"."""

    replay_id: UUID
    endpoint_id: UUID
    scope: str
    event_types: tuple[str, ...] | None = None
    order_id: UUID | None = None
    received_from: datetime
    received_to: datetime
    status: str
    examined: int = 0
    queued: int = 0
    created_by: str | None = None
    created_at: datetime


class Replays(Read):
    items: tuple[Replay, ...]
    next_cursor: str | None = None
