"""The order list: from filters to one statement that an index answers, however many orders there are.

Each status, each phase and each side of the caller is a branch of its own with its own limit, because one index scan
per value stays in the wanted order while `status IN (...)` would have to sort everything it finds. See
docs/decisions/0021.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from services.order.schemas import Scope
from services.order.store.texts import fold
from shared.postgres import Queries, Transaction


class Parts:
    """The parts of filters.sql by name. Not Queries: none of them is a statement that could be prepared."""

    def __init__(self, texts: Queries) -> None:
        self._texts = texts

    def __getattr__(self, name: str) -> str:
        found: str = getattr(self._texts, name)
        return found


q: Final = Queries.load("services.order", "lists.sql")
f: Final = Parts(Queries.load("services.order", "filters.sql"))
Sort = Literal["placed_at", "-placed_at", "total", "-total", "status", "-status"]
# Up to so many orders with a word in them, and names with it, are looked up one by one; a word in more is found by
# walking a list.
MOST_FOUND: Final = 1_000
MOST_NAMES: Final = 200
SHORTEST_WORD: Final = 3
_NAME: Final = re.compile(r"(?<![:\w]):([a-z_]+)")
_ID: Final = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_NUMBER: Final = re.compile(r"^#?(?:ord-?)?([0-9]{1,15})$")
_TYPES: Final[Mapping[str, str]] = {
    "marketplace": "uuid", "own_seller": "uuid", "own_buyer": "uuid", "own_person": "uuid", "status": "text",
    "statuses": "text[]", "phase": "text", "phases": "text[]", "channel": "text", "seller": "uuid", "buyer": "uuid",
    "money": "text", "issue": "text", "purchase": "uuid", "ids": "uuid[]", "external": "text",
    "placed_from": "timestamptz", "placed_to": "timestamptz", "found": "uuid[]", "number": "bigint",
    "pattern": "text", "customer": "text", "own_status": "text", "words": "text[]", "most": "bigint", "limit": "bigint",
    "walked": "bigint", "names": "text[]", "text": "text", "parts": "text[]", "enough": "bigint", "outside": "bigint",
    "looked_at": "bigint", "frequent": "float8", "most_names": "int", "most_found": "int",
}  # fmt: skip
AFTER_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "placed_at": ("timestamptz", "uuid"),
    "total": ("bigint", "uuid"),
    "status": ("text", "timestamptz", "uuid"),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to. Empty or None: not at all. `placed_to` is exclusive."""

    statuses: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    q: str | None = None
    customer: str | None = None
    channel: str | None = None
    seller: UUID | None = None
    buyer: UUID | None = None
    money: str | None = None
    issue: str | None = None
    purchase_id: UUID | None = None
    ids: tuple[UUID, ...] | None = None
    external_id: str | None = None
    placed_from: datetime | None = None
    placed_to: datetime | None = None
    overdue: bool | None = None
    sort: Sort = "-placed_at"


@dataclass(frozen=True, slots=True)
class Statement:
    """`in_order`: it walks lists in their order, which the planner is to take, however long it expects that to be; None
    where that makes no difference."""

    sql: str
    args: tuple[Any, ...]
    in_order: bool | None = False


