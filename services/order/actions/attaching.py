"""Files of an order: uploaded first, then attached by an action that takes images or an invoice."""

from __future__ import annotations

import asyncio
import hashlib
import re
from datetime import timedelta
from typing import Final
from uuid import UUID

from contracts.order import Document
from services.order import policy
from services.order.actions.exporting import may_read
from services.order.actions.picturing import MOST_PIXELS, is_phone_photo, size_of
from services.order.actions.viewing import visible
from services.order.errors import absent, wrong_fields
from services.order.store import documents
from shared import pdf
from shared.errors import Conflict, Problem, TooLarge, Unprocessable
from shared.ids import new_id
from shared.process import Runtime
from shared.stop import Stop
from shared.web import Answer, Once, Principal

# Of one side, whose files are not the other's to bear.
MOST_UPLOADS: Final = 100
# An upload is attached by the same person's next step.
LOOSE: Final = timedelta(days=2)
SETTLE_SECONDS: Final = 3_600.0
SETTLE_AT_ONCE: Final = 100
# Told apart by their first bytes: what a client calls a file is not to be trusted.
_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f/\\\"<>|:*?\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def media_type_of(content: bytes) -> str | None:
    """PNG, JPEG, GIF, WebP or PDF by their first bytes; None for anything else."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if content.startswith(magic)), None)


def safe_name(name: str | None) -> str:
    """A file name without folders and control characters, at most 120 characters, its ending kept."""
    cleaned = _CONTROL.sub("_", (name or "").replace("\\", "/").rsplit("/", 1)[-1]).strip(" .")
    return cleaned[-120:] or "file"


def _checked(kind: str, content: bytes, most: int) -> str:
    """The file's media type. Raises Problem for a file that is not taken."""
    if not content:
        raise wrong_fields(("file", "is empty; choose another one"), code="empty_file")
    if len(content) > most:
        raise TooLarge(
            "document_too_large", f"The file has {len(content)} bytes; at most {most} are taken.", limit=most
        )
    media_type = media_type_of(content)
    if media_type is None or (kind == "image" and media_type == "application/pdf"):
        wanted = "PNG, JPEG, GIF and WebP images" + (" and PDFs" if kind == "invoice" else "")
        phone = " This is a photo in a phone's own format (HEIC): save it as JPEG." if is_phone_photo(content) else ""
        raise Problem("unsupported_media_type", "Unsupported media type", 415, f"Only {wanted} are taken here.{phone}")
    if media_type == "application/pdf" and (fault := pdf.fault_of(content)) is not None:
        raise wrong_fields(("file", fault[:1].lower() + fault[1:].rstrip(".")), code="unreadable_file")
    size = size_of(content, media_type)
    if size is not None and size[0] * size[1] > MOST_PIXELS:
        told = (
            f"has {size[0]} x {size[1]} pixels; at most {MOST_PIXELS // 1_000_000} million are taken: make it smaller"
        )
        raise wrong_fields(("file", told), code="image_too_large")
    return media_type


async def upload(
    run: Runtime, caller: Principal, order_id: UUID, kind: str, file_name: str | None, content: bytes, once: Once
) -> Answer:
    """POST /v1/orders/{id}/documents. Raises for files that are empty, too large, of another type, or too many."""
    media_type = await asyncio.to_thread(_checked, kind, content, run.settings.document_bytes)
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        held, _ = await visible(tx, caller, order_id)
        side = policy.speaking_side(held.order, caller)
        if await documents.count(tx, order_id, side) >= MOST_UPLOADS:
            detail = f"An order takes at most {MOST_UPLOADS} uploads of each side. Unused ones go after two days."
            raise Conflict("too_many_documents", detail)
        document = Document(
            document_id=new_id(),
            kind="image" if kind == "image" else "invoice",
            file_name=safe_name(file_name),
            media_type=media_type,
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            added_at=run.clock(),
            side=side,
        )
        await documents.add(
            tx, caller.marketplace_id, order_id, document, content, caller.person_id or caller.api_key_id, run.clock()
        )
        return await once.keep(tx, Answer(201, document.model_dump_json().encode()))


async def download(run: Runtime, caller: Principal, order_id: UUID, document_id: UUID) -> documents.Content:
    """GET /v1/orders/{id}/documents/{id}. Raises NotFound for what is not there or not the caller's."""
    async with run.db.tenant(caller.marketplace_id) as tx:
        held, _ = await visible(tx, caller, order_id)
        found = await documents.read(tx, order_id, document_id)
    if found is None or not may_read(held.order, found, policy.see(held.order, caller)):
        raise absent()
    if hashlib.sha256(found.content).hexdigest() != found.sha256:
        raise Unprocessable("document_damaged", "The stored file is not the one that was uploaded.")
    return found


async def forget_loose(run: Runtime, stop: Stop) -> None:
    """The worker: forgets uploads that nobody attached, for as long as the process lasts."""
    while not await stop.wait(SETTLE_SECONDS):
        while not stop.requested and await settle_uploads(run) == SETTLE_AT_ONCE:
            pass


async def settle_uploads(run: Runtime) -> int:
    """Look at some uploads whose time is over; how many there were."""
    async with run.worker_db.transaction() as tx:
        return await documents.settle(tx, run.clock() - LOOSE, SETTLE_AT_ONCE)
