"""Statements that look for a text in the first entries of a list, among all orders of some names, or for some values.

The first kind is one walk of the index that the list is in. What these have in common is the list (`search.listed`);
they differ in what is told of the entries that were walked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from services.order.store import values
from services.order.store.search import (
    AFTER_TYPES,
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
    scope_conditions,
    sort_name,
    values_of,
)  # fmt: skip

# Of so many names each may be in very many orders: those of each combination of values that fits are looked up, and of
# these those of the days. Of more names all orders are looked at.
FEW_NAMES: Final = 20


def hits(
    whose: Whose, needle: Needle, words: Words, after: tuple[Any, ...] | None, most: int, *, walked: int
) -> Statement:
    """Ids of the first `most` orders of the list with the text in them, among its first `walked`."""
    return _walk(f.hits, {"most": most}, whose, needle, words, after, walked)


def first_look(
    whose: Whose, needle: Needle, after: tuple[Any, ...] | None, words: Mapping[str, str], bounds: Mapping[str, Any]
) -> Statement:
    """One row: how many of the list's first `walked` orders there are, the first `most` hits among them, and, where
    these are not `enough`, what else has the text. `words` are those of the text, with the part that each is in."""
    counts = ", ".join(f.word.replace("{place}", str(place)) for place, _ in enumerate(words, start=1))
    shape = bare(f.first_look).replace("{words}", counts)
    given = {
        "words": [pattern(w) for w in words], "parts": list(words.values()), "text": needle.text, **bounds
    }  # fmt: skip
    return _walk(shape, given, whose, needle, Words(), after, bounds["walked"])


def _walk(
    shape: str, bounds: Mapping[str, Any], whose: Whose, needle: Needle, words: Words, after: tuple[Any, ...] | None,
    walked: int,
) -> Statement:  # fmt: skip
    parameters, filters = Parameters(), whose.filters
    inside = _walked_by(filters)
    texts = (getattr(f, f"walk_{filters.sort.removeprefix('-')}"), f.walk_page)
    walk = listed(parameters, replace(whose, filters=inside), words, after, walked, texts)
    conditions = [f.has, *_outside(filters, inside), *[f.hit_of_customer] * bool(needle.customer)]
    sql = bare(shape).replace("{walk}", walk).replace("{conditions}", _and(conditions).replace("{t}", "o"))
    given = {**values_of(replace(whose, scopes=())), **needle.values, "pattern": needle.pattern, **bounds}
    return Statement(parameters.fill(sql, given), tuple(parameters.values))


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


def of_names(
    whose: Whose, needle: Needle, names: Sequence[str], after: tuple[Any, ...] | None, most: int, *, walked: int
) -> Statement:
    """One row: how many orders of these names were looked at, and the ids of the list's first `most` among them."""
    parameters, filters = Parameters(), whose.filters
    order = sort_name(filters.sort)
    given = values_of(whose) | needle.values | {"names": list(names), "most": most, "walked": walked}
    if after is not None:
        kinds = AFTER_TYPES[filters.sort.removeprefix("-")]
        given |= {place: (v, kind) for place, v, kind in zip("abc", after, kinds, strict=False)}
    start, entries = _entries(whose, names)
    conditions = [
        _any_of(whose),
        *[f.any_status_or_shown] * bool(filters.statuses),
        *common(replace(filters, statuses=(), purchase_id=None, external_id=None, ids=None)),
        *[f.phases] * bool(filters.phases),
    ]
    conditions += [getattr(f, "after_" + order)] * (after is not None)
    conditions += [f.hit_of_customer.replace("{t}", "o")] * (not needle.is_of_name)
    sql = (
        bare(f.of_names)
        .replace("{with}", start)
        .replace("{entries}", entries)
        .replace("{conditions}", _and(conditions))
        .replace("{order}", bare(getattr(f, "order_" + order)).replace("{t}", "o"))
    )
    return Statement(parameters.fill(sql, given), tuple(parameters.values))


def by_combinations(whose: Whose, names: Sequence[str]) -> bool:
    """Whether of the names' orders only those are looked at that have the values and days that are asked for."""
    filters = whose.filters
    narrowed = values.narrowed(filters) or bool(filters.placed_from or filters.placed_to)
    return len(names) <= FEW_NAMES and narrowed and values.fits(whose)


def _entries(whose: Whose, names: Sequence[str]) -> tuple[str, str]:
    """How a statement begins, and the entries of the names in it: those of fitting combinations where each may be in
    very many orders."""
    filters = whose.filters
    dates = Filters(placed_from=filters.placed_from, placed_to=filters.placed_to)
    if by_combinations(whose, names):
        entries = _all(f.entries, [f.scope_operator, f.of_name, f.of_combination, *common(dates)])
        return values.fitting(whose) + ",", bare(f.entries_of_combinations).replace("{entries}", entries)
    few = Filters(purchase_id=filters.purchase_id, external_id=filters.external_id, ids=filters.ids)
    return "WITH", _all(f.entries, [f.scope_operator, f.named, *common(few)])


def _any_of(whose: Whose) -> str:
    """That the order is on one of the caller's sides."""
    return f"({' OR '.join(f'({_and(scope)})' for scope in scope_conditions(whose.scopes))})"


def _all(text: str, conditions: Sequence[str]) -> str:
    return bare(text).replace("{conditions}", _and(conditions))


def _and(conditions: Sequence[str]) -> str:
    return " AND ".join(bare(c) for c in conditions)
