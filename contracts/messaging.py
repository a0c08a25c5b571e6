"""Events of the messaging service."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import Event
from contracts.order import Actor, Part, Side


class AttachedFile(Part):
    """A file of a message, without its bytes. `file_name` is of the sender's making, or of ours where the marketplace
    hides contact details; `sha256` is of the bytes that messaging gives out."""

    attachment_id: UUID
    file_name: str
    media_type: str
    bytes: int = Field(ge=1)
    sha256: str


class MessagePosted(Event, type="message.posted", version=1):
    """A message on an order's thread. `audience` is who may read it; `preview` is at most 200 characters of its text,
    and empty where it has attachments only."""

    order_id: UUID
    order_number: str
    thread_id: UUID
    thread_kind: Literal["buyer_seller", "seller_operator"] = "buyer_seller"
    message_id: UUID
    seq: int = Field(ge=1)
    posted_at: datetime
    sender: Actor
    sender_side: Side
    on_behalf_of: Side | None = None
    sender_organisation_id: UUID | None = None
    buyer_organisation_id: UUID
    seller_organisation_id: UUID
    audience: tuple[Side, ...] = ("buyer", "seller", "operator")
    preview: str = Field(max_length=200)
    attachment_count: int = 0
    # left out where there are none, as before there were any
    attachments: tuple[AttachedFile, ...] | None = None
    automatic: bool = False

    def key(self) -> str:
        return str(self.order_id)

    def subject(self) -> str:
        return str(self.message_id)
