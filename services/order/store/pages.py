"""A page of the order list. Whatever it is narrowed to and sorted by, it takes about as long at a million orders.

Words are the hard part: an index of trigrams finds rare ones at once and takes long over frequent ones, and walking
the list in its order does the opposite. So a short walk comes first; it fills the page, or it tells which of the two
to use. See docs/decisions/0090.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from services.order.store import search
from services.order.store.orders import q
from services.order.store.search import Filters, Needle, Statement, Whose, Words, f
from shared.postgres import Transaction

# Entries of the first walk (half a millisecond), the most of the second one, and of the last one: a limit keeps the
# planner from looking for the few hits that it expects in another order and sorting them.
WALKED: Final = 2_000
MOST_WALKED: Final = 40_000
EVERYTHING: Final = 1_000_000_000
# So many hits in the first walk make further walking worth more than the index of trigrams.
DENSE: Final = 1
# A word in more of the walked orders than this share is no help in the index.
FREQUENT: Final = 0.01
MOST_WORDS: Final = 8
_WORD: Final = re.compile(r"[^\W_]+")


async def page(tx: Transaction, whose: Whose, after: tuple[Any, ...] | None, limit: int) -> Sequence[Any]:
    """id, card, placed_at, total_minor, status of the first `limit` orders after `after`."""
    await tx.execute(q.plan_by_values)
    needle = search.needle_of(whose.filters)
    by_status = whose.filters.sort.removeprefix("-") == "status"
    if needle is None:
        return await (_by_status if by_status else _sorted)(tx, whose, Words(), after, limit)
    if needle.order_id is not None:
        return await _sorted(tx, whose, needle.among([needle.order_id]), after, limit)
    if not by_status:
        ids = await _found(tx, whose, needle, after, limit)
        return await _sorted(tx, whose, needle.among(ids), after, limit)
    # where the words are does not depend on how the list is sorted
    dense, ids = await _looked_up(tx, _sorted_by_date(whose), needle, None, limit)
    if not dense:
        return await _sorted(tx, whose, needle.among(ids), after, limit)
    return await _by_status(tx, whose, Words(), after, limit, needle)


async def _sorted(
    tx: Transaction, whose: Whose, words: Words, after: tuple[Any, ...] | None, limit: int
) -> Sequence[Any]:
    sql = search.statement(whose.marketplace_id, whose.scopes, whose.filters, words, after=after, limit=limit)
    return await _rows(tx, sql)


async def _rows(tx: Transaction, sql: Statement) -> Sequence[Any]:
    return await tx.fetch(sql.sql, *sql.args)


def _sorted_by_date(whose: Whose) -> Whose:
    sort: search.Sort = "-placed_at" if whose.filters.sort.startswith("-") else "placed_at"
    return replace(whose, filters=replace(whose.filters, sort=sort))


async def _by_status(
    tx: Transaction,
    whose: Whose,
    words: Words,
    after: tuple[Any, ...] | None,
    limit: int,
    needle: Needle | None = None,
) -> Sequence[Any]:
    """A list sorted by status is its statuses' lists by date, one after the other until the page is full.

    With a `needle`, of which there are many, each is looked for in the list of its status.
    """
    found = await tx.fetch(q.statuses, whose.marketplace_id, list(whose.filters.phases))
    statuses = [r["status"] for r in found]
    if whose.filters.sort.startswith("-"):
        statuses.reverse()
    if after is not None:
        statuses = [s for s in statuses if (s <= after[0] if whose.filters.sort.startswith("-") else s >= after[0])]
    rows: list[Any] = []
    for status in statuses:
        within = _of_status(whose, status)
        own = Words((*words.conditions, *within[1].conditions), {**(words.values or {}), **(within[1].values or {})})
        following = after[1:] if after is not None and after[0] == status else None
        wanted = limit - len(rows)
        if needle is not None:
            ids = await _hits(tx, within[0], needle, own, following, wanted, EVERYTHING)
            among = needle.among(ids)
            own = Words((*own.conditions, *among.conditions), {**(own.values or {}), **(among.values or {})})
        rows += await _sorted(tx, within[0], own, following, wanted)
        if len(rows) >= limit:
            break
    return rows


def _of_status(whose: Whose, status: str) -> tuple[Whose, Words]:
    """The part of the list with this status of its own, by date."""
    asked: Filters = whose.filters
    conditions = [f.own_status]
    values: dict[str, Any] = {"own_status": status}
    if asked.statuses and status not in asked.statuses:
        conditions.append(f.over_any)
        values["statuses"] = list(asked.statuses)
    by_date = _sorted_by_date(replace(whose, filters=replace(asked, statuses=())))
    return by_date, Words(tuple(conditions), values)


async def _found(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int
) -> Sequence[UUID]:
    """Ids among which the page is: the first ones of the list, or all that there are."""
    dense, ids = await _looked_up(tx, whose, needle, after, limit)
    return await _hits(tx, whose, needle, Words(), after, limit, EVERYTHING) if dense and len(ids) < limit else ids


async def _looked_up(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int
) -> tuple[bool, Sequence[UUID]]:
    """Whether the orders with the needle are many; their ids, all of them unless they are many."""
    words = list(dict.fromkeys(_WORD.findall(needle.text)))[:MOST_WORDS]
    sql = search.hits(whose, needle, Words(), after, limit, walked=WALKED, sample=words)
    sampled = (await _rows(tx, sql))[0]
    hits: Sequence[UUID] = sampled["hits"]
    if len(hits) >= limit:
        return True, hits
    if sampled["walked"] < WALKED:
        return False, hits
    if len(hits) >= DENSE:
        further = min(MOST_WALKED, 2 * WALKED * limit // len(hits))
        found = await _hits(tx, whose, needle, Words(), after, limit, further)
        if len(found) >= limit:
            return True, found
    shares = {word: count / sampled["walked"] for word, count in zip(words, sampled["words"], strict=True)}
    ids = await search.matching(tx, part_of(needle.text, shares), needle.text)
    return (True, ()) if ids is None else (False, ids)


async def _hits(
    tx: Transaction,
    whose: Whose,
    needle: Needle,
    words: Words,
    after: tuple[Any, ...] | None,
    limit: int,
    walked: int,
) -> Sequence[UUID]:
    sql = search.hits(whose, needle, words, after, limit, walked=walked)
    return [r["id"] for r in await _rows(tx, sql)]


def part_of(text: str, shares: dict[str, float]) -> str:
    """The part of a text that the index of trigrams is asked for: its rarest word with the characters beside it.

    The whole text where each of its words is frequent: then only all of them together are rare.
    """
    rare = [word for word, share in shares.items() if share < FREQUENT and len(word) >= search.SHORTEST_WORD]
    if not rare:
        return text
    word = min(rare, key=lambda w: (shares[w], -len(w)))
    at = text.index(word)
    return text[max(0, at - 1) : at + len(word) + 1]
