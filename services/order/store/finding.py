"""Which orders of a list have a text in them: by a walk through the list's index, by customers' names, or by trigrams.

Walking the list in its order finds frequent words at once, and takes long over rare ones; the indexes of names and of
trigrams do the opposite. A short walk comes first: it finds enough, or it tells what the text's words are worth to the
index of trigrams. See docs/decisions/0090.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from services.order.store import named, search, values, walks, ways
from services.order.store.planned import Planned
from services.order.store.search import Matching, Needle, Statement, Whose
from services.order.store.ways import Step, Ways

# Entries of the first walk (half a millisecond).
WALKED: Final = 1_000
# So many hits in the first walk make further walking worth more than looking names up: half a page by amount, where
# orders that are alike stand together, and those behind them may be others.
DENSE: Final = 12
DENSE_OF_LIKES: Final = 26
# A page is looked for in so many times the entries that it takes on average: a walk ends where the page is full.
FURTHER: Final = 4
# So many hits of the first walk outside of names, of so many that are looked at: these words are frequent there too.
OUTSIDE: Final = 3
LOOKED_AT: Final = 10
# Of fewer orders with the text the first walk tells less of how many there are than the planner's statistics of names.
TELLING: Final = 30
# A word in more of the walked orders than this share is no help in the index.
FREQUENT: Final = 0.01
MOST_WORDS: Final = 8
_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Found:
    """Ids among which the page is: the first ones of the list, or all that there are. With the `rows` of the page
    where these were read."""

    ids: Sequence[UUID]
    rows: Sequence[Any] | None = None


async def found(planned: Planned, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int) -> Found:
    """The page of the list that has the text."""
    sort = whose.filters.sort.removeprefix("-")
    by_status, dense = sort == "status", DENSE_OF_LIKES if sort == "total" else DENSE
    first, start, most = (walks.by_date(whose), None, WALKED) if by_status else (whose, after, limit)
    # by status the hits are no page, however small that is
    look = await _first_look(planned, first, needle, start, most, dense if by_status else min(dense, limit))
    near: Sequence[UUID] = look["hits"]
    if look["walked"] < WALKED or (not by_status and len(near) >= limit):
        return Found(near)
    left = _Left(planned, whose, needle, after, limit)
    if by_status and len(near) >= dense and not _shown_over(whose, look):
        return await left.walk_statuses()
    if not by_status and len(near) >= dense:
        await left.walk_near(FURTHER * WALKED, len(near))
        if left.page is not None:
            return left.page
    await left.plan(look)
    while left.page is None:
        step = left.ways.next()
        if step is None or (step.way == "walk" and by_status):
            break
        await left.try_(step)
    if left.page is not None:
        return left.page
    if by_status:
        return await left.walk_statuses()
    await left.try_(Step("walk", walks.EVERYTHING, whole=True))
    assert left.page is not None
    return left.page


class _Left:
    """A page that is looked for, and what was tried and found."""

    ways: Ways

    def __init__(
        self, planned: Planned, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int
    ) -> None:
        self._planned, self._whose, self._needle, self._after, self._limit = planned, whose, needle, after, limit
        self._walked: list[Any] = []
        self._walked_to = after
        self._entries = 0
        self._matching: Matching | None = None
        self.page: Found | None = None

    async def walk_near(self, entries: int, hits: int) -> None:
        """Walk so many `entries` for every that many `hits` that are wanted; again where that is half a page."""
        for _ in range(2):
            wanted = self._limit - len(self._walked)
            found = await self._walk(max(ways.LEAST["walk"], entries * wanted // hits))
            if self.page is not None or len(found) < wanted // 2:
                return

    async def plan(self, look: Any) -> None:
        """Tell from the first look which ways there are."""
        matching = self._matching = await self._matching_of(look)
        if matching is not None and not matching.names:
            self.page = Found(matching.ids)
            return
        filters, orders = self._whose.filters, look["orders"]
        sort = filters.sort.removeprefix("-")
        asked = values.asked(filters)
        fitting = await self._planned.expected(walks.estimate(self._whose)) if asked else orders
        text = await self._with_text(look) / look["walked"]
        both = ways.share(len(look["hits"]), look["walked"], text * look["fitting"] / look["walked"])
        if sort == "total":
            both = max(both, text * fitting / orders)
        if sort == "status" and _shown_over(self._whose, look):
            both = text * fitting / orders
        if self._entries:
            both = max(len(self._walked), ways.UNSEEN) / self._entries
        self.ways = Ways(
            limit=self._limit - len(self._walked), orders=orders, fitting=fitting, text=text, both=both,
            sort=sort, gathers=asked and values.fits(self._whose), names=matching is not None,
            narrowed=matching is not None and named.how(self._whose, matching.names) != "all",
            combined=len(matching.names) if matching and named.combined(self._whose, matching) else 0,
        )  # fmt: skip

    async def _matching_of(self, look: Any) -> Matching | None:
        """What has the text, if the first look did not tell it; None where that is too much."""
        if look["further"] or look["frequent"]:
            return search.few(look)
        bounds = (search.MOST_NAMES + 1, search.MOST_FOUND + 1)
        [row] = await self._planned.rows(
            Statement(search.q.matching, (self._needle.text, *bounds, look["part"]), in_order=None)
        )
        return search.few({**row, "shown_over": look["shown_over"]})

    async def _with_text(self, look: Any) -> float:
        """Of as many orders as were walked, how many have the text."""
        if self._matching is None or look["with_text"] >= TELLING:
            return max(float(look["with_text"]), ways.UNSEEN)
        of_names = await self._planned.expected(named.expected(self._whose, self._matching.names))
        return float(look["walked"] * min(1, (of_names + len(self._matching.ids)) / look["orders"]))

    async def try_(self, step: Step) -> None:
        """Fill the page, or let it be known that the way was too short."""
        if step.way == "walk":
            found = await self._walk(step.most)
            if self.page is None and step.whole:
                self.page = _read(self._walked)
            elif self.page is None:
                self.ways.failed(step, len(found))
            return
        if step.way == "gather":
            [row] = await self._planned.rows(values.gathered(
                self._whose, self._after, self._limit, walked=step.most, needle=self._needle
            ))  # fmt: skip
            others: Sequence[UUID] = ()
        else:
            assert self._matching is not None
            [row] = await self._planned.rows(named.orders(
                self._whose, self._needle, self._matching, self._after, self._limit, walked=step.most
            ))  # fmt: skip
            others = self._matching.ids
        if row["walked"] < step.most:
            self.page = Found([*row["hits"], *others])
        else:
            self.ways.failed(step)

    async def walk_statuses(self) -> Found:
        """The whole list, one status after the other until the page is full."""
        return _read(await self._planned.rows(
            walks.hits_by_status(self._whose, self._needle, self._after, self._limit)
        ))  # fmt: skip

    async def _walk(self, most: int) -> Sequence[Any]:
        """From the last order that was found."""
        wanted = self._limit - len(self._walked)
        found = await self._planned.rows(
            walks.hits(self._whose, self._needle, self._walked_to, wanted, walked=most)
        )  # fmt: skip
        self._entries += most
        self._walked += found
        if found:
            key = walks.KEYS[self._whose.filters.sort.removeprefix("-")]
            self._walked_to = (found[-1][key], found[-1]["id"])
        if len(found) >= wanted:
            self.page = _read(self._walked)
        return found


def _shown_over(whose: Whose, look: Any) -> bool:
    """Whether a walk by status looks for a few orders among all of another status, over which theirs is shown."""
    return bool(whose.filters.statuses) and bool(look["shown_over"])


def _read(rows: Sequence[Any]) -> Found:
    return Found([r["id"] for r in rows], rows)


async def _first_look(
    planned: Planned, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, most: int, enough: int
) -> Any:
    bounds = {
        "walked": WALKED, "most": most, "enough": enough, "looked_at": LOOKED_AT, "outside": OUTSIDE,
        "frequent": FREQUENT, "most_names": search.MOST_NAMES + 1, "most_found": search.MOST_FOUND + 1,
    }  # fmt: skip
    [row] = await planned.rows(walks.first_look(whose, needle, after, parts_of(needle.text), bounds))
    return row


def parts_of(text: str) -> dict[str, str]:
    """The words of a text of several, each with the part of the text that the index of trigrams may be asked for: the
    word with the characters beside it. Empty where it is too short for one."""
    words = list(dict.fromkeys(_WORD.findall(text)))[:MOST_WORDS]
    return {word: _part(text, word) for word in words} if len(words) > 1 else {}


def _part(text: str, word: str) -> str:
    at = text.index(word)
    return text[max(0, at - 1) : at + len(word) + 1] if len(word) >= search.SHORTEST_WORD else ""
