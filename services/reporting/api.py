"""The HTTP surface of reporting."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, FastAPI, Query
from starlette.responses import Response

from services.reporting import actions, exporting, schemas
from services.reporting.actions import Asked
from services.reporting.exports.files import Format
from services.reporting.schemas import Clock, Interval, SavingsBy
from shared.process import Runtime
from shared.web import Caller, Cursor, Paging, Router, Run, create_app
from shared.web.streams import Download

router = Router(tags=["reports"])
SELLERS: Final = Cursor("sellers.-gross", int, UUID, str)

First = Annotated[date | None, Query(alias="from", description="First day, in the marketplace's time zone.")]
Last = Annotated[date | None, Query(alias="to", description="Last day, included. The last 30 days by default.")]
By = Annotated[Clock, Query(description="By the day an order was placed, or by the day on which things happened.")]
Seller = Annotated[UUID | None, Query(description="Figures of this organisation alone. A seller gets its own anyway.")]
SavedBy = Annotated[SavingsBy, Query(description="By side, or for each organisation by side.")]


async def asked(first: First = None, last: Last = None, clock: By = "placed", seller: Seller = None) -> Asked:
    """The filters that all reports of orders share."""
    return Asked(first, last, clock, seller)


Filtered = Annotated[Asked, Depends(asked)]


@router.get("/v1/reports/orders")
async def orders(caller: Caller, run: Run, filtered: Filtered, interval: Interval = "day") -> schemas.OrdersReport:
    """Orders, money and status: one row per day (or month, or the whole period), currency and status."""
    return await actions.orders(run, caller, filtered, interval)


@router.get("/v1/reports/sellers")
async def sellers(caller: Caller, run: Run, page: Paging, filtered: Filtered) -> schemas.SellersPage:
    """Figures, rates and reply times by seller, largest gross first. A seller sees itself."""
    after = SELLERS.decode(page.cursor)
    period, rows = await actions.sellers(
        run, caller, filtered, (after[0], after[1], after[2]) if after else None, page.fetch
    )
    shown, next_cursor = page.of(rows, _cursor_of)
    return schemas.SellersPage(period=period, items=tuple(row for _, row in shown), next_cursor=next_cursor)


def _cursor_of(row: tuple[int, schemas.SellerRow]) -> str:
    gross, shown = row
    return SELLERS.encode(gross, UUID(int=shown.seller_organisation_id.int), shown.figures.currency)


@router.get("/v1/reports/summary")
async def summary(caller: Caller, run: Run, filtered: Filtered) -> schemas.Summary:
    """The period at a glance: figures by currency and channel, rates, reply times, and the same period before."""
    return await actions.summary(run, caller, filtered)


@router.get("/v1/reports/savings")
async def savings(caller: Caller, run: Run, filtered: Filtered, by: SavedBy = "side") -> schemas.Savings:
    """What reuse saved (weight, emissions, value) on received orders, by day of receipt: of the own organisation, or
    of all."""
    return await actions.savings(run, caller, filtered, by)


@router.get("/v1/reports/savings/factors")
async def factors(
    caller: Caller, version: Annotated[str | None, Query(max_length=20, description="None: the newest.")] = None
) -> schemas.Factors:
    """A published version of the factor table, with its sources."""
    return actions.factors(caller, version)


@router.get("/v1/reports/{table}/export", response_class=Response)
async def export(
    table: exporting.Table, caller: Caller, run: Run, filtered: Filtered, interval: Interval = "day",
    by: SavedBy = "side", kind: Annotated[Format, Query(alias="format")] = "csv",
) -> Response:  # fmt: skip
    """Exactly what the report says to the same filters, as CSV, XLSX or Parquet."""
    media_type, name, chunks = await exporting.export(run, caller, filtered, interval, by, table, kind)
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Download(chunks, media_type, headers)


def api(runtime: Runtime) -> FastAPI:
    """The application."""
    return create_app(
        title="Reports",
        service="reporting",
        runtime=runtime,
        routers=[router],
        description="Orders, revenue, commission, refunds, rates, reply times and savings. Figures that add up.",
    )
