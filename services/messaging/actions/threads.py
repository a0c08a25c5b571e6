"""What a caller can do with threads: read, look at lists, move the read cursor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from contracts.order import Side
from services.messaging import policy, schemas, shown, store
from services.messaging.errors import no_such_message, no_thread
from services.messaging.policy import Reach, ThreadKind
from shared.postgres import Transaction
from shared.process import Runtime
from shared.web import Principal

# Orders that are named in the unread totals; the numbers count all.
MOST_UNREAD_ORDERS: Final = 100


async def conversation(
    run: Runtime,
    caller: Principal,
    order_id: UUID,
    kind: ThreadKind,
    *,
    before: int | None,
    after: int | None,
    rows: int,
) -> tuple[schemas.Thread, list[schemas.Message], list[str]]:
    """A thread, up to `rows` of its messages (those before a number, newest first; or after one, oldest first), and the
    kinds of files that it takes."""
    reader = policy.reach(caller, "messages:read")
    async with run.db.tenant(caller.marketplace_id) as tx:
        thread, side = await known_thread(tx, order_id, kind, reader)
        if after is not None:
            messages = await store.messages_after(tx, thread.thread_id, after, rows)
        else:
            messages = await store.messages_before(tx, thread.thread_id, before or thread.last_seq + 1, rows)
        masking, kinds = await store.rules(tx, caller.marketplace_id)
        files = await store.attachments_of(tx, messages)
    seen = [shown.message(m, files.get(m.message_id, ()), side, reader, masking) for m in messages]
    return shown.thread(thread, side), seen, sorted(kinds)


async def threads(
    run: Runtime, caller: Principal, after: tuple[datetime, UUID] | None, rows: int, *, unread: bool, awaiting: bool
) -> list[schemas.Thread]:
    """Threads with messages, last spoken in first."""
    reader = policy.reach(caller, "messages:read")
    async with run.db.tenant(caller.marketplace_id) as tx:
        found = await store.list_threads(
            tx, caller.marketplace_id, reader, after, rows, unread=unread, awaiting=awaiting
        )
        return await _with_last(tx, found, reader, caller.marketplace_id)


async def threads_of_order(run: Runtime, caller: Principal, order_id: UUID) -> list[schemas.Thread]:
    """The threads of one order that the caller may see, with or without messages; none where there is no such order."""
    reader = policy.reach(caller, "messages:read")
    async with run.db.tenant(caller.marketplace_id) as tx:
        found = await store.threads_of_orders(tx, [order_id], reader)
        return await _with_last(tx, found, reader, caller.marketplace_id)


async def _with_last(
    tx: Transaction, found: Sequence[store.Thread], reader: Reach, marketplace_id: UUID
) -> list[schemas.Thread]:
    masking = await store.masking(tx, marketplace_id)
    last = await store.last_messages(tx, found)
    files = await store.attachments_of(tx, list(last.values()))
    result = []
    for t in found:
        if (side := reader.side_of(t)) is not None:
            newest = last.get(t.thread_id)
            seen = shown.message(newest, files.get(newest.message_id, ()), side, reader, masking) if newest else None
            result.append(shown.thread(t, side, seen))
    return result


async def mark_read(run: Runtime, caller: Principal, order_id: UUID, body: schemas.MarkRead) -> schemas.ReadState:
    """Move the caller's cursor forward. Logged in as somebody else it stays: to that person the new is still new."""
    return await _move(run, caller, order_id, body.kind, body.up_to_seq, back=False)


async def mark_unread(run: Runtime, caller: Principal, order_id: UUID, body: schemas.MarkUnread) -> schemas.ReadState:
    """Lower the caller's cursor to just before a message."""
    return await _move(run, caller, order_id, body.kind, body.from_seq - 1, back=True)


