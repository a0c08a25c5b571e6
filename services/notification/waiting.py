"""Waiting for work or for the end, whichever comes first."""

from __future__ import annotations

import asyncio

from shared.stop import Stop, Wake


async def woken(wake: Wake, stop: Stop, seconds: float) -> None:
    """Returns when there is a wake, when a stop is requested, or after `seconds`."""
    waits = {asyncio.create_task(wake.wait(seconds)), asyncio.create_task(stop.wait(seconds))}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waits:
            task.cancel()
