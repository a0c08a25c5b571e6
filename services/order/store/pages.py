"""A page of the order list. Whatever it is narrowed to and sorted by, it takes about as long at a million orders.

A list that is narrowed to values is found by their combinations (`values`), any other is one walk of the index that is
sorted like it. See docs/decisions/0090.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from services.order.store import finding, search, values
from services.order.store.search import Needle, Whose, Words, f, q
from shared.postgres import Transaction

# Entries that are walked where what a list is narrowed to has no index with its sort key, and so many hits among them
# that walking on to a whole page costs less than looking at all orders that fit. It ends where the page is full: this
# many times as far as that is on average.
NEAR: Final = 2_000
NEAR_HITS: Final = 12
NEAR_FURTHER: Final = 4
# All orders of some days are looked at where they are fewer than this.
GATHERED: Final = 7_000


async def page(tx: Transaction, whose: Whose, after: tuple[Any, ...] | None, limit: int) -> Sequence[Any]:
    """id, card, placed_at, total_minor, status of the first `limit` orders after `after`."""
    await tx.execute(q.plan_by_values)
    needle = search.needle_of(whose.filters)
    if needle is None:
        return await _narrowed(tx, whose, after, limit)
    ids = [needle.order_id] if needle.order_id else await finding.found(tx, whose, needle, after, limit)
    if ids is None:
        return await _by_status(tx, whose, needle, after, limit)
    return await _sorted(tx, whose, needle.among(ids), after, limit)


async def _narrowed(tx: Transaction, whose: Whose, after: tuple[Any, ...] | None, limit: int) -> Sequence[Any]:
    filters = whose.filters
    sort = filters.sort.removeprefix("-")
    dates_by_total = sort == "total" and bool(filters.placed_from or filters.placed_to)
    walked = sort != "status" and not dates_by_total and not filters.channel and not values.narrowed(filters)
    if walked or not values.fits(whose):
        return await _sorted(tx, whose, Words(), after, limit)
    one_side_of_a_channel = filters.channel and any(scope.side != "operator" for scope in whose.scopes)
    near: Sequence[Any] = ()
    if sort != "status" and (dates_by_total or one_side_of_a_channel):
        near = await finding.rows(tx, search.walked(whose, after, limit, NEAR))
        if NEAR_HITS <= len(near) < limit:
            near = await finding.rows(tx, search.walked(whose, after, limit, NEAR_FURTHER * limit * NEAR // len(near)))
        if len(near) >= limit:
            return near
    if dates_by_total and len(near) < NEAR_HITS:
        # where they are more, the first of each combination of values by amount are near to each other
        [row] = await finding.rows(tx, values.gathered(whose, after, limit, walked=GATHERED))
        if row["walked"] < GATHERED:
            return await _sorted(tx, whose, search.among(row["hits"]), after, limit)
    return await finding.rows(tx, values.page(whose, after, limit))


async def _sorted(
    tx: Transaction, whose: Whose, words: Words, after: tuple[Any, ...] | None, limit: int
) -> Sequence[Any]:
    sql = search.statement(whose.marketplace_id, whose.scopes, whose.filters, words, after=after, limit=limit)
    return await finding.rows(tx, sql)


async def _by_status(
    tx: Transaction, whose: Whose, needle: Needle, after: tuple[Any, ...] | None, limit: int
) -> Sequence[Any]:
    """Of many orders with a text the page sorted by status: the statuses' lists by date, one after the other."""
    found = await finding.rows(tx, values.statuses(whose))
    back = whose.filters.sort.startswith("-")
    statuses = sorted((r["status"] for r in found), reverse=back)
    if after is not None:
        statuses = [s for s in statuses if (s <= after[0] if back else s >= after[0])]
    ids: list[UUID] = []
    for status in statuses:
        within, own = _of_status(whose, status)
        following = after[1:] if after is not None and after[0] == status else None
        ids += await finding.hits(tx, within, needle, following, limit - len(ids), finding.EVERYTHING, own)
        if len(ids) >= limit:
            break
    return await _sorted(tx, whose, needle.among(ids), after, limit)


def _of_status(whose: Whose, status: str) -> tuple[Whose, Words]:
    """The part of the list with this status of its own, by date."""
    asked = whose.filters
    conditions = [f.own_status]
    given: dict[str, Any] = {"own_status": status}
    if asked.statuses and status not in asked.statuses:
        conditions.append(f.over_any)
        given["statuses"] = list(asked.statuses)
    by_date = finding.sorted_by_date(replace(whose, filters=replace(asked, statuses=())))
    return by_date, Words(tuple(conditions), given)
