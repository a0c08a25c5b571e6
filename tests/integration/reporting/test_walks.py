"""Many legal actions in each lifecycle, taken into reporting in any order and twice: the figures are the orders' own.

Longer walks: ORDERTRAIL_TEST_WALKS=seeds,orders,steps.
"""

from __future__ import annotations

import csv
import io
import os
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from pydantic import SecretStr

from contracts.envelope import Received
from contracts.order import OrderEvent
from deploy.embedded.process import free_port
from services.order.app import service
from services.order.settings import Settings
from services.order.workflow import BUILTIN
from services.reporting.handlers import on_members
from shared.ids import new_id
from shared.process import running
from tests.integration.order.market import Market
from tests.integration.reporting.conftest import Desk
from tests.integration.reporting.expected import MONEY, Seen, day, minor, rates, savings, summed
from tests.integration.reporting.test_from_orders import told
from tests.integration.reporting.walk import Hands, Walk
from tests.issuer import serving_issuer
from tests.stack import StackDatabase
from tests.waiting import until

SEEDS, ORDERS, STEPS = (int(n) for n in os.environ.get("ORDERTRAIL_TEST_WALKS", "1,3,18").split(","))
ZONE = "Europe/Oslo"
PERIOD = "from=2026-01-01&to=2027-12-31"
MakeWalk = Callable[[str, int], Awaitable[Walk]]


@pytest.fixture(scope="module")
async def make_walk(module_database: StackDatabase) -> AsyncIterator[MakeWalk]:
    async with serving_issuer() as issuer, aiohttp.ClientSession() as http:
        settings = Settings(
            database_url=SecretStr(module_database.app_dsn("order")),
            worker_database_url=SecretStr(module_database.worker_dsn("order")),
            http_port=free_port(),
            identity_issuer=issuer.url,
        )
        async with running(service(settings), roles={"api"}) as runtime:

            async def make(lifecycle: str, seed: int) -> Walk:
                runtime.clock = hands = Hands()
                market = Market(
                    f"http://127.0.0.1:{settings.http_port}", http, issuer, runtime, lifecycle=lifecycle,
                    settings={"operator_may_process": "true"},
                )  # fmt: skip
                return await Walk(market, hands, seed).open()

            yield make


async def live_in_zone(desk: Desk, market: Market) -> None:
    """Reporting learns of the marketplace as identity tells it, and counts in days of its zone."""
    event = market.member_changed(market.operator)
    place = event.marketplace.model_copy(update={"time_zone": ZONE})
    event = event.model_copy(update={"marketplace": place})
    async with desk.runtime.worker_db.transaction() as tx:
        await on_members(tx, [Received(new_id(), "/test", datetime.now(UTC), "", event)])

    async def moved() -> bool:
        found = (await desk.get(market.id, f"/v1/reports/summary?{PERIOD}"))[1]
        return bool(found["period"]["time_zone"] == ZONE)

    await until(moved, what="the marketplace's zone to count")


