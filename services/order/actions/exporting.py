"""Exports and papers: exactly what the filter shows as a file, and one order as print view, slip or evidence."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import IO, Any, Final
from uuid import UUID

import orjson

from contracts.order import Side
from services.order import policy, workflow
from services.order.actions import listing
from services.order.actions.viewing import MOST_ENTRIES, visible
from services.order.errors import absent
from services.order.papers.evidence import Bundle
from services.order.papers.printing import print_view
from services.order.papers.spreadsheet import CsvSheet, Sheet, XlsxSheet
from services.order.papers.times import zone_of
from services.order.papers.words import Words
from services.order.store import documents, messages, search, timeline
from services.order.store.search import Filters
from services.order.workflow import Order
from shared.errors import Forbidden, Unavailable
from shared.process import Runtime
from shared.web import Principal

ROWS_AT_ONCE: Final = 250
# Each holds a database connection while somebody downloads; the rest of the pool is for everything else.
MOST_AT_ONCE: Final = 3
# of one organisation, so that others have one, too
MOST_EACH: Final = 2
SPOOLED_BYTES: Final = 4 * 1024 * 1024
_CHUNK: Final = 64 * 1024
_running: Counter[UUID] = Counter()


async def export(
    run: Runtime, caller: Principal, filters: Filters, seller: str | None, buyer: str | None, kind: str
) -> tuple[str, AsyncGenerator[bytes, None]]:
    """GET /v1/orders/export: the media type, and the file as it is made. Errors come before the first byte."""
    if _running.total() >= MOST_AT_ONCE:
        raise Unavailable("exports_busy", f"{MOST_AT_ONCE} exports are running already. Try again in a moment.")
    if _running[caller.organisation_id] >= MOST_EACH:
        raise Unavailable("exports_busy", f"{MOST_EACH} exports of yours are running already. Try again in a moment.")
    sheet: Sheet = CsvSheet() if kind == "csv" else XlsxSheet()
    chunks = _written(run, caller, filters, seller, buyer, sheet)
    first = await anext(chunks)
    return sheet.media_type, _joined(first, chunks)


async def _joined(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield first
        async for chunk in rest:
            if chunk:
                yield chunk


async def _written(
    run: Runtime, caller: Principal, filters: Filters, seller: str | None, buyer: str | None, sheet: Sheet
) -> AsyncGenerator[bytes, None]:
    _running[caller.organisation_id] += 1
    try:
        async with run.db.tenant(caller.marketplace_id) as tx:
            wanted = await listing.narrowed(tx, caller, filters, seller, buyer)
            scopes = policy.scopes(caller)
            if wanted is None:
                yield sheet.begin()
            else:
                words = await search.words_of(tx, wanted)
                sql = search.statement(caller.marketplace_id, scopes, wanted, words)
                batch: list[dict[str, Any]] = []
                yield sheet.begin()
                async for row in search.stream(tx, sql, prefetch=ROWS_AT_ONCE):
                    card = orjson.loads(row["card"])
                    batch.append(listing.for_side(card, listing.side_of(card, caller)))
                    if len(batch) >= ROWS_AT_ONCE:
                        yield sheet.rows(batch)
                        batch.clear()
                yield sheet.rows(batch)
        yield sheet.end()
    finally:
        _running[caller.organisation_id] -= 1
        if not _running[caller.organisation_id]:
            del _running[caller.organisation_id]


async def printed(run: Runtime, caller: Principal, order_id: UUID, time_zone: str | None, language: str) -> str:
    """GET /v1/orders/{id}/print: the order as the caller's side sees it, for paper. Times are in the reader's
    `time_zone`, else in the outlet's.
    """
    async with run.db.tenant(caller.marketplace_id) as tx:
        held, lifecycle = await visible(tx, caller, order_id)
        side = policy.speaking_side(held.order, caller)
        entries = await timeline.read(tx, order_id, side, 0, MOST_ENTRIES)
    words = Words(language, zone_of(time_zone, held.order.time_zone))
    named = workflow.line_labels(lifecycle, side)
    return print_view(workflow.to_snapshot(held.order, lifecycle, side), entries, named, words)


async def slip(
    run: Runtime, caller: Principal, order_id: UUID, parcel_id: UUID | None, time_zone: str | None, language: str
) -> tuple[str, bytes]:
    """GET /v1/orders/{id}/packing-slip.pdf: file name and PDF, for the seller and the operator."""
    async with run.db.tenant(caller.marketplace_id) as tx:
        held, _ = await visible(tx, caller, order_id)
    order = held.order
    if policy.speaking_side(order, caller) == "buyer":
        raise Forbidden("sellers_only", "Packing slips are for whoever sends the order.")
    parcel = next((p for p in order.parcels if p.parcel_id == parcel_id), None)
    if parcel_id is not None and parcel is None:
        raise absent()
    link = f"{run.settings.console_url.rstrip('/')}/orders/{order.order_id}"
    # a tenth of the time of starting and 9 MB, which processes that print nothing do without
    from services.order.papers.packing import packing_slip

    words = Words(language, zone_of(time_zone, order.time_zone))
    pdf = await asyncio.to_thread(packing_slip, order, parcel, link, words)
    return f"packing-slip-{order.number}.pdf", pdf


async def evidence(run: Runtime, caller: Principal, order_id: UUID) -> tuple[str, AsyncGenerator[bytes, None]]:
    """GET /v1/orders/{id}/evidence: a zip of everything that this service knows, for the seller and the operator."""
    target: IO[bytes] = tempfile.SpooledTemporaryFile(SPOOLED_BYTES)  # noqa: SIM115 - closed by the sender
    try:
        async with run.db.tenant(caller.marketplace_id) as tx:
            held, lifecycle = await visible(tx, caller, order_id)
            side = policy.speaking_side(held.order, caller)
            if side == "buyer":
                raise Forbidden("sellers_only", "Evidence is for the seller and the operator of the marketplace.")
            bundle = Bundle(target, run.clock())
            bundle.add_order(
                workflow.to_snapshot(held.order, lifecycle, side),
                await timeline.proven(tx, order_id, side),
                await messages.of(tx, order_id, side),
            )
            for position, attached in enumerate(held.order.documents, 1):
                found = await documents.read(tx, order_id, attached.document_id)
                if found is not None:
                    await asyncio.to_thread(bundle.add_document, position, found.file_name, found.content)
            bundle.close()
    except BaseException:
        target.close()
        raise
    return f"evidence-{held.order.number}.zip", _sent(target)


async def _sent(target: IO[bytes]) -> AsyncGenerator[bytes, None]:
    try:
        target.seek(0)
        while chunk := target.read(_CHUNK):
            yield chunk
    finally:
        target.close()


def may_read(order: Order, found: documents.Content, sides: frozenset[Side]) -> bool:
    """A file is its uploader's side's until an action attaches it; then everybody's who may see the order."""
    attached = any(d.document_id == found.document_id for d in order.documents)
    return attached or found.side in sides
