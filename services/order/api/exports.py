"""Exports of lists, and single orders on paper."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import Header, Query
from pydantic import AfterValidator
from starlette.responses import Response

from services.order import policy
from services.order.actions import exporting
from services.order.api.parameters import ExportFormat, Filtered
from services.order.papers.printing import POLICY
from services.order.papers.words import asked_in
from shared.web import Caller, Router, Run
from shared.web.streams import Download

router = Router(tags=["exports"])


def _known(name: str | None) -> str | None:
    if name is not None and name not in available_timezones():
        raise ValueError("is no IANA time zone, such as Europe/Oslo")
    return name


TimeZone = Annotated[
    str | None,
    Query(max_length=64, description="IANA zone of the times on the paper; none: the buying outlet's."),
    AfterValidator(_known),
]

AcceptLanguage = Annotated[str, Header(description="The language of the paper: en or nb; none of them: en.")]


def _attachment(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}


@router.get("/v1/orders/export")
async def export(
    caller: Caller, run: Run, filtered: Filtered, kind: Annotated[ExportFormat, Query(alias="format")] = "csv"
) -> Response:
    """Exactly the orders of the list with the same filters, as CSV or XLSX."""
    policy.need_scope(caller, "orders:read")
    today: date = run.clock().date()
    media_type, chunks = await exporting.export(run, caller, *filtered, kind)
    return Download(chunks, media_type, _attachment(f"orders-{today}.{kind}"))


@router.get("/v1/orders/{order_id}/print")
async def print_view(
    order_id: UUID, caller: Caller, run: Run, time_zone: TimeZone = None, accept_language: AcceptLanguage = ""
) -> Response:
    """The order as a page for the printer."""
    policy.need_scope(caller, "orders:read")
    language = asked_in(accept_language)
    page = await exporting.printed(run, caller, order_id, time_zone, language)
    headers = {"content-security-policy": POLICY, "content-language": language}
    return Response(page, media_type="text/html", headers=headers)


@router.get("/v1/orders/{order_id}/packing-slip.pdf")
async def packing_slip(
    order_id: UUID,
    caller: Caller,
    run: Run,
    parcel_id: UUID | None = None,
    time_zone: TimeZone = None,
    accept_language: AcceptLanguage = "",
) -> Response:
    """The packing slip of the order, or of one of its parcels."""
    policy.need_scope(caller, "orders:read")
    language = asked_in(accept_language)
    name, pdf = await exporting.slip(run, caller, order_id, parcel_id, time_zone, language)
    headers = {**_attachment(name), "content-language": language}
    return Response(pdf, media_type="application/pdf", headers=headers)


@router.get("/v1/orders/{order_id}/evidence")
async def evidence(order_id: UUID, caller: Caller, run: Run) -> Response:
    """Everything that is needed to answer a chargeback, as a zip."""
    policy.need_scope(caller, "orders:read")
    name, chunks = await exporting.evidence(run, caller, order_id)
    return Download(chunks, "application/zip", _attachment(name))
