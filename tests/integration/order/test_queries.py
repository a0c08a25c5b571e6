"""Every query and every combination of list filters is one that PostgreSQL takes, on the migrated schema."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.order.schemas import Scope
from services.order.store import listings, search, values, walks
from services.order.store.orders import q
from services.order.store.search import Filters, Needle, Statement, Whose, Words
from shared.ids import new_id
from shared.postgres.database import connect
from tests.stack import StackDatabase

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SCOPES = [
    [Scope("operator")],
    [Scope("seller", new_id())],
    [Scope("buyer", new_id())],
    [Scope("buyer", new_id(), new_id())],
    [Scope("seller", new_id()), Scope("buyer", new_id())],
]
FILTERS = [
    {},
    {"statuses": ("pending",)},
    {"statuses": ("pending", "refunded"), "phases": ("pending",)},
    {"phases": ("pending", "preparing")},
    {"channel": "shopify", "overdue": True, "placed_from": NOON, "placed_to": NOON},
    {"seller": new_id(), "buyer": new_id(), "money": "paid", "issue": "open", "overdue": False},
    {"purchase_id": new_id(), "external_id": "x"},
]
WORDS = [
    Words(),
    Words((search.f.found,), {"found": [new_id()]}),
    Words((search.f.found_or_number,), {"found": [new_id()], "number": 7}),
    Words((search.f.containing_or_number, search.f.customer_containing),
          {"pattern": "%a%", "number": 7, "customer": "%a%"}),
]  # fmt: skip
AFTER: dict[str, tuple[Any, ...]] = {
    "placed_at": (NOON, new_id()),
    "total": (7, new_id()),
    "status": ("pending", NOON, new_id()),
}


QUERIES = {**q.items(), **listings.q.items(), **search.q.items()}


@pytest.mark.parametrize("name", sorted(QUERIES))
async def test_every_query_is_one(module_database: StackDatabase, name: str) -> None:
    conn = await connect(module_database.worker_dsn("order"), name="test")
    try:
        await conn.prepare(QUERIES[name])
    finally:
        await conn.close()


def _found(whose: Whose, after: tuple[Any, ...] | None) -> Iterator[Statement]:
    """Pages by combinations of values, whatever the index begins with, and walks that look for a text."""
    if values.fits(whose):
        leads = values.leads(whose)
        yield values.page(whose, after, 51)
        yield from (values.page(whose, after, 51, lead) for lead in leads)
        yield from (values.led(whose, lead) for lead in leads)
    needle = Needle("a name", customer="name")
    if whose.filters.sort.endswith("status"):
        yield walks.hits_by_status(whose, needle, after, 51)
    else:
        yield walks.hits(whose, needle, after, 51, walked=1_000)


async def test_every_combination_of_filters_is_one_statement(module_database: StackDatabase) -> None:
    conn = await connect(module_database.app_dsn("order"), name="test")
    try:
        for scopes, fields, words, (sort, after) in itertools.product(SCOPES, FILTERS, WORDS, AFTER.items()):
            for direction, following, limit in (("", None, 51), ("-", after, 51), ("-", None, None)):
                filters = Filters(**fields, sort=f"{direction}{sort}")  # type: ignore[arg-type]  # fields by name
                whose = Whose(UUID(int=1), scopes, filters)
                wanted = search.statement(UUID(int=1), scopes, filters, words, after=following, limit=limit)
                found = () if limit is None or words != WORDS[0] else _found(whose, following)
                for each in (wanted, *found):
                    statement = await conn.prepare(each.sql)
                    assert len(statement.get_parameters()) == len(each.args)
    finally:
        await conn.close()
