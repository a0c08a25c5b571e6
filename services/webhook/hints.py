"""Word from intake and API to the deliver worker of the same process: look at these endpoints now.

Only ever a shortcut: what is due also stands in the database, where any worker finds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from shared.stop import Wake

# Beyond this nobody is listening (no worker in this process); the database knows anyway.
MOST: Final = 10_000


class Hints:
    """A set of endpoints that may have something due, and the wake of who waits for them."""

    def __init__(self) -> None:
        self.wake = Wake()
        self._endpoints: set[UUID] = set()

    def add(self, endpoints: Iterable[UUID]) -> None:
        self._endpoints.update(endpoints)
        if len(self._endpoints) > MOST:
            self._endpoints.clear()
        self.wake.set()

    def take(self) -> set[UUID]:
        """All of them, and none is left."""
        taken, self._endpoints = self._endpoints, set()
        return taken
