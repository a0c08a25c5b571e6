"""Every query and every combination of list filters is one that PostgreSQL takes, on the migrated schema."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.order.schemas import Scope
from services.order.store import listings, search
from services.order.store.orders import q
from services.order.store.search import Filters, Words
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
    Words((search.f.own_status, search.f.over_any), {"own_status": "pending", "statuses": ["refunded"]}),
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


async def test_every_combination_of_filters_is_one_statement(module_database: StackDatabase) -> None:
    conn = await connect(module_database.app_dsn("order"), name="test")
    try:
        for scopes, fields, words, (sort, after) in itertools.product(SCOPES, FILTERS, WORDS, AFTER.items()):
            for direction, following, limit in (("", None, 51), ("-", after, 51), ("-", None, None)):
                filters = Filters(**fields, sort=f"{direction}{sort}")  # type: ignore[arg-type]  # fields by name
                wanted = search.statement(UUID(int=1), scopes, filters, words, after=following, limit=limit)
                statement = await conn.prepare(wanted.sql)
                assert len(statement.get_parameters()) == len(wanted.args)
    finally:
        await conn.close()
