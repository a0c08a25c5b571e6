"""How many deliveries may be on their way: per endpoint by what it shows to bear, over all by a fair share. Pure.

A window opens by one with each success and closes by half when an endpoint times out or throttles, as TCP does, so
an endpoint that hangs holds a place or two while a quick one holds as many as it can use.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

START: Final = 4
# Claimed ahead for an endpoint that has shown itself quick: keeps statements few without a lease running out.
AHEAD: Final = 4
# A part of all places that only endpoints which have just answered may take.
RESERVED: Final = 0.25


@dataclass(slots=True)
class Window:
    """The window of one endpoint. `in_flight` are under way, `queued` claimed and waiting for a place."""

    most: int = 64
    size: float = START
    in_flight: int = 0
    queued: int = 0
    proven: bool = False

    @property
    def in_hand(self) -> int:
        return self.in_flight + self.queued

    @property
    def free(self) -> bool:
        """Whether one more may start."""
        return self.in_flight < min(self.most, max(1, int(self.size)))

    def room(self) -> int:
        """How many more to claim."""
        width = min(self.most, max(1, int(self.size)))
        return max(0, (width * AHEAD if self.proven else width) - self.in_hand)

    def succeeded(self) -> None:
        self.proven = True
        self.size = min(self.size + 1, self.most)

    def answered(self) -> None:
        """A refusal (4xx, 5xx): it answers, so nothing is closed."""

    def struggled(self) -> None:
        """Timed out, unreachable, or asked for less."""
        self.proven = False
        self.size = max(1.0, self.size / 2)


def share(places: int, in_hand: int, windows: Iterable[Window]) -> list[int]:
    """What each of `windows` may claim now, in order, of `places` of which `in_hand` are taken.

    Nobody gets more than its room; when places are short they are dealt out one each, round after round, and the
    last quarter only to proven endpoints.
    """
    asking = list(windows)
    rooms = [w.room() for w in asking]
    free = max(0, places - in_hand)
    common = max(0, int(places * (1 - RESERVED)) - in_hand)
    if sum(rooms) <= common:
        return rooms
    granted = [0] * len(asking)
    unproven = _deal(granted, rooms, range(len(asking)), common)
    proven = [i for i, w in enumerate(asking) if w.proven]
    _deal(granted, rooms, proven, free - unproven)
    return granted


def _deal(granted: list[int], rooms: list[int], who: Iterable[int], free: int) -> int:
    """Deal `free` places out among `who`, up to their rooms, always to those who have least; how many were dealt."""
    open_ = [i for i in who if granted[i] < rooms[i]]
    dealt = 0
    while open_ and dealt < free:
        least = min(granted[i] for i in open_)
        low = [i for i in open_ if granted[i] == least]
        above = min((granted[i] for i in open_ if granted[i] > least), default=least + free)
        step = min(above - least, min(rooms[i] for i in low) - least, max(1, (free - dealt) // len(low)))
        for i in low[: (free - dealt) // step]:
            granted[i] += step
            dealt += step
        open_ = [i for i in open_ if granted[i] < rooms[i]]
    return dealt
