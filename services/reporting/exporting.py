"""Exports: exactly what a report says, as a file. The file is whole before its first byte leaves (decision 0067)."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from typing import IO, Any, Final, Literal

from services.reporting import actions, schemas
from services.reporting.actions import Asked
from services.reporting.exports import tables
from services.reporting.exports.files import FILES, File, Format
from services.reporting.exports.tables import Column, Row
from services.reporting.schemas import Interval, SavingsBy
from shared.errors import Unavailable
from shared.process import Runtime
from shared.web import Principal

Table = Literal["orders", "summary", "rates", "sellers", "channels", "savings"]
Batches = AsyncIterator[tuple[schemas.Period, Sequence[Row]]]

MOST_SELLERS: Final = 100_000
ROWS_AT_ONCE: Final = 2_000
# Each has a file in the making; what is asked beyond is told to come again.
MOST_AT_ONCE: Final = 3
SPOOLED_BYTES: Final = 4 * 1024 * 1024
_CHUNK: Final = 64 * 1024
COLUMNS: Final[Mapping[Table, Sequence[Column]]] = {
    "orders": tables.ORDERS,
    "summary": tables.SUMMARY,
    "rates": tables.RATE,
    "sellers": tables.SELLERS,
    "channels": tables.CHANNELS,
    "savings": tables.SAVINGS,
}
_CLOCKS: Final = {"placed": "day the order was placed", "event": "day on which things happened"}
_running = 0


async def export(
    run: Runtime, caller: Principal, asked: Asked, interval: Interval, by: SavingsBy, table: Table, kind: Format
) -> tuple[str, str, AsyncGenerator[bytes, None]]:
    """Media type, file name, and the file. Errors come before the first byte."""
    global _running
    if _running >= MOST_AT_ONCE:
        raise Unavailable("exports_busy", f"{MOST_AT_ONCE} exports are made already. Try again in a moment.")
    _running += 1
    target: IO[bytes] = tempfile.SpooledTemporaryFile(SPOOLED_BYTES)  # noqa: SIM115 - closed by the sender
    try:
        batches = _batches(run, caller, asked, interval, by, table)
        media_type, period = await _written(target, batches, table, kind, run.clock().isoformat(timespec="seconds"))
    except BaseException:
        target.close()
        raise
    finally:
        _running -= 1
    name = f"{table}-{period.first}-{period.last}-{period.clock}.{kind}"
    return media_type, name, _sent(target)


async def _written(
    target: IO[bytes], batches: Batches, table: Table, kind: Format, made_at: str
) -> tuple[str, schemas.Period]:
    period, rows = await anext(batches)  # there is always one
    file: File = await asyncio.to_thread(FILES[kind], target, COLUMNS[table], _about(table, period, made_at))
    await _fill(file, rows)
    async for _, more in batches:
        await _fill(file, more)
    await asyncio.to_thread(file.end)
    return file.media_type, period


async def _fill(file: File, rows: Sequence[Row]) -> None:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        await asyncio.to_thread(file.rows, rows[start : start + ROWS_AT_ONCE])


def _about(table: Table, period: schemas.Period, made_at: str) -> dict[str, str]:
    return {
        "report": table,
        "from": str(period.first),
        "to": str(period.last),
        "by": _CLOCKS[period.clock] if table != "savings" else "day of receipt",
        "time zone": period.time_zone,
        "made at": made_at,
    }


async def _batches(
    run: Runtime, caller: Principal, asked: Asked, interval: Interval, by: SavingsBy, table: Table
) -> Batches:
    if table == "sellers":
        async for period, page in actions.every_seller(run, caller, asked, MOST_SELLERS):
            yield period, [tables.seller_row(r) for r in page]
        return
    if table == "orders":
        report: Any = await actions.orders(run, caller, asked, interval)
        rows: Iterable[Row] = map(tables.order_row, report.rows)
    elif table == "savings":
        report = await actions.savings(run, caller, asked, by)
        rows = map(tables.saving_row, report.rows)
    else:
        report = await actions.summary(run, caller, asked)
        rows = {"summary": tables.summary_rows, "channels": tables.channel_rows, "rates": tables.rate_rows}[table](
            report
        )
    yield report.period, list(rows)


async def _sent(target: IO[bytes]) -> AsyncGenerator[bytes, None]:
    try:
        target.seek(0)
        while chunk := target.read(_CHUNK):
            yield chunk
    finally:
        target.close()
