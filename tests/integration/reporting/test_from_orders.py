"""What the order service really tells, taken into reporting and messaging: figures and audiences fit its orders."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from pydantic import SecretStr

import contracts.catalog  # noqa: F401  registers every event class
from contracts.envelope import Received, registered
from contracts.money import Money
from deploy.embedded.process import free_port
from services.messaging.handlers import on_orders as open_threads
from services.order.app import service
from services.order.settings import Settings
from services.reporting import store
from services.reporting.handlers import on_orders as report
from shared.postgres import Database
from shared.process import running
from tests.integration.order.market import Market
from tests.issuer import serving_issuer
from tests.stack import StackDatabase

MakeMarket = Callable[..., Awaitable[Market]]


@pytest.fixture(scope="module")
async def make_market(module_database: StackDatabase) -> AsyncIterator[MakeMarket]:
    async with serving_issuer() as issuer, aiohttp.ClientSession() as http:
        settings = Settings(
            database_url=SecretStr(module_database.app_dsn("order")),
            worker_database_url=SecretStr(module_database.worker_dsn("order")),
            http_port=free_port(),
            identity_issuer=issuer.url,
        )
        async with running(service(settings), roles={"api"}) as runtime:

            async def make(**given: Any) -> Market:
                return await Market(f"http://127.0.0.1:{settings.http_port}", http, issuer, runtime, **given).open()

            yield make


@pytest.fixture(scope="module")
async def reporting(module_database: StackDatabase) -> AsyncIterator[Database]:
    db = Database(module_database.worker_dsn("reporting"), name="test")
    await db.open()
    yield db
    await db.close()


@pytest.fixture(scope="module")
async def messaging(module_database: StackDatabase) -> AsyncIterator[Database]:
    db = Database(module_database.worker_dsn("messaging"), name="test")
    await db.open()
    yield db
    await db.close()


async def told(market: Market) -> list[Received[Any]]:
    """All events that the order service has told of the marketplace's orders, as handlers get them."""
    rows = await market.rows(
        "SELECT event_id, topic, value FROM outbox WHERE marketplace_id = $1 AND topic LIKE 'order.%' ORDER BY seq",
        market.id,
    )
    return [
        Received(r["event_id"], "/ordertrail/order", datetime.now(UTC), "",
                 registered()[(r["topic"], 1)].model_validate_json(r["value"]))
        for r in rows
    ]  # fmt: skip


async def take_in(market: Market, *handlers: tuple[Database, Any]) -> list[Received[Any]]:
    """Backwards, which no broker would do, and in two batches."""
    events = await told(market)
    for db, handler in handlers:
        for batch in (events[::-2], events[::-1]):
            async with db.transaction() as tx:
                await handler(tx, batch)
    return events


async def sums(db: Database, market: Market, clock: str, table: str = "channel_day") -> dict[str, int]:
    async with db.transaction() as tx:
        row = await tx.fetchrow(
            f"""SELECT sum(gross_minor) AS gross, sum(paid_minor) AS paid, sum(refunded_minor) AS refunded,
                       sum(commission_minor) AS commission, sum(commission_reversed_minor) AS reverted,
                       sum(completed) AS completed, sum(canceled) AS canceled, sum(issues) AS issues
                FROM {table} WHERE marketplace_id = $1 AND clock = $2""",
            market.id,
            clock,
        )
    assert row is not None
    return {k: int(v or 0) for k, v in row.items()}


