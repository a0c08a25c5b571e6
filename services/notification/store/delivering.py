"""Rows of mails on their way: claimed, handed over, settled; digests that close; addresses that take no mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Literal
from uuid import UUID

from contracts.order import Side
from services.notification.store import q
from services.notification.store.telling import choices_of
from services.notification.telling.categories import Channel
from services.notification.telling.planning import State
from shared.ids import new_id
from shared.postgres import Transaction

Settled = Literal["sent", "unknown", "failed", "suppressed", "skipped"]


@dataclass(frozen=True, slots=True)
class ClaimedMail:
    """A mail that this process may send until its lease ends, with everything that composing it needs."""

    delivery_id: UUID
    lease: UUID
    attempts: int
    handed_at: datetime | None
    notification_id: UUID
    marketplace_id: UUID
    event_id: UUID
    person_id: UUID
    category: str
    kind: str
    side: Side
    order_id: UUID | None
    occurred_at: datetime
    created_at: datetime
    facts: Mapping[str, Any]
    event: Mapping[str, Any] | None
    traceparent: str
    email: str
    name: str
    active: bool
    organisation_name: str
    marketplace_name: str
    language: str
    time_zone: str
    quiet_from: time | None
    quiet_until: time | None
    choices: Mapping[tuple[str, Channel], bool]
    suppressed: str | None

    @property
    def is_digest(self) -> bool:
        return self.kind == "digest"


async def claim(tx: Transaction, now: datetime, until: datetime, limit: int) -> list[ClaimedMail]:
    """Due mails, leased until then. One with `handed_at` was left behind by a sender and must not be sent."""
    return [_claimed(r) for r in await tx.fetch(q.claim_mails, now, until, new_id(), limit)]


def _claimed(r: Any) -> ClaimedMail:
    return ClaimedMail(
        delivery_id=r["delivery_id"],
        lease=r["lease"],
        attempts=r["attempts"],
        handed_at=r["handed_at"],
        notification_id=r["notification_id"],
        marketplace_id=r["marketplace_id"],
        event_id=r["event_id"],
        person_id=r["person_id"],
        category=r["category"],
        kind=r["kind"],
        side=r["side"],
        order_id=r["order_id"],
        occurred_at=r["occurred_at"],
        created_at=r["created_at"],
        facts=r["facts"] or {},
        event=r["event"],
        traceparent=r["traceparent"] or "",
        email=r["email"] or "",
        name=r["name"] or "",
        active=bool(r["active"]),
        organisation_name=r["organisation_name"] or "",
        marketplace_name=r["marketplace_name"],
        language=r["language"] or "en",
        time_zone=r["time_zone"] or "UTC",
        quiet_from=r["quiet_from"],
        quiet_until=r["quiet_until"],
        choices=choices_of(r["choices"]),
        suppressed=r["suppressed"],
    )


@dataclass(frozen=True, slots=True)
class DigestEntry:
    kind: str
    side: Side
    order_id: UUID | None
    occurred_at: datetime
    facts: Mapping[str, Any]


async def digest_entries(tx: Transaction, digest_id: UUID, limit: int) -> tuple[list[DigestEntry], int]:
    """The first entries of a digest and how many it has."""
    rows = await tx.fetch(q.digest_entries, digest_id, limit)
    entries = [DigestEntry(r["kind"], r["side"], r["order_id"], r["occurred_at"], r["facts"]) for r in rows]
    return entries, rows[0]["total"] if rows else 0


async def hand_over(
    tx: Transaction, mail: ClaimedMail, now: datetime, until: datetime, address: str, message_id: str
) -> bool:
    """Record that the mail is about to leave. False: the lease has ended, and it must not leave."""
    done = await tx.fetchval(q.hand_over, mail.delivery_id, mail.lease, now, address, message_id, until)
    return bool(done)


@dataclass(frozen=True, slots=True)
class SettledDelivery:
    """A delivery that reached its end; a digest settles several at once."""

    delivery_id: UUID
    notification_id: UUID
    marketplace_id: UUID
    event_id: UUID
    person_id: UUID
    order_id: UUID | None
    category: str
    kind: str


async def settle(
    tx: Transaction, mail: ClaimedMail, state: Settled, reason: str, now: datetime, *, attempted: bool
) -> list[SettledDelivery]:
    """The mail's end, and that of what went out inside it. Empty where another sender has settled it."""
    rows = await tx.fetch(q.settle, mail.delivery_id, mail.lease, state, reason, now, int(attempted))
    return [_settled(r) for r in rows]


