"""What follows from each answer: retries, Retry-After in every form, the breaker, disabling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webhook.schedule import (
    BREAKER_FAILURES,
    DEFAULT_SCHEDULE,
    MAX_DEFERRALS,
    MAX_RETRY_AFTER,
    Progress,
    State,
    breaker_until,
    judge,
    retry_after,
    standing,
)

NOW = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120), ("0", 0), ("000005", 5), (" 7 ", 7), ("86400", 86_400), ("86401", 86_400),
        ("9" * 400, 86_400), ("99999999999999999999", 86_400),
        ("Mon, 02 Mar 2026 12:00:30 GMT", 30), ("Monday, 02-Mar-26 12:00:30 GMT", 30), ("Mon Mar  2 12:00:30 2026", 30),
        ("Sun, 01 Mar 2026 12:00:00 GMT", 0), ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("Mon, 02 Mar 2026 13:00:30 +0100", 30),
        ("", None), (None, None), ("-5", None), ("+5", None), ("1.5", None), ("1e3", None), ("inf", None),
        ("NaN", None), ("soon", None), ("12 34", None), ("\u0665", None), ("0x10", None),
        ("Mon, 99 Foo 2026 99:99:99 GMT", None),
        ("Mon, 02 Mar 99999999 12:00:30 GMT", None), ("a" * 5_000, None), ("5, 10", None), ("\x00", None),
    ],
)  # fmt: skip
def test_retry_after(text: str | None, seconds: int | None) -> None:
    assert retry_after(text, NOW) == (None if seconds is None else timedelta(seconds=seconds))


@given(st.text(max_size=80))
def test_retry_after_never_raises_and_is_bounded(text: str) -> None:
    wait = retry_after(text, NOW)
    assert wait is None or timedelta(0) <= wait <= MAX_RETRY_AFTER


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_only_2xx_is_success(status: int) -> None:
    assert judge(status, {}, Progress(3), now=NOW, spread=0).succeeded


@pytest.mark.parametrize(
    "status", [None, 100, 199, 300, 301, 304, 307, 400, 401, 404, 408, 429, 500, 502, 503, 599, 999]
)
def test_everything_else_is_tried_again(status: int | None) -> None:
    verdict = judge(status, {}, Progress(0), now=NOW, spread=0)
    assert (verdict.state, verdict.attempts) == (State.PENDING, 1)
    assert verdict.next_attempt_at == NOW + timedelta(seconds=5)


def test_the_whole_schedule_then_exhausted() -> None:
    waits, progress = [], Progress(0)
    for _ in DEFAULT_SCHEDULE:
        verdict = judge(500, {}, progress, now=NOW, spread=0)
        assert verdict.next_attempt_at is not None
        waits.append((verdict.next_attempt_at - NOW).total_seconds())
        progress = Progress(verdict.attempts)
    assert waits == [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert judge(500, {}, progress, now=NOW, spread=0).state is State.EXHAUSTED


@given(st.floats(-1, 1), st.integers(0, 8))
def test_jitter_stays_within_a_fifth(spread: float, attempts: int) -> None:
    due = judge(500, {}, Progress(attempts), now=NOW, spread=spread).next_attempt_at
    assert due is not None
    base = DEFAULT_SCHEDULE[attempts]
    assert base * 0.8 - 0.001 <= (due - NOW).total_seconds() <= base * 1.2 + 0.001


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_costs_no_attempt_but_not_for_ever(status: int) -> None:
    verdict = judge(status, {"retry-after": "60"}, Progress(2, 5), now=NOW, spread=0)
    assert (verdict.attempts, verdict.deferrals, verdict.next_attempt_at) == (2, 6, NOW + timedelta(seconds=60))
    assert verdict.throttle_until == NOW + timedelta(seconds=60)
    assert judge(status, {"retry-after": "60"}, Progress(2, MAX_DEFERRALS), now=NOW, spread=0).attempts == 3


@pytest.mark.parametrize("status", [502, 504])
def test_gateway_errors_throttle_and_cost(status: int) -> None:
    verdict = judge(status, {"retry-after": "60"}, Progress(0), now=NOW, spread=0)
    assert (verdict.attempts, verdict.deferrals) == (1, 0)
    assert verdict.next_attempt_at == verdict.throttle_until == NOW + timedelta(seconds=60)


def test_throttle_without_retry_after_backs_off_a_little() -> None:
    verdict = judge(429, {"retry-after": "tomorrow"}, Progress(0), now=NOW, spread=0)
    assert verdict.attempts == 1
    assert verdict.throttle_until == NOW + timedelta(seconds=1)


def test_gone_and_the_receivers_word() -> None:
    gone = judge(410, {}, Progress(0), now=NOW, spread=0)
    assert (gone.state, gone.disable) == (State.HELD, "gone")
    told = judge(500, {"webhook-delivery": " Disable "}, Progress(0), now=NOW, spread=0)
    assert (told.state, told.disable) == (State.HELD, "receiver")
    kept = judge(200, {"webhook-delivery": "disable"}, Progress(0), now=NOW, spread=0)
    assert (kept.state, kept.disable) == (State.DELIVERED, "receiver")
    ended = judge(422, {"webhook-delivery": "abort-message"}, Progress(0), now=NOW, spread=0)
    assert (ended.state, ended.disable) == (State.ABORTED, None)
    assert judge(200, {"webhook-delivery": "abort-message"}, Progress(0), now=NOW, spread=0).succeeded


def test_breaker_opens_and_probes_ever_more_slowly() -> None:
    assert breaker_until(BREAKER_FAILURES - 1, 0, NOW, 0) is None
    waits = [(breaker_until(BREAKER_FAILURES + n, n, NOW, 0) or NOW) - NOW for n in range(12)]
    assert waits[0] == timedelta(seconds=5)
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(minutes=5)


def test_warned_before_disabled() -> None:
    day = timedelta(days=1)
    assert standing(None, False, NOW) == "well"
    assert standing(NOW - 2 * day, False, NOW) == "well"
    assert standing(NOW - 3 * day, False, NOW) == "warn"
    assert standing(NOW - 4 * day, True, NOW) == "well"
    assert standing(NOW - 5 * day, True, NOW) == "disable"
    assert standing(NOW - 9 * day, False, NOW) == "warn"
