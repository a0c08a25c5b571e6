"""Files of messages: uploaded first for a thread, posted with a message then, given out to whoever may read it."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from typing import Final
from uuid import UUID

from contracts.order import Side
from services.messaging import attachments, errors, pictures, policy, shown, store
from services.messaging.actions.threads import known_thread
from services.messaging.masking import NOTHING
from services.messaging.policy import Reach, ThreadKind
from shared.errors import Unprocessable
from shared.ids import new_id
from shared.postgres import Transaction
from shared.process import Runtime
from shared.stop import Stop
from shared.web import Answer, Once, Principal

FORGET_SECONDS: Final = 600.0
FORGET_ROWS: Final = 100


async def upload(
    run: Runtime, caller: Principal, order_id: UUID, kind: ThreadKind, name: str | None, content: bytes, once: Once
) -> Answer:
    """POST /v1/orders/{id}/attachments. Raises NotFound for a thread that the caller may not know of, and refuses files
    that are empty, too large, of another type, not readable, not allowed by the marketplace, or too many."""
    reader = policy.reach(caller, "messages:write")
    # twice: what costs time (decoding) is done for those only who may, and while no transaction is open
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (answered := await once.recall(tx)) is not None:
            return answered
        await _room(tx, run, order_id, kind, reader)
        _, allowed = await store.rules(tx, caller.marketplace_id)
    media_type, kept, thumbnail = await taken(run, content, allowed)
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (answered := await once.recall(tx)) is not None:
            return answered
        thread, side = await _room(tx, run, order_id, kind, reader)
        new = await keep(tx, run, thread, side, reader, name, media_type, kept, thumbnail)
        told = shown.attachment(new, NOTHING, original=True)
        return await once.keep(tx, Answer(201, told.model_dump_json().encode()))


async def taken(
    run: Runtime, content: bytes, allowed: frozenset[str]
) -> tuple[attachments.MediaType, bytes, bytes | None]:
    """(media type, the bytes that are kept, a small picture of them). Raises Problem for what is not taken."""
    # looking through a large PDF takes a moment
    media_type = await asyncio.to_thread(attachments.check, content, allowed, run.settings.messaging_attachment_bytes)
    if media_type == "application/pdf":
        return media_type, content, None
    picture = await pictures.renewed(content, media_type, run.settings.messaging_image_pixels)
    return media_type, picture.content, picture.thumbnail


async def keep(
    tx: Transaction, run: Runtime, thread: store.Thread, side: Side, reader: Reach, name: str | None,
    media_type: attachments.MediaType, content: bytes, thumbnail: bytes | None,
) -> store.Attachment:  # fmt: skip
    """An upload that waits to be posted by its uploader."""
    new = store.Attachment(
        attachment_id=new_id(),
        message_id=None,
        position=None,
        file_name=attachments.file_name(name, media_type),
        media_type=media_type,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    await store.add_attachment(tx, thread, new, side, reader.reader_id, run.clock(), content, thumbnail)
    return new


async def _room(
    tx: Transaction, run: Runtime, order_id: UUID, kind: ThreadKind, reader: Reach
) -> tuple[store.Thread, Side]:
    """The thread and the caller's side in it. Raises Conflict where it takes no more files."""
    thread, side = await known_thread(tx, order_id, kind, reader)
    since = run.clock() - timedelta(hours=attachments.WAITING_HOURS)
    of_thread, waiting = await store.count_attachments(tx, thread.thread_id, reader.reader_id, since)
    _check_count(of_thread)
    if waiting >= attachments.MOST_WAITING:
        raise errors.too_many_uploads(
            f"You have uploaded {waiting} files that are not posted yet. Post them, or wait until they are forgotten."
        )
    return thread, side


def _check_count(of_thread: int) -> None:
    if of_thread >= attachments.MOST_OF_THREAD:
        raise errors.too_many_uploads(f"A thread takes at most {attachments.MOST_OF_THREAD} attachments.")


async def check_room(tx: Transaction, thread: store.Thread) -> None:
    """Raises Conflict where the thread takes no more files."""
    _check_count((await store.count_attachments(tx, thread.thread_id, thread.thread_id, thread.created_at))[0])


async def download(
    run: Runtime, caller: Principal, order_id: UUID, attachment_id: UUID, *, small: bool
) -> tuple[str, str, bytes]:
    """(name, media type, bytes) of a file, or of the small picture of it. Raises NotFound for what is not there, has no
    picture, or is not for the caller: what is not posted yet is its uploader's alone."""
    reader = policy.reach(caller, "messages:read")
    async with run.db.tenant(caller.marketplace_id) as tx:
        found = await store.read_attachment(tx, order_id, attachment_id, small=small)
        if found is None or found.content is None:
            raise errors.no_attachment()
        side = await _side(tx, order_id, found.thread_kind, reader)
        if found.position is None and found.uploaded_by != reader.reader_id:
            raise errors.no_attachment()
        masking = await store.masking(tx, caller.marketplace_id)
    if not small and hashlib.sha256(found.content).hexdigest() != found.sha256:
        raise Unprocessable("attachment_damaged", "The stored file is not the one that was uploaded.")
    original = policy.sees_original(side, found.side)
    name = attachments.shown_name(
        found.file_name, found.media_type, found.position or 1, masking, original=original
    )  # fmt: skip
    return name, "image/jpeg" if small else found.media_type, found.content


async def _side(tx: Transaction, order_id: UUID, kind: ThreadKind, reader: Reach) -> Side:
    thread = await store.thread_of_order(tx, order_id, kind, reader)
    side = reader.side_of(thread) if thread else None
    if side is None:
        raise errors.no_attachment()
    return side


async def forget(run: Runtime, stop: Stop) -> None:
    """Delete uploads that nobody posted, for as long as the process lasts."""
    while not await stop.wait(FORGET_SECONDS):
        while not stop.requested and await forget_once(run) == FORGET_ROWS:
            pass


async def forget_once(run: Runtime) -> int:
    """Delete some of the uploads whose time is over; how many."""
    before = run.clock() - timedelta(hours=attachments.WAITING_HOURS)
    async with run.worker_db.transaction() as tx:
        return await store.forget_attachments(tx, before, FORGET_ROWS)
