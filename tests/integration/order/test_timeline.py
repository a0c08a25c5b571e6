"""The timeline cannot be changed by the service, and a change by anybody else is found."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from services.order.verification import Fault, Verified, verify
from shared.postgres import Database
from shared.postgres.database import connect
from tests.integration.order.market import Market
from tests.stack import StackDatabase


@pytest.fixture
async def worker(module_database: StackDatabase) -> AsyncIterator[Database]:
    db = Database(module_database.worker_dsn("order"), name="test", max_size=1)
    await db.open()
    yield db
    await db.close()


@pytest.fixture
async def owner(module_database: StackDatabase) -> AsyncIterator[asyncpg.Connection]:
    """Somebody with every right: what row-level security and grants cannot hold back."""
    conn = await connect(module_database.admin_dsn, name="test")
    await conn.execute("SET search_path = orders, public")
    yield conn
    await conn.close()


async def _order(market: Market) -> Any:
    order = await market.place()
    await market.done(order, "process", market.seller)
    await market.done(order, "add_note", market.seller, {"text": "fragile"})
    return await market.done(order, "ship", market.seller)


async def _faults(worker: Database, market: Market) -> list[Fault]:
    return [f async for f in verify(worker, marketplace_id=market.id)]


async def test_whole_timelines_verify(market: Market, worker: Database) -> None:
    for _ in range(3):
        await _order(market)
    seen = Verified()
    assert [f async for f in verify(worker, marketplace_id=market.id, verified=seen)] == []
    assert (seen.orders, seen.entries) == (3, 12)


@pytest.mark.parametrize("verb", ["UPDATE timeline SET entry = '{}'", "DELETE FROM timeline", "TRUNCATE timeline"])
async def test_the_service_cannot_change_an_entry(market: Market, verb: str) -> None:
    await market.place()
    async with market.runtime.db.tenant(market.id) as tx:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tx.execute(verb)
    async with market.runtime.worker_db.transaction() as tx:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tx.execute(verb)


@pytest.mark.parametrize(
    ("tampering", "sequence", "reason"),
    [
        ("UPDATE timeline SET entry = replace(entry, 'Sam Seller', 'Sid Seller') WHERE order_id = $1 AND sequence = 2",
         2, "hash"),
        ("DELETE FROM timeline WHERE order_id = $1 AND sequence = 2", 2, "missing"),
        ("DELETE FROM timeline WHERE order_id = $1 AND sequence = 4", 4, "4 changes"),
        ("UPDATE timeline SET audience = '{operator}' WHERE order_id = $1 AND sequence = 3", 3, "columns"),
        ("UPDATE timeline t SET entry = o.entry, hash = o.hash FROM timeline o"
         " WHERE t.order_id = $1 AND o.order_id = $1 AND t.sequence = 2 AND o.sequence = 3", 2, "hash"),
        ("UPDATE orders SET status = 'completed' WHERE id = $1", 4, "says otherwise"),
        ("UPDATE orders SET chain = sha256('x') WHERE id = $1", 4, "own hash"),
    ],
)  # fmt: skip
async def test_tampering_is_found_where_it_happened(
    market: Market, worker: Database, owner: asyncpg.Connection, tampering: str, sequence: int, reason: str
) -> None:
    order = await _order(market)
    untouched = await _order(market)
    await owner.execute(tampering, order["order_id"])
    (fault,) = await _faults(worker, market)
    assert (str(fault.order_id), fault.sequence) == (order["order_id"], sequence)
    assert reason in fault.reason
    assert untouched["number"] != fault.number


async def test_every_change_is_one_entry_and_one_event(market: Market) -> None:
    order = await _order(market)
    entries = (await market.call("GET", f"/v1/orders/{order['order_id']}/timeline", market.operator)).json["items"]
    rows = await market.rows("SELECT event_id FROM outbox WHERE key = $1 ORDER BY seq", order["order_id"])
    assert [e["event_id"] for e in entries] == [str(r["event_id"]) for r in rows]
    assert [e["sequence"] for e in entries] == [1, 2, 3, 4]


async def test_the_timeline_has_pages(market: Market) -> None:
    order = await _order(market)
    path = f"/v1/orders/{order['order_id']}/timeline?limit=3"
    first = (await market.call("GET", path, market.seller)).json
    second = (await market.call("GET", f"{path}&cursor={first['next_cursor']}", market.seller)).json
    assert [e["sequence"] for e in first["items"] + second["items"]] == [1, 2, 3, 4]
    assert second["next_cursor"] is None
