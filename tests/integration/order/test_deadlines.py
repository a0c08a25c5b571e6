"""What is due by the clock: once, after restarts, after days without a clock, and with several clocks at once."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from deploy.embedded.process import free_port
from services.order.app import service
from services.order.deadlines import fire_due
from services.order.settings import Settings
from shared.process import Runtime, running
from tests.integration.order.market import Market
from tests.issuer import TokenIssuer
from tests.stack import StackDatabase
from tests.waiting import until


class Clock:
    """A clock that the test sets; tokens go by the real one, so it starts there."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


Start = Callable[..., Any]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(module_database: StackDatabase, issuer: TokenIssuer, clock: Clock) -> Start:
    """`async with start({"api"}) as runtime`: the service with the test's clock, started anew."""

    @asynccontextmanager
    async def begun(roles: set[str]) -> AsyncIterator[Runtime]:
        settings = Settings(
            database_url=SecretStr(module_database.app_dsn("order")),
            worker_database_url=SecretStr(module_database.worker_dsn("order")),
            http_port=free_port(), identity_issuer=issuer.url, timer_seconds=0.05,
        )  # fmt: skip
        async with running(service(settings, clock), roles=roles) as runtime:
            yield runtime

    return begun


async def _market(runtime: Runtime, issuer: TokenIssuer, http: aiohttp.ClientSession, **given: Any) -> Market:
    return await Market(f"http://127.0.0.1:{runtime.settings.http_port}", http, issuer, runtime, **given).open()


async def _actions(market: Market, order: Any) -> list[str]:
    return [e["change"]["action"] for _, e in await market.events(order)]


async def test_overdue_orders_are_flagged_and_told_once(
    start: Start, clock: Clock, issuer: TokenIssuer, http: aiohttp.ClientSession
) -> None:
    async with start({"api"}) as runtime:
        market = await _market(runtime, issuer, http)
        order = await market.place()
        assert await fire_due(runtime) == 0
        clock.forward(hours=24, seconds=1)
        await fire_due(runtime)
        assert await _actions(market, order) == ["place", "acknowledge_due"]
        assert (await market.get(order, market.seller))["deadlines"][0]["overdue"] is False
        clock.forward(hours=24)
        for _ in range(3):
            await fire_due(runtime)
        assert await _actions(market, order) == ["place", "acknowledge_due", "acknowledge_overdue"]
        listed = await market.call("GET", "/v1/orders?overdue=true", market.seller)
        assert [o["order_id"] for o in listed.json["items"]] == [order["order_id"]]
        assert (await market.get(order, market.seller))["status"] == "pending"
        await market.done(order, "process", market.seller)
        listed = await market.call("GET", "/v1/orders?overdue=true", market.seller)
        assert listed.json["items"] == []


async def test_what_only_the_seller_has_to_begin_is_no_deadline_for_the_buyer(
    start: Start, clock: Clock, issuer: TokenIssuer, http: aiohttp.ClientSession
) -> None:
    """storefront page: acknowledging is the seller's, told to seller and owner; buyers are kept informed of delays."""
    async with start({"api"}) as runtime:
        market = await _market(runtime, issuer, http, settings={"ship_within_days": "4"})
        late = await market.place()
        clock.forward(days=2, hours=1)
        unbegun = [await market.place() for _ in range(3)]
        clock.forward(days=2)
        on_time = await market.place()
        await fire_due(runtime)
        await fire_due(runtime)

        # the filter goes by the order's one flag; what is shown, by the deadlines that concern the side
        for who in (market.seller, market.operator, market.buyer_admin):
            listed = await market.call("GET", "/v1/orders?overdue=true&sort=placed_at", who)
            assert [o["order_id"] for o in listed.json["items"]] == [o["order_id"] for o in (late, *unbegun)]
            assert [o["overdue"] for o in listed.json["items"]] == [True, *[who is not market.buyer_admin] * 3]
            assert all("overdue_to" not in o for o in listed.json["items"])
            exported = await market.call("GET", "/v1/orders/export?format=csv&sort=placed_at", who)
            told = [row["overdue"] for row in csv.DictReader(exported.raw.decode("utf-8-sig").splitlines())]
            assert [t.lower() in ("true", "yes") for t in told] == [True, *[who is not market.buyer_admin] * 3, False]
            listed = await market.call("GET", "/v1/orders?overdue=false", who)
            assert [o["order_id"] for o in listed.json["items"]] == [on_time["order_id"]]
        seen = {w.name: await market.get(unbegun[0], w) for w in (market.seller, market.operator, market.buyer_admin)}
        assert [[d["name"] for d in o["deadlines"]] for o in seen.values()] == [
            ["acknowledge", "ship"], ["acknowledge", "ship"], ["ship"]
        ]  # fmt: skip
        assert [d["overdue"] for d in (await market.get(late, market.buyer_admin))["deadlines"]] == [True]


