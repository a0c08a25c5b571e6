"""What a caller can do with threads: write, read, look at lists, move the read cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from contracts.messaging import MessagePosted
from contracts.order import Actor, Side
from services.messaging import metrics, policy, schemas, shown, store, turns
from services.messaging.errors import no_such_message, no_thread
from services.messaging.masking import Contact, MaskingPolicy, find, preview
from services.messaging.policy import Reach, ThreadKind
from shared.postgres import Transaction
from shared.process import Runtime
from shared.web import Answer, Once, Principal

# Longer texts are searched for contact details in a thread of their own: a hostile one takes up to 0.2 s.
SHORT_TEXT: Final = 500
# Orders that are named in the unread totals; the numbers count all.
MOST_UNREAD_ORDERS: Final = 100


async def post(run: Runtime, caller: Principal, order_id: UUID, body: schemas.PostMessage, once: Once) -> Answer:
    """Write a message and tell the topic of it, in one transaction and in the order of the thread's numbers.

    Raises NotFound for a thread that the caller may not know of, Forbidden for what it may not write there.
    """
    reader = policy.reach(caller, "messages:write")
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        found = await store.lock_thread(tx, order_id, body.kind)
        side = reader.side_of(found[0]) if found else None
        if found is None or side is None:
            raise no_thread()
        policy.check_post(caller, side, on_behalf_of=body.on_behalf_of, automatic=body.automatic)
        thread, masking = found
        contacts = await _contacts(body.text, masking.region)
        message = await _write(tx, run, caller, reader, thread, side, body, contacts)
        await run.outbox.append(tx, _posted(caller, thread, message, masking))
        tx.after_commit(run.wakes.get("posted").set)
        metrics.POSTED.labels(side, thread.kind).inc()
        answer = shown.message(message, side, reader, masking).model_dump_json().encode()
        location = f"/v1/orders/{order_id}/messages?after_seq={message.seq - 1}"
        return await once.keep(tx, Answer(201, answer, {"location": location}))


async def _contacts(text: str, region: str | None) -> list[Contact]:
    if len(text) <= SHORT_TEXT:
        return find(text, region)
    return await asyncio.to_thread(find, text, region)


async def _write(
    tx: Transaction, run: Runtime, caller: Principal, reader: Reach, thread: store.Thread, side: Side,
    body: schemas.PostMessage, contacts: Sequence[Contact],
) -> store.Message:  # fmt: skip
    now = run.clock()
    at = max(now, thread.last_posted_at or now)
    speaks_for = body.on_behalf_of or side
    turn = turns.after(thread.turn, thread.kind, speaks_for, at, automatic=body.automatic)
    return await store.post(
        tx, thread, turn, at=at, kind=caller.kind, sender_id=reader.reader_id, name=caller.name, side=side,
        organisation_id=caller.organisation_id, organisation_name=caller.organisation_name,
        on_behalf_of=body.on_behalf_of, acted_by=caller.act.person_id if caller.act else None,
        acted_by_name=caller.act.name if caller.act else None, automatic=body.automatic, text=body.text,
        contacts=contacts,
    )  # fmt: skip


def _posted(caller: Principal, thread: store.Thread, m: store.Message, masking: MaskingPolicy) -> MessagePosted:
    act = caller.act
    actor = Actor(
        kind=caller.kind,
        id=act.person_id if act else m.sender_id,
        name=act.name if act else m.sender_name,
        side=m.sender_side,
        on_behalf_of=m.sender_id if act else None,
        on_behalf_of_name=m.sender_name if act else None,
    )
    return MessagePosted(
        marketplace_id=thread.marketplace_id,
        order_id=thread.order_id,
        order_number=thread.order_number,
        thread_id=thread.thread_id,
        thread_kind=thread.kind,
        message_id=m.message_id,
        seq=m.seq,
        posted_at=m.posted_at,
        sender=actor,
        sender_side=m.sender_side,
        on_behalf_of=m.on_behalf_of,
        sender_organisation_id=m.sender_organisation_id,
        buyer_organisation_id=thread.buyer_organisation_id,
        seller_organisation_id=thread.seller_organisation_id,
        audience=policy.SIDES_OF[thread.kind],
        preview=preview(m.text, m.contacts, masking),
        automatic=m.automatic,
    )


async def conversation(
    run: Runtime,
    caller: Principal,
    order_id: UUID,
    kind: ThreadKind,
    *,
    before: int | None,
    after: int | None,
    rows: int,
) -> tuple[schemas.Thread, list[schemas.Message]]:
    """A thread and up to `rows` of its messages: those before a number, newest first; or after one, oldest first."""
    reader = policy.reach(caller, "messages:read")
    async with run.db.tenant(caller.marketplace_id) as tx:
        thread, side = await _thread(tx, order_id, kind, reader)
        if after is not None:
            messages = await store.messages_after(tx, thread.thread_id, after, rows)
        else:
            messages = await store.messages_before(tx, thread.thread_id, before or thread.last_seq + 1, rows)
        masking = await store.masking(tx, caller.marketplace_id)
    return shown.thread(thread, side), [shown.message(m, side, reader, masking) for m in messages]


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
    result = []
    for t in found:
        if (side := reader.side_of(t)) is not None:
            newest = last.get(t.thread_id)
            result.append(shown.thread(t, side, shown.message(newest, side, reader, masking) if newest else None))
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
        thread, side = await _thread(tx, order_id, kind, reader)
        named = seq + 1 if back else seq
        if named > thread.last_seq:
            raise no_such_message(thread.last_seq)
        if caller.act is None and not (back and seq >= thread.last_read_seq):
            if not await store.move_cursor(tx, thread, reader, seq, run.clock(), back=back):
                raise no_such_message(thread.last_seq)
            thread, side = await _thread(tx, order_id, kind, reader)
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
        thread, side = await _thread(tx, order_id, kind, reader)
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


async def _thread(tx: Transaction, order_id: UUID, kind: ThreadKind, reader: Reach) -> tuple[store.Thread, Side]:
    thread = await store.thread_of_order(tx, order_id, kind, reader)
    side = reader.side_of(thread) if thread else None
    if thread is None or side is None:
        raise no_thread()
    return thread, side
