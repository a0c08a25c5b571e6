"""Which orders of a list have a text in them: by a walk through the list's index, by customers' names, or by trigrams.

Walking the list in its order finds frequent words at once, and takes long over rare ones; the indexes of names and of
trigrams do the opposite. A short walk comes first: it finds enough, or it tells what the text's words are worth to the
index of trigrams. See docs/decisions/0090.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from services.order.store import search, walks
from services.order.store.search import Filters, Matching, Needle, Statement, Whose, Words
from shared.postgres import Transaction

# Entries of the first walk (half a millisecond), and of the last one: a limit keeps the planner from looking for the
# few hits that it expects in another order and sorting them.
WALKED: Final = 1_000
EVERYTHING: Final = 1_000_000_000
# So many hits in the first walk make further walking worth more than looking at all orders of some names.
DENSE: Final = 12
# All orders of some names are looked at where they are no more than this: a page among them is found in as many entries
# of a list of a million where they are more.
MOST_NAMED: Final = 6_000
# So many hits of the first walk outside of names, of so many that are looked at: these words are frequent there too.
OUTSIDE: Final = 3
LOOKED_AT: Final = 10
# A word in more of the walked orders than this share is no help in the index.
FREQUENT: Final = 0.01
MOST_WORDS: Final = 8
_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Sample:
    """The first entries of a list: the hits among them, and what share of them has each of the text's words."""

    hits: Sequence[UUID]
    walked: int
    shares: Mapping[str, float]

    @property
    def whole(self) -> bool:
        """Whether these are all entries that the list has."""
        return self.walked < WALKED


async def rows(tx: Transaction, sql: Statement) -> Sequence[Any]:
    return await tx.fetch(sql.sql, *sql.args)


async def found(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int
) -> Sequence[UUID] | None:
    """Ids among which the page is: the first ones of the list, or all that there are. None where they are many and the
    list is sorted by status."""
    if _is_walked(whose.filters):
        first, start, most = whose, after, limit
    else:
        first, start, most = sorted_by_date(whose), None, WALKED
    sample = await _sample(tx, first, needle, start, most)
    if sample.whole or (first is whose and len(sample.hits) >= limit):
        return sample.hits
    if first is whose and len(sample.hits) >= DENSE:
        further = 2 * limit * sample.walked // len(sample.hits)
        first_hits = await hits(tx, whose, needle, Words(), after, limit, further)
        if len(first_hits) >= limit:
            return first_hits
    by_status = whose.filters.sort.removeprefix("-") == "status"
    if by_status and len(sample.hits) >= DENSE:
        return None
    matching = await _matching(tx, needle, sample)
    ids = None if matching is None else await _looked_up(tx, whose, needle, after, limit, matching)
    if ids is not None or by_status:
        return ids
    return await hits(tx, whose, needle, Words(), after, limit, EVERYTHING)


def _is_walked(filters: Filters) -> bool:
    """Whether an index is sorted like the list and has what it is narrowed to; otherwise there is one by date."""
    by_date = filters.statuses or filters.placed_from or filters.placed_to or filters.overdue
    narrow = by_date or filters.issue not in (None, "none")
    sort = filters.sort.removeprefix("-")
    return sort == "placed_at" or (sort == "total" and not narrow)


def sorted_by_date(whose: Whose) -> Whose:
    sort: search.Sort = "-placed_at" if whose.filters.sort.startswith("-") else "placed_at"
    return replace(whose, filters=replace(whose.filters, sort=sort))


async def _sample(tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, most: int) -> Sample:
    words = list(dict.fromkeys(_WORD.findall(needle.text)))[:MOST_WORDS]
    words = words if len(words) > 1 else []
    [row] = await rows(tx, walks.sample(whose, needle, after, most, words, walked=WALKED))
    counts = zip(words, row["with_word"], strict=True)
    return Sample(row["hits"], row["walked"], {w: count / max(row["walked"], 1) for w, count in counts})


async def _matching(tx: Transaction, needle: Needle, sample: Sample) -> Matching | None:
    """Names and other texts that have the needle; None where these are many."""
    if len(sample.hits) >= OUTSIDE:
        return await search.matching(tx, needle.text, needle.text, sample.hits[:LOOKED_AT], OUTSIDE)
    return await search.matching(tx, part_of(needle.text, sample.shares), needle.text)


async def _looked_up(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int, matching: Matching
) -> Sequence[UUID] | None:
    """The page's orders among those of the names, and all others that have the needle; None where they are many."""
    if not matching.names:
        return matching.ids
    wanted = walks.of_names(whose, needle, matching.names, after, limit, walked=MOST_NAMED + 1)
    [row] = await rows(tx, wanted)
    return [*row["hits"], *matching.ids] if row["walked"] <= MOST_NAMED else None


async def hits(
    tx: Transaction,
    whose: Whose,
    needle: Needle,
    words: Words,
    after: tuple[Any, ...] | None,
    limit: int,
    walked: int,
) -> Sequence[UUID]:
    sql = walks.hits(whose, needle, words, after, limit, walked=walked)
    return [r["id"] for r in await rows(tx, sql)]


def part_of(text: str, shares: Mapping[str, float]) -> str:
    """The part of a text that the index of trigrams is asked for: its rarest word with the characters beside it.

    The whole text where each of its words is frequent: then only all of them together are rare.
    """
    rare = [word for word, share in shares.items() if share < FREQUENT and len(word) >= search.SHORTEST_WORD]
    if not rare:
        return text
    word = min(rare, key=lambda w: (shares[w], -len(w)))
    at = text.index(word)
    return text[max(0, at - 1) : at + len(word) + 1]
