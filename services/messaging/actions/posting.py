"""Writing a message: its text and its files, what is told of it, and whose turn it is then."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from contracts.messaging import AttachedFile, MessagePosted
from contracts.order import Actor, Side
from services.messaging import errors, metrics, policy, schemas, shown, store, turns
from services.messaging.attachments import shown_name
from services.messaging.masking import Contact, MaskingPolicy, find, preview
from services.messaging.policy import Reach
from shared.postgres import Transaction
from shared.process import Runtime
from shared.web import Answer, Once, Principal

# Longer texts are searched for contact details in a thread of their own: a hostile one takes up to 0.2 s.
SHORT_TEXT: Final = 500


async def post(run: Runtime, caller: Principal, order_id: UUID, body: schemas.PostMessage, once: Once) -> Answer:
    """Write a message and tell the topic of it, in one transaction and in the order of the thread's numbers.

    Raises NotFound for a thread that the caller may not know of, Forbidden for what it may not write there.
    """
    reader = policy.reach(caller, "messages:write")
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        message = await put(tx, run, caller, reader, order_id, body)
        location = f"/v1/orders/{order_id}/messages?after_seq={message.seq - 1}"
        return await once.keep(tx, Answer(201, message.model_dump_json().encode(), {"location": location}))


async def put(
    tx: Transaction, run: Runtime, caller: Principal, reader: Reach, order_id: UUID, body: schemas.PostMessage
) -> schemas.Message:
    """The message as its writer sees it; the caller's transaction holds it, its files and what the topic is told."""
    found = await store.lock_thread(tx, order_id, body.kind)
    side = reader.side_of(found[0]) if found else None
    if found is None or side is None:
        raise errors.no_thread()
    policy.check_post(caller, side, on_behalf_of=body.on_behalf_of, automatic=body.automatic)
    thread, masking = found
    files = await _files(tx, run, thread, reader, body.attachment_ids)
    contacts = await _contacts(body.text, masking.region)
    message = await _write(tx, run, caller, reader, thread, side, body, contacts)
    if files:
        await store.post_attachments(tx, message.message_id, [f.attachment_id for f in files])
    await run.outbox.append(tx, _posted(caller, thread, message, files, masking))
    tx.after_commit(run.wakes.get("posted").set)
    metrics.POSTED.labels(side, thread.kind).inc()
    return shown.message(message, files, side, reader, masking)


async def _files(
    tx: Transaction, run: Runtime, thread: store.Thread, reader: Reach, ids: Sequence[UUID]
) -> list[store.Attachment]:
    """The uploads that go with a message. Raises Unprocessable where one is not there, or they are too much."""
    files = await store.waiting_attachments(tx, thread.thread_id, reader.reader_id, ids)
    if len(files) != len(ids):
        raise errors.attachments_gone()
    size, most = sum(f.bytes for f in files), run.settings.messaging_attachments_bytes
    if size > most:
        raise errors.attachments_too_large(size, most)
    return files


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


def _posted(
    caller: Principal, thread: store.Thread, m: store.Message, files: Sequence[store.Attachment], masking: MaskingPolicy
) -> MessagePosted:
    act = caller.act
    told = tuple(_told(f, n, masking) for n, f in enumerate(files, 1))
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
        attachment_count=len(told),
        attachments=told or None,
        automatic=m.automatic,
    )


def _told(f: store.Attachment, position: int, masking: MaskingPolicy) -> AttachedFile:
    """A file as everybody may know of it: what is told leaves for all sides."""
    return AttachedFile(
        attachment_id=f.attachment_id,
        file_name=shown_name(f.file_name, f.media_type, position, masking, original=False),
        media_type=f.media_type,
        bytes=f.bytes,
        sha256=f.sha256,
    )
