"""Messages, notifications and how a person wants to be told."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.console.schemas.base import Read


class Sender(Read):
    side: str
    name: str
    organisation_name: str = ""
    on_behalf_of: str | None = None
    acted_by_name: str | None = None


class Attachment(Read):
    attachment_id: UUID
    file_name: str
    media_type: str
    bytes: int
    thumbnail: bool = False


class Message(Read):
    message_id: UUID
    seq: int
    posted_at: datetime
    sender: Sender
    own: bool = False
    automatic: bool = False
    text: str
    hidden: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


class Participant(Read):
    side: str
    name: str


class Awaiting(Read):
    side: str
    since: datetime


class Thread(Read):
    order_id: UUID
    order_number: str
    kind: str
    own_side: str
    participants: tuple[Participant, ...] = ()
    messages: int = 0
    last_seq: int = 0
    last_posted_at: datetime | None = None
    last_message: Message | None = None
    last_read_seq: int = 0
    unread: int = 0
    awaiting_reply: Awaiting | None = None


class Threads(Read):
    items: tuple[Thread, ...]
    next_cursor: str | None = None


class Conversation(Read):
    thread: Thread
    items: tuple[Message, ...]
    next_cursor: str | None = None
    attachment_kinds: tuple[str, ...] = ()


class OrderUnread(Read):
    order_id: UUID
    unread: int = 0
    messages: int = 0
    awaiting_own_reply: bool = False


class Unread(Read):
    total: int = 0
    orders: tuple[OrderUnread, ...] = ()


class NotificationLink(Read):
    label: str
    path: str


class Notification(Read):
    """A notification, in the reader's language."""

    id: UUID
    title: str
    body: str = ""
    hint: str = ""
    link: NotificationLink
    category: str = ""
    order_number: str | None = None
    occurred_at: datetime
    read_at: datetime | None = None
    archived_at: datetime | None = None


class Feed(Read):
    items: tuple[Notification, ...]
    next_cursor: str | None = None


class CategoryPreference(Read):
    name: str
    label: str
    in_app: str
    email: str


class QuietHours(Read):
    start: str
    end: str


class Digest(Read):
    mode: str = "off"
    at: str = "08:00"


class EmailAddress(Read):
    address: str
    state: str = "ok"
    reason: str | None = None
    since: datetime | None = None


class Preferences(Read):
    language: str
    language_chosen: bool = False
    languages: tuple[str, ...]
    time_zone: str
    quiet_hours: QuietHours | None = None
    digest: Digest = Digest()
    categories: tuple[CategoryPreference, ...]
    email: EmailAddress


class Notice(Read):
    """What somebody was told of an event of an order by one channel, and whether it arrived."""

    event_id: UUID
    event_type: str
    # who caused it; the side where the order's timeline does not say it
    actor: str = ""
    actor_for: str = ""
    actor_side: str = ""
    person: str
    organisation: str = ""
    channel: str
    state: str
    reason: str = ""
    address: str | None = None
    occurred_at: datetime
    due_at: datetime | None = None
    settled_at: datetime | None = None
    read_at: datetime | None = None


class Notices(Read):
    items: tuple[Notice, ...]
    next_cursor: str | None = None
