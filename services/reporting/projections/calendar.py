"""Days and business hours: on which day something happened, and how long a seller was at work meanwhile. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DEFAULT: Final = "mon-fri 09:00-17:00"
# A reply after more than a year is counted as one year: it bounds the walk over the days.
MOST_DAYS: Final = 366
_FORM: Final = re.compile(r"^([a-z]{3})(?:-([a-z]{3}))? ([0-2]\d):([0-5]\d)-([0-2]\d):([0-5]\d)$")


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """Opening hours by weekday (0 is Monday), in local time of the seller."""

    weekdays: frozenset[int]
    opens: time
    closes: time

    @classmethod
    def parse(cls, text: str) -> BusinessHours:
        """From "mon-fri 09:00-17:00" or "sat 10:00-14:00". Raises ValueError that says the form."""
        match = _FORM.match(text.strip().lower())
        if not match or match[1] not in DAYS or (match[2] or match[1]) not in DAYS:
            raise ValueError(f"business hours {text!r} are not like {DEFAULT!r}")
        first, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
        days = range(first, last + 1) if first <= last else [*range(first, 7), *range(last + 1)]
        try:
            opens, closes = time(int(match[3]), int(match[4])), time(int(match[5]), int(match[6]))
        except ValueError:
            raise ValueError(f"business hours {text!r} name an hour that no day has") from None
        if opens >= closes:
            raise ValueError(f"business hours {text!r} end before they begin")
        return cls(frozenset(days), opens, closes)

    def seconds(self, start: datetime, end: datetime, zone: ZoneInfo) -> int:
        """Seconds of business time between two aware moments; 0 where `end` is not after `start`."""
        total = timedelta()
        day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
        for _ in range(MOST_DAYS):
            if day > last:
                break
            if day.weekday() in self.weekdays:
                opens, closes = _at(day, self.opens, zone), _at(day, self.closes, zone)
                total += max(timedelta(), min(end, closes) - max(start, opens))
            day += timedelta(days=1)
        return int(total.total_seconds())


def _at(day: date, moment: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, moment, zone).astimezone(UTC)


@lru_cache(maxsize=256)
def hours_of(setting: str | None) -> BusinessHours:
    """The hours of a marketplace's setting; the default where there is none or it cannot be read."""
    try:
        return BusinessHours.parse(setting or DEFAULT)
    except ValueError:
        return BusinessHours.parse(DEFAULT)


@lru_cache(maxsize=1_024)
def zone_of(*names: str | None) -> ZoneInfo:
    """The first of the names that is a time zone; UTC where none is."""
    for name in names:
        try:
            if name:
                return ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            continue
    return ZoneInfo("UTC")


@lru_cache(maxsize=1_024)
def days_in(zone: str) -> Callable[[datetime], date]:
    """The function from a moment to its day in a time zone."""
    info = ZoneInfo(zone)
    return lambda moment: moment.astimezone(info).date()