async def test_a_clock_that_was_off_for_days_tells_each_thing_once(
    start: Start, clock: Clock, issuer: TokenIssuer, http: aiohttp.ClientSession
) -> None:
    async with start({"api"}) as runtime:
        market = await _market(runtime, issuer, http)
        order = await market.place()
    clock.forward(days=9)
    async with start({"api"}) as runtime:
        market.runtime = runtime
        for _ in range(3):
            await fire_due(runtime)
        assert await _actions(market, order) == ["place", "acknowledge_overdue", "ship_overdue"]


async def test_several_clocks_fire_each_order_once(
    start: Start, clock: Clock, issuer: TokenIssuer, http: aiohttp.ClientSession
) -> None:
    async with start({"api"}) as one, start({"api"}) as two, start({"api"}) as three:
        market = await _market(one, issuer, http)
        orders = await asyncio.gather(*(market.place() for _ in range(20)))
        clock.forward(hours=25)
        await asyncio.gather(*(fire_due(r) for r in (one, two, three) for _ in range(2)))
        for order in orders:
            assert await _actions(market, order) == ["place", "acknowledge_due"]


async def test_the_worker_closes_by_itself_after_a_restart(
    start: Start, clock: Clock, issuer: TokenIssuer, http: aiohttp.ClientSession
) -> None:
    given = {"lifecycle": "marketpush", "currency": "GBP", "settings": {"auto_close_days": "3"}}
    async with start({"api"}) as runtime:
        market = await _market(runtime, issuer, http, **given)
        order = await market.place(market.order(paid=True))
        for action, who in (("accept", market.seller), ("ship", market.seller), ("receive", market.buyer_admin)):
            order = await market.done(order, action, who)
        assert order["status"] == "received"
    clock.forward(days=3, seconds=1)
    async with start({"worker"}) as runtime:
        market.runtime = runtime

        async def closed() -> bool:
            rows = await market.rows("SELECT status FROM orders WHERE id = $1", order["order_id"])
            return bool(rows[0]["status"] == "closed")

        await until(closed)
        assert (await _actions(market, order)).count("close") == 1


async def test_an_order_that_cannot_be_handled_holds_no_other_up(
    start: Start, clock: Clock, issuer: TokenIssuer, http: aiohttp.ClientSession, module_database: StackDatabase
) -> None:
    async with start({"api"}) as runtime:
        market = await _market(runtime, issuer, http)
        broken, whole = await market.place(), await market.place()
        async with runtime.worker_db.transaction() as tx:
            await tx.execute("UPDATE orders SET lifecycle_version = 99, doc = '{}' WHERE id = $1", broken["order_id"])
        clock.forward(hours=25)
        await fire_due(runtime)
        assert await _actions(market, whole) == ["place", "acknowledge_due"]
        ((timer_at,),) = await market.rows("SELECT timer_at FROM orders WHERE id = $1", broken["order_id"])
        assert timer_at > clock()
        async with runtime.worker_db.transaction() as tx:
            await tx.execute("UPDATE orders SET timer_at = NULL WHERE id = $1", broken["order_id"])
