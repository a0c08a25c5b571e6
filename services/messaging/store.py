"""The database of messaging, statement by statement. Nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from contracts.identity import MemberChanged
from contracts.order import OrderSnapshot, Side
from services.messaging.attachments import allowed
from services.messaging.masking import NOTHING, Contact, MaskingPolicy
from services.messaging.policy import THREAD_KINDS, Reach, ThreadKind
from services.messaging.turns import Turn
from shared.ids import new_id
from shared.postgres import Queries, Transaction
from shared.postgres.database import Row

q = Queries.load(__package__)
# More people of one side are not named.
MOST_PEOPLE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A thread; `last_read_seq` and `read_*` are the reader's it was fetched for (0 where it has read nothing)."""

    thread_id: UUID
    marketplace_id: UUID
    order_id: UUID
    kind: ThreadKind
    order_number: str
    order_sequence: int
    buyer_organisation_id: UUID
    buyer_name: str
    buyer_person_id: UUID | None
    seller_organisation_id: UUID
    seller_name: str
    created_at: datetime
    last_seq: int
    last_posted_at: datetime | None
    from_buyer: int
    from_seller: int
    from_operator: int
    awaiting: Side | None
    awaiting_since: datetime | None
    last_read_seq: int = 0
    read_buyer: int = 0
    read_seller: int = 0
    read_operator: int = 0

    @property
    def turn(self) -> Turn:
        return Turn(self.awaiting, self.awaiting_since)

    def unread(self, side: Side) -> int:
        """What the other sides wrote and the reader has not read; the same as `unread_of` of the migration."""
        others = {
            "buyer": self.from_seller + self.from_operator - self.read_seller - self.read_operator,
            "seller": self.from_buyer + self.from_operator - self.read_buyer - self.read_operator,
            "operator": self.from_buyer + self.from_seller - self.read_buyer - self.read_seller,
        }
        if side == "operator" and self.kind == "buyer_seller" and not self.from_operator:
            return 0
        return others[side]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    message_id: UUID
    marketplace_id: UUID
    thread_id: UUID
    seq: int
    posted_at: datetime
    sender_kind: str
    sender_id: UUID
    sender_name: str
    sender_side: Side
    sender_organisation_id: UUID
    sender_organisation_name: str
    on_behalf_of: Side | None
    acted_by: UUID | None
    acted_by_name: str | None
    automatic: bool
    text: str
    contacts: list[Contact]
    from_buyer: int
    from_seller: int
    from_operator: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file without its bytes; `message_id` and `position` once it is posted."""

    attachment_id: UUID
    message_id: UUID | None
    position: int | None
    file_name: str
    media_type: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The bytes of a file, or of the small picture of it, and what decides who may have them."""

    attachment_id: UUID
    position: int | None
    file_name: str
    media_type: str
    sha256: str
    side: Side
    uploaded_by: UUID
    thread_kind: ThreadKind
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Totals:
    total: int
    threads: int
    awaiting: int


def columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Rows as the parallel arrays that unnest takes. There must be at least one row."""
    return [list(column) for column in zip(*rows, strict=True)]


async def put_threads(tx: Transaction, orders: Mapping[UUID, OrderSnapshot], now: datetime) -> None:
    """Make or correct the threads of orders, each by the newest snapshot that its seller may know."""
    known = {r["order_id"]: r for r in await tx.fetch(q.known_threads, list(orders))}
    rows, passed = [], []
    for order_id in sorted(orders):
        order, row = orders[order_id], known.get(order_id)
        parties = (
            order.number, order.buyer.organisation_id, order.buyer.name, order.buyer.person_id,
            order.seller.organisation_id, order.seller.name,
        )  # fmt: skip
        if row is not None and row["order_sequence"] >= order.sequence:
            continue
        if row is not None and tuple(row.values())[2:] == parties:
            passed.append((order_id, order.sequence))
            continue
        rows += [
            (new_id(), order.marketplace_id, order_id, kind, parties[0], order.sequence, *parties[1:], now)
            for kind in THREAD_KINDS
        ]
    if passed:
        await tx.execute(q.pass_sequences, *columns(passed))
    if rows:
        await tx.execute(q.put_threads, *columns(rows))


async def put_members(tx: Transaction, members: Sequence[MemberChanged]) -> None:
    """People by their highest version; one row per person."""
    newest: dict[UUID, MemberChanged] = {}
    for m in members:
        if m.member.person_id not in newest or m.version > newest[m.member.person_id].version:
            newest[m.member.person_id] = m
    rows = [
        (i, m.marketplace_id, m.organisation.organisation_id, m.organisation.kind, m.member.name,
         ",".join(m.member.roles), m.member.active, m.version)
        for i, m in sorted(newest.items())
    ]  # fmt: skip
    await tx.execute(q.set_members, *columns(rows))


async def put_marketplaces(tx: Transaction, rows: Sequence[tuple[UUID, str, str, dict[str, str], datetime]]) -> None:
    """(marketplace, name, time zone, settings, as of), one per marketplace."""
    await tx.execute(q.set_marketplaces, *columns(rows))


async def masking(tx: Transaction, marketplace_id: UUID) -> MaskingPolicy:
    """The marketplace's policy; nothing is hidden while nothing is known of it."""
    return (await rules(tx, marketplace_id))[0]


