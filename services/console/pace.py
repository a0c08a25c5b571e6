"""How an endpoint fared over time, by hour or by day: bars for charts, and the same as lines of a table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton

from services.console.charts import Chart, Value, bars
from services.console.language import locale
from services.console.rendering import day, number, share
from services.console.schemas import HourStats

Slot = Literal["hour", "day"]


@dataclass(frozen=True, slots=True)
class Line:
    """An hour or a day. Times are in ms; None where nothing was sent."""

    label: str
    short: str
    succeeded: int
    failed: int
    mean_ms: int | None
    p95_ms: int | None

    @property
    def attempts(self) -> int:
        return self.succeeded + self.failed

    @property
    def rate(self) -> str:
        """The share that succeeded, in words; a dash where nothing was sent."""
        return share(str(Decimal(self.succeeded) / self.attempts) if self.attempts else None)


@dataclass(frozen=True, slots=True)
class Pace:
    """`lines` are those in which something was sent, newest first; a chart is None where it would be empty."""

    slot: Slot
    lines: Sequence[Line]
    succeeded: Chart | None
    failed: Chart | None
    latency: Chart | None


def paced(hours: Sequence[HourStats], slot: Slot, covered: int, now: datetime, zone: ZoneInfo) -> Pace:
    """The hours of the last `covered` ones as a bar and a line for each hour or day of `zone`."""
    lines = [_line(starts, rows, slot, zone) for starts, rows in _slots(hours, slot, covered, now, zone).items()]

    def chart(amount: Callable[[Line], int], shown: Callable[[Line], str]) -> Chart | None:
        return bars([Value(x.label, x.short, Decimal(amount(x)), shown(x)) for x in lines])

    return Pace(
        slot,
        [x for x in reversed(lines) if x.attempts],
        chart(lambda x: x.succeeded, lambda x: number(x.succeeded)),
        chart(lambda x: x.failed, lambda x: number(x.failed)),
        chart(lambda x: x.mean_ms or 0, lambda x: f"{number(x.mean_ms or 0)} ms"),
    )


def _slots(
    hours: Sequence[HourStats], slot: Slot, covered: int, now: datetime, zone: ZoneInfo
) -> dict[datetime, list[HourStats]]:
    """Every hour or day of the time covered, oldest first, with what was sent in it."""
    found: dict[datetime, list[HourStats]] = {}
    # counted in UTC, where no hour is there twice
    newest = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    for back in range(covered, -1, -1):
        found[_start(newest - timedelta(hours=back), slot, zone)] = []
    for row in hours:
        found.setdefault(_start(row.hour, slot, zone), []).append(row)
    return found


def _start(at: datetime, slot: Slot, zone: ZoneInfo) -> datetime:
    if slot == "hour":
        return at.astimezone(UTC)
    return at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


def _labels(starts: datetime, slot: Slot, zone: ZoneInfo) -> tuple[str, str]:
    """How a line of the table and a mark of the chart say when."""
    local = starts.astimezone(zone)
    on = format_skeleton("MMMd", local, locale=locale())
    if slot == "day":
        return day(local), on
    return f"{on}, {local:%H:%M}", f"{local:%H:%M}"


def _line(starts: datetime, rows: Sequence[HourStats], slot: Slot, zone: ZoneInfo) -> Line:
    long, short = _labels(starts, slot, zone)
    attempts = sum(r.attempts for r in rows)
    spent = sum((r.mean_ms or 0) * r.attempts for r in rows)
    # where 95 % of each hour are within their bound, 95 % of all are within the largest of them
    bounds = [r.p95_ms for r in rows if r.p95_ms is not None]
    return Line(
        long, short, sum(r.succeeded for r in rows), sum(r.failed for r in rows),
        round(spent / attempts) if attempts else None, max(bounds, default=None),
    )  # fmt: skip
