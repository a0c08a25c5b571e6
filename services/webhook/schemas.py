"""What the API takes: strict models, each limit with its reason in the documentation."""

from __future__ import annotations

import re
from datetime import datetime
from ipaddress import ip_network
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from contracts.order import Phase
from services.webhook.addresses import may_be_allowed
from services.webhook.formats import Format
from services.webhook.schedule import DEFAULT_SCHEDULE
from services.webhook.signing import KeyTextError, SigningKey

Signature = Literal["hmac", "ed25519", "both"]
_PATTERN: Final = re.compile(r"\*|[a-z_]{1,50}\.(\*|[a-z_]{1,50})")
# RFC 9110 token; a value without line breaks or other control characters
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,1998}[\x21-\x7e])?")


def _like(pattern: re.Pattern[str], what: str) -> AfterValidator:
    """Refuses what does not match in words that say how to mend it; the text itself may be a secret."""

    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(what)
        return text

    return AfterValidator(check)


Pattern = Annotated[str, _like(_PATTERN, 'an event type looks like "order.created"; wildcards are "order.*" and "*"')]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
HeaderName = Annotated[
    str, _like(_HEADER_NAME, "a header's name is 1 to 100 letters, digits and signs of !#$%&'*+-.^_`|~, without spaces")
]
HeaderValue = Annotated[
    str,
    _like(_HEADER_VALUE, "a header's value is 1 to 2,000 ASCII characters on one line, with no space at either end"),
]
Delay = Annotated[int, Field(ge=1, le=604_800)]
Url = Annotated[str, StringConstraints(min_length=8, max_length=2_000)]
MAX_EXPIRY_HOURS: Final = 168


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Filter(Body):
    """Only events that pass all of these. One left out lets everything through, and so does an event without it."""

    channels: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)] | None = None
    sellers: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="Organisations whose orders are wanted."
    )
    actions: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)] | None = None
    phases: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=6)] | None = None


class EndpointBase(Body):
    description: str = Field(default="", max_length=500)
    event_types: Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=50)] = Field(
        default=("*",), description='Types such as "order.created"; "order.*" and "*" are wildcards.'
    )
    filter: Filter = Filter()
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=20)] = Field(
        default_factory=dict, description="Sent with every delivery; kept encrypted and never shown again."
    )
    format: Format = "standard"
    signature: Signature = Field(default="hmac", description="HMAC-SHA256 (v1), ed25519 (v1a), or both.")
    http_signature: bool = Field(default=False, description="Adds RFC 9421 Signature headers and Content-Digest.")
    ordered: bool = Field(default=True, description="An order's events leave in sequence, one after the other.")
    retry_schedule: Annotated[tuple[Delay, ...], Field(max_length=20)] = Field(
        default=DEFAULT_SCHEDULE, description="Seconds to wait after each failed attempt; then it is exhausted."
    )
    timeout_ms: int = Field(default=15_000, ge=500, le=60_000, description="Deadline of the whole exchange.")
    max_in_flight: int = Field(default=64, ge=1, le=256)
    rate_limit: float | None = Field(default=None, ge=0.01, le=10_000, description="Deliveries per second.")


class NewEndpoint(EndpointBase):
    """An endpoint to make. Without `secret` one is drawn; it is shown in the answer and never again.

    Of one that signs with both kinds, `secret` is either key; the other one is drawn.
    """

    url: Url
    secret: str | None = Field(default=None, max_length=200, repr=False)

    @model_validator(mode="after")
    def _own_secret(self) -> Self:
        if self.secret is not None:
            kind = _kind_of(self.secret)
            if self.signature not in (kind, "both"):
                raise ValueError(f"the secret is for {kind}, the signature asked for is {self.signature}")
        return self


class EndpointChange(Body):
    """What to change; what is left out stays. `headers` replaces all custom headers, `filter` the whole filter.

    `null` takes a rate limit or a filter away; elsewhere it is refused.
    """

    url: Url | None = None
    description: str | None = Field(default=None, max_length=500)
    event_types: Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=50)] | None = None
    filter: Filter | None = None
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=20)] | None = None
    format: Format | None = None
    signature: Signature | None = None
    http_signature: bool | None = None
    ordered: bool | None = None
    retry_schedule: Annotated[tuple[Delay, ...], Field(max_length=20)] | None = None
    timeout_ms: int | None = Field(default=None, ge=500, le=60_000)
    max_in_flight: int | None = Field(default=None, ge=1, le=256)
    rate_limit: float | None = Field(default=None, ge=0.01, le=10_000)

    @model_validator(mode="after")
    def _null_is_no_value(self) -> Self:
        empty = sorted(n for n in self.model_fields_set - {"rate_limit", "filter"} if getattr(self, n) is None)
        if empty:
            raise ValueError(f"{', '.join(empty)} cannot be null; leave out what is to stay as it is")
        return self


class Rotation(Body):
    """A new key. The old ones of its kind sign beside it for `expire_after_hours`."""

    kind: Literal["hmac", "ed25519"] | None = Field(default=None, description="Needed where the endpoint uses both.")
    secret: str | None = Field(default=None, max_length=200, repr=False)
    expire_after_hours: float = Field(default=24, ge=0, le=MAX_EXPIRY_HOURS)

    @model_validator(mode="after")
    def _own_secret(self) -> Self:
        if self.secret is not None and self.kind not in (None, _kind_of(self.secret)):
            raise ValueError(f"the secret is for {_kind_of(self.secret)}, not {self.kind}")
        return self


class Enabling(Body):
    """`replay_missing` sends, in order, what was kept while the endpoint was disabled."""

    replay_missing: bool = False


class TestEvent(Body):
    __test__ = False  # the name begins as a test class's does

    type: Pattern = "order.created"


class NewReplay(Body):
    """Send again what was received from `received_from` to `received_to` and passes the endpoint's own filters."""

    endpoint_id: UUID
    scope: Literal["missing", "all"] = Field(default="missing", description="missing: what never arrived.")
    event_types: Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=50)] | None = None
    order_id: UUID | None = None
    received_from: datetime
    received_to: datetime | None = None

    @model_validator(mode="after")
    def _range(self) -> Self:
        for at in (self.received_from, self.received_to):
            if at is not None and at.tzinfo is None:
                raise ValueError("times need an offset, as in 2026-01-31T12:00:00Z")
        if self.received_to is not None and self.received_to <= self.received_from:
            raise ValueError("received_to must be after received_from")
        return self


class AllowedNetwork(Body):
    """A network that this marketplace's endpoints may reach although it is private."""

    network: str = Field(max_length=50)
    reason: Annotated[str, StringConstraints(min_length=3, max_length=500)]

    @field_validator("network")
    @classmethod
    def _cidr(cls, text: str) -> str:
        network = ip_network(text)
        if not may_be_allowed(network):
            raise ValueError(
                "only a private network can be allowed: a part of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16,"
                " 100.64.0.0/10 or fc00::/7"
            )
        return str(network)


def _kind_of(secret: str) -> Literal["hmac", "ed25519"]:
    try:
        return SigningKey.parse(secret).kind
    except KeyTextError as e:
        raise ValueError(str(e)) from None