async def rules(tx: Transaction, marketplace_id: UUID) -> tuple[MaskingPolicy, frozenset[str]]:
    """What is hidden in the marketplace, and which kinds of files it takes."""
    row = await tx.fetchrow(q.marketplace, marketplace_id)
    if row is None:
        return NOTHING, allowed({})
    return MaskingPolicy.of(row["settings"], row["time_zone"]), allowed(row["settings"])


async def thread_of_order(tx: Transaction, order_id: UUID, kind: ThreadKind, reader: Reach) -> Thread | None:
    row = await tx.fetchrow(q.thread_of_order, order_id, kind, reader.reader_id)
    return Thread(**dict(row)) if row else None


async def threads_of_orders(tx: Transaction, orders: Sequence[UUID], reader: Reach) -> list[Thread]:
    return [Thread(**dict(r)) for r in await tx.fetch(q.threads_of_orders, orders, reader.reader_id)]


async def list_threads(
    tx: Transaction, marketplace_id: UUID, reader: Reach, after: tuple[datetime, UUID] | None, rows: int, *,
    unread: bool, awaiting: bool,
) -> list[Thread]:  # fmt: skip
    """Threads with messages that the reader may see, last spoken in first."""
    at, thread_id = after or (None, None)
    found = await tx.fetch(
        q.list_threads, reader.reader_id, marketplace_id if reader.operator else None, reader.person, reader.seller,
        reader.buyer, at, thread_id, rows, unread, awaiting,
    )  # fmt: skip
    return [Thread(**dict(r)) for r in found]


async def totals(tx: Transaction, marketplace_id: UUID, reader: Reach) -> Totals:
    """What is unread for the reader, over all its threads."""
    if reader.operator:
        row = await tx.fetchrow(q.unread_totals_operator, reader.reader_id, marketplace_id)
    else:
        row = await tx.fetchrow(q.unread_totals, reader.reader_id, reader.person, reader.seller, reader.buyer)
    assert row is not None
    return Totals(**dict(row))


async def lock_thread(tx: Transaction, order_id: UUID, kind: ThreadKind) -> tuple[Thread, MaskingPolicy] | None:
    """The thread, locked until the transaction ends, and the marketplace's masking."""
    row = await tx.fetchrow(q.lock_thread, order_id, kind)
    if row is None:
        return None
    fields = dict(row)
    settings, zone = fields.pop("settings"), fields.pop("time_zone")
    return Thread(**fields), NOTHING if settings is None else MaskingPolicy.of(settings, zone)


async def post(
    tx: Transaction, thread: Thread, turn: Turn, *, at: datetime, kind: str, sender_id: UUID, name: str, side: Side,
    organisation_id: UUID, organisation_name: str, on_behalf_of: Side | None, acted_by: UUID | None,
    acted_by_name: str | None, automatic: bool, text: str, contacts: Sequence[Contact],
) -> Message:  # fmt: skip
    """Add a message under the next number of a locked thread."""
    row = await tx.fetchrow(
        q.post, new_id(), thread.thread_id, at, kind, sender_id, name, side, organisation_id, organisation_name,
        on_behalf_of, acted_by, acted_by_name, automatic, text, turn.side, turn.since, list(contacts),
    )  # fmt: skip
    assert row is not None
    return Message(**dict(row))


async def messages_before(tx: Transaction, thread_id: UUID, seq: int, rows: int) -> list[Message]:
    """Messages with a lower number, newest first."""
    return [Message(**dict(r)) for r in await tx.fetch(q.messages_before, thread_id, seq, rows)]


async def messages_after(tx: Transaction, thread_id: UUID, seq: int, rows: int) -> list[Message]:
    """Messages with a higher number, oldest first."""
    return [Message(**dict(r)) for r in await tx.fetch(q.messages_after, thread_id, seq, rows)]


async def last_messages(tx: Transaction, threads: Sequence[Thread]) -> dict[UUID, Message]:
    """The newest message of each thread."""
    rows = await tx.fetch(q.last_messages, [t.thread_id for t in threads], [t.last_seq for t in threads])
    return {r["thread_id"]: Message(**dict(r)) for r in rows}


