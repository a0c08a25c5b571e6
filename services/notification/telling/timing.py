"""When an e-mail may leave: quiet hours and digest windows in the recipient's own time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DigestMode = Literal["off", "hourly", "daily"]


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name; UTC where the name is unknown, so that a bad name never holds up a mail."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Timing:
    """A person's wishes. Quiet hours may span midnight; equal ends or None mean none."""

    time_zone: str = "UTC"
    quiet_from: time | None = None
    quiet_until: time | None = None
    digest: DigestMode = "off"
    digest_at: time = time(8, 0)


def _at(day: datetime, wall: time) -> datetime:
    """That wall-clock time on that local day, in UTC. A time that a clock change skips becomes the next real one."""
    local = day.replace(hour=wall.hour, minute=wall.minute, second=0, microsecond=0, fold=0)
    return local.astimezone(UTC)


def after_quiet_hours(now: datetime, timing: Timing) -> datetime:
    """`now` (aware) outside of quiet hours, else the moment when they end, in UTC."""
    start, end = timing.quiet_from, timing.quiet_until
    if start is None or end is None or start == end:
        return now
    local = now.astimezone(zone(timing.time_zone))
    wall = local.time()
    if start < end:
        ends = _at(local, end) if start <= wall < end else now
    elif wall >= start:
        ends = _at(local + timedelta(days=1), end)
    else:
        ends = _at(local, end) if wall < end else now
    # in the hour that a clock change repeats, the first of the two ends may already be past
    return max(ends, now)


def digest_closes_at(now: datetime, timing: Timing) -> datetime:
    """When a digest window that opens `now` closes: the next full hour or the next digest time, outside quiet hours.

    Raises ValueError where the person has no digest.
    """
    local = now.astimezone(zone(timing.time_zone))
    if timing.digest == "hourly":
        closes = local.replace(minute=0, second=0, microsecond=0).astimezone(UTC) + timedelta(hours=1)
    elif timing.digest == "daily":
        closes = _at(local, timing.digest_at)
        if closes <= now:
            closes = _at(local + timedelta(days=1), timing.digest_at)
    else:
        raise ValueError("a person without a digest has no window")
    return after_quiet_hours(closes, timing)
