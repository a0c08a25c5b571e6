"""Waiting between rounds of upkeep: for a word, for the time, or for the end."""

from __future__ import annotations

from typing import Final

from shared.stop import Stop, Wake

# How late a stop is noticed at most.
SLICE_SECONDS: Final = 0.25


async def rest(wake: Wake, stop: Stop, seconds: float) -> None:
    """Return when woken, after `seconds`, or soon after a stop was requested."""
    left = seconds
    while left > 0 and not stop.requested:
        if await wake.wait(min(left, SLICE_SECONDS)):
            return
        left -= SLICE_SECONDS
