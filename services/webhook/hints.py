"""Word from intake and API to the deliver worker of the same process: look at these endpoints now, for these events.

Only ever a shortcut: what is due, and what is sent, also stands in the database, where any worker finds it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from services.webhook.store.intake import Incoming, Standing, Taken
from shared.stop import Wake

# Beyond this nobody is listening (no worker in this process); the database knows anyway.
MOST: Final = 10_000
# Events that are handed on at once; larger ones, and what comes faster than it can be sent, is read from the database.
MOST_EVENTS: Final = 200
MOST_BYTES: Final = 20_000


class Taker(Protocol):
    """A deliver worker that lets an intake claim for it what it would ask for next."""

    def standing(self, events: int) -> Standing | None:
        """What an intake of so many events may claim; `given` or `lost` must follow. None: the worker asks itself."""

    def given(self, standing: Standing, taken: Taken | None) -> None:
        """What became of it; None where nothing was claimed."""

    def lost(self, standing: Standing, events: Sequence[Incoming], moment: datetime) -> None:
        """The same where nobody knows: an intake at `moment` ended with an error, perhaps behind its commit."""


class Hints:
    """A set of endpoints that may have something due, and the wake of who waits for them."""

    def __init__(self) -> None:
        self.wake = Wake()
        self._endpoints: set[UUID] = set()
        self._events: deque[Incoming] = deque(maxlen=MOST_EVENTS)
        # the deliver worker of this process, while it runs
        self.taker: Taker | None = None

    def bring(self, events: Iterable[Incoming]) -> None:
        """What has just been queued, before `add` says for which endpoints."""
        if self.taker is not None:
            self._events.extend(e for e in events if len(e.data) <= MOST_BYTES)

    def add(self, endpoints: Iterable[UUID]) -> None:
        self._endpoints.update(endpoints)
        if len(self._endpoints) > MOST:
            self._endpoints.clear()
        self.wake.set()

    def take(self) -> set[UUID]:
        """All of them, and none is left."""
        taken, self._endpoints = self._endpoints, set()
        return taken

    def events(self) -> list[Incoming]:
        """All that were brought, and none is left."""
        taken = list(self._events)
        self._events.clear()
        return taken
