"""Which orders of a list have a text in them: by a walk through the list's index, or by the index of trigrams.

Walking the list in its order finds frequent words at once, and takes long over rare ones; an index of trigrams does the
opposite. A short walk comes first: it finds enough, or it tells which of the two to use. See docs/decisions/0090.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.order.store import search, walks
from services.order.store.search import Filters, Needle, Statement, Whose, Words, q
from shared.postgres import Transaction

# Entries of the first walk (half a millisecond), the most of the second one, and of the last one: a limit keeps the
# planner from looking for the few hits that it expects in another order and sorting them.
WALKED: Final = 2_000
MOST_WALKED: Final = 70_000
EVERYTHING: Final = 1_000_000_000
# So many hits in the first walk make further walking worth more than the index of trigrams.
DENSE: Final = 3
# A word in more of the walked orders than this share is no help in the index.
FREQUENT: Final = 0.01
MOST_WORDS: Final = 8
_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Sample:
    """The first WALKED entries of a list: the hits among them, and from when to when.

    Where the hits are few, also the share of entries that have each word.
    """

    hits: Sequence[UUID]
    walked: int
    span: tuple[datetime | None, datetime | None]
    words: Mapping[str, float] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether these are all entries that the list has."""
        return self.walked < WALKED

    @property
    def dense(self) -> bool:
        return bool(self.hits) and self.expected >= DENSE

    @property
    def expected(self) -> float:
        """Hits in such a walk, never none: as many as were found, or as frequent words by themselves make likely."""
        frequent = len(self.words) > 1 and min(self.words.values()) >= FREQUENT
        return max(0.5, len(self.hits), self.walked * math.prod(self.words.values()) if frequent else 0)

    def entries(self, bound: datetime) -> float:
        """About how many entries a list by date has from where this walk began to then, if there are always as many."""
        first, last = self.span
        if first is None or last is None or last <= first:
            return EVERYTHING
        distance = max(last - bound, bound - first).total_seconds()
        return max(self.walked, self.walked * distance / (last - first).total_seconds())

    @property
    def needed(self) -> float:
        """Entries in which one hit is expected."""
        return self.walked / self.expected


async def rows(tx: Transaction, sql: Statement) -> Sequence[Any]:
    return await tx.fetch(sql.sql, *sql.args)


async def found(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int
) -> Sequence[UUID]:
    """Ids among which the page is: the first ones of the list, or all that there are."""
    if _has_words_by_date(whose.filters):
        return await _found_by_date(tx, whose, needle, after, limit)
    sample = await sample_of(tx, whose, needle, after, limit)
    if len(sample.hits) >= limit or sample.whole:
        return sample.hits
    if sample.expected >= DENSE:
        complete = await _until_its_end(tx, whose, needle, after, limit, sample)
        if complete is not None:
            return complete
        ids = await _walked(tx, whose, needle, after, limit, sample)
        if len(ids) >= limit:
            return ids
    all_ids = await _looked_up(tx, needle, sample)
    return all_ids if all_ids is not None else await hits(tx, whose, needle, Words(), after, limit, EVERYTHING)


async def _until_its_end(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int, sample: Sample
) -> Sequence[UUID] | None:
    """All hits of a list by date that is likely to end before the page is full; None of another one."""
    filters = whose.filters
    if filters.sort == "-placed_at":
        end = filters.placed_from or await tx.fetchval(q.first_placed, whose.marketplace_id)
    elif filters.sort == "placed_at":
        end = filters.placed_to or await tx.fetchval(q.last_placed, whose.marketplace_id)
    else:
        return None
    if sample.entries(end) > min(MOST_WALKED, limit * sample.needed):
        return None
    return await _collected(tx, whose, needle, after)


async def _collected(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None
) -> Sequence[UUID] | None:
    """All hits of a list that has no more entries than expected; None of a longer one."""
    [row] = await rows(tx, walks.collected(whose, needle, after, walked=2 * MOST_WALKED))
    return list(row["hits"]) if row["walked"] < 2 * MOST_WALKED else None


