"""All orders of the names that have a text; only those that a list is narrowed to, where these are looked up.

They are beside each other in an index that has the name in front, then overdue, status and the other values that lists
are narrowed to, then the date. See docs/decisions/0090.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from services.order.store import values
from services.order.store.search import (
    Filters,
    Matching,
    Needle,
    Parameters,
    Statement,
    Whose,
    bare,
    common,
    f,
    scope_conditions,
    sort_name,
)  # fmt: skip

# All that there are; those of the overdue or of statuses by one look for each name; by one for each combination of
# values that fits; by these, one status after the other until the page is full.
How = Literal["all", "index", "combinations", "statuses"]
# Of so many names each may be in very many orders: those of each combination of values that fits are looked up, and of
# these those of the days. Of more names all orders are looked at. Days and statuses alone have every combination.
FEW: Final = 20
FEWEST: Final = 5
# Of every order no more is read and kept than the list needs: each column takes its time.
KEPT: Final = {
    "placed_at": "o.id, o.placed_at", "total": "o.id, o.total_minor", "status": "o.id, o.status, o.placed_at"
}  # fmt: skip
COLUMNS: Final = (
    "marketplace_id", "id", "placed_at", "status", "shown", "overdue", "phase", "channel", "money", "issue",
    "total_minor", "known", "seller_org", "buyer_org", "buyer_person",
)  # fmt: skip


def how(whose: Whose, names: Sequence[str]) -> How:
    """How the names' orders are looked at."""
    asked = whose.filters
    days, by_status = asked.placed_from or asked.placed_to, asked.sort.removeprefix("-") == "status"
    most = FEW if values.narrowed(asked) else FEWEST if days or by_status else 0
    if len(names) > most or not values.fits(whose):
        return "all"
    if by_status:
        return "statuses"
    others = asked.phases or asked.money or asked.issue or days
    return "combinations" if others else "index"


def combined(whose: Whose, matching: Matching) -> bool:
    """Whether any of the names' orders are looked up by combinations of values."""
    way = how(whose, matching.names)
    return way in ("combinations", "statuses") or (way == "index" and _also_shown(whose, matching))


def orders(
    whose: Whose, needle: Needle, matching: Matching, after: tuple[Any, ...] | None, most: int, *, walked: int
) -> Statement:
    """One row: how many orders of the names were looked at, and the ids of the list's first `most` among them. Where
    they are looked at by status, `walked` bounds those of each, and is told where one has so many."""
    parameters, order, way = Parameters(), sort_name(whose.filters.sort), how(whose, matching.names)
    conditions = [*_conditions(whose, way), *[getattr(f, "after_" + order)] * (after is not None)]
    conditions += [f.hit_of_customer.replace("{t}", "o")] * (not needle.is_of_name)
    kept, fits = KEPT[whose.filters.sort.removeprefix("-")], _and(conditions)
    columns = ", ".join(f"o.{c}" for c in COLUMNS if f"o.{c}" in f"{kept} {fits}")
    start, entries = _entries(whose, matching, way, begun=after is not None)
    sql = (
        bare(f.of_names_by_status if way == "statuses" else f.of_names)
        .replace("{with}", start)
        .replace("{entries}", entries.replace("{columns}", columns))
        .replace("{kept}", kept)
        .replace("{conditions}", fits)
        .replace("{order}", bare(getattr(f, "order_" + order)).replace("{t}", "o"))
        .replace("{by_status}", values.by_status(whose.filters))
    )
    given = values.values_after(whose, after, most) | needle.values
    given |= {"names": list(matching.names), "most": most, "walked": walked}
    return Statement(parameters.fill(sql, given), tuple(parameters.values))


def expected(whose: Whose, names: Sequence[str]) -> Statement:
    """The planner's plan for all orders of the marketplace of these names."""
    parameters = Parameters()
    given = values.values_after(whose, None, 0) | {"names": list(names)}
    sql = parameters.fill(_all(f.estimate, [f.scope_operator, f.named]), given)
    return Statement(sql, tuple(parameters.values), in_order=None)


def _conditions(whose: Whose, way: How) -> list[str]:
    """What has to hold of an entry that was looked up."""
    asked = replace(whose.filters, purchase_id=None, external_id=None, ids=None)
    if way != "all":
        asked = replace(asked, statuses=(), phases=(), money=None, issue=None, overdue=None)
    sides = " OR ".join(f"({_and(scope)})" for scope in scope_conditions(whose.scopes))
    statuses, phases = [f.any_status_or_shown] * bool(asked.statuses), [f.phases] * bool(asked.phases)
    return [f"({sides})", *statuses, *common(replace(asked, statuses=())), *phases]


def _entries(whose: Whose, matching: Matching, way: How, *, begun: bool) -> tuple[str, str]:
    """How the statement begins, and the entries in it, whose columns are yet to be filled in."""
    asked = whose.filters
    if way == "all":
        few = Filters(purchase_id=asked.purchase_id, external_id=asked.external_id, ids=asked.ids)
        return "WITH", _all(f.entries, [f.scope_operator, f.named, *common(few)])
    if way != "index":
        days = common(Filters(placed_from=asked.placed_from, placed_to=asked.placed_to))
        which = f.of_this_status if way == "statuses" else "true"
        return values.fitting(whose, begun=begun) + ",", _of_combinations(which, days)
    overdue = {True: f.overdue, False: f.not_overdue, None: f.overdue_or_not}[asked.overdue]
    own = _all(f.entries, [f.scope_operator, f.named, overdue, *[f.own_statuses] * bool(asked.statuses)])
    if not _also_shown(whose, matching):
        return "WITH", own
    return values.fitting(whose) + ",", f"{own}\nUNION ALL\n({_of_combinations(f.shown_only, ())})"


def _also_shown(whose: Whose, matching: Matching) -> bool:
    """Whether orders that show one of the statuses over their own are to be looked up, too."""
    return bool(whose.filters.statuses) and matching.shown_over


def _of_combinations(which: str, conditions: Sequence[str]) -> str:
    entries = _all(f.entries, [f.scope_operator, f.of_name, f.of_combination, *conditions])
    return bare(f.entries_of_combinations).replace("{entries}", entries).replace("{which}", bare(which))


def _all(text: str, conditions: Sequence[str]) -> str:
    return bare(text).replace("{conditions}", _and(conditions))


def _and(conditions: Sequence[str]) -> str:
    return " AND ".join(bare(c) for c in conditions)
