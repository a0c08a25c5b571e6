"""Uploaded files of an order: kept in the database, because they are few, small and belong to one order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.order import Document, Side
from services.order.store.orders import q
from shared.postgres import Transaction


@dataclass(frozen=True, slots=True)
class Content:
    """A file as it was uploaded, and by which side and person."""

    document_id: UUID
    kind: str
    file_name: str
    media_type: str
    sha256: str
    side: Side
    added_by: UUID | None
    content: bytes


async def uploaded(tx: Transaction, order_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Document]:
    """Those of the ids that were uploaded for this order."""
    if not ids:
        return {}
    rows = await tx.fetch(q.document_names, order_id, list(ids))
    return {r["id"]: _document(r) for r in rows}


def _document(r: Any) -> Document:
    return Document(
        document_id=r["id"],
        kind=r["kind"],
        file_name=r["file_name"],
        media_type=r["media_type"],
        bytes=r["bytes"],
        sha256=r["sha256"],
        added_at=r["added_at"],
        side=r["side"],
    )


async def count(tx: Transaction, order_id: UUID, side: Side) -> int:
    """How many files a side has uploaded for the order."""
    return int(await tx.fetchval(q.count_documents, order_id, side))


async def settle(tx: Transaction, before: datetime, most: int) -> int:
    """Forget what was uploaded before then and attached by no action; how many files were settled either way."""
    return int(await tx.fetchval(q.settle_uploads, before, most))


async def add(
    tx: Transaction,
    marketplace_id: UUID,
    order_id: UUID,
    document: Document,
    content: bytes,
    added_by: UUID | None,
    now: datetime,
) -> None:
    await tx.execute(
        q.add_document, marketplace_id, document.document_id, order_id, document.kind, document.file_name,
        document.media_type, document.bytes, document.sha256, document.side, now, added_by, content,
    )  # fmt: skip


async def read(tx: Transaction, order_id: UUID, document_id: UUID) -> Content | None:
    r = await tx.fetchrow(q.read_document, order_id, document_id)
    if r is None:
        return None
    return Content(
        document_id=r["id"],
        kind=r["kind"],
        file_name=r["file_name"],
        media_type=r["media_type"],
        sha256=r["sha256"],
        side=r["side"],
        added_by=r["added_by"],
        content=r["content"],
    )
