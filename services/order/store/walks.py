"""Statements that look for a text in the first entries of a list.

Each is one walk of the index that the list is in, or of one for each status. What they have in common is the list
(`search.listed`); they differ in what is told of the entries that were walked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from services.order.store import search, values
from services.order.store.search import (
    Filters,
    Needle,
    Parameters,
    Statement,
    Whose,
    Words,
    bare,
    common,
    f,
    listed,
    pattern,
    sort_name,
    values_of,
)  # fmt: skip

KEYS: Final = {"placed_at": "placed_at", "total": "total_minor"}
# As a limit it keeps the planner from looking for the few hits that it expects in another order and sorting them.
EVERYTHING: Final = 1_000_000_000


def hits(whose: Whose, needle: Needle, after: tuple[Any, ...] | None, most: int, *, walked: int) -> Statement:
    """The first `most` orders of the list with the text, among its first `walked`, as rows of a page."""
    sort = whose.filters.sort
    shape = bare(f.hits).replace("{key}", KEYS[sort.removeprefix("-")])
    return _walk(_page_of(shape, sort), {"most": most}, whose, needle, after, walked)


def hits_by_status(whose: Whose, needle: Needle, after: tuple[Any, ...] | None, most: int) -> Statement:
    """The same of a list by status, however far they are: within each status it is walked by date."""
    whose, after = values.tightest_of(whose, after)
    within, following = values.following(whose.filters, after)
    own = f.of_status_or_over if within.statuses else f.of_status
    dated = by_date(replace(whose, filters=replace(within, statuses=())))
    shape = (
        bare(f.hits_by_status)
        .replace("{hits}", bare(f.hits).replace("{key}", "placed_at"))
        .replace("{statuses}", values.statuses(whose, begun=after is not None))
        .replace("{by_status}", values.by_status(whose.filters))
    )
    given = {"most": most, **values.values_after(whose, after, most)}
    shape = _page_of(shape, whose.filters.sort)
    return _walk(shape, given, dated, needle, None, EVERYTHING, within=(own, *following))


def by_date(whose: Whose) -> Whose:
    """The list by date, the same end first."""
    sort: search.Sort = "-placed_at" if whose.filters.sort.startswith("-") else "placed_at"
    return replace(whose, filters=replace(whose.filters, sort=sort))


def _page_of(keys: str, sort: search.Sort) -> str:
    order = bare(getattr(f, "order_" + sort_name(sort))).replace("{t}", "k")
    return bare(f.page_of_hits).replace("{keys}", keys).replace("{order}", order)


def first_look(
    whose: Whose, needle: Needle, after: tuple[Any, ...] | None, words: Mapping[str, str], bounds: Mapping[str, Any]
) -> Statement:
    """One row: how many of the list's first `walked` orders there are, how many have or fit what, the first `most` hits
    among them, and, where these are not `enough`, what else has the text. `words` are those of the text, with the part
    that each is in."""
    counts = ", ".join(f.word.replace("{place}", str(place)) for place, _ in enumerate(words, start=1))
    over = bare(f.some_shown_over) if whose.filters.statuses else "false"
    shape = bare(f.first_look).replace("{words}", counts).replace("{shown_over}", over)
    given = {
        "words": [pattern(w) for w in words], "parts": list(words.values()), "text": needle.text, **bounds
    }  # fmt: skip
    return _walk(shape, given, whose, needle, after, bounds["walked"], looks=True)


def _walk(
    shape: str, bounds: Mapping[str, Any], whose: Whose, needle: Needle, after: tuple[Any, ...] | None, walked: int, *,
    within: tuple[str, ...] = (), looks: bool = False,
) -> Statement:  # fmt: skip
    """`within`: what else the index is narrowed to. `looks`: at every entry that is walked, whether it has the text."""
    parameters, filters = Parameters(), whose.filters
    inside = _walked_by(filters)
    columns = getattr(f, f"walk_{filters.sort.removeprefix('-')}")
    has, look = (f.has, bare(f.walk_and_look)) if looks else (f.contains, "")
    texts = (columns.replace("{has}", look.rstrip()), f.walk_page)
    given = {**values_of(replace(whose, scopes=())), **needle.values, "pattern": needle.pattern, **bounds}
    walk = listed(parameters, replace(whose, filters=inside), Words(within, given), after, walked, texts)
    text = _and([has, *[f.hit_of_customer] * bool(needle.customer)]).replace("{t}", "o")
    sql = bare(shape).replace("{walk}", walk).replace("{text}", text)
    sql = sql.replace("{values}", _and(_outside(filters, inside)) or "true")
    sql = parameters.fill(sql, {**values_of(whose), **given})
    return Statement(sql, tuple(parameters.values), in_order=values.fits(whose))


def _walked_by(filters: Filters) -> Filters:
    """What an index that is sorted like the list is narrowed to as well."""
    inside = Filters(
        seller=filters.seller, buyer=filters.buyer, purchase_id=filters.purchase_id, ids=filters.ids,
        external_id=filters.external_id, sort=filters.sort,
    )  # fmt: skip
    if filters.sort.removeprefix("-") == "total":
        return inside
    return replace(
        inside, statuses=filters.statuses, overdue=filters.overdue or None, placed_from=filters.placed_from,
        placed_to=filters.placed_to, issue=None if filters.issue == "none" else filters.issue,
    )  # fmt: skip


def _outside(filters: Filters, inside: Filters) -> list[str]:
    """What else has to hold of an order that was walked."""
    kept = Filters(channel=filters.channel, money=filters.money)
    if inside.overdue is None:
        kept = replace(kept, overdue=filters.overdue)
    if inside.issue is None:
        kept = replace(kept, issue=filters.issue)
    if inside.sort.removeprefix("-") == "total":
        kept = replace(kept, placed_from=filters.placed_from, placed_to=filters.placed_to)
    statuses = [f.any_status] * bool(filters.statuses and not inside.statuses)
    return [*common(kept), *statuses, *[f.phases] * bool(filters.phases)]


def estimate(whose: Whose) -> Statement:
    """The planner's plan for all orders of the marketplace that have the values and days that are asked for."""
    parameters, asked = Parameters(), whose.filters
    outside = replace(asked, statuses=(), phases=(), seller=None, buyer=None, issue=None)
    conditions = [f.scope_operator, *common(outside), *[f.issue] * bool(asked.issue)]
    conditions += [f.any_status_or_shown] * bool(asked.statuses) + [f.phases] * bool(asked.phases)
    sql = parameters.fill(_all(f.estimate, conditions), values_of(whose))
    return Statement(sql, tuple(parameters.values), in_order=None)


def _all(text: str, conditions: Sequence[str]) -> str:
    return bare(text).replace("{conditions}", _and(conditions))


def _and(conditions: Sequence[str]) -> str:
    return " AND ".join(bare(c) for c in conditions)
