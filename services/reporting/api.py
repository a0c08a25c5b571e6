"""The HTTP surface of reporting."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final
from uuid import UUID

from fastapi import FastAPI, Query

from services.reporting import actions, schemas
from services.reporting.schemas import Clock, Interval
from shared.process import Runtime
from shared.web import Caller, Cursor, Paging, Router, Run, create_app

router = Router(tags=["reports"])
SELLERS: Final = Cursor("sellers.-gross", int, UUID, str)

First = Annotated[date | None, Query(alias="from", description="First day, in the marketplace's time zone.")]
Last = Annotated[date | None, Query(alias="to", description="Last day, included. The last 30 days by default.")]
By = Annotated[Clock, Query(description="By the day an order was placed, or by the day on which things happened.")]


@router.get("/v1/reports/orders")
async def orders(
    caller: Caller, run: Run, first: First = None, last: Last = None, clock: By = "placed", interval: Interval = "day"
) -> schemas.OrdersReport:
    """Orders, money and status: one row per day (or month, or the whole period), currency and status."""
    return await actions.orders(run, caller, first, last, clock, interval)


@router.get("/v1/reports/sellers")
async def sellers(
    caller: Caller, run: Run, page: Paging, first: First = None, last: Last = None, clock: By = "placed"
) -> schemas.SellersPage:
    """Figures, rates and reply times by seller, largest gross first. A seller sees itself."""
    after = SELLERS.decode(page.cursor)
    period, rows = await actions.sellers(
        run, caller, first, last, clock, (after[0], after[1], after[2]) if after else None, page.fetch
    )
    shown, next_cursor = page.of(rows, _cursor_of)
    return schemas.SellersPage(period=period, items=tuple(row for _, row in shown), next_cursor=next_cursor)


def _cursor_of(row: tuple[int, schemas.SellerRow]) -> str:
    gross, shown = row
    return SELLERS.encode(gross, UUID(int=shown.seller_organisation_id.int), shown.figures.currency)


@router.get("/v1/reports/summary")
async def summary(
    caller: Caller, run: Run, first: First = None, last: Last = None, clock: By = "placed"
) -> schemas.Summary:
    """The period at a glance: figures by currency, rates, reply times, and the period of equal length before."""
    return await actions.summary(run, caller, first, last, clock)


@router.get("/v1/reports/savings")
async def savings(caller: Caller, run: Run, first: First = None, last: Last = None) -> schemas.Savings:
    """What reuse saved (weight, emissions, value) on received orders: of the own organisation, or of all."""
    return await actions.savings(run, caller, first, last)


@router.get("/v1/reports/savings/factors")
async def factors(caller: Caller) -> schemas.Factors:
    """The published, versioned factor table and its sources."""
    return actions.factors(caller)


def api(runtime: Runtime) -> FastAPI:
    """The application."""
    return create_app(
        title="Reports",
        service="reporting",
        runtime=runtime,
        routers=[router],
        description="Orders, revenue, commission, refunds, rates, reply times and savings. Figures that add up.",
    )
