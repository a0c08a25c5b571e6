"""Rows of the in-app feed and of people's settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any, Final, Literal
from uuid import UUID

from contracts.order import Side
from services.notification.telling.timing import DigestMode
from shared.postgres import Queries, Transaction

q: Final = Queries.load("services.notification", "feed.sql")
FeedState = Literal["all", "unread", "read", "archived"]
Engagement = Literal["read", "unread", "archive", "unarchive"]


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One notification of a feed. In a feed grouped by order, `total` and `unread` count those of its order."""

    notification_id: UUID
    event_id: UUID
    event_type: str
    category: str
    kind: str
    side: Side
    order_id: UUID | None
    order_number: str | None
    occurred_at: datetime
    seen_at: datetime | None
    read_at: datetime | None
    archived_at: datetime | None
    facts: Mapping[str, Any]
    total: int = 1
    unread: int = 0


def _row(r: Any) -> FeedRow:
    grouped = "total" in r.keys()  # noqa: SIM118 - a record, not a mapping: `in` would look among the values
    return FeedRow(
        notification_id=r["notification_id"],
        event_id=r["event_id"],
        event_type=r["event_type"],
        category=r["category"],
        kind=r["kind"],
        side=r["side"],
        order_id=r["order_id"],
        order_number=r["order_number"],
        occurred_at=r["occurred_at"],
        seen_at=r["seen_at"],
        read_at=r["read_at"],
        archived_at=r["archived_at"],
        facts=r["facts"],
        total=r["total"] if grouped else 1,
        unread=r["unread"] if grouped else int(r["read_at"] is None),
    )


async def feed(
    tx: Transaction, person_id: UUID, *, after: UUID | None, state: FeedState, order_id: UUID | None, limit: int
) -> list[FeedRow]:
    """Newest first, after a notification."""
    return [_row(r) for r in await tx.fetch(q.feed, person_id, after, state, limit, order_id)]


async def feed_by_order(tx: Transaction, person_id: UUID, *, after: UUID | None, limit: int) -> list[FeedRow]:
    """The newest notification of each order, newest first, with counts."""
    return [_row(r) for r in await tx.fetch(q.feed_by_order, person_id, after, limit)]


async def fresh(tx: Transaction, person_id: UUID, after: UUID, limit: int) -> list[FeedRow]:
    """What came after a notification, oldest first; at most the newest `limit`."""
    return [_row(r) for r in await tx.fetch(q.fresh_in_feed, person_id, after, limit)]


@dataclass(frozen=True, slots=True)
class Counts:
    """Unread and, among them, unseen: the number, and whether there is a dot. Both stop at 1,000."""

    unread: int
    unseen: int


async def counts(tx: Transaction, person_id: UUID) -> Counts:
    row = await tx.fetchrow(q.feed_counts, person_id)
    assert row is not None
    return Counts(row["unread"], row["unseen"])


async def engage(
    tx: Transaction, person_id: UUID, notification_id: UUID, what: Engagement, now: datetime
) -> FeedRow | None:
    """Mark one notification and show it as it is now; None where it is not in this person's feed."""
    row = await tx.fetchrow(q.engage, notification_id, person_id, now, what)
    return _row(row) if row else None


async def read_all(
    tx: Transaction, person_id: UUID, now: datetime, *, up_to: UUID | None, order_id: UUID | None
) -> int:
    return len(await tx.fetch(q.read_all, person_id, now, up_to, order_id))


async def see_all(tx: Transaction, person_id: UUID, now: datetime) -> int:
    return len(await tx.fetch(q.see_all, person_id, now))


async def touched(tx: Transaction, people: Sequence[UUID], since: datetime) -> Mapping[UUID, datetime]:
    """When the feeds of these people last changed, for those where it was after `since`."""
    return {r["person_id"]: r["touched_at"] for r in await tx.fetch(q.touched, people, since)}


@dataclass(frozen=True, slots=True)
class Tongue:
    language: str = "en"
    time_zone: str = "UTC"


async def tongue(tx: Transaction, person_id: UUID) -> Tongue:
    """The language and time zone to show a feed in."""
    row = await tx.fetchrow(q.language_of, person_id)
    return Tongue(row["language"], row["time_zone"]) if row else Tongue()


@dataclass(frozen=True, slots=True)
class Preference:
    """What a person wishes; version 0 is that they never said anything. None: as the member's own record says."""

    version: int = 0
    language: str | None = None
    time_zone: str | None = None
    quiet_from: time | None = None
    quiet_until: time | None = None
    digest: DigestMode = "off"
    digest_at: time = time(8, 0)
    choices: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)


def _preference(r: Any) -> Preference:
    return Preference(**dict(r.items()))


async def preference(tx: Transaction, person_id: UUID, *, lock: bool = False) -> Preference:
    row = await tx.fetchrow(q.lock_preference if lock else q.preference, person_id)
    return _preference(row) if row else Preference()


async def put_preference(
    tx: Transaction, person_id: UUID, marketplace_id: UUID, p: Preference, now: datetime
) -> Preference:
    """Write the whole of it; the version that it has now comes back."""
    row = await tx.fetchrow(
        q.put_preference, person_id, marketplace_id, p.language, p.time_zone, p.quiet_from, p.quiet_until, p.digest,
        p.digest_at, p.choices, now,
    )  # fmt: skip
    return _preference(row)


async def switch_off_email(
    tx: Transaction, person_id: UUID, marketplace_id: UUID, category: str, now: datetime
) -> bool:
    """One category's e-mail off; False where the person is not of this marketplace (any more)."""
    return await tx.fetchrow(q.switch_off_email, person_id, marketplace_id, category, now) is not None


@dataclass(frozen=True, slots=True)
class Address:
    """A person's address with the language and zone of their record; `reason` and `since` where it takes no mail."""

    email: str
    language: str
    time_zone: str
    reason: str | None
    since: datetime | None


async def address(tx: Transaction, person_id: UUID) -> Address | None:
    row = await tx.fetchrow(q.address_state, person_id)
    return Address(**dict(row.items())) if row else None


async def resume_address(tx: Transaction, marketplace_id: UUID, email: str) -> bool:
    return bool(await tx.fetchval(q.resume_address, marketplace_id, email))


async def order_deliveries(
    tx: Transaction,
    order_id: UUID,
    *,
    organisation_id: UUID | None,
    person_id: UUID | None,
    after: UUID | None,
    limit: int,
) -> list[Any]:
    """Every delivery that an order's events led to, oldest first, as rows of `order_deliveries`."""
    return await tx.fetch(q.order_deliveries, order_id, organisation_id, person_id, after, limit)
