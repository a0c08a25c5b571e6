"""Whether this process itself stood still: a stopped or starved process must not blame the receiver for being late."""

from __future__ import annotations

import asyncio
import time
from typing import Final

BEAT_SECONDS: Final = 0.25
# What a busy loop is late by anyway.
USUAL_SECONDS: Final = 0.25


class Stalls:
    """Adds up how long the running loop could not run. `start` begins to listen, `stop` ends it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._expected = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._handle is None:
            self._expected = time.monotonic()
            self._beat()

    def _beat(self) -> None:
        now = time.monotonic()
        if (late := now - self._expected) > USUAL_SECONDS:
            self.seconds += late
        self._expected = now + BEAT_SECONDS
        # a timer that was due before a deadline runs before it, so the stall is known when the deadline strikes
        self._handle = asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
