"""Times on paper: in the reader's zone where it is known, else in that of the buying outlet."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def zone_of(*names: str | None) -> ZoneInfo:
    """The first of these IANA zones that is known here; UTC where none is."""
    for name in names:
        if name:
            try:
                return ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                continue
    return ZoneInfo("UTC")


def on(at: datetime | str, zone: ZoneInfo) -> date:
    """The day that it was there; a text is RFC 3339."""
    return _there(at, zone).date()


def at_minute(at: datetime | str, zone: ZoneInfo) -> str:
    """The time of day there."""
    return f"{_there(at, zone):%H:%M}"


def _there(at: datetime | str, zone: ZoneInfo) -> datetime:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment.astimezone(zone)
