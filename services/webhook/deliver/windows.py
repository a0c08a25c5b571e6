"""How many deliveries may be on their way: per endpoint by what it shows to bear, over all by a fair share. Pure.

A window opens by one with each success and closes by half when an endpoint times out or throttles, as TCP does, so
an endpoint that hangs holds a place or two while a quick one holds as many as it can use. Long before a time-out an
endpoint that has stopped answering is silent: it gets no more than a stranger, and keeps nothing claimed ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

START: Final = 4
# Claimed ahead for an endpoint that has shown itself quick: keeps statements few without a lease running out.
AHEAD: Final = 4
QUICK_SECONDS: Final = 0.5
# A part of all places that only endpoints which have just answered may take, START each: whoever holds all others
# and falls silent, holds them until his deadlines.
RESERVED: Final = 0.25
# With exchanges under way and no answer to any for so long, an endpoint is silent. Who merely takes longer than this
# to answer loses nothing: what is under way goes on, and its next answer ends the silence.
SILENT_SECONDS: Final = 1.0


@dataclass(slots=True)
class Window:
    """The window of one endpoint. `in_flight` are under way, `queued` claimed and waiting for a place.

    `heard` is when it was last heard of, or else when the first of those under way began (monotonic seconds). `idle`:
    when last asked it had less to send than it might have.
    """

    most: int = 64
    size: float = START
    in_flight: int = 0
    queued: int = 0
    proven: bool = False
    quick: bool = False
    silent: bool = False
    idle: bool = False
    heard: float = 0.0

    @property
    def in_hand(self) -> int:
        return self.in_flight + self.queued

    @property
    def width(self) -> int:
        size = min(self.size, START) if self.silent else self.size
        return min(self.most, max(1, int(size)))

    @property
    def trusted(self) -> bool:
        """Whether it has just answered."""
        return self.proven and not self.silent

    @property
    def free(self) -> bool:
        """Whether one more may start."""
        return self.in_flight < self.width

    def room(self) -> int:
        """How many more to claim. Of who had nothing a few are asked for, so that it keeps no places from others."""
        if self.idle:
            return max(0, min(self.width, START) - self.in_hand)
        return max(0, (self.width * AHEAD if self.trusted and self.quick else self.width) - self.in_hand)

    def began(self, now: float) -> None:
        if not self.in_flight:
            self.heard = now
        self.in_flight += 1

    def ended(self, now: float, answered_in: float | None) -> None:
        """One is no longer under way; `answered_in`: how many seconds it took until something, whatever, came back."""
        self.in_flight -= 1
        if answered_in is not None:
            self.heard, self.silent, self.quick = now, False, answered_in < QUICK_SECONDS

    def listen(self, now: float) -> bool:
        """Whether it has just fallen silent."""
        if self.silent or not self.in_flight or now - self.heard < SILENT_SECONDS:
            return False
        self.silent = True
        return True

    def succeeded(self) -> None:
        self.proven = True
        self.size = min(self.size + 1, self.most)

    def struggled(self) -> None:
        """Timed out, unreachable, or asked for less."""
        self.proven = False
        self.size = max(1.0, self.size / 2)


def share_of_everybody(places: int) -> int:
    """How many of the places any endpoint may take."""
    return int(places * (1 - RESERVED))


def share(places: int, in_hand: int, windows: Iterable[Window], active: int = 0) -> list[int]:
    """What each of `windows` may claim now, in order, of `places` of which `in_hand` are taken by `active` endpoints.

    Nobody gets more than its room, and beyond its width no more than an equal part of what is there for everybody. When
    places are short, those come first who hold least, and a few are left for whoever has just answered.
    """
    asking = list(windows)
    everybodys = share_of_everybody(places)
    held = [w.in_hand for w in asking]
    part = everybodys // max(1, active)
    rooms = [min(w.room(), max(0, max(w.width, part) - w.in_hand)) for w in asking]
    common = max(0, everybodys - in_hand)
    if sum(rooms) <= common:
        return rooms
    granted = [0] * len(asking)
    dealt = _deal(granted, rooms, held, range(len(asking)), common)
    few = [min(w.room(), max(0, START - w.in_hand)) if w.trusted else 0 for w in asking]
    _deal(granted, few, held, range(len(asking)), places - in_hand - dealt)
    return granted


def _deal(granted: list[int], rooms: Sequence[int], held: Sequence[int], who: Iterable[int], free: int) -> int:
    """Deal `free` places out among `who`, up to their rooms, so that all come to hold the same; how many were dealt."""
    open_ = [i for i in who if granted[i] < rooms[i]]
    if not open_ or free <= 0:
        return 0

    def up_to(level: int) -> list[int]:
        return [min(rooms[i] - granted[i], max(0, level - held[i] - granted[i])) for i in open_]

    low, high = 0, max(held[i] + rooms[i] for i in open_)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if sum(up_to(middle)) <= free else (low, middle - 1)
    shares, dealt = up_to(low), 0
    for i, n in zip(open_, shares, strict=True):
        granted[i] += n
        dealt += n
    for i in open_:
        if dealt < free and granted[i] < rooms[i] and held[i] + granted[i] <= low:
            granted[i] += 1
            dealt += 1
    return dealt
