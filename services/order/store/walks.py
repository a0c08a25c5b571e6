"""Statements that look for a text in the first entries of a list, among all orders of some names, or for some values.

The first kind is one walk of the index that the list is in. What these have in common is the list (`search.listed`);
they differ in what is told of the entries that were walked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from services.order.store.search import (
    AFTER_TYPES,
    Filters,
    Matching,
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

# Of so many names each may be in very many orders: those of a status, or overdue, are looked up. Of more names all
# orders are looked at.
FEW_NAMES: Final = 20


def hits(
    whose: Whose, needle: Needle, words: Words, after: tuple[Any, ...] | None, most: int,
    *, walked: int | None = None,
) -> Statement:  # fmt: skip
    """Ids of the first `most` orders of the list with the text in them, among its first `walked`."""
    return _walk(f.hits, {"most": most}, whose, needle, words, after, walked)


def first_look(
    whose: Whose, needle: Needle, after: tuple[Any, ...] | None, words: Mapping[str, str], bounds: Mapping[str, Any]
) -> Statement:
    """One row: how many of the list's first `walked` orders there are, the first `most` hits among them, and, where
    these are not `enough`, what else has the text. `words` are those of the text, with the part that each is in."""
    counts = ", ".join(f.word.replace("{place}", str(place)) for place, _ in enumerate(words, start=1))
    shape = bare(f.first_look).replace("{words}", counts)
    values = {
        "words": [pattern(w) for w in words], "parts": list(words.values()), "text": needle.text,
        "marketplace": whose.marketplace_id, "statuses": list(whose.filters.statuses), **bounds,
    }  # fmt: skip
    return _walk(shape, values, whose, needle, Words(), after, bounds["walked"])


def of_names(
    whose: Whose, needle: Needle, matching: Matching, after: tuple[Any, ...] | None, most: int,
    *, walked: int,
) -> Statement:  # fmt: skip
    """One row: how many orders of these names were looked at, and the ids of the list's first `most` among them."""
    parameters, filters = Parameters(), whose.filters
    name = sort_name(filters.sort)
    values = values_of(whose) | needle.values | {
        "names": list(matching.names), "most": most, "walked": walked
    }  # fmt: skip
    if after is not None:
        kinds = AFTER_TYPES[filters.sort.removeprefix("-")]
        values |= {place: (v, kind) for place, v, kind in zip("abc", after, kinds, strict=False)}
    inside = Filters(purchase_id=filters.purchase_id, external_id=filters.external_id, ids=filters.ids)
    front = [f.scope_operator, f.named, *common(inside)]
    branches = [front]
    if len(matching.names) <= FEW_NAMES and (filters.overdue or filters.statuses):
        front.append(f.overdue if filters.overdue else f.overdue_or_not)
        if filters.statuses:
            branches = [[*front, f.own_statuses], *[[*front, f.over_others]] * matching.shown_over]
    conditions = [
        _any_of(whose),
        *[f.any_status] * bool(filters.statuses),
        *common(replace(filters, statuses=(), purchase_id=None, external_id=None, ids=None)),
        *[f.phases] * bool(filters.phases),
    ]
    conditions += [getattr(f, "after_" + name)] * (after is not None)
    conditions += [f.hit_of_customer.replace("{t}", "o")] * (not needle.is_of_name)
    sql = (
        bare(f.of_names)
        .replace("{branches}", "\nUNION ALL\n".join(_all(f.entry_of_name, branch) for branch in branches))
        .replace("{conditions}", _and(conditions))
        .replace("{order}", bare(getattr(f, "order_" + name)).replace("{t}", "o"))
    )
    return Statement(parameters.fill(sql, values), tuple(parameters.values))


def _any_of(whose: Whose) -> str:
    """That the order is on one of the caller's sides."""
    return f"({' OR '.join(f'({_and(scope)})' for scope in scope_conditions(whose.scopes))})"


def _all(text: str, conditions: Sequence[str]) -> str:
    return bare(text).replace("{conditions}", _and(conditions))


def _and(conditions: Sequence[str]) -> str:
    return " AND ".join(bare(c) for c in conditions)


def _walk(
    shape: str, values: Mapping[str, Any], whose: Whose, needle: Needle, words: Words, after: tuple[Any, ...] | None,
    walked: int | None,
) -> Statement:  # fmt: skip
    parameters = Parameters()
    name = sort_name(whose.filters.sort).removesuffix("_desc")
    texts = (getattr(f, f"walk_{name}"), f.walk_page)
    walk = listed(parameters, whose, words, after, walked, texts)
    sql = bare(shape).replace("{walk}", walk)
    sql = sql.replace("{further}", f"\nAND {bare(f.hit_of_customer).replace('{t}', 'w')}" if needle.customer else "")
    return Statement(
        parameters.fill(sql, {**needle.values, "pattern": needle.pattern, **values}), tuple(parameters.values)
    )