class Parameters:
    """Numbers the `:name` parameters of fragments in the order in which they come."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[tuple[str, Any], str] = {}

    def fill(self, fragment: str, values: Mapping[str, Any]) -> str:
        return _NAME.sub(lambda m: self._place(m[1], values[m[1]]), bare(fragment))

    def _place(self, name: str, value: Any) -> str:
        value, kind = value if name in ("a", "b", "c") else (value, _TYPES[name])
        key = (kind, tuple(value) if isinstance(value, list) else value)
        if key not in self._places:
            self.values.append(value)
            self._places[key] = f"${len(self.values)}::{kind}"
        return self._places[key]


def bare(fragment: str) -> str:
    return "\n".join(line for line in fragment.splitlines() if not line.startswith("--"))


@dataclass(frozen=True, slots=True)
class Words:
    """What the free text of a search comes to: conditions and their values."""

    conditions: tuple[str, ...] = ()
    values: Mapping[str, Any] | None = None

    def and_(self, other: Words) -> Words:
        return Words((*self.conditions, *other.conditions), {**(self.values or {}), **(other.values or {})})


@dataclass(frozen=True, slots=True)
class Needle:
    """What free text asks for: a folded text, perhaps an order number, perhaps of the customer only, or one order."""

    text: str
    number: int | None = None
    customer: str | None = None
    order_id: UUID | None = None

    @property
    def pattern(self) -> str:
        return pattern(self.text)

    @property
    def values(self) -> dict[str, Any]:
        given = {"number": self.number, "customer": self.customer and pattern(_begun(self.customer))}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def is_of_name(self) -> bool:
        """Whether nothing else has to hold of an order whose customer's name has the text."""
        return self.customer in (None, self.text.lstrip())

    @property
    def conditions(self) -> tuple[str, ...]:
        """What has to hold beside the text's being there."""
        return (f.customer_containing,) if self.customer else ()

    def among(self, ids: Sequence[UUID]) -> Words:
        """The orders of these ids, and the one of the number."""
        found = f.found_or_number if self.number is not None else f.found
        return Words((*self.conditions, found), {**self.values, "found": list(ids)})


def among(ids: Sequence[UUID]) -> Words:
    """The orders of these ids."""
    return Words((f.found,), {"found": list(ids)})


def needle_of(filters: Filters) -> Needle | None:
    """None where no free text is asked for."""
    words, customer = fold(filters.q), fold(filters.customer) or None
    text = words or customer
    if not text:
        return None
    if words and _ID.match(text):
        return Needle(text, customer=customer, order_id=UUID(text))
    number = _NUMBER.match(text) if words else None
    text = _begun(text)
    return Needle(text, int(number[1]) if number else None, customer)


def _begun(text: str) -> str:
    """One or two letters are the beginning of a word: with the space before them the index finds them."""
    return f" {text}" if len(text) < SHORTEST_WORD else text


async def words_of(tx: Transaction, filters: Filters) -> Words:
    """Look the words of a whole list up (for exports): in few orders they become ids, in many a pattern."""
    needle = needle_of(filters)
    if needle is None:
        return Words()
    if needle.order_id is not None:
        return needle.among([needle.order_id])
    found = few(await tx.fetchrow(q.matching, needle.text, MOST_NAMES + 1, MOST_FOUND + 1, needle.text))
    if found is not None:
        named = await tx.fetch(q.orders_of_names, tx.marketplace_id, found.names, MOST_FOUND + 1) if found.names else ()
        if len(named) <= MOST_FOUND:
            return needle.among([*found.ids, *(r["id"] for r in named)])
    containing = f.containing_or_number if needle.number is not None else f.containing
    return Words((*needle.conditions, containing), {**needle.values, "pattern": needle.pattern})


@dataclass(frozen=True, slots=True)
class Matching:
    """What has a text: names of customers, and orders that have it, but not in their customer's name only; and whether
    any order shows one of the statuses that are asked for over its own."""

    names: Sequence[str]
    ids: Sequence[UUID]
    shown_over: bool


def few(row: Any) -> Matching | None:
    """What a statement says to have the text, unless that is too much."""
    # a name may be kept twice
    names = list(dict.fromkeys(row["names"]))
    fits = not row["frequent"] and len(row["names"]) <= MOST_NAMES and len(row["ids"]) <= MOST_FOUND
    return Matching(names, row["ids"], row["shown_over"]) if fits else None


