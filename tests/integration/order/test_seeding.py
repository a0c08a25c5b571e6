"""Seeded orders are orders: of every lifecycle, with timelines that verify, columns that follow, money that adds up."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from uuid import UUID

import pytest

from cli import seed_indexes
from cli.seed_rows import connected
from cli.seed_templates import COLUMNS, Text
from cli.seeding import Plan, SeedError, fill
from services.order import workflow
from services.order.store import rows
from services.order.verification import Verified, verify
from shared.postgres import Database
from tests.integration.order.conftest import MakeMarket
from tests.integration.order.market import Market
from tests.stack import StackDatabase

ORDERS = 120
LIFECYCLES = ("storefront", "loopfront", "marketpush", "lengow", "supplier")
# what only templates have: ids, times, names
TRACES = re.compile("feed0000|2001-0|@name@|seed.invalid|@external@|ORD-0")


def _same_id(number: int) -> UUID:
    """A marketplace's id that is the same in every run: what is made up for it then is the same as well."""
    return UUID(f"01900000-0000-7000-8000-{number:012x}")


async def _seeded(market: Market, database: StackDatabase) -> list[Any]:
    """Orders in the market, which gets a slug of its own to be named by."""
    slug = f"m-{market.id.hex}"
    async with market.runtime.worker_db.transaction() as tx:
        await tx.execute("UPDATE marketplace SET slug = $2 WHERE marketplace_id = $1", market.id, slug)
    await asyncio.to_thread(fill, Plan(database.admin_dsn, ORDERS, 1, slug))
    return list(await market.rows("SELECT * FROM orders WHERE marketplace_id = $1 ORDER BY placed_at", market.id))


@pytest.mark.parametrize("lifecycle", LIFECYCLES)
async def test_seeded_orders_are_what_the_engine_makes(
    make_market: MakeMarket, module_database: StackDatabase, lifecycle: str
) -> None:
    market = await make_market(lifecycle=lifecycle, marketplace_id=_same_id(LIFECYCLES.index(lifecycle)))
    found = await _seeded(market, module_database)
    loaded = workflow.builtin(lifecycle)
    for row in found:
        order = rows.order_of(row["doc"])
        derived = rows.placing(order, loaded, None, row["chain"], part=1, fingerprint=None)
        assert dict(zip(COLUMNS, derived, strict=True)) == {name: row[name] for name in COLUMNS}
        assert order.total == sum(line.total for line in order.lines) + order.shipping
        assert order.refunded <= order.paid
    numbers = [row["number"] for row in found]
    assert numbers == list(range(numbers[0], numbers[0] + ORDERS)), "in the order of their dates"
    assert len({row["status"] for row in found}) >= 3
    entries = await market.rows("SELECT entry FROM timeline WHERE marketplace_id = $1", market.id)
    assert not [t for t in [e["entry"] for e in entries] + [r["card"] + r["doc"] for r in found] if TRACES.search(t)]


async def test_seeded_timelines_verify_and_the_service_goes_on_with_the_orders(
    make_market: MakeMarket, module_database: StackDatabase
) -> None:
    market, other = await make_market(marketplace_id=_same_id(len(LIFECYCLES))), await make_market()
    found = await _seeded(market, module_database)
    own = market.shop.organisation_id
    pending = next(r for r in found if (r["status"], r["seller_org"]) == ("pending", own))
    await market.done({"order_id": str(pending["id"])}, "process", market.seller)
    db = Database(module_database.worker_dsn("order"), name="test", max_size=1)
    await db.open()
    seen = Verified()
    try:
        assert [f async for f in verify(db, marketplace_id=market.id, verified=seen)] == []
    finally:
        await db.close()
    assert seen.orders == ORDERS
    assert (await market.place())["number"] == f"ORD-{found[-1]['number'] + 2}"
    assert (await other.call("GET", "/v1/orders", other.operator)).json["items"] == []


INDEXES = "SELECT pg_get_indexdef(indexrelid) AS made FROM pg_index WHERE indrelid = 'orders'::regclass"


async def _indexes(market: Market) -> set[str]:
    return {row["made"] for row in await market.rows(INDEXES)}


@pytest.mark.parametrize("killed", [False, True])
async def test_indexes_that_many_orders_set_aside_are_there_again(
    make_market: MakeMarket, module_database: StackDatabase, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    market = await make_market()
    before = await _indexes(market)
    monkeypatch.setattr(seed_indexes, "FEWEST", ORDERS)
    conn = await connected(module_database.admin_dsn)
    try:
        await conn.execute("UPDATE pg_class SET reltuples = 0 WHERE oid = 'orders'::regclass")
        if killed:
            await seed_indexes.set_aside(conn, ORDERS)
            assert len(await _indexes(market)) < len(before) - 10
            monkeypatch.setattr(seed_indexes, "FEWEST", ORDERS + 1)
        await _seeded(market, module_database)
        assert await _indexes(market) == before
        assert await conn.fetchval("SELECT obj_description('orders'::regclass, 'pg_class')") is None
    finally:
        await conn.close()


async def test_a_marketplace_that_nobody_knows_is_refused(module_database: StackDatabase) -> None:
    with pytest.raises(SeedError, match="no marketplace 'nowhere'"):
        await asyncio.to_thread(fill, Plan(module_database.admin_dsn, 10, 1, "nowhere"))


def test_texts_with_places_are_filled() -> None:
    assert Text.of([b"100 % of ", 1, b" and ", 0, 0]).filled([b"b", b"a"]) == b"100 % of a and bb"
    assert Text.of([0]).filled([b"%s"]) == b"%s"
    assert Text.of([b"none %"]).filled([]) == b"none %"
