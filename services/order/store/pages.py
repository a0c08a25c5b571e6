"""A page of the order list. Whatever it is narrowed to and sorted by, it takes about as long at a million orders.

A list that is narrowed to values is found by their combinations (`values`), any other is one walk of the index that is
sorted like it. See docs/decisions/0090.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.order.store import finding, search, values
from services.order.store.planned import Planned
from services.order.store.search import Whose, Words
from shared.postgres import Transaction

# Entries that are walked where what a list is narrowed to has no index with its sort key, and so many hits among them
# that walking on to a whole page costs less than looking at all orders that fit. It ends where the page is full: this
# many times as far as that is on average.
NEAR: Final = 2_000
# Of a seller's or buyer's orders of a channel: their combinations cost twice as much as this walk.
NEAR_OF_SIDE: Final = 10_000
NEAR_HITS: Final = 12
NEAR_FURTHER: Final = 4
# All orders of some days are looked at where they are fewer than this.
GATHERED: Final = 7_000


async def page(tx: Transaction, whose: Whose, after: tuple[Any, ...] | None, limit: int) -> Sequence[Any]:
    """id, card, placed_at, total_minor, status of the first `limit` orders after `after`."""
    planned = Planned(tx)
    needle = search.needle_of(whose.filters)
    if needle is None:
        return await _narrowed(planned, whose, after, limit)
    if needle.order_id is not None:
        return await _sorted(planned, whose, needle.among([needle.order_id]), after, limit)
    found = await finding.found(planned, whose, needle, after, limit)
    if found.rows is not None and needle.number is None:
        return found.rows
    return await _sorted(planned, whose, needle.among(found.ids), after, limit)


async def _narrowed(planned: Planned, whose: Whose, after: tuple[Any, ...] | None, limit: int) -> Sequence[Any]:
    filters = whose.filters
    sort = filters.sort.removeprefix("-")
    dates_by_total = sort == "total" and bool(filters.placed_from or filters.placed_to)
    in_order = sort != "status" and not dates_by_total and not filters.channel and not values.narrowed(filters)
    if in_order or not values.fits(whose):
        return await _sorted(planned, whose, Words(), after, limit)
    one_side_of_a_channel = filters.channel and any(scope.side != "operator" for scope in whose.scopes)
    near: Sequence[Any] = ()
    if sort != "status" and (dates_by_total or one_side_of_a_channel):
        walked = NEAR_OF_SIDE if one_side_of_a_channel else NEAR
        near = await planned.rows(search.walked(whose, after, limit, walked))
        if NEAR_HITS <= len(near) < limit:
            near = await planned.rows(search.walked(whose, after, limit, NEAR_FURTHER * limit * walked // len(near)))
        if len(near) >= limit:
            return near
    if dates_by_total and len(near) < NEAR_HITS:
        # where they are more, the first of each combination of values by amount are near to each other
        [row] = await planned.rows(values.gathered(whose, after, limit, walked=GATHERED))
        if row["walked"] < GATHERED:
            return await _sorted(planned, whose, search.among(row["hits"]), after, limit)
    return await planned.rows(values.page(whose, after, limit, await _lead(planned, whose)))


async def _lead(planned: Planned, whose: Whose) -> values.Lead | None:
    """What is asked for that the fewest orders have, as far as the planner's statistics tell."""
    leads = values.leads(whose)
    if len(leads) < 2:
        return None
    expected = {lead: await planned.expected(values.led(whose, lead)) for lead in leads}
    return min(leads, key=lambda lead: expected[lead])


async def _sorted(
    planned: Planned, whose: Whose, words: Words, after: tuple[Any, ...] | None, limit: int
) -> Sequence[Any]:
    sql = search.statement(whose.marketplace_id, whose.scopes, whose.filters, words, after=after, limit=limit)
    return await planned.rows(sql)
