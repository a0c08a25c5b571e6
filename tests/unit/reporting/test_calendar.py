"""Business hours and days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.projections.calendar import DEFAULT, BusinessHours, days_in, hours_of, zone_of

OSLO = ZoneInfo("Europe/Oslo")
WEEK = BusinessHours.parse(DEFAULT)


def oslo(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=OSLO)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (oslo(2, 10), oslo(2, 12), 2),  # Monday, within the day
        (oslo(2, 16), oslo(3, 10), 2),  # over night
        (oslo(6, 16), oslo(9, 10), 2),  # over the week-end
        (oslo(7, 10), oslo(8, 20), 0),  # on the week-end
        (oslo(2, 3), oslo(2, 20), 8),
        (oslo(2, 12), oslo(2, 12), 0),
        (oslo(2, 12), oslo(2, 10), 0),
        (oslo(27, 16), oslo(30, 10), 2),  # the clocks change on Sunday the 29th
    ],
)
def test_business_time(start: datetime, end: datetime, hours: float) -> None:
    assert WEEK.seconds(start, end, OSLO) == hours * 3600


def test_the_zone_of_the_seller_decides() -> None:
    start, end = datetime(2026, 3, 2, 8, 0, tzinfo=UTC), datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    assert WEEK.seconds(start, end, OSLO) == 3600
    assert WEEK.seconds(start, end, ZoneInfo("America/New_York")) == 0


@given(
    st.integers(0, 364 * 86_400),
    st.timedeltas(timedelta(), timedelta(days=30)),
    st.timedeltas(timedelta(), timedelta(days=30)),
)
def test_business_time_adds_up_and_is_never_more_than_time(second: int, one: timedelta, two: timedelta) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    first, rest = WEEK.seconds(start, start + one, OSLO), WEEK.seconds(start + one, start + one + two, OSLO)
    assert abs(first + rest - WEEK.seconds(start, start + one + two, OSLO)) <= 1
    assert 0 <= first <= one.total_seconds()


def test_a_very_long_time_is_bounded() -> None:
    assert WEEK.seconds(datetime(1990, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC), OSLO) <= 262 * 8 * 3600


@pytest.mark.parametrize("text", ["sat 10:00-14:00", "fri-mon 08:30-12:00", "MON-SUN 00:00-23:59"])
def test_hours_are_read(text: str) -> None:
    assert BusinessHours.parse(text).weekdays


@pytest.mark.parametrize(
    "text", ["", "mon", "mon-fri", "mon-fri 17:00-09:00", "foo 09:00-10:00", "mon 25:00-26:00", "mon 09:00"]
)
def test_hours_that_cannot_be_read_say_so_and_the_default_is_used(text: str) -> None:
    with pytest.raises(ValueError, match="business hours"):
        BusinessHours.parse(text)
    assert hours_of(text) == WEEK


def test_days_are_those_of_the_zone() -> None:
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    assert days_in("UTC")(late) == date(2026, 3, 1)
    assert days_in("Europe/Oslo")(late) == date(2026, 3, 2)


def test_the_first_zone_that_is_one() -> None:
    assert zone_of(None, "Nowhere/Land", "Europe/Oslo") == OSLO
    assert zone_of("../etc/passwd", None) == ZoneInfo("UTC")
