"""Reports: orders and revenue over time, as a chart and as a table, and what reuse saved."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Final
from urllib.parse import urlencode

from babel.dates import format_skeleton
from starlette.responses import Response

from contracts.money import Money
from services.console.calls import Answer
from services.console.charts import Chart, Value, bars
from services.console.entered import Wrong, placed
from services.console.entered import day as entered_day
from services.console.errors import Refused
from services.console.language import N_, Texts, locale, tr
from services.console.lifecycles import labels, lifecycle
from services.console.page import Page
from services.console.pages.figures import TABLES, links
from services.console.reading import read
from services.console.rendering import day, money, number, words
from services.console.schemas import Factors, Figures, OrdersReport, Period, Savings, SellersReport, StatusRow, Summary
from services.console.visit import Visit, part

CLOCKS: Final[Mapping[str, str]] = Texts(
    {
        "placed": N_("Day the order was placed"),
        "event": N_("Day on which things happened"),
    }
)
INTERVALS: Final[Mapping[str, str]] = Texts({"day": N_("Day"), "month": N_("Month"), "all": N_("Whole period")})
# A chart of more bars than this says nothing any more.
MOST_BARS: Final = 400
MOST_SELLERS: Final = 25


@dataclass(slots=True)
class Line:
    """A row of the table: the orders of a day by status, and its money.

    By the day on which things happened, an order counts on each day and in each status that it enters: then `orders`
    are changes of status, and `gross`, which would count an order's total again with each, is not shown.
    """

    day: date
    label: str
    statuses: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    orders: int = 0
    gross: int = 0
    paid: int = 0
    refunded: int = 0
    commission: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """One currency's figures. Money of two currencies is never added up."""

    currency: str
    statuses: Mapping[str, str]
    lines: Sequence[Line]
    total: Line
    orders: Chart | None
    revenue: Chart | None
    now: Figures | None
    before: Figures | None

    def money(self, minor: int) -> str:
        return money(Money.of(minor, self.currency))


@dataclass(frozen=True, slots=True)
class Found:
    """What the reporting service says; parts that the person may not see are None."""

    orders: OrdersReport | None = None
    summary: Summary | None = None
    savings: Savings | None = None
    sellers: SellersReport | None = None
    factors: Factors | None = None

    @property
    def period(self) -> Period | None:
        if self.orders is not None:
            return self.orders.period
        return self.savings.period if self.savings is not None else None


async def _asked_for(visit: Visit, asked: Mapping[str, str], sees_orders: bool) -> Found:
    """Orders and revenue for those who sell, and what was saved, which may be missing where it is not all there is."""
    params = [(name, asked[name]) for name in ("from", "to", "clock", "seller")]
    saved = part(visit.get("reporting", "/v1/reports/savings", [*params, ("by", asked["by"])]))
    if not sees_orders:
        answer, why = await saved
        if why is not None:
            raise why
        savings = _read_savings(answer)
        return Found(savings=savings, factors=await _factors(visit, savings))
    orders, summary, (answer, _), sellers = await asyncio.gather(
        visit.get("reporting", "/v1/reports/orders", [*params, ("interval", asked["interval"])]),
        visit.get("reporting", "/v1/reports/summary", params),
        saved,
        _sellers(visit, params),
    )
    savings = _read_savings(answer)
    return Found(
        read(OrdersReport, "reporting", orders), read(Summary, "reporting", summary), savings, sellers,
        await _factors(visit, savings),
    )  # fmt: skip


async def _sellers(visit: Visit, params: Sequence[tuple[str, str]]) -> SellersReport | None:
    """The sellers beside each other, for the operator: anybody else would see nobody but itself."""
    if not visit.person.is_operator:
        return None
    more = [*params, ("limit", str(MOST_SELLERS)), ("cursor", visit.asked("sellers", 2_000))]
    return read(SellersReport, "reporting", await visit.get("reporting", "/v1/reports/sellers", more))


def _read_savings(answer: Answer | None) -> Savings | None:
    return read(Savings, "reporting", answer) if answer is not None else None


async def _factors(visit: Visit, savings: Savings | None) -> Factors | None:
    """What the savings were worked out with, where there are any."""
    if savings is None or not savings.rows:
        return None
    answer, _ = await part(visit.get("reporting", "/v1/reports/savings/factors"))
    return read(Factors, "reporting", answer) if answer is not None else None


def _asked(visit: Visit) -> dict[str, str]:
    """What the page is asked for, as its form, its links and its files say it."""
    only = visit.person.is_operator
    return {
        "from": visit.asked("from", 10),
        "to": visit.asked("to", 10),
        "clock": visit.asked("clock") if visit.asked("clock") in CLOCKS else "placed",
        "interval": visit.asked("interval") if visit.asked("interval") in INTERVALS else "day",
        "seller": visit.asked("seller", 40) if only else "",
        "by": "organisation" if only and visit.asked("by") == "organisation" else "side",
    }


