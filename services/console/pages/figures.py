"""The tables of the reports as files for a spreadsheet: amounts in the currency's own digits, one row per currency."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

from starlette.responses import Response

from services.console.page import Page
from services.console.reading import read
from services.console.schemas import OrdersReport, SellersReport
from services.console.visit import Visit

PAGE_SIZE: Final = 200
# 10,000 rows: the file is held while it is written.
MOST_PAGES: Final = 50
# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection), and its full-width twins.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "|", "%")
_RATES: Final = ("acceptance", "late", "issue", "refund", "cancel")


async def orders(visit: Visit) -> Response:
    """What the page shows by day or month, status and currency."""
    params = [*_asked(visit), ("interval", visit.asked("interval", 10))]
    report = read(OrdersReport, "reporting", await visit.get("reporting", "/v1/reports/orders", params))
    heading = ("day", "currency", "status", "phase", "orders", "gross", "paid", "refunded", "commission", "reversed")
    rows = [
        (r.day.isoformat(), r.currency, r.status, r.phase, r.orders, r.gross.amount, r.paid.amount, r.refunded.amount,
         r.commission.amount, r.commission_reversed.amount)
        for r in report.rows
    ]  # fmt: skip
    return _file(f"orders-{report.period.first}-{report.period.last}.csv", heading, rows)


async def sellers(visit: Visit) -> Response:
    """All sellers of the period with their figures, rates (0 to 1) and mean reply times in seconds."""
    heading = ("seller_id", "seller", "currency", "orders", "gross", "paid_less_refunds", "refunded", "commission",
               *_RATES, "first_reply_seconds", "later_reply_seconds")  # fmt: skip
    rows: list[Sequence[Any]] = []
    cursor, period = "", None
    for _ in range(MOST_PAGES):
        params = [*_asked(visit), ("limit", str(PAGE_SIZE)), ("cursor", cursor)]
        page = read(SellersReport, "reporting", await visit.get("reporting", "/v1/reports/sellers", params))
        period = page.period
        for s in page.items:
            f = s.figures
            rates = [s.rates[n].rate if n in s.rates else None for n in _RATES]
            rows.append(
                (s.seller_organisation_id, s.seller_name, f.currency, f.orders, f.gross.amount, f.net.amount,
                 f.refunded.amount, f.commission_net.amount, *rates, s.replies.first.mean_seconds,
                 s.replies.next.mean_seconds)
            )  # fmt: skip
        if not page.next_cursor:
            break
        cursor = page.next_cursor
    assert period is not None
    return _file(f"sellers-{period.first}-{period.last}.csv", heading, rows)


def _asked(visit: Visit) -> list[tuple[str, str]]:
    return [(name, visit.asked(name, 10)) for name in ("from", "to", "clock")]


def _file(name: str, heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(heading)
    writer.writerows([cell(value) for value in row] for row in rows)
    # the mark at the beginning tells spreadsheets that it is UTF-8
    return Response(
        text.getvalue().encode("utf-8-sig"),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def cell(value: Any) -> Any:
    """Text that a spreadsheet would run is quoted; amounts and numbers are never."""
    text = "" if value is None else str(value)
    is_number = text.replace(".", "", 1).removeprefix("-").isdecimal()
    return f"'{text}" if text.startswith(_FORMULA) and not is_number else text


PAGES: Final[Sequence[Page]] = (
    Page("/reports/orders.csv", orders, counted=False),
    Page("/reports/sellers.csv", sellers, counted=False),
)
