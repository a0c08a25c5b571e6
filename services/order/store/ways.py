"""Which way to the orders of a list that have a text is likely to be the shortest, and how far to go on it.

There are three: walking the list in its order until the page is full; looking at the orders of the names that have the
text; and gathering what is asked for beside the text. What each costs follows from how many orders have what, which is
estimated: from the list's first entries, from the planner's statistics, and again from every way that led nowhere. See
docs/decisions/0090.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Way = Literal["walk", "names", "gather"]

# Microseconds: for an entry that is walked, its text that is looked at, an order of a name, one that is gathered, and
# one that is looked at itself.
ENTRY: Final = 0.33
TEXT: Final = 0.12
NAMED: Final = 0.75
GATHERED: Final = 0.5
LOOKED_AT: Final = 8.0
# What a way costs before the first order.
START: Final[dict[Way, float]] = {"walk": 1_000, "names": 1_000, "gather": 2_500}
# Orders of names that are looked up by combinations of values: the looks for each name, and what an order costs then.
COMBINED_NAME: Final = 135
COMBINED: Final = 1.4
# The share of them that is looked up where statuses are looked at in turn until the page is full.
IN_TURN: Final = {"status": 0.5}
# A walk may have to go further than on average. Orders with the same amount or status are alike in other things, too:
# until some of them were walked, all others tell little of them.
RISK: Final = {"placed_at": 1.5, "total": 3, "status": 5}
# A way is gone this much further than its estimate, and this far at least; where that was too short, there are likely
# to be this many times as many as were found.
FURTHER: Final = 2
LEAST: Final[dict[Way, int]] = {"walk": 10_000, "names": 4_000, "gather": 2_000}
MANY_MORE: Final = 4
TRIES: Final = 4
# Bounds of each way: beyond them everything is walked.
MOST: Final[dict[Way, int]] = {"walk": 100_000, "names": 50_000, "gather": 7_000}
# What was seen in no entry may be in one that was not walked.
UNSEEN: Final = 0.25
# So many hits that were expected weigh as much as hits that were found.
EXPECTED: Final = 4


@dataclass(frozen=True, slots=True)
class Step:
    """A way, and of how many entries or orders it is to lead at most. `whole` says that the list has no more."""

    way: Way
    most: int
    whole: bool = False


def share(hits: int, walked: int, expected: float) -> float:
    """The share of a list's entries that fit and have the text, from those that were walked and the share that is
    expected of all: a few hits are chance, many are how the list is."""
    expected = max(expected, UNSEEN / walked)
    return (hits + EXPECTED) / (walked + EXPECTED / expected)


class Ways:
    """What is known of a list with a text, and the ways that are left.

    `orders` is how many the marketplace has at most, `fitting` how many have what is asked for beside the text. `text`
    is the share of orders with the text, `both` that of the list's entries that fit and have it. `gathers` tells
    whether what fits can be gathered, `narrowed` whether of the names' orders only those that fit are looked at, and
    `combined` of how many names these are looked up by combinations of values. `sort` is how the list is sorted.
    """

    def __init__(
        self, *, limit: int, orders: int, fitting: float, text: float, both: float, sort: str, gathers: bool,
        names: bool, narrowed: bool, combined: int,
    ) -> None:  # fmt: skip
        self.limit, self.orders, self.fitting, self.text, self.both = limit, orders, fitting, text, both
        self.sort, self.narrowed, self.combined = sort, narrowed, combined
        self.expected, self.walked, self.hits = both, 0, 0
        possible: dict[Way, bool] = {"walk": True, "names": names, "gather": gathers}
        self.left = {way for way, is_possible in possible.items() if is_possible}
        self.tried: dict[Way, list[int]] = {"walk": [], "names": [], "gather": []}

    def estimated(self, way: Way) -> float:
        """Entries or orders of the way."""
        if way == "walk":
            return min(self.limit / self.both, self.orders)
        if way == "gather":
            return self.fitting
        return self.text * (self.fitting if self.narrowed else self.orders)

    def cost(self, way: Way) -> float:
        """Microseconds."""
        most = self.estimated(way)
        if way == "walk":
            risk = RISK["placed_at" if self.walked else self.sort]
            return START[way] + risk * most * (ENTRY + TEXT * min(1, self.both / self.text))
        if way == "gather":
            return START[way] + GATHERED * most + LOOKED_AT * min(most, self.limit / self.text)
        if self.combined:
            return START[way] + COMBINED_NAME * self.combined + COMBINED * most * IN_TURN.get(self.sort, 1)
        return START[way] + NAMED * most

    def next(self) -> Step | None:
        """What to try next; None where everything has to be walked."""
        possible = [w for w in self.left if w == "walk" or self.estimated(w) <= FURTHER * MOST[w]] or [*self.left]
        if not possible:
            return None
        way = min(possible, key=lambda w: (self.cost(w), w))
        most = max(LEAST[way], int(FURTHER * self.estimated(way)))
        if way == "walk" and most >= self.orders and self.orders <= MOST[way]:
            return Step(way, FURTHER * self.orders + LEAST[way], whole=True)
        if self.tried[way]:
            most = max(most, FURTHER * self.tried[way][-1])
        return Step(way, min(most, MOST[way]))

    def failed(self, step: Step, hits: int = 0) -> None:
        """The way was too short; a walk had so many hits."""
        self.tried[step.way].append(step.most)
        if step.most >= MOST[step.way] or len(self.tried[step.way]) == TRIES:
            self.left.discard(step.way)
        if step.way == "walk":
            self.limit -= hits
            self.hits, self.walked = self.hits + hits, self.walked + step.most
            self.both = share(self.hits, self.walked, self.expected)
        elif step.way == "gather":
            self.fitting = max(self.fitting, MANY_MORE * step.most)
        elif self.narrowed:
            self.fitting = max(self.fitting, MANY_MORE * step.most / self.text)
        else:
            self.text = max(self.text, MANY_MORE * step.most / self.orders)