async def take_in(desk: Desk, events: Sequence[OrderEvent], seed: int) -> None:
    """In any order, in batches of any size, and a part of them again."""
    chance = random.Random(seed)
    coming = [*events, *chance.sample(events, len(events) // 3)]
    near = [(n + chance.random() * chance.choice([0, 3, 400]), e) for n, e in enumerate(coming)]
    await desk.project([e for _, e in sorted(near, key=lambda pair: pair[0])], chance.choice([1, 7, 100]))


async def seen(market: Market) -> list[Seen]:
    found = []
    for row in await market.rows("SELECT id FROM orders WHERE marketplace_id = $1", market.id):
        path = f"/v1/orders/{row['id']}"
        order = (await market.call("GET", path, market.operator)).json
        timeline = (await market.call("GET", f"{path}/timeline?limit=100", market.operator)).json
        assert timeline["next_cursor"] is None
        seller = market.seller if order["seller"]["name"] == "Shop" else market.seller2
        known = (await market.call("GET", path, seller)).status == 200
        found.append(Seen(order, timeline["items"], known))
    return found


def money_of(figures: Any) -> dict[str, int]:
    return {"orders": figures["orders"], **{name: minor(figures[name]) for name in MONEY}}


async def report(desk: Desk, market: Market, name: str, **given: str) -> Any:
    query = "&".join([PERIOD, *(f"{k}={v}" for k, v in given.items())])
    status, found = await desk.get(market.id, f"/v1/reports/{name}?{query}")
    assert status == 200, found
    return found


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("lifecycle", BUILTIN)
async def test_the_figures_are_the_orders_own(desk: Desk, make_walk: MakeWalk, lifecycle: str, seed: int) -> None:
    walk = await make_walk(lifecycle, seed)
    market = walk.market
    await live_in_zone(desk, market)
    for n in range(STEPS):
        if n < ORDERS or n % (STEPS // ORDERS) == 0:
            await walk.place()
        await walk.step()
    assert sum(walk.done.values()) > STEPS // 4, walk.done
    events = [r.event for r in await told(market)]
    await take_in(desk, events, seed)
    orders = await seen(market)
    await same_by_placed(desk, market, orders)
    await same_by_event(desk, market, orders, events)
    await same_by_seller(desk, market, orders)
    await same_savings(desk, market, orders)


async def same_by_placed(desk: Desk, market: Market, orders: Sequence[Seen]) -> None:
    summary = await report(desk, market, "summary")
    assert {f["currency"]: money_of(f) for f in summary["figures"]} == summed(orders, lambda o: o["currency"])
    assert {(c["channel"], c["figures"]["currency"]): money_of(c["figures"]) for c in summary["channels"]} == summed(
        orders, lambda o: (o["channel"], o["currency"])
    )
    for name, share in rates(orders).items():
        assert (summary["rates"][name]["numerator"], summary["rates"][name]["denominator"]) == share, name
    by_day = await report(desk, market, "orders", interval="month")
    found = {(r["day"], r["currency"], r["status"]): [r["orders"], minor(r["gross"])] for r in by_day["rows"]}
    expected = summed(
        orders, lambda o: (day(o["placed_at"], ZONE).replace(day=1).isoformat(), o["currency"], o["status"])
    )
    assert found == {k: [v["orders"], v["gross"]] for k, v in expected.items()}
    await same_file(desk, market, orders)


async def same_file(desk: Desk, market: Market, orders: Sequence[Seen]) -> None:
    headers = desk.issuer.bearer(marketplace_id=market.id, roles=["operator"], kind="operator")
    url = f"{desk.url}/v1/reports/orders/export?{PERIOD}&interval=all"
    async with desk.http.get(url, headers=headers) as answer:
        rows = list(csv.DictReader(io.StringIO((await answer.text()).removeprefix("\ufeff"))))
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        for n, name in enumerate(("paid", "refunded")):
            found[row["currency"]][n] += minor({"amount": row[name], "currency": row["currency"]})
    expected = summed(orders, lambda o: o["currency"])
    assert dict(found) == {currency: [v["paid"], v["refunded"]] for currency, v in expected.items()}


async def same_by_event(desk: Desk, market: Market, orders: Sequence[Seen], events: Sequence[OrderEvent]) -> None:
    """What happened day by day, as the timelines and the events of the orders tell it."""
    summary = await report(desk, market, "summary", clock="event")
    expected = summed(orders, lambda o: o["currency"])
    for f in summary["figures"]:
        created = [s for s in orders if s.order["currency"] == f["currency"] and _created(s)]
        assert money_of(f) == expected[f["currency"]] | {"orders": len(created)}
    entered: dict[tuple[str, str, str], int] = defaultdict(int)
    moved: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    before: dict[UUID, list[int]] = defaultdict(lambda: [0, 0])
    for e in sorted(events, key=lambda e: e.sequence):
        on, currency = day(e.occurred_at.isoformat(), ZONE).isoformat(), e.order.currency
        entered[(on, currency, e.change.to_status)] += e.change.from_status != e.change.to_status
        now, was = [e.order.totals.paid.minor, e.order.totals.refunded.minor], before[e.order_id]
        moved[(on, currency)] = [m + a - b for m, a, b in zip(moved[(on, currency)], now, was, strict=True)]
        before[e.order_id] = now
    found_entered: dict[tuple[str, str, str], int] = defaultdict(int)
    found_moved: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for first, last in (("2026-01-01", "2026-12-31"), ("2027-01-01", "2027-12-31")):
        query = f"from={first}&to={last}&clock=event&interval=day"
        for r in (await desk.get(market.id, f"/v1/reports/orders?{query}"))[1]["rows"]:
            found_entered[(r["day"], r["currency"], r["status"])] += r["orders"]
            had = found_moved[(r["day"], r["currency"])]
            found_moved[(r["day"], r["currency"])] = [had[0] + minor(r["paid"]), had[1] + minor(r["refunded"])]
    assert _some(found_entered) == _some(entered)
    assert {k: v for k, v in found_moved.items() if any(v)} == {k: v for k, v in moved.items() if any(v)}


def _created(s: Seen) -> bool:
    return any(entry["event"] == "order.created" for entry in s.timeline)


def _some(counts: dict[tuple[str, str, str], int]) -> dict[tuple[str, str, str], int]:
    return {k: v for k, v in counts.items() if v}


async def same_by_seller(desk: Desk, market: Market, orders: Sequence[Seen]) -> None:
    """Of what each seller may know; and beside its balance, which is summed from the orders themselves."""
    known = [s for s in orders if s.known]
    for clock in ("placed", "event"):
        rows = (await report(desk, market, "sellers", clock=clock, limit="100"))["items"]
        expected = summed(known, lambda o: (o["seller"]["organisation_id"], o["currency"]))
        found = {(r["seller_organisation_id"], r["figures"]["currency"]): money_of(r["figures"]) for r in rows}
        if clock == "placed":
            assert found == expected
        else:
            assert {k: v | {"orders": 0} for k, v in found.items()} == {
                k: v | {"orders": 0} for k, v in expected.items()
            }
    for seller in (market.shop, market.other_shop):
        reply = await market.call("GET", f"/v1/balance?seller={seller.slug}", market.operator)
        own = [s for s in known if s.order["seller"]["organisation_id"] == str(seller.organisation_id)]
        sums = summed(own, lambda o: o["currency"])
        for row in reply.json["items"]:
            currency = row["currency"] if "currency" in row else row["paid"]["currency"]
            assert minor(row["paid"]) == sums[currency]["paid"]
            assert minor(row["refunded"]) == sums[currency]["refunded"]


async def same_savings(desk: Desk, market: Market, orders: Sequence[Seen]) -> None:
    found = (await report(desk, market, "savings"))["rows"]

    def grams(text: str) -> int:
        return round(float(text) * 1_000)

    assert {
        r["currency"]: (r["orders"], grams(r["kg"]), grams(r["co2e_kg"]), minor(r["value"])) for r in found
    } == savings(orders)