async def move_cursor(tx: Transaction, thread: Thread, reader: Reach, seq: int, at: datetime, *, back: bool) -> bool:
    """Set how far the reader has read. False where the thread has no such message."""
    counts = await tx.fetchrow(q.counts_at, thread.thread_id, seq)
    if counts is None:
        return False
    await tx.execute(
        q.move_cursor, thread.thread_id, reader.reader_id, thread.marketplace_id, seq, *counts.values(), back, at
    )
    return True


async def people(
    tx: Transaction, marketplace_id: UUID, organisations: Sequence[UUID], *, operators: bool
) -> list[dict[str, Any]]:
    """Active people of organisations, and of the operator's where asked for; at most MOST_PEOPLE each."""
    rows = await tx.fetch(q.members, organisations, MOST_PEOPLE)
    if operators:
        rows += await tx.fetch(q.operators, marketplace_id, MOST_PEOPLE)
    return [dict(r) for r in rows]


async def posted_since(tx: Transaction, moment: datetime, rows: int) -> list[Row]:
    """Messages of all marketplaces posted after a moment, oldest first, with what decides who may know of them."""
    return await tx.fetch(q.posted_since, moment, rows)


async def count_attachments(tx: Transaction, thread_id: UUID, person: UUID, since: datetime) -> tuple[int, int]:
    """(files of the thread, uploads of somebody that wait to be posted)."""
    row = await tx.fetchrow(q.count_attachments, thread_id, person, since)
    assert row is not None
    return row["of_thread"], row["waiting"]


async def add_attachment(
    tx: Transaction, thread: Thread, new: Attachment, side: Side, by: UUID, at: datetime, content: bytes,
    thumbnail: bytes | None,
) -> None:  # fmt: skip
    await tx.execute(
        q.add_attachment, new.attachment_id, thread.marketplace_id, thread.thread_id, new.file_name, new.media_type,
        new.bytes, new.sha256, side, by, at, content, thumbnail,
    )  # fmt: skip


async def waiting_attachments(tx: Transaction, thread_id: UUID, by: UUID, ids: Sequence[UUID]) -> list[Attachment]:
    """Those of the ids that somebody uploaded for a thread and has not posted, in the order of the ids; locked."""
    if not ids:
        return []
    rows = await tx.fetch(q.waiting_attachments, list(ids), thread_id, by)
    found = {r["attachment_id"]: Attachment(**dict(r)) for r in rows}
    return [found[i] for i in ids if i in found]


async def post_attachments(tx: Transaction, message_id: UUID, ids: Sequence[UUID]) -> None:
    """The locked files are the message's from now on, in this order."""
    await tx.execute(q.post_attachments, message_id, list(ids))


async def attachments_of(tx: Transaction, messages: Sequence[Message]) -> dict[UUID, list[Attachment]]:
    """The files of messages by message, each list in its order."""
    found: dict[UUID, list[Attachment]] = {}
    if messages:
        for r in await tx.fetch(q.attachments_of, [m.message_id for m in messages]):
            found.setdefault(r["message_id"], []).append(Attachment(**dict(r)))
    return found


async def read_attachment(tx: Transaction, order_id: UUID, attachment_id: UUID, *, small: bool) -> Content | None:
    row = await tx.fetchrow(q.read_attachment, attachment_id, order_id, small)
    return Content(**dict(row)) if row else None


async def forget_attachments(tx: Transaction, before: datetime, rows: int) -> int:
    """Delete uploads of before a moment that were never posted; how many there were, at most `rows`."""
    return int((await tx.execute(q.forget_attachments, before, rows)).rpartition(" ")[2])


async def thread_by_id(tx: Transaction, thread_id: UUID) -> Thread | None:
    row = await tx.fetchrow(q.thread_by_id, thread_id)
    return Thread(**dict(row)) if row else None


async def writers(tx: Transaction, thread: Thread) -> list[Row]:
    """The people of a thread's organisations and the operators, as identity tells of them."""
    organisations = thread.buyer_organisation_id, thread.seller_organisation_id
    return await tx.fetch(q.writers, thread.marketplace_id, *organisations)


async def take_mail(tx: Transaction, thread: Thread, person: UUID, digest: bytes, at: datetime) -> bool:
    """False where the same mail was posted before."""
    taken = await tx.fetchval(q.take_mail, thread.marketplace_id, thread.thread_id, person, digest, at)
    return bool(taken)


async def forget_mails(tx: Transaction, before: datetime, rows: int) -> None:
    """Nobody sends a mail again that long after."""
    await tx.execute(q.forget_mails, before, rows)
