"""What an attempt's result means and when the next one is due. Pure: the time and the randomness are arguments.

Owns the retry schedule, `Retry-After`, the meaning of every status, the circuit breaker and auto-disabling.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Literal

# Seconds to wait after the first, second ... failed attempt; after the last one the delivery is exhausted.
DEFAULT_SCHEDULE: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
JITTER: Final = 0.2
MAX_RETRY_AFTER: Final = timedelta(hours=24)
# A 429 or 503 with Retry-After costs no attempt, but not for ever: after these it does.
MAX_DEFERRALS: Final = 100
THROTTLING: Final = frozenset({429, 502, 503, 504})
FREE_WITH_RETRY_AFTER: Final = frozenset({429, 503})
THROTTLE_FIRST, THROTTLE_MOST = timedelta(seconds=1), timedelta(seconds=30)
# The breaker opens after so many failures in a row on an endpoint and then lets one probe through at a time.
BREAKER_FAILURES: Final = 10
PROBE_FIRST, PROBE_MOST = timedelta(seconds=5), timedelta(minutes=5)
WARN_AFTER, DISABLE_AFTER = timedelta(days=3), timedelta(days=5)

DisableReason = Literal["failing", "gone", "receiver", "person"]
_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)


class State(enum.StrEnum):
    """Where a delivery is. Everything but `pending` is final; what is not `delivered` can be replayed."""

    PENDING = "pending"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    ABORTED = "aborted"
    HELD = "held"
    DISCARDED = "discarded"


class Failure(enum.StrEnum):
    """Why there is no response, or no usable one."""

    TIMEOUT = "timeout"
    DNS = "dns"
    FORBIDDEN_ADDRESS = "forbidden_address"
    CONNECT = "connect"
    TLS = "tls"
    RESET = "reset"
    PROTOCOL = "protocol"
    HEADERS_TOO_LARGE = "headers_too_large"
    CONFIGURATION = "configuration"
    # our own machine's fault: costs the delivery nothing and says nothing of the endpoint
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a delivery has come: attempts that counted, and those that a Retry-After made free."""

    attempts: int
    deferrals: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from an attempt. `next_attempt_at` is set exactly while `state` is pending.

    `throttle_until`: nothing is sent to the whole endpoint before. `disable`: the endpoint is to be disabled.
    """

    state: State
    attempts: int
    deferrals: int
    next_attempt_at: datetime | None = None
    throttle_until: datetime | None = None
    disable: DisableReason | None = None

    @property
    def succeeded(self) -> bool:
        return self.state is State.DELIVERED


def judge(
    status: int | None,
    headers: Mapping[str, str],
    progress: Progress,
    *,
    now: datetime,
    spread: float,
    schedule: Sequence[int] = DEFAULT_SCHEDULE,
) -> Verdict:
    """The verdict on an attempt that ended at `now` with `status` (None: no response).

    `headers` has lower-case names; `spread` is a random number in [-1, 1) and moves the delay by up to 20 %.
    Only 2xx is success; 410 and `webhook-delivery: disable` disable the endpoint; `abort-message` ends the delivery.
    """
    steer = headers.get("webhook-delivery", "").strip().lower()
    disable: DisableReason | None = "receiver" if steer == "disable" else None
    attempts = progress.attempts + 1
    if status is not None and 200 <= status <= 299:
        return Verdict(State.DELIVERED, attempts, progress.deferrals, disable=disable)
    if status == 410 or disable:
        return Verdict(State.HELD, attempts, progress.deferrals, disable=disable or "gone")
    if steer == "abort-message":
        return Verdict(State.ABORTED, attempts, progress.deferrals)
    wait = retry_after(headers.get("retry-after"), now) if status in THROTTLING else None
    throttle = _throttle_until(wait, attempts, now) if status in THROTTLING else None
    if wait is not None and status in FREE_WITH_RETRY_AFTER and progress.deferrals < MAX_DEFERRALS:
        return Verdict(State.PENDING, progress.attempts, progress.deferrals + 1, throttle, throttle)
    if attempts > len(schedule):
        return Verdict(State.EXHAUSTED, attempts, progress.deferrals, throttle_until=throttle)
    due = now + jittered(timedelta(seconds=schedule[attempts - 1]), spread)
    return Verdict(State.PENDING, attempts, progress.deferrals, max(due, throttle or due), throttle)


def _throttle_until(wait: timedelta | None, attempts: int, now: datetime) -> datetime:
    doubling: timedelta = THROTTLE_FIRST * 2 ** min(attempts - 1, 10)
    return now + (max(wait, THROTTLE_FIRST) if wait is not None else min(doubling, THROTTLE_MOST))


def jittered(delay: timedelta, spread: float) -> timedelta:
    """`delay` moved by up to 20 % either way; `spread` in [-1, 1)."""
    return delay * (1 + JITTER * spread)


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The wait that a `Retry-After` asks for (RFC 9110: seconds, or a date in any of its three forms).

    None where it is absent or unreadable; never negative; never more than MAX_RETRY_AFTER, however absurd it is.
    """
    text = (value or "").strip()
    if not text or len(text) > 1_000:
        return None
    if _DIGITS.fullmatch(text):
        # 10 digits are 300 years: whatever is longer is beyond the cap as well, and int() of it would be work
        return MAX_RETRY_AFTER if len(text.lstrip("0")) > 9 else min(timedelta(seconds=int(text)), MAX_RETRY_AFTER)
    if text[0] in "+-." or not any(c.isalpha() for c in text) or len(text) > 64:
        return None
    try:
        at = parsedate_to_datetime(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return min(max(at - now, timedelta(0)), MAX_RETRY_AFTER)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def breaker_until(failures: int, probes: int, now: datetime, spread: float) -> datetime | None:
    """When an endpoint's open breaker lets its next probe through; None while it is closed.

    `failures` counts those since the last success, `probes` those sent since it opened; any success closes it.
    """
    if failures < BREAKER_FAILURES:
        return None
    delay: timedelta = PROBE_FIRST * 2 ** min(probes, 10)
    return now + jittered(min(delay, PROBE_MOST), spread)


def standing(failing_since: datetime | None, warned: bool, now: datetime) -> Literal["well", "warn", "disable"]:
    """What is due to an endpoint's owner: nothing but failure for 3 days warns, for 5 days disables."""
    if failing_since is None:
        return "well"
    if now - failing_since >= DISABLE_AFTER and warned:
        return "disable"
    return "warn" if now - failing_since >= WARN_AFTER and not warned else "well"