async def show(visit: Visit) -> Response:
    asked = _asked(visit)
    clock = asked["clock"]
    sees_orders = visit.person.is_operator or visit.person.sells
    found, errors = Found(), _days(asked)
    try:
        if not errors:
            found = await _asked_for(visit, asked, sees_orders)
    except Refused as e:
        # a period that cannot be: the form stays, so that it can be set right
        if e.status not in (400, 422):
            raise
        errors = placed(e)
    named = labels(await lifecycle(visit, visit.person.lifecycle), visit.person)
    return await visit.page(
        "reports.html",
        422 if errors else 200,
        reports=reports_of(found.orders, found.summary, named, clock) if found.orders and found.summary else [],
        savings=found.savings,
        factors=found.factors,
        summary=found.summary,
        sellers=found.sellers,
        more_sellers=_more(found, asked),
        files={table: links(table, asked) for table in TABLES},
        other=lambda **changed: "?" + urlencode({k: v for k, v in {**asked, **changed}.items() if v}),
        period=found.period,
        sees_orders=sees_orders,
        errors=errors,
        asked=asked,
        clock=clock,
        interval=asked["interval"],
        drawn=_drawn(clock, asked["interval"]),
        clocks=CLOCKS,
        intervals=INTERVALS,
    )


def _drawn(clock: str, interval: str) -> Mapping[str, str]:
    """What the charts and the file of the table show, in words."""
    monthly = interval == "month"
    file = tr("Orders by status") if interval == "all" else tr("Orders by month") if monthly else tr("Orders by day")
    if clock == "placed":
        return {
            "file": file,
            "orders": tr("Orders by month") if monthly else tr("Orders by day"),
            "revenue": tr("Gross by month") if monthly else tr("Gross by day"),
        }
    return {
        "file": file,
        "orders": tr("Changes of status by month") if monthly else tr("Changes of status by day"),
        "revenue": tr("Paid by month") if monthly else tr("Paid by day"),
    }


def _days(asked: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the days that were asked for, by field."""
    wrong = {}
    for name in ("from", "to"):
        try:
            if asked[name]:
                entered_day(asked[name])
        except Wrong as e:
            wrong[name] = str(e)
    return wrong


def _more(found: Found, asked: Mapping[str, str]) -> str:
    cursor = found.sellers.next_cursor if found.sellers is not None else None
    return "?" + urlencode({**asked, "sellers": cursor}) if cursor else ""


def reports_of(orders: OrdersReport, summary: Summary, named: Mapping[str, str], clock: str) -> Sequence[Report]:
    """One report for each currency that has figures."""
    currencies = sorted({r.currency for r in orders.rows} | {f.currency for f in summary.figures})
    return [_report(c, orders, summary, named, clock) for c in currencies]


def _report(currency: str, orders: OrdersReport, summary: Summary, named: Mapping[str, str], clock: str) -> Report:
    rows = [r for r in orders.rows if r.currency == currency]
    lines = _lines(rows, orders)
    total = Line(orders.period.first, tr("Together"))
    for row in rows:
        _add(total, row)
    present = dict.fromkeys(r.status for r in sorted(rows, key=lambda r: PHASE_ORDER.get(r.phase, 9)))
    over_time = _filled(lines, orders)
    revenue = [x.gross if clock == "placed" else x.paid for x in over_time]
    return Report(
        currency,
        {status: named.get(status, words(status)) for status in present},
        lines,
        total,
        bars([Value(x.label, _short(x), Decimal(x.orders), number(x.orders)) for x in over_time]),
        bars(
            [
                Value(x.label, _short(x), Decimal(minor), money(Money.of(minor, currency)))
                for x, minor in zip(over_time, revenue, strict=True)
            ]
        ),
        next((f for f in summary.figures if f.currency == currency), None),
        next((f for f in summary.previous_figures if f.currency == currency), None),
    )


PHASE_ORDER: Final = {
    phase: i for i, phase in enumerate(("approval", "pending", "preparing", "in_transit", "completed", "canceled"))
}


def _lines(rows: Sequence[StatusRow], orders: OrdersReport) -> Sequence[Line]:
    """A line for each day that has anything, newest first."""
    by_day: dict[date, Line] = {}
    for row in rows:
        _add(by_day.setdefault(row.day, Line(row.day, _label(row.day, orders.interval))), row)
    return [by_day[d] for d in sorted(by_day, reverse=True)]


def _add(line: Line, row: StatusRow) -> None:
    line.statuses[row.status] += row.orders
    line.orders += row.orders
    line.gross += row.gross.minor
    line.paid += row.paid.minor
    line.refunded += row.refunded.minor
    line.commission += row.commission.minor - row.commission_reversed.minor


def _filled(lines: Sequence[Line], orders: OrdersReport) -> Sequence[Line]:
    """The lines oldest first, and by day with the days on which nothing was."""
    known = {x.day: x for x in lines}
    if orders.interval != "day":
        return [known[d] for d in sorted(known)]
    days = (orders.period.last - orders.period.first).days + 1
    dates = [orders.period.first + timedelta(days=i) for i in range(min(days, MOST_BARS))]
    return [known.get(d) or Line(d, _label(d, "day")) for d in dates]


def _short(line: Line) -> str:
    """The label without its year."""
    return line.label.rpartition(" ")[0] or line.label


def _label(at: date, interval: str) -> str:
    if interval == "all":
        return tr("Whole period")
    return format_skeleton("yMMM", at, locale=locale()) if interval == "month" else day(at)


PAGES: Final[Sequence[Page]] = (Page("/reports", show),)
