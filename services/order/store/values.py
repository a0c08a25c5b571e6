"""Lists that are narrowed to some values, by the combinations of values that orders have.

However many orders there are, they have a few dozen combinations of status, money, issue and so on. The first orders of
each combination that fits are looked at, in an index that has the combinations in front of the sort key: as many looks
for a rare value as for a frequent one. See docs/decisions/0090.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
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

Lead = Literal["own", "seller", "buyer", "channel"]
_NO_ID: Final = UUID(int=0)
_OWN: Final = {"operator": f.scope_operator, "seller": f.of_seller, "buyer": f.of_buyer}
_WITHIN: Final = {"seller": f.within_seller, "buyer": f.within_buyer}
_ASKED: Final = {"seller": f.seller, "buyer": f.buyer, "channel": f.channel}


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


def page(whose: Whose, after: tuple[Any, ...] | None, limit: int, lead: Lead | None = None) -> Statement:
    """The page of the list, whatever it is sorted by; `lead` is what the index begins with, if it may be several."""
    parameters = Parameters()
    whose, after = tightest_of(whose, after)
    order = bare(getattr(f, "order_" + sort_name(whose.filters.sort)))
    text = f.keys_by_status if whose.filters.sort.removeprefix("-") == "status" else f.keys_of_combinations
    sql = bare(f.keys_page).replace("{branches}", _branches(text, whose, after, lead))
    sql = f"{sql.replace('{order}', order.replace('{t}', 'u'))} LIMIT :limit"
    sql = parameters.fill(sql, values_after(whose, after, limit))
    return Statement(page_of(sql, whose.filters), tuple(parameters.values))


def gathered(
    whose: Whose, after: tuple[Any, ...] | None, limit: int, *, walked: int, needle: Needle | None = None
) -> Statement:
    """One row: how many orders fit, and the ids of the page, of those with the needle if there is one; no ids where as
    many fit as `walked`."""
    parameters = Parameters()
    whose, after = tightest_of(whose, after)
    order = bare(getattr(f, "order_" + sort_name(whose.filters.sort)))
    shape = f.gathered if needle is None else f.gathered_with_text
    sql = bare(shape).replace("{branches}", _branches(f.all_of_combinations, whose, after))
    values = values_after(whose, after, limit) | {"walked": walked}
    if needle is not None:
        further = f" AND {bare(f.customer_containing)}".replace("o.", "t.") if needle.customer else ""
        sql = sql.replace("{further}", further)
        values |= {**needle.values, "pattern": needle.pattern}
    sql = parameters.fill(sql.replace("{order}", order.replace("{t}", "o")), values)
    return Statement(sql, tuple(parameters.values))


def statuses(whose: Whose, *, begun: bool) -> str:
    """The statuses of all orders that may fit, as far as their combinations tell, those behind the cursor if it has
    `begun`; its parameters are yet to be filled in."""
    text = f.statuses_of_combinations if narrowed(whose.filters) else f.statuses_of_all
    texts = [_combinations(text, whose, p, begun=begun) for p in _parts(whose)]
    return "\nUNION\n".join(f"({text})" for text in texts)


def fitting(whose: Whose, *, begun: bool = False) -> str:
    """The combinations that fit, as the common table expression `v`, those behind the cursor of a list by status if it
    has `begun`; its parameters are yet to be filled in."""
    return _combinations("{combinations}", whose, Part((f.scope_operator,), ()), begun=begun)


def values_after(whose: Whose, after: tuple[Any, ...] | None, limit: int) -> dict[str, Any]:
    """The values of a list's parameters, with those of its cursor."""
    values = values_of(whose) | {"limit": limit}
    kinds = AFTER_TYPES[whose.filters.sort.removeprefix("-")]
    return values | {place: (v, kind) for place, v, kind in zip("abc", after or (), kinds, strict=False)}


def _branches(text: str, whose: Whose, after: tuple[Any, ...] | None, lead: Lead | None = None) -> str:
    filters = whose.filters
    order = bare(getattr(f, "order_" + sort_name(filters.sort)))
    text = text.replace("{order_of_status}", order.replace("{t}", "t")).replace("{by_status}", by_status(filters))
    order = order.replace("{t}", "o")
    asked, behind = following(filters, after)
    branches = []
    for part in _parts(replace(whose, filters=asked), lead):
        each = [*part.together, f.of_combination, *part.each, *behind]
        keys = bare(getattr(f, "keys_" + filters.sort.removeprefix("-"))).replace("{conditions}", _and(each))
        branch = _combinations(text, whose, part, begun=after is not None)
        branches.append(f"({branch.replace('{keys}', keys).replace('{order}', order)})")
    return "\nUNION ALL\n".join(branches)


def by_status(filters: Filters) -> str:
    """In which order the list has its statuses."""
    return "v.status DESC" if filters.sort.startswith("-") else "v.status"


def following(filters: Filters, after: tuple[Any, ...] | None) -> tuple[Filters, list[str]]:
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


def tightest_of(whose: Whose, after: tuple[Any, ...] | None) -> tuple[Whose, tuple[Any, ...] | None]:
    """Of a date and a cursor that bound the same end only the one that counts, by date and within a status."""
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
    found = bare(f.combinations) if "{combinations}" in text else bare(text)
    found = found.replace("{whose}", _and(part.together)).replace("{fitting}", _and(fitting) or "true")
    return bare(text).replace("{combinations}", found) if "{combinations}" in text else found


def leads(whose: Whose) -> Sequence[Lead]:
    """What the index of combinations may begin with, if there is anything."""
    filters = whose.filters
    own: list[Lead] = ["own"] * any(scope.side != "operator" for scope in whose.scopes)
    asked: tuple[tuple[Lead, object], ...] = (
        ("seller", filters.seller), ("buyer", filters.buyer), ("channel", filters.channel)
    )  # fmt: skip
    return [*own, *(lead for lead, value in asked if value)]


def led(whose: Whose, lead: Lead) -> Statement:
    """The planner's plan for all orders that the index has for it."""
    parameters = Parameters()
    conditions = [" OR ".join(f"({bare(_OWN[s.side])})" for s in whose.scopes)] if lead == "own" else [_ASKED[lead]]
    sql = bare(f.estimate).replace("{conditions}", _and([f.scope_operator, f"({_and(conditions)})"]))
    return Statement(parameters.fill(sql, values_of(whose)), tuple(parameters.values), in_order=None)


def _parts(whose: Whose, lead: Lead | None = None) -> list[Part]:
    """One for each side of the caller."""
    filters = whose.filters
    rest = common(Filters(placed_from=filters.placed_from, placed_to=filters.placed_to))
    sides = zip(whose.scopes, scope_conditions(whose.scopes), strict=True)
    return [_part(whose, scope, own, rest, lead) for scope, own in sides]


def _part(whose: Whose, scope: Scope, own: Sequence[str], rest: Sequence[str], lead: Lead | None) -> Part:
    """What the index does not begin with is hidden from the planner, who might take another one for it."""
    possible = leads(replace(whose, scopes=[scope]))
    if lead not in possible:
        lead = possible[0] if possible else None
    asked = [f"({bare(_ASKED[other])}) IS TRUE" for other in possible if other not in ("own", lead)]
    if lead == "own":
        return Part((_OWN[scope.side],), (*own, *rest, *asked))
    within = () if scope.side == "operator" else (_WITHIN[scope.side], *own[1:])
    return Part((f.scope_operator, *([_ASKED[lead]] if lead else [])), (*within, *rest, *asked))


def _and(conditions: Sequence[str]) -> str:
    return " AND ".join(bare(c) for c in conditions)
