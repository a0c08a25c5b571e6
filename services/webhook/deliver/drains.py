"""What a worker has of each endpoint: its window, what is claimed for it, and when to look for more."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from services.webhook.deliver.queue import Claimed
from services.webhook.deliver.windows import Window
from services.webhook.formats import Content


@dataclass(frozen=True, slots=True)
class Ready:
    """A claim with what it sends (None: no longer kept); not to be started after `start_by` (monotonic seconds)."""

    claimed: Claimed
    content: Content | None
    start_by: float


@dataclass(slots=True)
class Drain:
    """One endpoint in hand: its window, what is claimed and waits for a place, and when to look for more.

    `look_at`, `idle_since` and `due` (the first row's moment, known once it rests) are monotonic seconds;
    `idle_since` is 0 while there is work. While `asked` somebody is claiming for it. `limited`: it has a rate limit, or
    nobody knows yet.
    """

    window: Window
    waiting: deque[Ready] = field(default_factory=deque)
    look_at: float = 0.0
    idle_since: float = 0.0
    due: float = math.inf
    rested: int = 0
    asked: bool = False
    limited: bool = True
