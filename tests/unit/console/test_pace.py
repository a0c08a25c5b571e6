"""Figures of an endpoint by hour and by day of the reader's zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from services.console.pace import paced
from services.console.schemas import HourStats

OSLO = ZoneInfo("Europe/Oslo")
NOW = datetime(2026, 3, 29, 10, 20, tzinfo=UTC)


def hour(at: str, succeeded: int, failed: int, mean_ms: float, p95_ms: int) -> HourStats:
    return HourStats.model_validate(
        {"hour": at, "attempts": succeeded + failed, "succeeded": succeeded, "failed": failed, "mean_ms": mean_ms,
         "p95_ms": p95_ms}
    )  # fmt: skip


def test_every_hour_has_its_place_and_only_those_with_attempts_are_lines() -> None:
    found = paced(
        [hour("2026-03-28T10:00:00Z", 3, 0, 40, 64), hour("2026-03-29T10:00:00Z", 1, 1, 100, 256)],
        "hour", 24, NOW, OSLO,
    )  # fmt: skip
    assert [(x.label, x.succeeded, x.failed, x.rate, x.mean_ms) for x in found.lines] == [
        ("29 Mar, 12:00", 1, 1, "50.0 %", 100),
        ("28 Mar, 11:00", 3, 0, "100.0 %", 40),
    ]
    assert found.succeeded is not None
    # the night in which clocks go forward has no bar too many and none too few
    assert len(found.succeeded.bars) == 25
    assert found.succeeded.bars[0].title == "28 Mar, 11:00: 3"
    assert found.latency is not None
    assert (found.latency.top, found.latency.bars[-1].title) == ("100 ms", "29 Mar, 12:00: 100 ms")


def test_a_day_is_that_of_the_zone_with_times_weighed_by_attempts() -> None:
    found = paced(
        [hour("2026-03-27T22:00:00Z", 1, 0, 10, 16), hour("2026-03-27T23:00:00Z", 3, 0, 20, 32),
         hour("2026-03-28T05:00:00Z", 1, 0, 60, 128)],
        "day", 72, NOW, OSLO,
    )  # fmt: skip
    assert [(x.label, x.attempts, x.mean_ms, x.p95_ms) for x in found.lines] == [
        ("28 Mar 2026", 4, 30, 128),
        ("27 Mar 2026", 1, 10, 16),
    ]
    assert found.succeeded is not None
    assert [b.title for b in found.succeeded.bars] == [
        "26 Mar 2026: 0", "27 Mar 2026: 1", "28 Mar 2026: 4", "29 Mar 2026: 0",
    ]  # fmt: skip
    assert found.failed is None


def test_nothing_sent_is_no_chart_and_no_line() -> None:
    found = paced([], "hour", 24, NOW, OSLO)
    assert (found.lines, found.succeeded, found.failed, found.latency) == ([], None, None, None)
