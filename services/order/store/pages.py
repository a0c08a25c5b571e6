"""A page of the order list. Whatever it is narrowed to and sorted by, it takes about as long at a million orders.

Most lists are one walk of the index that is sorted like them and has their filters. See docs/decisions/0090.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from services.order.store import finding, search, walks
from services.order.store.search import Filters, Needle, Statement, Whose, Words, f, q
from shared.postgres import Transaction

# Entries of a list by amount that are walked before anything else is tried, and where gathering all that the filters
# leave costs more than walking so many more, at what the planner reckons for an entry.
NEAR: Final = 2_000
FAR: Final = 12_000
FURTHER: Final = 60_000
ENTRY_COST: Final = 0.125
# Fewer pages than this are too thinly spread for a walk to fill one.
MANY_PAGES: Final = 20
# So many of a side's own orders are gathered sooner than they are looked for among everybody's.
GATHERED: Final = 2_000


async def page(tx: Transaction, whose: Whose, after: tuple[Any, ...] | None, limit: int) -> Sequence[Any]:
    """id, card, placed_at, total_minor, status of the first `limit` orders after `after`."""
    await tx.execute(q.plan_by_values)
    needle = search.needle_of(whose.filters)
    by_status = whose.filters.sort.removeprefix("-") == "status"
    if needle is None:
        walk = _by_status if by_status else _by_total if _walks_far(whose.filters) else _sorted
        return await walk(tx, whose, Words(), after, limit)
    ids = [needle.order_id] if needle.order_id else await finding.found(tx, whose, needle, after, limit)
    if ids is None:
        return await _by_status(tx, whose, Words(), after, limit, needle)
    return await _sorted(tx, whose, needle.among(ids), after, limit)


def _walks_far(filters: Filters) -> bool:
    """Whether a list by amount is narrowed to what has an index by date only."""
    own_index = filters.purchase_id or filters.external_id or filters.ids is not None
    by_date = filters.statuses or filters.phases or filters.channel or filters.money or filters.issue
    dates = filters.placed_from or filters.placed_to or filters.overdue is not None
    return filters.sort.removeprefix("-") == "total" and not own_index and bool(by_date or dates)


async def _by_total(
    tx: Transaction, whose: Whose, words: Words, after: tuple[Any, ...] | None, limit: int
) -> Sequence[Any]:
    """No statistics tell which amounts go with which status or channel: a short walk finds out whether many fit."""
    filters = whose.filters
    of_values = not filters.placed_from and not filters.placed_to
    of_all = not filters.seller and not filters.buyer and all(scope.side == "operator" for scope in whose.scopes)
    rows = await finding.rows(tx, search.walked(whose, after, limit, NEAR))
    if len(rows) >= limit:
        return rows
    if of_values and of_all:
        return await finding.rows(tx, walks.by_values(whose, after, limit))
    orders, cost = await _expected(tx, search.unsorted(whose, after))
    if cost > FAR * ENTRY_COST:
        rows = await finding.rows(tx, search.walked(whose, after, limit, FAR))
        if len(rows) < limit and of_values and orders > GATHERED:
            return await finding.rows(tx, walks.by_values(whose, after, limit))
        if len(rows) < limit and orders >= MANY_PAGES * limit and cost > FURTHER * ENTRY_COST:
            rows = await finding.rows(tx, search.walked(whose, after, limit, FURTHER))
    return rows if len(rows) >= limit else await _sorted(tx, whose, words, after, limit, gathered=True)


async def _expected(tx: Transaction, unsorted: Statement) -> tuple[float, float]:
    """How many orders the planner expects the filters to leave, and what it would cost to gather them."""
    [explained] = orjson.loads(await tx.fetchval(f"EXPLAIN (FORMAT JSON) {unsorted.sql}", *unsorted.args))
    return explained["Plan"]["Plan Rows"], explained["Plan"]["Total Cost"]


async def _sorted(
    tx: Transaction, whose: Whose, words: Words, after: tuple[Any, ...] | None, limit: int, *, gathered: bool = False
) -> Sequence[Any]:
    sql = search.statement(
        whose.marketplace_id, whose.scopes, whose.filters, words, after=after, limit=limit, gathered=gathered
    )
    return await finding.rows(tx, sql)


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
            ids = await finding.hits(tx, within[0], needle, own, following, wanted, finding.EVERYTHING)
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
    by_date = finding.sorted_by_date(replace(whose, filters=replace(asked, statuses=())))
    return by_date, Words(tuple(conditions), values)
