"""Waiting for a condition with a deadline; tests never just sleep."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any


async def until(condition: Callable[[], Any | Awaitable[Any]], *, seconds: float = 60, what: str = "") -> Any:
    """The first true value of the condition. Fails with what it last was when the deadline passes.

    The deadline is for what never comes: a busy machine may need many times what a quiet one does.
    """
    deadline = time.monotonic() + seconds
    pause = 0.01
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or condition} (last: {value!r})")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.2)
