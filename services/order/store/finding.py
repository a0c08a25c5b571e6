"""Which orders of a list have a text in them: by a walk through the list's index, by customers' names, or by trigrams.

Walking the list in its order finds frequent words at once, and takes long over rare ones; the indexes of names and of
trigrams do the opposite. A short walk comes first: it finds enough, or it tells what the text's words are worth to the
index of trigrams. See docs/decisions/0090.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from services.order.store import search, values, walks
from services.order.store.search import Matching, Needle, Statement, Whose, Words
from shared.postgres import Transaction

# Entries of the first walk (half a millisecond), and of the last one: a limit keeps the planner from looking for the
# few hits that it expects in another order and sorting them.
WALKED: Final = 1_000
EVERYTHING: Final = 1_000_000_000
# So many hits in the first walk make further walking worth more than looking at all orders of some names. A page is
# looked for in so many times the entries that it takes on average: a walk ends where the page is full.
DENSE: Final = 12
FURTHER: Final = 4
# Where very many orders have a text, also of those that its names' orders can be narrowed to, FAR entries are walked
# before more of these are looked at, and more entries where LONGEST are likely to fill the page.
FAR: Final = 20_000
LONGEST: Final = 100_000
# All orders that a list is narrowed to are looked at where they are fewer than this.
GATHERED: Final = 7_000
# All orders of some names are looked at where they are no more than this, or than half the entries that would be walked
# for a page: to look at one takes twice as long.
FEW_NAMED: Final = 3_000
MOST_NAMED: Final = 50_000
# So many hits of the first walk outside of names, of so many that are looked at: these words are frequent there too.
OUTSIDE: Final = 3
LOOKED_AT: Final = 10
# A word in more of the walked orders than this share is no help in the index.
FREQUENT: Final = 0.01
MOST_WORDS: Final = 8
ALL: Final = Words()
_WORD: Final = re.compile(r"[^\W_]+")


async def rows(tx: Transaction, sql: Statement) -> Sequence[Any]:
    return await tx.fetch(sql.sql, *sql.args)


async def found(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int
) -> Sequence[UUID] | None:
    """Ids among which the page is: the first ones of the list, or all that there are. None where they are many and the
    list is sorted by status."""
    by_status = whose.filters.sort.removeprefix("-") == "status"
    first, start, most = (sorted_by_date(whose), None, WALKED) if by_status else (whose, after, limit)
    # by status the hits are no page, however small that is
    look = await _first_look(tx, first, needle, start, most, DENSE if by_status else min(DENSE, limit))
    near: Sequence[UUID] = look["hits"]
    seen = len(near)
    if look["walked"] < WALKED or (not by_status and seen >= limit):
        return near
    if by_status and seen >= DENSE:
        return None
    if seen >= DENSE:
        first_hits = await hits(tx, whose, needle, after, limit, FURTHER * limit * look["walked"] // seen)
        if len(first_hits) >= limit:
            return first_hits
        look = await _first_look(tx, first, needle, start, most, WALKED + 1)
    matching = search.few(look)
    few = True
    if matching is not None and (look["with_text"] < DENSE or walks.can_be_narrowed(whose, matching.names)):
        # by status, a walk goes through one status after the other, and is worth less
        entries = limit * WALKED // max(seen, 1) if by_status else 0
        ids = await _looked_up(tx, whose, needle, after, limit, matching, entries)
        if ids is not None:
            return ids
        few = False
    return await _frequent(tx, whose, needle, after, limit, matching, seen, few)


async def _frequent(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int,
    matching: Matching | None, seen: int, few: bool,
) -> Sequence[UUID] | None:  # fmt: skip
    """As `found`, of a text that very many orders have.

    If those that are asked for may be `few`, orders are gathered by what else is asked for: before a walk that would be
    long, otherwise after it.
    """
    by_status = whose.filters.sort.removeprefix("-") == "status"
    long = limit * WALKED > FAR * seen
    ids = await _gathered(tx, whose, needle, after, limit) if few and long else None
    if ids is not None or by_status:
        return ids
    first_hits = await hits(tx, whose, needle, after, limit, FAR)
    if len(first_hits) >= limit:
        return first_hits
    if LONGEST * len(first_hits) < limit * FAR:
        ids = await _gathered(tx, whose, needle, after, limit) if few and not long else None
        if ids is None and matching is not None:
            ids = await _looked_up(tx, whose, needle, after, limit, matching, LONGEST)
        if ids is not None:
            return ids
    return await hits(tx, whose, needle, after, limit, EVERYTHING)


async def _gathered(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int
) -> Sequence[UUID] | None:
    """The page's orders where the list is narrowed to few whatever the text; None otherwise."""
    filters = whose.filters
    narrowed = values.narrowed(filters) or filters.channel or filters.placed_from or filters.placed_to
    if not narrowed or not values.fits(whose):
        return None
    [row] = await rows(tx, values.gathered(whose, after, limit, walked=GATHERED, needle=needle))
    return row["hits"] if row["walked"] < GATHERED else None


def sorted_by_date(whose: Whose) -> Whose:
    sort: search.Sort = "-placed_at" if whose.filters.sort.startswith("-") else "placed_at"
    return replace(whose, filters=replace(whose.filters, sort=sort))


async def _first_look(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, most: int, enough: int
) -> Any:
    bounds = {
        "walked": WALKED, "most": most, "enough": enough, "looked_at": LOOKED_AT, "outside": OUTSIDE,
        "frequent": FREQUENT, "most_names": search.MOST_NAMES + 1, "most_found": search.MOST_FOUND + 1,
    }  # fmt: skip
    async with _in_order(tx, whose):
        [row] = await rows(tx, walks.first_look(whose, needle, after, parts_of(needle.text), bounds))
    return row


async def _looked_up(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int, matching: Matching,
    entries: int,
) -> Sequence[UUID] | None:  # fmt: skip
    """The page's orders among those of the names, and all others with the needle. None where the former are many for
    so many `entries` that would be walked instead."""
    if not matching.names:
        return matching.ids
    most = min(MOST_NAMED, max(FEW_NAMED, entries // 2))
    wanted = walks.of_names(whose, needle, matching, after, limit, walked=most + 1)
    [row] = await rows(tx, wanted)
    return [*row["hits"], *matching.ids] if row["walked"] <= most else None


async def hits(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int, walked: int,
    words: Words = ALL,
) -> Sequence[UUID]:  # fmt: skip
    """The first `limit` orders of the list that have the text, as far as they are among its first `walked`."""
    async with _in_order(tx, whose):
        found = await rows(tx, walks.hits(whose, needle, words, after, limit, walked=walked))
    return [r["id"] for r in found]


@asynccontextmanager
async def _in_order(tx: Transaction, whose: Whose) -> AsyncIterator[None]:
    """What is asked inside walks the list in its order, unless that is one of few orders, which are read and sorted."""
    if not values.fits(whose):
        yield
        return
    await tx.execute(search.q.in_order)
    yield
    await tx.execute(search.q.in_any_order)


def parts_of(text: str) -> dict[str, str]:
    """The words of a text of several, each with the part of the text that the index of trigrams may be asked for: the
    word with the characters beside it. Empty where it is too short for one."""
    words = list(dict.fromkeys(_WORD.findall(text)))[:MOST_WORDS]
    return {word: _part(text, word) for word in words} if len(words) > 1 else {}


def _part(text: str, word: str) -> str:
    at = text.index(word)
    return text[max(0, at - 1) : at + len(word) + 1] if len(word) >= search.SHORTEST_WORD else ""
