"""Being asked to stop, and being woken: the two signals that every loop waits on, always with a bound."""

from __future__ import annotations

import asyncio


class Wake:
    """A flag that many set and one loop waits for. Setting it twice before the loop looks counts once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """True as soon as it is set (and it is then unset), False after `seconds`."""
        if not self._event.is_set():
            # asyncio.timeout costs no task, unlike wait_for; this runs some hundred times a second
            try:
                async with asyncio.timeout(seconds):
                    await self._event.wait()
            except TimeoutError:
                return False
        self._event.clear()
        return True


class Wakes:
    """The wakes of a process by name: `wakes.get("deliveries").set()`."""

    def __init__(self) -> None:
        self._wakes: dict[str, Wake] = {}

    def get(self, name: str) -> Wake:
        return self._wakes.setdefault(name, Wake())


class Stop:
    """Asked once, for good."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    def request(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Sleep up to `seconds`; True where a stop was requested meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True
