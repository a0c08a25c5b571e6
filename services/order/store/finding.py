"""Which orders of a list have a text in them: by a walk through the list's index, by customers' names, or by trigrams.

Walking the list in its order finds frequent words at once, and takes long over rare ones; the indexes of names and of
trigrams do the opposite. A short walk comes first: it finds enough, or it tells what the text's words are worth to the
index of trigrams. See docs/decisions/0090.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from services.order.store import search, walks
from services.order.store.search import Filters, Matching, Needle, Statement, Whose, Words
from shared.postgres import Transaction

# Entries of the first walk (half a millisecond), and of the last one: a limit keeps the planner from looking for the
# few hits that it expects in another order and sorting them.
WALKED: Final = 1_000
EVERYTHING: Final = 1_000_000_000
# So many hits in the first walk make further walking worth more than looking at all orders of some names. A page is
# looked for in so many times the entries that it takes on average: a walk ends where the page is full.
DENSE: Final = 12
FURTHER: Final = 4
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


async def rows(tx: Transaction, sql: Statement) -> Sequence[Any]:
    return await tx.fetch(sql.sql, *sql.args)


async def found(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int
) -> Sequence[UUID] | None:
    """Ids among which the page is: the first ones of the list, or all that there are. None where they are many and the
    list is sorted by status."""
    walked = _is_walked(whose.filters)
    by_status = whose.filters.sort.removeprefix("-") == "status"
    names = None if walked or not _is_of_few(whose.filters) else await _of_names(tx, whose, needle)
    if names is not None:
        ids = await _looked_up(tx, whose, needle, after, limit, names)
        if ids is not None:
            return ids
    first, start, most = (whose, after, limit) if walked else (sorted_by_date(whose), None, WALKED)
    enough = min(DENSE, limit) if walked or by_status else WALKED + 1
    look = await _first_look(tx, first, needle, start, most, enough if names is None else 0)
    if look["walked"] < WALKED or (walked and len(look["hits"]) >= limit):
        return look["hits"]  # type: ignore[no-any-return]
    if walked and len(look["hits"]) >= DENSE:
        further = FURTHER * limit * look["walked"] // len(look["hits"])
        first_hits = await hits(tx, whose, needle, Words(), after, limit, further)
        if len(first_hits) >= limit:
            return first_hits
        look = await _first_look(tx, first, needle, start, most, WALKED + 1)
    if by_status and (names is not None or len(look["hits"]) >= DENSE):
        return None
    matching = search.few(look) if names is None else None
    ids = None if matching is None else await _looked_up(tx, whose, needle, after, limit, matching)
    if ids is not None or by_status:
        return ids
    return await hits(tx, whose, needle, Words(), after, limit, EVERYTHING)


async def _of_names(tx: Transaction, whose: Whose, needle: Needle) -> Matching | None:
    """What customers' names have the text and what else, unless no name has it, or much else.

    For a list that no index is sorted like: the first walk would not fill its page.
    """
    row = await tx.fetchrow(
        search.q.matching_names, tx.marketplace_id, needle.text, search.MOST_NAMES + 1, search.MOST_FOUND + 1,
        LOOKED_AT, OUTSIDE, whose.filters.statuses,
    )  # fmt: skip
    matching = search.few(row)
    return matching if matching is not None and matching.names else None


def _is_of_few(filters: Filters) -> bool:
    """Whether few of a name's orders are looked at: those of some statuses or days, or overdue."""
    return bool(filters.statuses or filters.overdue or filters.placed_from or filters.placed_to)


def _is_walked(filters: Filters) -> bool:
    """Whether an index is sorted like the list and has what it is narrowed to; otherwise there is one by date."""
    by_date = filters.statuses or filters.placed_from or filters.placed_to or filters.overdue
    narrow = by_date or filters.issue not in (None, "none")
    sort = filters.sort.removeprefix("-")
    return sort == "placed_at" or (sort == "total" and not narrow)


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
    [row] = await rows(tx, walks.first_look(whose, needle, after, parts_of(needle.text), bounds))
    return row


async def _looked_up(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int, matching: Matching
) -> Sequence[UUID] | None:
    """The page's orders among those of the names, and all others that have the needle; None where they are many."""
    if not matching.names:
        return matching.ids
    wanted = walks.of_names(whose, needle, matching, after, limit, walked=MOST_NAMED + 1)
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


def parts_of(text: str) -> dict[str, str]:
    """The words of a text of several, each with the part of the text that the index of trigrams may be asked for: the
    word with the characters beside it. Empty where it is too short for one."""
    words = list(dict.fromkeys(_WORD.findall(text)))[:MOST_WORDS]
    return {word: _part(text, word) for word in words} if len(words) > 1 else {}


def _part(text: str, word: str) -> str:
    at = text.index(word)
    return text[max(0, at - 1) : at + len(word) + 1] if len(word) >= search.SHORTEST_WORD else ""
