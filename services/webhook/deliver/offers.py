"""Claims that an intake makes for the worker of its process: one way to the database less for who has nothing to do."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.webhook.deliver.drains import Drain
from services.webhook.deliver.queue import Claimed, claimed_from
from services.webhook.schedule import BREAKER_FAILURES
from services.webhook.store.intake import Standing, Taken

# Beyond these there is so much to do that claims for many at once cost less.
EVENTS_MOST: Final = 4
TAKERS_MOST: Final = 50
LOST_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Lost:
    """An intake of which nobody knows whether it claimed: its streams, for whom, and its moment."""

    streams: list[UUID]
    endpoints: list[UUID]
    moment: datetime


@dataclass(frozen=True, slots=True)
class Brought:
    """Claims that an intake made, with the room that each endpoint had for them; `start_by` in monotonic seconds."""

    rooms: Mapping[UUID, int]
    claimed: list[Claimed]
    start_by: float


class Offers:
    """What is offered to intakes, and what they brought. Places that are offered count as taken until it is known."""

    def __init__(self, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._out: dict[int, tuple[float, int]] = {}
        self.brought: deque[Brought] = deque()
        # beyond these their leases end, and they come again by themselves
        self.lost: deque[Lost] = deque(maxlen=LOST_MOST)

    @property
    def out(self) -> bool:
        """Whether an intake is under way that may bring something."""
        return bool(self._out)

    def make(self, drains: Mapping[UUID, Drain], events: int, free: int) -> tuple[Standing | None, int]:
        """An offer for those who had nothing to send when last asked, and how many of the `free` places it takes.

        Not for who has a rate limit: what it has spent is locked by claims, and an intake has other locks already.
        """
        if events > EVENTS_MOST or len(drains) > TAKERS_MOST:
            return None, 0
        rooms = {
            i: room
            for i, d in drains.items()
            if d.window.idle and not d.limited and not d.asked and not d.waiting and (room := d.window.room()) > 0
        }
        places = sum(rooms.values())
        if not rooms or places > free:
            return None, 0
        in_hands = [drains[i].window.in_hand for i in rooms]
        for endpoint_id, room in rooms.items():
            drains[endpoint_id].asked = True
            drains[endpoint_id].window.queued += room
        standing = Standing(list(rooms), list(rooms.values()), in_hands, self._lease_seconds, BREAKER_FAILURES)
        self._out[id(standing)] = (time.monotonic() + self._lease_seconds, places)
        return standing, places

    def ended(self, drains: Mapping[UUID, Drain], standing: Standing, taken: Taken | None) -> int:
        """Note what became of an offer. By how many places there are more again."""
        start_by, places = self._out.pop(id(standing))
        rooms = dict(zip(standing.endpoints, standing.rooms, strict=True))
        for endpoint_id, room in rooms.items():
            drains[endpoint_id].asked = False
            drains[endpoint_id].window.queued -= room
        if taken is None:
            return places
        claimed = [claimed_from(row) for row in taken.claimed]
        for c in claimed:
            drains[c.endpoint_id].window.queued += 1
        asked = {i: rooms[i] for i in taken.ready if i in rooms}
        if asked:
            self.brought.append(Brought(asked, claimed, start_by))
        return places - len(claimed)
