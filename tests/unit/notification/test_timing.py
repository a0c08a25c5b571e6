"""Quiet hours and digest windows, across midnight and clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notification.telling.timing import Timing, after_quiet_hours, digest_closes_at, zone

OSLO = "Europe/Oslo"
NIGHT = Timing(OSLO, time(22), time(7))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("now", "leaves"),
    [
        ("2026-03-02T12:00:00+00:00", "2026-03-02T12:00:00+00:00"),
        ("2026-03-02T21:00:00+00:00", "2026-03-03T06:00:00+00:00"),  # 22:00 in Oslo: quiet until 07:00
        ("2026-03-02T20:59:59+00:00", "2026-03-02T20:59:59+00:00"),
        ("2026-03-03T05:59:59+00:00", "2026-03-03T06:00:00+00:00"),
        ("2026-03-03T06:00:00+00:00", "2026-03-03T06:00:00+00:00"),
        # the night in which clocks go forward: 07:00 is an hour earlier in UTC
        ("2026-03-28T23:00:00+00:00", "2026-03-29T05:00:00+00:00"),
        # and the one in which they go back
        ("2026-10-24T22:00:00+00:00", "2026-10-25T06:00:00+00:00"),
    ],
)
def test_quiet_hours_over_midnight(now: str, leaves: str) -> None:
    assert after_quiet_hours(at(now), NIGHT) == at(leaves)


def test_quiet_hours_within_a_day_and_none() -> None:
    noon = Timing("UTC", time(12), time(13))
    assert after_quiet_hours(at("2026-03-02T12:30:00+00:00"), noon) == at("2026-03-02T13:00:00+00:00")
    assert after_quiet_hours(at("2026-03-02T13:00:00+00:00"), noon) == at("2026-03-02T13:00:00+00:00")
    same = Timing("UTC", time(12), time(12))
    assert after_quiet_hours(at("2026-03-02T12:00:00+00:00"), same) == at("2026-03-02T12:00:00+00:00")


def test_an_end_that_a_clock_change_skips_is_the_next_real_moment() -> None:
    skipped = Timing(OSLO, time(23), time(2, 30))
    assert after_quiet_hours(at("2026-03-29T00:30:00+00:00"), skipped) == at("2026-03-29T01:30:00+00:00")


def test_digest_windows() -> None:
    hourly = Timing(OSLO, digest="hourly")
    assert digest_closes_at(at("2026-03-02T09:10:00+00:00"), hourly) == at("2026-03-02T10:00:00+00:00")
    daily = Timing(OSLO, digest="daily", digest_at=time(8))
    assert digest_closes_at(at("2026-03-02T06:59:00+00:00"), daily) == at("2026-03-02T07:00:00+00:00")
    assert digest_closes_at(at("2026-03-02T07:00:00+00:00"), daily) == at("2026-03-03T07:00:00+00:00")
    assert digest_closes_at(at("2026-03-28T07:00:00+00:00"), daily) == at("2026-03-29T06:00:00+00:00")
    quiet = Timing(OSLO, time(22), time(7), digest="hourly")
    assert digest_closes_at(at("2026-03-02T20:30:00+00:00"), quiet) == at("2026-03-03T06:00:00+00:00")
    with pytest.raises(ValueError, match="no window"):
        digest_closes_at(at("2026-03-02T20:30:00+00:00"), Timing())


def test_an_unknown_time_zone_holds_up_nothing() -> None:
    assert zone("Mars/Olympus").key == zone("../etc/passwd").key == zone("").key == "UTC"


moments = st.integers(0, 15 * 366 * 86_400).map(lambda s: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=s))
zones = st.sampled_from(["UTC", OSLO, "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"])
walls = st.times().map(lambda t: t.replace(second=0, microsecond=0))


@given(moments, zones, walls, walls, st.sampled_from(["hourly", "daily"]), walls)
def test_mail_never_leaves_in_the_past_in_quiet_hours_or_never(
    now: datetime, tz: str, start: time, end: time, digest: str, digest_at: time
) -> None:
    timing = Timing(tz, start, end, digest, digest_at)  # type: ignore[arg-type]
    leaves = after_quiet_hours(now, timing)
    assert now <= leaves <= now + timedelta(hours=26)
    # what has waited may leave: it is not held back again for more than what a repeated hour costs
    assert after_quiet_hours(leaves, timing) - leaves <= timedelta(hours=1)
    assert now < digest_closes_at(now, timing) <= now + timedelta(hours=51)
