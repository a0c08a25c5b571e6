"""The in-app feed: listing, counting, marking."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.notification import errors
from services.notification.actions.telling import FEED
from services.notification.channels.compose import Told, page
from services.notification.channels.wording import text
from services.notification.channels.words import Words
from services.notification.policy import person_of
from services.notification.schemas import Counts, Marked, Notification, Page, ReadAll
from services.notification.store import feed as store
from services.notification.store.feed import Engagement, FeedRow, FeedState
from services.notification.telling.occasions import Occasion
from shared.postgres import Transaction
from shared.process import Runtime
from shared.web import Answer, Once, Principal

MOST_FRESH = 50


async def listed(
    run: Runtime,
    caller: Principal,
    *,
    state: FeedState,
    order_id: UUID | None,
    after: UUID | None,
    limit: int,
    language: str | None = None,
) -> list[Notification]:
    """The caller's feed, newest first."""
    person = person_of(caller)
    async with run.db.tenant(caller.marketplace_id) as tx:
        rows = await store.feed(tx, person, after=after, state=state, order_id=order_id, limit=limit)
        return await shown(tx, run, person, rows, language)


async def grouped(
    run: Runtime, caller: Principal, *, after: UUID | None, limit: int, language: str | None = None
) -> list[Notification]:
    """The caller's feed with one entry per order: its newest."""
    person = person_of(caller)
    async with run.db.tenant(caller.marketplace_id) as tx:
        rows = await store.feed_by_order(tx, person, after=after, limit=limit)
        return await shown(tx, run, person, rows, language)


async def fresh(tx: Transaction, run: Runtime, person: UUID, after: UUID) -> list[Notification]:
    """What came after a notification, oldest first, at most `MOST_FRESH`."""
    return await shown(tx, run, person, await store.fresh(tx, person, after, MOST_FRESH))


async def count(run: Runtime, caller: Principal) -> Counts:
    person = person_of(caller)
    async with run.db.tenant(caller.marketplace_id) as tx:
        return await counts(tx, person)


async def counts(tx: Transaction, person: UUID) -> Counts:
    found = await store.counts(tx, person)
    return Counts(unread=found.unread, unseen=found.unseen)


async def mark(run: Runtime, caller: Principal, notification_id: UUID, what: Engagement, once: Once) -> Answer:
    """Mark one of the caller's own; raises NotFound for any other."""
    person = person_of(caller)
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        row = await store.engage(tx, person, notification_id, what, run.clock())
        if row is None:
            raise errors.not_found()
        [changed] = await shown(tx, run, person, [row])
        tx.after_commit(run.wakes.get(FEED).set)
        return await once.keep(tx, Answer(200, changed.model_dump_json().encode()))


async def mark_all_read(run: Runtime, caller: Principal, wanted: ReadAll, once: Once) -> Answer:
    person = person_of(caller)
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        marked = await store.read_all(tx, person, run.clock(), up_to=wanted.up_to, order_id=wanted.order_id)
        tx.after_commit(run.wakes.get(FEED).set)
        return await once.keep(tx, Answer(200, Marked(marked=marked).model_dump_json().encode()))


async def mark_all_seen(run: Runtime, caller: Principal, once: Once) -> Answer:
    """The inbox was opened: the dot goes, what is unread stays unread."""
    person = person_of(caller)
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        marked = await store.see_all(tx, person, run.clock())
        tx.after_commit(run.wakes.get(FEED).set)
        return await once.keep(tx, Answer(200, Marked(marked=marked).model_dump_json().encode()))


async def shown(
    tx: Transaction, run: Runtime, person: UUID, rows: Sequence[FeedRow], language: str | None = None
) -> list[Notification]:
    """Rows in a language; None: in the person's."""
    if not rows:
        return []
    tongue = await store.tongue(tx, person)
    words = Words(language or tongue.language, tongue.time_zone)
    console: str = run.settings.console_url.rstrip("/")
    return [_shown(row, words, console) for row in rows]


def _shown(row: FeedRow, words: Words, console: str) -> Notification:
    told = Told(Occasion(row.kind), row.side, row.facts, row.order_id, row.occurred_at)
    said = text(told.kind, told.side, told.facts, words)
    link = page(told, words, "")
    return Notification(
        id=row.notification_id,
        event_id=row.event_id,
        event_type=row.event_type,
        category=row.category,
        kind=row.kind,
        title=said.title,
        body=said.body,
        hint=said.hint,
        link=Page(label=link.label, path=link.url, url=f"{console}{link.url}"),
        order_id=row.order_id,
        order_number=row.order_number,
        occurred_at=row.occurred_at,
        seen_at=row.seen_at,
        read_at=row.read_at,
        archived_at=row.archived_at,
        total=row.total,
        unread=row.unread,
    )
