"""What callers send, and what they are shown."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from contracts.order import Side
from services.messaging.attachments import MOST_FILES
from services.messaging.masking import Kind
from services.messaging.policy import ThreadKind

MOST_TEXT: Final = 4_000


def readable(text: str) -> str:
    """The text as it is kept: NFC, plain newlines, no blank ends. Raises ValueError for one that nobody can read.

    Control characters (but newline and tab) are refused: they do nothing in a message but deceive or break readers.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in text):
        raise ValueError("control characters other than newline and tab are not allowed")
    if not any(unicodedata.category(c)[0] in "LNPS" for c in text):
        raise ValueError("a message needs at least one visible character")
    if len(text) > MOST_TEXT:
        raise ValueError(f"a message has at most {MOST_TEXT} characters")
    return text


def _each_once(ids: tuple[UUID, ...]) -> tuple[UUID, ...]:
    if len(set(ids)) != len(ids):
        raise ValueError("each attachment stands once")
    return ids


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PostMessage(Given):
    """A message. `on_behalf_of` is for operators, `automatic` for systems with an API key.

    `attachment_ids` are of files that the caller uploaded for this thread; with any, the text may be left out.
    """

    # before the text, which may be empty only where there are some
    attachment_ids: Annotated[tuple[UUID, ...], Field(max_length=MOST_FILES), AfterValidator(_each_once)] = ()
    text: Annotated[str, Field(max_length=MOST_TEXT, validate_default=True)] = ""
    kind: ThreadKind = "buyer_seller"
    on_behalf_of: Literal["seller"] | None = None
    automatic: bool = False

    @field_validator("text", mode="after")
    @classmethod
    def _readable(cls, text: str, info: ValidationInfo) -> str:
        if info.data.get("attachment_ids") and not text.strip():
            return ""
        return readable(text)


class MarkRead(Given):
    """Everything up to and with this message is read. A cursor never goes back this way."""

    up_to_seq: int = Field(ge=0, le=2**53)
    kind: ThreadKind = "buyer_seller"


class MarkUnread(Given):
    """This message and all after it are unread again."""

    from_seq: int = Field(ge=1, le=2**53)
    kind: ThreadKind = "buyer_seller"


class Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class Sender(Shown):
    """Who wrote a message, and for whom. `acted_by` is the real person where that one was logged in as the sender."""

    side: Side
    name: str
    id: UUID
    kind: Literal["person", "api_key"]
    organisation_id: UUID
    organisation_name: str
    on_behalf_of: Side | None = None
    acted_by: UUID | None = None
    acted_by_name: str | None = None


class Attachment(Shown):
    """A file of a message. `sha256` is of the bytes that are given out; `thumbnail`: whether it has a small picture."""

    attachment_id: UUID
    file_name: str
    media_type: str
    bytes: int
    sha256: str
    thumbnail: bool


class Message(Shown):
    """A message as the caller may see it. `hidden` says which contact details the marketplace's policy hid."""

    message_id: UUID
    thread_id: UUID
    seq: int
    posted_at: datetime
    sender: Sender
    own: bool
    automatic: bool
    text: str
    hidden: tuple[Kind, ...] = ()
    attachments: tuple[Attachment, ...] = ()


class Participant(Shown):
    """A side that may read and write (authorised), and whether it has written yet (current)."""

    side: Side
    organisation_id: UUID | None
    name: str
    current: bool


class Awaiting(Shown):
    """The side whose answer is waited for, since its first unanswered message."""

    side: Side
    since: datetime


class Thread(Shown):
    """A thread as the caller sees it; `unread` counts what other sides wrote after `last_read_seq`."""

    thread_id: UUID
    order_id: UUID
    order_number: str
    kind: ThreadKind
    own_side: Side
    participants: tuple[Participant, ...]
    messages: int
    last_seq: int
    last_posted_at: datetime | None
    last_message: Message | None = None
    last_read_seq: int
    unread: int
    awaiting_reply: Awaiting | None


class ThreadPage(Shown):
    items: tuple[Thread, ...]
    next_cursor: str | None


class Conversation(Shown):
    """A page of a thread's messages, oldest first; `next_cursor` leads to older ones.

    `attachment_kinds`: what may be attached here, "image" and "pdf" or less.
    """

    thread: Thread
    items: tuple[Message, ...]
    next_cursor: str | None
    attachment_kinds: tuple[str, ...] = ()


class ReadState(Shown):
    thread_id: UUID
    last_read_seq: int
    last_seq: int
    unread: int


class OrderUnread(Shown):
    order_id: UUID
    order_number: str
    unread: int
    messages: int
    awaiting_own_reply: bool


class Unread(Shown):
    """`total` unread messages in `threads` threads; `awaiting_reply` threads wait for the caller's own side."""

    total: int
    threads: int
    awaiting_reply: int
    orders: tuple[OrderUnread, ...]


class Person(Shown):
    person_id: UUID
    name: str
    roles: tuple[str, ...]


class Participants(Shown):
    """The sides of an order's thread, and the people on the caller's own side (for operators: on every side)."""

    participants: tuple[Participant, ...]
    people: dict[str, tuple[Person, ...]]
