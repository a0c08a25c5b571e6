"""What the HTTP API takes and gives. Unknown fields in a request are refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


class Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is no IANA time zone, such as Europe/Oslo")
    return name


WallTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["22:00"])]
TimeZone = Annotated[str, Field(max_length=64, examples=["Europe/Oslo"]), AfterValidator(_time_zone)]
ChannelState = Literal["on", "off", "required"]


class Page(Shown):
    """Where a notification leads: a path below the console's address, and the whole address."""

    label: str
    path: str
    url: str


class Notification(Shown):
    """A notification in the reader's language. `total` and `unread` count its order's, in a feed grouped by order."""

    id: UUID
    event_id: UUID
    event_type: str
    category: str
    kind: str
    title: str
    body: str
    hint: str
    link: Page
    order_id: UUID | None
    order_number: str | None
    occurred_at: datetime
    seen_at: datetime | None
    read_at: datetime | None
    archived_at: datetime | None
    total: int = 1
    unread: int = 0


class Feed(Shown):
    items: list[Notification]
    next_cursor: str | None


class Counts(Shown):
    """`unread`: the number at the inbox; `unseen`: above zero there is a dot. Counted up to 1,000."""

    unread: int
    unseen: int


class ReadAll(Request):
    """Everything, or only up to a notification, or only of one order."""

    up_to: UUID | None = None
    order_id: UUID | None = None


class Marked(Shown):
    """How many were marked: at most 5,000 at once, so ask again while it is that many."""

    marked: int


class QuietHours(Request):
    """Local times between which no mail is sent; they may span midnight."""

    start: WallTime
    end: WallTime


class Digest(Request):
    """Mails that are not critical, collected: for an hour, or until a time of day."""

    mode: Literal["off", "hourly", "daily"] = "off"
    at: WallTime = "08:00"


class ChannelChoice(Request):
    in_app: bool | None = None
    email: bool | None = None


class PutPreferences(Request):
    """The whole of a person's wishes: what is left out goes back to its default."""

    language: Annotated[str, Field(max_length=20)] | None = None
    time_zone: TimeZone | None = None
    quiet_hours: QuietHours | None = None
    digest: Digest = Digest()
    categories: Annotated[dict[str, ChannelChoice], Field(max_length=50)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _quiet_hours_are_hours(self) -> PutPreferences:
        if self.quiet_hours and self.quiet_hours.start == self.quiet_hours.end:
            raise ValueError("quiet_hours must end at another time than they start; leave them out for none")
        return self


class CategoryPreference(Shown):
    """One row of the settings page; `critical` ones pass quiet hours and digests."""

    name: str
    label: str
    in_app: ChannelState
    email: ChannelState
    critical: bool


class EmailAddress(Shown):
    """Where mail goes, and why it does not where it does not."""

    address: str
    state: Literal["ok", "suppressed"]
    reason: str | None = None
    since: datetime | None = None


class Preferences(Shown):
    """`language_chosen`: by the person; otherwise `language` is that of their record."""

    language: str
    language_chosen: bool
    languages: list[str]
    time_zone: str
    quiet_hours: QuietHours | None
    digest: Digest
    categories: list[CategoryPreference]
    email: EmailAddress


class OrderDelivery(Shown):
    """One channel of one notification that an order's event led to.

    `actor` caused it, logged in as `actor_for` where that is somebody; `actor_side` is that of a message's sender.
    """

    id: UUID
    notification_id: UUID
    event_id: UUID
    event_type: str
    actor: str
    actor_for: str
    actor_side: str
    category: str
    kind: str
    side: str
    person_id: UUID
    person: str
    organisation_id: UUID
    organisation: str
    channel: str
    state: str
    reason: str
    attempts: int
    address: str | None
    occurred_at: datetime
    due_at: datetime | None
    settled_at: datetime | None
    seen_at: datetime | None
    read_at: datetime | None


class OrderDeliveries(Shown):
    items: list[OrderDelivery]
    next_cursor: str | None
