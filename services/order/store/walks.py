"""Statements that look for a text in the first entries of a list: each is one walk of the index that the list is in.

What they have in common is the list (`search.listed`); they differ in what is told of the entries that were walked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.order.store.search import (
    AFTER_TYPES,
    Needle,
    Parameters,
    Statement,
    Whose,
    Words,
    bare,
    f,
    listed,
    pattern,
    sort_name,
)  # fmt: skip


def hits(
    whose: Whose, needle: Needle, words: Words, after: tuple[Any, ...] | None, most: int,
    *, walked: int | None = None,
) -> Statement:  # fmt: skip
    """Ids of the first `most` orders of the list with the text in them, among its first `walked`."""
    return _walk(f.hits, {"most": most}, whose, needle, words, after, walked)


def sample(whose: Whose, needle: Needle, after: tuple[Any, ...] | None, most: int, *, walked: int) -> Statement:
    """One row: how many of the list's first `walked` orders there are, from when to when, and `most` hits of them."""
    return _walk(f.sample, {"most": most}, whose, needle, Words(), after, walked)


def frequencies(
    whose: Whose, needle: Needle, after: tuple[Any, ...] | None, words: Sequence[str], *, walked: int
) -> Statement:
    """One row for each word: how many of the list's first `walked` orders have it."""
    return _walk(f.frequencies, {"words": [pattern(w) for w in words]}, whose, needle, Words(), after, walked)


def collected(whose: Whose, needle: Needle, after: tuple[Any, ...] | None, *, walked: int) -> Statement:
    """One row: how many of the list's first `walked` orders there are, and the ids of all with the text in them."""
    return _walk(f.collect, {}, whose, needle, Words(), after, walked)


def collected_by_total(
    whose: Whose, needle: Needle, after: tuple[Any, ...] | None, most: int, *, walked: int
) -> Statement:
    """The same of a list that is narrowed to what is found by date, but of the ids the first `most` by amount.

    For filters whose index has the amount: with another one each order would be looked at.
    """
    by_date = replace(whose, filters=replace(whose.filters, sort="-placed_at"))
    name = sort_name(whose.filters.sort)
    shape = bare(f.collect_by_total).replace("{order}", bare(getattr(f, "order_" + name)).replace("{t}", "o"))
    shape = shape.replace("{after}", "true" if after is None else bare(getattr(f, "after_" + name)))
    values: dict[str, Any] = {"most": most}
    if after is not None:
        values |= {place: (v, kind) for place, v, kind in zip("ab", after, AFTER_TYPES["total"], strict=True)}
    return _walk(shape, values, by_date, needle, Words(), None, walked, (f.walk_total, f.walk_total_page))


def _walk(
    shape: str, values: Mapping[str, Any], whose: Whose, needle: Needle, words: Words, after: tuple[Any, ...] | None,
    walked: int | None, texts: tuple[str, str] | None = None,
) -> Statement:  # fmt: skip
    parameters = Parameters()
    name = sort_name(whose.filters.sort).removesuffix("_desc")
    texts = texts or (getattr(f, f"walk_{name}"), f.walk_page)
    walk = listed(parameters, whose, words, after, walked, texts)
    sql = bare(shape).replace("{walk}", walk)
    sql = sql.replace("{further}", f"\n{bare(f.hit_of_customer)}" if needle.customer else "")
    return Statement(
        parameters.fill(sql, {**needle.values, "pattern": needle.pattern, **values}), tuple(parameters.values)
    )
