"""Lifecycles and channels, as the order service tells of them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import Field

from services.console.schemas.base import Read
from services.console.schemas.orders import Lifecycle


class CourseRow(Read):
    """A lifecycle in its newest version; who added it is absent for what came with the product."""

    name: str
    version: int
    builtin: bool = False
    added_by: str | None = None
    added_at: datetime | None = None


class Courses(Read):
    items: tuple[CourseRow, ...]


class CourseSetting(Read):
    """Something that a marketplace may set; a flag or a whole number."""

    label: str
    default: bool | int
    min: int = 0
    max: int = 3660


class Marketplace(Read):
    """What a marketplace has set, as text by name; `lifecycle` is the one that its orders begin with."""

    marketplace_id: UUID
    name: str
    time_zone: str
    lifecycle: str
    settings: dict[str, str] = Field(default_factory=dict)
    version: int


class Course(Lifecycle):
    """One version of a lifecycle, whole."""

    text: str
    settings: dict[str, CourseSetting] = Field(default_factory=dict)


class Finding(Read):
    """What is wrong with a text: the line (0 for all of it), what, and what to do."""

    line: int = 0
    message: str
    remedy: str = ""


class Findings(Read):
    findings: tuple[Finding, ...]


class Channel(Read):
    """What the marketplace has set for a channel; what only operators may know is absent for others."""

    name: str
    version: int
    title: str | None = None
    lifecycle: str | None = None
    auto_accept: bool = False
    buffer: Decimal | None = None
    buffers: dict[str, Decimal] = Field(default_factory=dict)
    can_refund: bool = False
    contact: str | None = None
    default_buyer: UUID | None = None
    default_seller: UUID | None = None
    commission_rate: Decimal | None = None
    statuses: dict[str, str] = Field(default_factory=dict)


class Channels(Read):
    items: tuple[Channel, ...]
