"""People and organisations, as the identity service shows them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from contracts.money import Money
from services.console.schemas.base import Read


class MemberRow(Read):
    person_id: UUID
    organisation_id: UUID
    name: str
    email: str
    roles: tuple[str, ...] = ()
    active: bool = True
    language: str = "en"
    time_zone: str = "UTC"
    purchasing_limit: Money | None = None


class Invitation(Read):
    """What somebody sets a password with, once, until it ends."""

    token: str
    expires_at: datetime


class SavedView(Read):
    """Filters of the order list, by their names in its address, under a name of the person's own."""

    view_id: UUID
    name: str
    filters: dict[str, str] = Field(default_factory=dict)


class SavedViews(Read):
    items: tuple[SavedView, ...]


class Invited(Read):
    """The answer to an invitation."""

    invitation: Invitation


class Members(Read):
    items: tuple[MemberRow, ...]
    next_cursor: str | None = None


class OrganisationRow(Read):
    organisation_id: UUID
    name: str
    kind: str = "both"


class Organisations(Read):
    items: tuple[OrganisationRow, ...]
    next_cursor: str | None = None


class LogIn(Read):
    """Somebody was logged in as the person."""

    at: datetime
    name: str
    reason: str


class LogIns(Read):
    items: tuple[LogIn, ...]
    next_cursor: str | None = None
