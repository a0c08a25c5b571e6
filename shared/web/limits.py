"""Rate limits: a token bucket per caller, in this process's memory, told in RateLimit headers.

Header fields as in draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy: "caller";q=600;w=2` and
`RateLimit: "caller";r=599;t=1`. Each process counts for itself: two API processes allow twice as much.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from shared.errors import TooManyRequests

MOST_CALLERS: Final = 20_000


class RateLimit:
    """`rate` requests per second on average, `burst` at once. `take` costs a dictionary look-up and no I/O."""

    def __init__(self, name: str, rate: float, burst: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._rate, self._burst = name, rate, burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        window = max(1, math.ceil(burst / rate))
        self._policy = (b"ratelimit-policy", f'"{name}";q={burst};w={window}'.encode())

    def take(self, caller: str) -> tuple[bool, list[tuple[bytes, bytes]]]:
        """Whether the caller may go on, and the headers that tell it what is left."""
        now = self._clock()
        level, then = self._buckets.pop(caller, (float(self._burst), now))
        level = min(self._burst, level + (now - then) * self._rate)
        allowed = level >= 1
        level -= allowed
        # Reinserted at the end: the first entry is always the caller that was longest away.
        self._buckets[caller] = (level, now)
        if len(self._buckets) > MOST_CALLERS:
            del self._buckets[next(iter(self._buckets))]
        left = int(level)
        wait = 0 if left else math.ceil((1 - level) / self._rate)
        return allowed, [self._policy, (b"ratelimit", f'"{self._name}";r={left};t={wait}'.encode())]

    def refusal(self) -> TooManyRequests:
        wait = max(1, math.ceil(1 / self._rate))
        return TooManyRequests(
            "rate_limited",
            f"Too many requests: {self._rate:g} per second are allowed. Wait {wait} s.",
            retry_after=wait,
        )
