"""What the API answers, for its description: generated clients have these. `shown` makes the documents themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field

from contracts.order import Phase
from services.webhook.formats import Format
from services.webhook.schemas import Signature
from services.webhook.signing import KeyKind

T = TypeVar("T", bound=BaseModel)
State = Literal["pending", "delivered", "exhausted", "aborted", "held", "discarded"]


class Shown(BaseModel):
    """Everything is always there, but for what has a default."""


class Page(Shown, Generic[T]):
    """A page of a list; `next_cursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None


class Items(Shown, Generic[T]):
    items: list[T]


class FilterShown(Shown):
    """null lets everything through."""

    channels: list[str] | None
    sellers: list[UUID] | None
    actions: list[str] | None
    phases: list[Phase] | None


class Health(Shown):
    breaker: Literal["open", "closed"]
    failures: int = Field(description="Since the last success.")
    failing_since: datetime | None
    held_back_until: datetime | None = Field(description="Nothing is sent before, unless it has passed.")
    last_success_at: datetime | None
    last_failure_at: datetime | None
    last_error: str | None


class Key(Shown):
    """A live key; `public_key` (whpk_...) where it has one. Never a secret."""

    key_id: UUID
    kind: KeyKind
    public_key: str | None
    created_at: datetime
    expires_at: datetime | None = Field(description="null: current; else it signs beside the newer ones until then.")


class EndpointListed(Shown):
    endpoint_id: UUID
    organisation_id: UUID
    url: str = Field(description="For others than its organisation without the values of its query: `?key=***`.")
    description: str
    event_types: list[str]
    filter: FilterShown
    header_names: list[str]
    format: Format
    signature: Signature
    http_signature: bool
    ordered: bool
    retry_schedule: list[int]
    timeout_ms: int
    max_in_flight: int
    rate_limit: float | None
    status: Literal["active", "paused", "disabled"]
    disabled_reason: Literal["failing", "gone", "receiver", "person"] | None
    disabled_detail: str | None
    handshake: Literal["none", "required", "granted"]
    handshake_error: str | None
    health: Health
    version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    waiting: int = Field(description="Deliveries that wait, counted up to 10,000.")


class EndpointShown(EndpointListed):
    keys: list[Key]


class EndpointMade(EndpointShown):
    """`secret` is the HMAC secret where there is one; all of them are in `secrets`. A repeated request gets null."""

    secret: str | None
    secrets: dict[KeyKind, str] | None = None
    secret_note: str | None = None


class EndpointChanged(EndpointShown):
    secrets: dict[KeyKind, str] | None = Field(default=None, description="Keys that the change has made, shown once.")


class KeyMade(Shown):
    key_id: UUID
    kind: KeyKind
    public_key: str | None
    keys: list[Key]
    secret: str | None = Field(description="Shown once: a repeated request gets null.")
    secret_note: str | None = None


class DeliveryShown(Shown):
    delivery_id: UUID
    endpoint_id: UUID
    webhook_id: str
    event_id: UUID
    type: str
    order_id: UUID | None
    sequence: int
    origin: Literal["event", "test", "replay", "retry"]
    state: State
    attempts: int
    last_status: int | None
    last_error: str | None
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


class AttemptShown(Shown):
    number: int
    started_at: datetime
    duration_ms: int
    connect_ms: int
    status: int | None
    outcome: str = Field(description='"answered", or why there is no answer: timeout, dns, connect, tls, reset ...')
    error: str | None
    response_headers: dict[str, str] | None
    response_body: str | None = Field(description="The first 16 kB, unpacked.")
    response_truncated: bool


class Payload(Shown):
    type: str
    timestamp: datetime
    data: dict[str, Any]


class DeliveryInFull(DeliveryShown):
    payload: Payload | None = Field(description="null where the event is no longer kept, or not for the reader.")
    attempt_log: list[AttemptShown]


class Figures(Shown):
    attempts: int
    succeeded: int
    failed: int
    success_rate: float | None
    mean_ms: float | None
    p50_ms: int | None = Field(description="An upper bound, as the others: buckets double.")
    p95_ms: int | None
    p99_ms: int | None


class HourShown(Figures):
    hour: datetime


class StatsShown(Shown):
    endpoint_id: UUID
    waiting: int
    total: Figures
    hours: list[HourShown]


class ReplayShown(Shown):
    replay_id: UUID
    endpoint_id: UUID
    scope: Literal["missing", "all"]
    event_types: list[str] | None
    order_id: UUID | None
    received_from: datetime
    received_to: datetime
    status: Literal["running", "done", "canceled"]
    examined: int = Field(description="Events of the range that the organisation may know of.")
    queued: int = Field(description="Of these, what is sent again, or now instead of later.")
    created_by: str
    created_at: datetime
    finished_at: datetime | None


class EventTypeShown(Shown):
    type: str
    version: int
    description: str
    schema_: dict[str, Any] = Field(alias="schema", description="JSON Schema 2020-12 of the whole body.")
    example: dict[str, Any]


class FeedEvent(Payload):
    id: str = Field(description="The webhook-id.")
    received_at: datetime


class Feed(Shown):
    items: list[FeedEvent]
    next_after: str = Field(description="Ask again with it as `after`, also later.")
    has_more: bool


class NetworkShown(Shown):
    network: str
    reason: str
    created_by: str
    created_at: datetime