def _settled(r: Any) -> SettledDelivery:
    return SettledDelivery(
        delivery_id=r["delivery_id"],
        notification_id=r["notification_id"],
        marketplace_id=r["marketplace_id"],
        event_id=r["event_id"],
        person_id=r["person_id"],
        order_id=r["order_id"],
        category=r["category"],
        kind=r["kind"],
    )


async def postpone(tx: Transaction, mail: ClaimedMail, due: datetime, reason: str, *, attempted: bool) -> None:
    await tx.execute(q.postpone, mail.delivery_id, mail.lease, due, reason, int(attempted))


async def release(tx: Transaction, mails: Sequence[ClaimedMail], due: datetime) -> None:
    """Give back mails that were claimed and not tried."""
    if mails:
        await tx.execute(q.release, [m.delivery_id for m in mails], [m.lease for m in mails], due)


async def suppress_address(tx: Transaction, marketplace_id: UUID, address: str, reason: str, now: datetime) -> None:
    await tx.execute(q.suppress_address, marketplace_id, address, reason, now)


@dataclass(frozen=True, slots=True)
class Bounced:
    """What a returned mail was about; `address` is where it had been sent."""

    settled: list[SettledDelivery]
    address: str | None


async def bounce(tx: Transaction, delivery_id: UUID, reason: str, now: datetime) -> Bounced | None:
    """Mark a sent mail as returned, and what went out inside it. None where it was not sent or has bounced before."""
    rows = await tx.fetch(q.bounce, delivery_id, reason, now)
    if not rows:
        return None
    return Bounced([_settled(r) for r in rows], next((r["address"] for r in rows if r["address"]), None))


async def mail_keys(tx: Transaction) -> list[bytes]:
    """The signing keys, newest first."""
    return [r["secret"] for r in await tx.fetch(q.mail_keys)]


async def close_digests(tx: Transaction, now: datetime, limit: int) -> int:
    """Close windows that are due; each with anything unread in it becomes one mail. Returns how many were closed."""
    windows = await tx.fetch(q.take_due_digests, now, limit)
    if not windows:
        return 0
    ids = [w["digest_id"] for w in windows]
    await tx.execute(q.skip_read_in_digests, ids, now)
    filled = {r["digest_id"] for r in await tx.fetch(q.digests_with_mail, ids)}
    mails = [w for w in windows if w["digest_id"] in filled]
    notifications = [new_id() for _ in mails]
    state: State = "pending"
    await tx.fetch(
        q.add_notifications,
        notifications,
        [w["marketplace_id"] for w in mails],
        [w["digest_id"] for w in mails],
        [w["person_id"] for w in mails],
        [w["category"] for w in mails],
        ["digest"] * len(mails),
        ["buyer"] * len(mails),
        [None] * len(mails),
        [now] * len(mails),
        [False] * len(mails),
        now,
        [new_id() for _ in mails],
        notifications,
        ["email"] * len(mails),
        [state] * len(mails),
        [""] * len(mails),
        [now] * len(mails),
        [None] * len(mails),
    )
    return len(windows)


async def next_digest_at(tx: Transaction) -> datetime | None:
    due: datetime | None = await tx.fetchval(q.next_digest_at)
    return due


async def waiting_mails(tx: Transaction, now: datetime) -> tuple[int, datetime | None]:
    """How many mails are due, counted up to 10,000, and since when the oldest is."""
    row = await tx.fetchrow(q.pending_mails, now)
    assert row is not None
    return row["waiting"], row["oldest"]


async def prune(tx: Transaction, before: datetime, limit: int) -> bool:
    """Forget notifications, causes and digests from before then. True where there may be more."""
    done = [await tx.execute(sql, before, limit) for sql in (q.prune_notifications, q.prune_causes, q.prune_digests)]
    return any(d == f"DELETE {limit}" for d in done)