async def _walked(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int, sample: Sample
) -> Sequence[UUID]:
    """The first hits in twice the entries that they are expected in. A small limit makes the planner walk in order."""
    further = min(MOST_WALKED, int(2 * limit * sample.needed))
    return await hits(tx, whose, needle, Words(), after, limit, further)


def _has_words_by_date(filters: Filters) -> bool:
    """Whether a list by amount is narrowed to what has an index by date with the words in it."""
    dates = filters.placed_from or filters.placed_to
    narrow = dates or filters.statuses or filters.overdue or filters.issue not in (None, "none")
    return filters.sort.removeprefix("-") == "total" and bool(narrow)


async def _found_by_date(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int
) -> Sequence[UUID]:
    """The same for a list by amount of what is found by date, and may be few: all of them."""
    by_date = replace(whose, filters=replace(whose.filters, sort="-placed_at"))
    sample = await sample_of(tx, by_date, needle, None, WALKED)
    ids = await few(tx, needle, sample)
    if ids is not None:
        return ids
    if await _is_shorter_by_date(tx, whose, limit, sample):
        complete = await _collected_by_total(tx, whose, needle, after, limit)
        if complete is not None:
            return complete
    ids = await _walked(tx, whose, needle, after, limit, sample)
    return ids if len(ids) >= limit else await hits(tx, whose, needle, Words(), after, limit, EVERYTHING)


async def _collected_by_total(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int
) -> Sequence[UUID] | None:
    """All hits of a list that is found by date, or the first by amount; None of a long list.

    The index by date alone is the only one that has no amounts. Where a hit may also be a number's order, it is among
    the first of these or beside them.
    """
    filters = whose.filters
    if not filters.statuses and filters.overdue is not True and filters.issue in (None, "none"):
        by_date = replace(whose, filters=replace(filters, sort="-placed_at"))
        return await _collected(tx, by_date, needle, None)
    most = 2 * MOST_WALKED
    [row] = await rows(tx, walks.collected_by_total(whose, needle, after, limit, walked=most))
    return list(row["hits"]) if row["walked"] < most else None


async def _is_shorter_by_date(tx: Transaction, whose: Whose, limit: int, sample: Sample) -> bool:
    """Whether all that the filters leave are fewer than the entries by amount that have a page of hits among them.

    By amount as many are walked as the filters and the words leave out, and as many again to be sure.
    """
    since = whose.filters.placed_from
    if since is not None and sample.entries(since) <= min(MOST_WALKED, 2 * limit * sample.needed):
        return True  # though nothing were left out
    [all_orders] = await tx.fetch(q.spacing, whose.marketplace_id, WALKED)
    whole = Sample((), WALKED, (all_orders["late"], all_orders["last"])).entries(all_orders["first"])
    entries = sample.entries(since or all_orders["first"])
    return entries <= min(MOST_WALKED, 2 * limit * sample.needed * whole / entries)


async def sample_of(tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, most: int) -> Sample:
    """With at most so many hits: all of them where it is not the first ones in the list's order that are wanted."""
    [row] = await rows(tx, walks.sample(whose, needle, after, most, walked=WALKED))
    sample = Sample(row["hits"], row["walked"], (row["first"], row["last"]))
    if sample.whole or len(sample.hits) >= min(most, DENSE):
        return sample
    words = list(dict.fromkeys(_WORD.findall(needle.text)))[:MOST_WORDS]
    counts = await rows(tx, walks.frequencies(whose, needle, after, words, walked=WALKED))
    return replace(sample, words={w: r["orders"] / sample.walked for w, r in zip(words, counts, strict=True)})


async def few(tx: Transaction, needle: Needle, sample: Sample) -> Sequence[UUID] | None:
    """Ids of all orders with the needle; None where they are many."""
    if sample.whole:
        return sample.hits
    return None if sample.dense else await _looked_up(tx, needle, sample)


async def _looked_up(tx: Transaction, needle: Needle, sample: Sample) -> Sequence[UUID] | None:
    return await search.matching(tx, part_of(needle.text, sample.words), needle.text)


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