async def test_the_figures_are_those_of_the_orders(make_market: MakeMarket, reporting: Database) -> None:
    market = await make_market()
    orders = [await market.place(market.order(price, paid=True)) for price in ("10.00", "25.50", "99.99")]
    for action in ("process", "ship", "complete"):
        orders[0] = await market.done(orders[0], action, market.seller)
    reply = await market.call(
        "POST", f"/v1/orders/{orders[0]['order_id']}/refunds", market.operator,
        {"amount": {"amount": "5.00", "currency": "USD"}, "reason": "scratched"},
    )  # fmt: skip
    assert reply.status in (200, 201), reply.raw
    await market.done(orders[1], "cancel", market.operator)
    events = await take_in(market, (reporting, report))
    newest = {e.event.order_id: e.event.order for e in sorted(events, key=lambda e: e.event.sequence)}
    expected = {
        "gross": sum(o.totals.total.minor for o in newest.values()),
        "paid": sum(o.totals.paid.minor for o in newest.values()),
        "refunded": sum(o.totals.refunded.minor for o in newest.values()),
        "commission": sum(o.commission.amount.minor for o in newest.values()),
        "reverted": sum(o.commission.reversed.minor for o in newest.values()),
    }
    assert expected["refunded"] >= 500
    for clock in ("placed", "event"):
        found = await sums(reporting, market, clock)
        assert {k: found[k] for k in expected} == expected, clock
        assert (found["completed"], found["canceled"]) == (1, 1)
    assert await sums(reporting, market, "placed", "seller_day") == await sums(reporting, market, "placed")


async def test_an_order_that_waits_for_approval_is_nobodys_but_the_buyers(
    make_market: MakeMarket, reporting: Database, messaging: Database
) -> None:
    market = await make_market(lifecycle="supplier")
    market.buyer.limit = Money.of(1_000, "USD")
    await market.open()
    listing = await market.listing()
    reply = await market.buy(listing, "2")
    assert reply.status == 201, reply.raw
    (order,) = reply.json["orders"]
    assert order["status"] == "needs_approval"

    async def threads() -> int:
        async with messaging.transaction() as tx:
            return int(await tx.fetchval("SELECT count(*) FROM thread WHERE order_id = $1", UUID(order["order_id"])))

    await take_in(market, (reporting, report), (messaging, open_threads))
    assert (await sums(reporting, market, "placed"))["gross"] == 5_000
    assert (await sums(reporting, market, "placed", "seller_day"))["gross"] == 0
    assert await threads() == 0
    await market.done(order, "approve", market.approver)
    await take_in(market, (reporting, report), (messaging, open_threads))
    for clock in ("placed", "event"):
        assert (await sums(reporting, market, clock, "seller_day"))["gross"] == 5_000
    # by event date the seller is told of the pending order, never that it had to be approved
    async with reporting.transaction() as tx:
        told = await tx.fetchrow(
            "SELECT sum(approval) AS approval, sum(pending) AS pending FROM seller_day"
            " WHERE marketplace_id = $1 AND clock = 'event'", market.id,
        )  # fmt: skip
        by_status = await store.report_statuses(
            tx,
            market.id,
            "event",
            "all",
            date(2020, 1, 1),
            date(2100, 1, 1),
            10,
            UUID(order["seller"]["organisation_id"]),
        )
    assert told is not None
    assert (told["approval"], told["pending"]) == (0, 1)
    assert [(r["status"], r["orders"], r["value_minor"]) for r in by_status] == [("pending", 1, 5_000)]
    assert await threads() == 2


async def test_received_reused_goods_save(make_market: MakeMarket, reporting: Database) -> None:
    market = await make_market(lifecycle="loopfront")
    listing = await market.listing(kg_per_unit="12.5", material="Steel", delivery_mode="pickup")
    reply = await market.buy(listing, "2")
    assert reply.status == 201, reply.raw
    (order,) = reply.json["orders"]
    for action in ("accept", "mark_ready", "confirm"):
        order = await market.done(order, action, market.seller)
    assert order["status"] == "received"
    await take_in(market, (reporting, report))
    async with reporting.transaction() as tx:
        rows = await tx.fetch("SELECT * FROM saving_day WHERE marketplace_id = $1 ORDER BY side", market.id)
    assert [(r["side"], r["orders"], r["grams"]) for r in rows] == [("buyer", 1, 25_000), ("seller", 1, 25_000)]
    assert rows[0]["co2e_grams"] == round(25 * 2.85492 * 0.5 * 1_000)