def pattern(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


@dataclass(frozen=True, slots=True)
class Whose:
    """A list as somebody asks for it: whose orders, narrowed to what."""

    marketplace_id: UUID
    scopes: Sequence[Scope]
    filters: Filters


def statement(
    marketplace_id: UUID,
    scopes: Sequence[Scope],
    filters: Filters,
    words: Words,
    *,
    after: tuple[Any, ...] | None = None,
    limit: int | None = None,
) -> Statement:
    """The list as one statement. Without `limit` all of it, in order (for exports).

    What is among a few ids is looked at as it is; of anything else only the page's own orders are.
    """
    parameters = Parameters()
    whose = Whose(marketplace_id, scopes, filters)
    if "found" in (words.values or {}):
        values = Words(
            (f.of_any_status,) * bool(filters.statuses) + (f.phases,) * bool(filters.phases),
            {"statuses": list(filters.statuses), "phases": list(filters.phases)},
        )
        few = replace(whose, filters=replace(filters, statuses=(), phases=()))
        sql = listed(parameters, few, values.and_(words), after, limit, (f.branch, f.page))
    elif limit is None:
        sql = listed(parameters, whose, words, after, limit, (f.branch, f.page))
    else:
        texts = (getattr(f, "keys_" + filters.sort.removeprefix("-")), f.keys_page)
        sql = page_of(listed(parameters, whose, words, after, limit, texts), filters)
    return Statement(sql, tuple(parameters.values))


def walked(whose: Whose, after: tuple[Any, ...] | None, limit: int, most: int) -> Statement:
    """The page of a list by date or amount, as far as it is among the first `most` orders after `after`."""
    parameters, filters = Parameters(), whose.filters
    sort = filters.sort.removeprefix("-")
    whole = Filters(seller=filters.seller, buyer=filters.buyer, sort=filters.sort)
    outside = replace(filters, seller=None, buyer=None, statuses=())
    if sort == "placed_at":
        whole = replace(whole, placed_from=filters.placed_from, placed_to=filters.placed_to)
        outside = replace(outside, placed_from=None, placed_to=None)
    walk = listed(parameters, replace(whose, filters=whole), Words(), after, most, (f.walked, f.walked_page))
    values = {**values_of(replace(whose, scopes=())), "limit": limit}
    conditions = common(outside)
    conditions += [f.any_status] * bool(filters.statuses) + [f.phases] * bool(filters.phases)
    by = bare(getattr(f, "order_" + sort_name(filters.sort))).replace("{t}", "o")
    keys = bare(f.keys_walked).replace("{conditions}", " AND ".join(parameters.fill(c, values) for c in conditions))
    keys = keys.replace("{columns}", "o.id, o." + ("total_minor" if sort == "total" else sort))
    keys = keys.replace("{walk}", walk).replace("{order}", by) + parameters.fill(" LIMIT :limit", values)
    return Statement(page_of(keys, filters), tuple(parameters.values), in_order=True)


def page_of(keys: str, filters: Filters) -> str:
    by = bare(getattr(f, "order_" + sort_name(filters.sort))).replace("{t}", "k")
    return bare(f.page_of_keys).replace("{keys}", keys).replace("{order}", by)


def listed(
    parameters: Parameters, whose: Whose, words: Words, after: tuple[Any, ...] | None, limit: int | None,
    texts: tuple[str, str],
) -> str:  # fmt: skip
    """The list with the columns of `texts`: those of one branch, and of several put together."""
    filters, after = tightest(whose.filters, after)
    by = bare(getattr(f, "order_" + sort_name(filters.sort)))
    values = values_of(replace(whose, filters=filters)) | dict(words.values or {})
    shared = common(filters) + list(words.conditions)
    if after is not None:
        shared.append(getattr(f, "after_" + sort_name(filters.sort)))
        kinds = AFTER_TYPES[filters.sort.removeprefix("-")]
        values |= {name: (v, kind) for name, v, kind in zip("abc", after, kinds, strict=False)}
    tail = ""
    if limit is not None:
        values["limit"] = limit
        tail = parameters.fill(" LIMIT :limit", values)
    branches = []
    for scope in scope_conditions(whose.scopes):
        for own, own_values in _value_branches(filters):
            conditions = " AND ".join(parameters.fill(c, {**values, **own_values}) for c in (*scope, *own, *shared))
            branches.append(bare(texts[0]).replace("{conditions}", conditions))
    if len(branches) == 1:
        return f"{branches[0]}\nORDER BY {by.replace('{t}', 'o')}{tail}"
    ordered = [f"({b}\nORDER BY {by.replace('{t}', 'o')}{tail})" for b in branches]
    ordered = ordered if limit is not None else branches
    sql = bare(texts[1]).replace("{branches}", "\nUNION ALL\n".join(ordered)).replace("{order}", by.replace("{t}", "u"))
    return sql + tail


def tightest(filters: Filters, after: tuple[Any, ...] | None) -> tuple[Filters, tuple[Any, ...] | None]:
    """Of a date and a cursor that bound the same end of a list by date only the one that counts.

    An index scan begins at one bound; with the other one it would walk from the wrong place.
    """
    if after is None or filters.sort.removeprefix("-") != "placed_at":
        return filters, after
    if filters.sort == "placed_at" and filters.placed_from is not None:
        return (replace(filters, placed_from=None), after) if after[0] >= filters.placed_from else (filters, None)
    if filters.sort == "-placed_at" and filters.placed_to is not None:
        return (replace(filters, placed_to=None), after) if after[0] < filters.placed_to else (filters, None)
    return filters, after


def sort_name(sort: str) -> str:
    return sort.removeprefix("-") + ("_desc" if sort.startswith("-") else "")


def values_of(whose: Whose) -> dict[str, Any]:
    filters, scopes = whose.filters, whose.scopes
    values: dict[str, Any] = {
        "marketplace": whose.marketplace_id,
        "channel": filters.channel,
        "seller": filters.seller,
        "buyer": filters.buyer,
        "money": filters.money,
        "issue": filters.issue,
        "purchase": filters.purchase_id,
        "ids": list(filters.ids or ()),
        "external": filters.external_id,
        "placed_from": filters.placed_from,
        "placed_to": filters.placed_to,
        "phases": list(filters.phases),
        "statuses": list(filters.statuses),
    }
    for scope in scopes:
        if scope.side == "seller":
            values["own_seller"] = scope.organisation_id
        if scope.side == "buyer":
            values |= {"own_buyer": scope.organisation_id, "own_person": scope.person_id}
    return values


def scope_conditions(scopes: Sequence[Scope]) -> list[tuple[str, ...]]:
    """One tuple of conditions per side of the caller; an order on both sides is found on the first only."""
    found: list[tuple[str, ...]] = []
    for scope in scopes:
        if scope.side == "operator":
            found.append((f.scope_operator,))
        elif scope.side == "seller":
            found.append((f.scope_seller,))
        else:
            own = f.scope_buyer if scope.person_id is None else f.scope_person
            found.append((own, f.not_scope_seller) if len(scopes) > 1 else (own,))
    return found


def _value_branches(filters: Filters) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
    """One branch per status (its own, and where it is shown over another), or else per phase."""
    if filters.statuses:
        return [((c,), {"status": s}) for s in filters.statuses for c in (f.status, f.shown)]
    if filters.phases:
        return [((f.phase,), {"phase": p}) for p in filters.phases]
    return [((), {})]


def common(filters: Filters) -> list[str]:
    conditions = [
        (filters.channel, f.channel),
        (filters.seller, f.seller),
        (filters.buyer, f.buyer),
        (filters.money, f.money),
        (filters.issue, f.issue if filters.issue == "none" else f.some_issue),
        (filters.purchase_id, f.purchase),
        (filters.ids is not None, f.ids),
        (filters.external_id, f.external),
        (filters.placed_from, f.placed_from),
        (filters.placed_to, f.placed_to),
        (filters.overdue, f.overdue),
        (filters.overdue is False, f.not_overdue),
        (filters.phases and filters.statuses, f.phases),
    ]
    return [sql for wanted, sql in conditions if wanted]


def stream(tx: Transaction, wanted: Statement, prefetch: int = 500) -> AsyncIterator[Any]:
    return tx.stream(wanted.sql, *wanted.args, prefetch=prefetch)
