"""Lists that are narrowed to some values, by the combinations of values that orders have.

However many orders there are, they have a few dozen combinations of status, money, issue and so on. The first orders of
each combination that fits are looked at, in an index that has the combinations in front of the sort key: as many looks
for a rare value as for a frequent one. See docs/decisions/0090.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from services.order.schemas import Scope
from services.order.store.search import (
    AFTER_TYPES,
    Filters,
    Needle,
    Parameters,
    Statement,
    Whose,
    bare,
    common,
    f,
    page_of,
    scope_conditions,
    sort_name,
    tightest,
    values_of,
)  # fmt: skip

_NO_ID: Final = UUID(int=0)
_OWN: Final = {"operator": f.scope_operator, "seller": f.of_seller, "buyer": f.of_buyer}


@dataclass(frozen=True, slots=True)
class Part:
    """Of the orders that one side of the caller may list: those that an index has beside each other, and what else
    has to hold of each of them."""

    together: tuple[str, ...]
    each: tuple[str, ...]


def fits(whose: Whose) -> bool:
    """Whether combinations find the list: orders of a person or of one purchase are few, and looked at as such."""
    filters = whose.filters
    few = filters.purchase_id or filters.external_id or filters.ids is not None
    return not few and all(scope.person_id is None for scope in whose.scopes)


def narrowed(filters: Filters) -> bool:
    """Whether orders of some combinations are left out."""
    values = (filters.statuses, filters.phases, filters.money, filters.issue)
    return any(values) or filters.overdue is not None


def asked(filters: Filters) -> bool:
    """Whether anything but a side and a text is asked for."""
    return bool(narrowed(filters) or filters.channel or filters.placed_from or filters.placed_to)


def page(whose: Whose, after: tuple[Any, ...] | None, limit: int) -> Statement:
    """The page of the list, whatever it is sorted by."""
    parameters = Parameters()
    whose, after = _tightest(whose, after)
    order = bare(getattr(f, "order_" + sort_name(whose.filters.sort)))
    sql = bare(f.keys_page).replace("{branches}", _branches(f.keys_of_combinations, whose, after))
    sql = f"{sql.replace('{order}', order.replace('{t}', 'u'))} LIMIT :limit"
    sql = parameters.fill(sql, _values(whose, after, limit))
    return Statement(page_of(sql, whose.filters), tuple(parameters.values))


def gathered(
    whose: Whose, after: tuple[Any, ...] | None, limit: int, *, walked: int, needle: Needle | None = None
) -> Statement:
    """One row: how many orders fit, and the ids of the page, of those with the needle if there is one; no ids where as
    many fit as `walked`."""
    parameters = Parameters()
    whose, after = _tightest(whose, after)
    order = bare(getattr(f, "order_" + sort_name(whose.filters.sort)))
    shape = f.gathered if needle is None else f.gathered_with_text
    sql = bare(shape).replace("{branches}", _branches(f.all_of_combinations, whose, after))
    values = _values(whose, after, limit) | {"walked": walked}
    if needle is not None:
        further = f" AND {bare(f.customer_containing)}".replace("o.", "t.") if needle.customer else ""
        sql = sql.replace("{further}", further)
        values |= {**needle.values, "pattern": needle.pattern}
    sql = parameters.fill(sql.replace("{order}", order.replace("{t}", "o")), values)
    return Statement(sql, tuple(parameters.values))


def statuses(whose: Whose) -> Statement:
    """The statuses of all orders that may fit, as far as their combinations tell."""
    parameters = Parameters()
    texts = [_combinations(f.statuses_of_combinations, whose, p) for p in _parts(whose)]
    sql = "\nUNION\n".join(f"({text})" for text in texts)
    return Statement(parameters.fill(sql, _values(whose, None, 0)), tuple(parameters.values))


def fitting(whose: Whose) -> str:
    """The combinations that fit, as the common table expression `v`; its parameters are yet to be filled in."""
    return _combinations("{combinations}", whose, Part((f.scope_operator,), ()))


def _values(whose: Whose, after: tuple[Any, ...] | None, limit: int) -> dict[str, Any]:
    values = values_of(whose) | {"limit": limit}
    kinds = AFTER_TYPES[whose.filters.sort.removeprefix("-")]
    return values | {place: (v, kind) for place, v, kind in zip("abc", after or (), kinds, strict=False)}


def _branches(text: str, whose: Whose, after: tuple[Any, ...] | None) -> str:
    filters = whose.filters
    order = bare(getattr(f, "order_" + sort_name(filters.sort))).replace("{t}", "o")
    asked, following = _following(filters, after)
    branches = []
    for part in _parts(replace(whose, filters=asked)):
        each = [*part.together, f.of_combination, *part.each, *following]
        keys = bare(getattr(f, "keys_" + filters.sort.removeprefix("-"))).replace("{conditions}", _and(each))
        branch = _combinations(text, whose, part, begun=after is not None)
        branches.append(f"({branch.replace('{keys}', keys).replace('{order}', order)})")
    return "\nUNION ALL\n".join(branches)


def _following(filters: Filters, after: tuple[Any, ...] | None) -> tuple[Filters, list[str]]:
    """What has to hold of an order behind the cursor, and the filters without the date that this says already."""
    if after is None:
        return filters, []
    if filters.sort == "status":
        first = ":placed_from" if filters.placed_from else "'-infinity'"
        return replace(filters, placed_from=None), [f.after_in_status.replace("{first}", first)]
    if filters.sort == "-status":
        first = ":placed_to" if filters.placed_to else "'infinity'"
        return replace(filters, placed_to=None), [f.after_in_status_desc.replace("{first}", first)]
    return filters, [getattr(f, "after_" + sort_name(filters.sort))]


def _tightest(whose: Whose, after: tuple[Any, ...] | None) -> tuple[Whose, tuple[Any, ...] | None]:
    filters, after = tightest(whose.filters, after)
    if after is not None and filters.sort == "status" and filters.placed_from and after[1] < filters.placed_from:
        after = (after[0], filters.placed_from, _NO_ID)
    if after is not None and filters.sort == "-status" and filters.placed_to and after[1] > filters.placed_to:
        after = (after[0], filters.placed_to, _NO_ID)
    return replace(whose, filters=filters), after


def _combinations(text: str, whose: Whose, part: Part, *, begun: bool = False) -> str:
    filters = whose.filters
    fitting = [c for wanted, c in (
        (filters.statuses, f.any_status_or_shown), (filters.phases, f.phases), (filters.money, f.money),
        (filters.issue, f.issue), (filters.overdue, f.overdue), (filters.overdue is False, f.not_overdue),
        (begun and filters.sort.removeprefix("-") == "status", getattr(f, "from_" + sort_name(filters.sort), "")),
    ) if wanted]  # fmt: skip
    found = bare(f.combinations).replace("{whose}", _and(part.together)).replace("{fitting}", _and(fitting) or "true")
    return bare(text).replace("{combinations}", found)


def _parts(whose: Whose) -> list[Part]:
    """One for each side of the caller."""
    filters = whose.filters
    rest = common(Filters(placed_from=filters.placed_from, placed_to=filters.placed_to))
    sides = zip(whose.scopes, scope_conditions(whose.scopes), strict=True)
    return [_part(filters, scope, [*own, *rest]) for scope, own in sides]


def _part(filters: Filters, scope: Scope, each: Sequence[str]) -> Part:
    asked = ((filters.seller, f.seller), (filters.buyer, f.buyer), (filters.channel, f.channel))
    conditions = [condition for value, condition in asked if value]
    if scope.side != "operator":
        return Part((_OWN[scope.side],), (*each, *conditions))
    return Part((f.scope_operator, *conditions[:1]), (*each, *conditions[1:]))


def _and(conditions: Sequence[str]) -> str:
    return " AND ".join(bare(c) for c in conditions)