async def _move(
    run: Runtime, caller: Principal, order_id: UUID, kind: ThreadKind, seq: int, *, back: bool
) -> schemas.ReadState:
    reader = policy.reach(caller, "messages:read")
    async with run.db.tenant(caller.marketplace_id) as tx:
        thread, side = await known_thread(tx, order_id, kind, reader)
        named = seq + 1 if back else seq
        if named > thread.last_seq:
            raise no_such_message(thread.last_seq)
        if caller.act is None and not (back and seq >= thread.last_read_seq):
            if not await store.move_cursor(tx, thread, reader, seq, run.clock(), back=back):
                raise no_such_message(thread.last_seq)
            thread, side = await known_thread(tx, order_id, kind, reader)
    return schemas.ReadState(
        thread_id=thread.thread_id,
        last_read_seq=thread.last_read_seq,
        last_seq=thread.last_seq,
        unread=thread.unread(side),
    )


async def unread(run: Runtime, caller: Principal, orders: Sequence[UUID] | None) -> schemas.Unread:
    """Totals over all threads of the caller; per order for those that have unread messages, or for `orders`."""
    reader = policy.reach(caller, "messages:read")
    async with run.db.tenant(caller.marketplace_id) as tx:
        totals = await store.totals(tx, caller.marketplace_id, reader)
        if orders is None:
            found = await store.list_threads(
                tx, caller.marketplace_id, reader, None, MOST_UNREAD_ORDERS, unread=True, awaiting=False
            )
        else:
            found = await store.threads_of_orders(tx, orders, reader)
    return schemas.Unread(
        total=totals.total, threads=totals.threads, awaiting_reply=totals.awaiting, orders=_by_order(found, reader)
    )


def _by_order(found: Sequence[store.Thread], reader: Reach) -> tuple[schemas.OrderUnread, ...]:
    """Both threads of an order together, in the order of their first one."""
    orders: dict[UUID, schemas.OrderUnread] = {}
    for t in found:
        if (side := reader.side_of(t)) is None:
            continue
        known = orders.get(t.order_id)
        orders[t.order_id] = schemas.OrderUnread(
            order_id=t.order_id,
            order_number=t.order_number,
            unread=t.unread(side) + (known.unread if known else 0),
            messages=t.last_seq + (known.messages if known else 0),
            awaiting_own_reply=t.awaiting == side or (known is not None and known.awaiting_own_reply),
        )
    return tuple(orders.values())


async def participants(run: Runtime, caller: Principal, order_id: UUID, kind: ThreadKind) -> schemas.Participants:
    """Who may read and write: the sides, and by name the people of the caller's own side (operators: of every side)."""
    reader = policy.reach(caller, "messages:read")
    async with run.db.tenant(caller.marketplace_id) as tx:
        thread, side = await known_thread(tx, order_id, kind, reader)
        sides = policy.SIDES_OF[kind] if side == "operator" else (side,)
        by_side = {"buyer": thread.buyer_organisation_id, "seller": thread.seller_organisation_id}
        organisations = [by_side[s] for s in sides if s in by_side]
        rows = await store.people(tx, caller.marketplace_id, organisations, operators="operator" in sides)
    people: dict[str, list[schemas.Person]] = {s: [] for s in sides}
    for row in rows:
        own = policy.side_of_member(thread, row["person_id"], row["organisation_id"], frozenset(row["roles"]))
        if own in people:
            people[own].append(schemas.Person(person_id=row["person_id"], name=row["name"], roles=tuple(row["roles"])))
    return schemas.Participants(
        participants=shown.participants(thread), people={s: tuple(named) for s, named in people.items()}
    )


async def known_thread(tx: Transaction, order_id: UUID, kind: ThreadKind, reader: Reach) -> tuple[store.Thread, Side]:
    """A thread and the reader's side in it. Raises NotFound for one that the reader may not know of."""
    thread = await store.thread_of_order(tx, order_id, kind, reader)
    side = reader.side_of(thread) if thread else None
    if thread is None or side is None:
        raise no_thread()
    return thread, side
