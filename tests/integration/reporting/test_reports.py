"""Reports over HTTP: the figures add up to the orders, to those who may see them, on the marketplace's days."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from contracts.envelope import Received
from contracts.identity import Marketplace, Member, MemberChanged, Organisation
from contracts.messaging import MessagePosted
from contracts.order import Actor, Change, OrderCreated, OrderEvent, OrderUpdated, Phase
from services.reporting.handlers import on_members, on_messages
from shared.ids import new_id
from tests.builders import order_event, snapshot
from tests.integration.reporting.conftest import Desk, stranger
from tests.integration.reporting.lives import World, newest
from tests.waiting import until

ALL = "from=2026-02-01&to=2026-06-30"


def minor(money: dict[str, str]) -> int:
    digits = {"EUR": 2, "JPY": 0, "BHD": 3}[money["currency"]]
    return int(Decimal(money["amount"]).scaleb(digits))


async def test_the_operator_sees_figures_that_add_up_to_the_orders(desk: Desk) -> None:
    world = World(11)
    events = world.lives(150)
    await desk.project(events)
    orders = newest(events).values()
    status, report = await desk.get(world.marketplace_id, f"/v1/reports/orders?{ALL}")
    assert status == 200
    counted: Counter[tuple[str, str, str]] = Counter()
    for o in orders:
        counted[(o.placed_at.date().isoformat(), o.currency, o.status)] += 1
    assert {(r["day"], r["currency"], r["status"]): r["orders"] for r in report["rows"]} == counted
    for clock in ("placed", "event"):
        _, summary = await desk.get(world.marketplace_id, f"/v1/reports/summary?{ALL}&clock={clock}")
        for figures in summary["figures"]:
            own = [o for o in orders if o.currency == figures["currency"]]
            assert minor(figures["gross"]) == sum(o.totals.total.minor for o in own)
            assert minor(figures["refunded"]) == sum(o.totals.refunded.minor for o in own)
            assert minor(figures["net"]) == sum(o.totals.paid.minor - o.totals.refunded.minor for o in own)
            assert minor(figures["commission_net"]) == sum(
                o.commission.amount.minor - o.commission.reversed.minor for o in own
            )
        assert {f["currency"] for f in summary["figures"]} == {o.currency for o in orders}
    rates = summary["rates"]
    accepted = sum(any(e.order.phase in ("preparing", "in_transit", "completed") for e in events if e.order_id == i)
                   for i in newest(events))  # fmt: skip
    assert rates["acceptance"]["numerator"] == accepted
    assert rates["refund"]["numerator"] == sum(o.totals.refunded.minor > 0 for o in orders)
    assert rates["refund"]["denominator"] == sum(o.totals.paid.minor > 0 for o in orders)
    assert all(rate["of"] for rate in rates.values())


async def test_a_seller_sees_its_own_figures_and_nothing_of_what_it_may_not_know(desk: Desk) -> None:
    world = World(12)
    events = world.lives(120)
    await desk.project(events)
    seller = world.sellers[0].organisation_id
    known = {e.order_id for e in events if "seller" in e.audience}
    own = [o for o in newest(events).values() if o.seller.organisation_id == seller and o.order_id in known]
    for clock in ("placed", "event"):
        _, summary = await desk.as_seller(world.marketplace_id, seller, f"/v1/reports/summary?{ALL}&clock={clock}")
        assert {f["currency"]: minor(f["gross"]) for f in summary["figures"]} == {
            c: sum(o.totals.total.minor for o in own if o.currency == c) for c in {o.currency for o in own}
        }
        assert {c["channel"] for c in summary["channels"]} <= {"direct", "shop"}
        for f in summary["figures"]:
            parts = [c["figures"] for c in summary["channels"] if c["figures"]["currency"] == f["currency"]]
            assert f["orders"] == sum(p["orders"] for p in parts)
            assert f["phases"] == {p: sum(x["phases"][p] for x in parts) for p in f["phases"]}
            for name in ("gross", "canceled", "paid", "refunded", "net", "commission", "commission_net"):
                assert minor(f[name]) == sum(minor(p[name]) for p in parts), name
    _, report = await desk.as_seller(world.marketplace_id, seller, f"/v1/reports/orders?{ALL}&interval=all")
    assert sum(r["orders"] for r in report["rows"]) == len(own)
    assert {r["status"] for r in report["rows"]} == {o.status for o in own}
    _, moved = await desk.as_seller(world.marketplace_id, seller, f"/v1/reports/orders?{ALL}&interval=all&clock=event")
    told = [e for e in events if e.order.seller.organisation_id == seller and "seller" in e.audience]
    assert len({e.order_id for e in told if e.sequence > 1 and isinstance(e, OrderCreated)}) > 2, "some were approved"
    entered = Counter(e.order.status for e in told if e.change.from_status != e.change.to_status)
    counted: Counter[str] = Counter()
    for r in moved["rows"]:
        counted[r["status"]] += r["orders"]
    assert +counted == entered
    assert "approval" not in {r["phase"] for r in moved["rows"]}
    _, summary = await desk.as_seller(world.marketplace_id, seller, f"/v1/reports/summary?{ALL}&clock=event")
    assert [f["phases"]["approval"] for f in summary["figures"]] == [0] * len(summary["figures"])
    created = sum(r["orders"] for r in moved["rows"] if r["status"] == "pending")
    assert created == len(own)
    _, page = await desk.as_seller(world.marketplace_id, seller, f"/v1/reports/sellers?{ALL}")
    assert {r["seller_organisation_id"] for r in page["items"]} == {str(seller)}


async def test_an_order_that_comes_back_to_pending_was_placed_once(desk: Desk) -> None:
    marketplace_id = new_id()
    order = snapshot(marketplace_id=marketplace_id)
    events: list[OrderEvent] = []
    came: tuple[str, Phase] | None = None
    steps: tuple[tuple[type[OrderEvent], str, Phase], ...] = (
        (OrderCreated, "pending", "pending"), (OrderUpdated, "processing", "preparing"),
        (OrderUpdated, "pending", "pending"),
    )  # fmt: skip
    for sequence, (cls, status, phase) in enumerate(steps, 1):
        order = order.model_copy(update={"sequence": sequence, "status": status, "phase": phase})
        change = Change(
            action="act", label="Act", from_status=came[0] if came else None, to_status=status,
            from_phase=came[1] if came else None, to_phase=phase, actor=Actor(kind="service", name="test"),
        )  # fmt: skip
        events.append(order_event(cls, order, change=change))
        came = status, phase
    await desk.project(events)
    day = f"from={order.placed_at.date()}&to={order.placed_at.date()}"
    for clock in ("placed", "event"):
        _, summary = await desk.get(marketplace_id, f"/v1/reports/summary?{day}&clock={clock}")
        [figures] = summary["figures"]
        assert figures["orders"] == 1
        assert figures["average"] == (figures["gross"] if clock == "placed" else None)
    _, report = await desk.get(marketplace_id, f"/v1/reports/orders?{day}&clock=event")
    assert {r["status"]: r["orders"] for r in report["rows"]} == {"pending": 2, "processing": 1}


async def test_an_operator_sees_one_seller_alone_and_savings_by_organisation(desk: Desk) -> None:
    world = World(17, currencies=["EUR"])
    await desk.project(world.lives(120))
    seller, other = (s.organisation_id for s in world.sellers[:2])
    for report in ("summary", "orders", "sellers"):
        path = f"/v1/reports/{report}?{ALL}"
        _, alone = await desk.get(world.marketplace_id, f"{path}&seller={seller}")
        _, own = await desk.as_seller(world.marketplace_id, seller, path)
        assert alone == own
        status, problem = await desk.as_seller(world.marketplace_id, seller, f"{path}&seller={other}")
        assert (status, problem["code"]) == (403, "not_your_figures")
    _, by = await desk.get(world.marketplace_id, f"/v1/reports/savings?{ALL}&by=organisation")
    _, whole = await desk.get(world.marketplace_id, f"/v1/reports/savings?{ALL}")
    told = [r for r in by["rows"] if r["side"] != "buyer"]
    assert sum(Decimal(r["kg"]) for r in told) == sum(Decimal(r["kg"]) for r in whole["rows"])
    assert {r["organisation_id"] for r in told} <= {str(s.organisation_id) for s in world.sellers}
    _, mine = await desk.as_seller(world.marketplace_id, seller, f"/v1/reports/savings?{ALL}&by=organisation")
    assert {(r["organisation_id"], r["organisation_name"]) for r in mine["rows"]} == {
        (str(seller), world.sellers[0].name)
    }
    assert (await desk.get(world.marketplace_id, "/v1/reports/savings/factors?version=none"))[0] == 404


async def test_sellers_are_paged_by_gross(desk: Desk) -> None:
    world = World(13, currencies=["EUR"], sellers=7)
    events = world.lives(100)
    await desk.project(events)
    rows, cursor = [], ""
    while True:
        _, page = await desk.get(world.marketplace_id, f"/v1/reports/sellers?{ALL}&limit=3{cursor}")
        rows += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(rows) == 7
    gross = [minor(r["figures"]["gross"]) for r in rows]
    assert gross == sorted(gross, reverse=True)
    assert {r["seller_name"] for r in rows} == {s.name for s in world.sellers}


async def test_who_may_ask(desk: Desk) -> None:
    world = World(14)
    await desk.project(world.lives(20))
    path = f"/v1/reports/summary?{ALL}"
    status, problem = await desk.get(world.marketplace_id, path, roles=["buyer"], kind="buyer")
    assert (status, problem["code"]) == (403, "no_reports_role")
    status, problem = await desk.get(world.marketplace_id, path, roles=[], kind="seller", api_key_id=new_id())
    assert (status, problem["code"]) == (403, "scope_missing")
    status, own = await desk.get(world.marketplace_id, path, **stranger())
    assert (status, own["figures"]) == (200, [])
    status, other = await desk.get(new_id(), path)
    assert (status, other["figures"], other["period"]["time_zone"]) == (200, [], "UTC")
    async with desk.runtime.db.tenant(new_id()) as tx:
        for table in ("order_fact", "order_movement", "status_day", "channel_day", "seller_day", "saving_day", "reply",
                      "reply_day", "marketplace", "organisation"):  # fmt: skip
            assert await tx.fetchval(f"SELECT count(*) FROM {table}") == 0, table


@pytest.mark.parametrize(
    "query",
    ["from=2026-03-02&to=2026-03-01", "from=2020-01-01&to=2026-01-01", "from=yesterday", "clock=sidereal",
     "interval=week", "from=0001-01-01&to=9999-12-31&interval=all", "from=99999-01-01"],
)  # fmt: skip
async def test_a_period_that_is_none_is_refused(desk: Desk, query: str) -> None:
    status, problem = await desk.get(new_id(), f"/v1/reports/orders?{query}")
    assert status == 422
    assert problem["code"]


async def test_the_first_days_of_the_calendar_have_no_period_before(desk: Desk) -> None:
    status, problem = await desk.get(new_id(), "/v1/reports/summary?from=0001-01-01&to=0001-01-02")
    assert (status, problem["code"]) == (422, "invalid_period")
    assert (await desk.get(new_id(), "/v1/reports/orders?to=0001-01-02"))[0] == 200


def member_changed(marketplace_id: UUID, zone: str, **settings: str) -> MemberChanged:
    return MemberChanged(
        marketplace_id=marketplace_id, version=1,
        marketplace=Marketplace(marketplace_id=marketplace_id, slug="m", name="M", currency="EUR", time_zone=zone,
                                lifecycle="storefront", settings=settings),
        organisation=Organisation(organisation_id=new_id(), slug="o", name="O", kind="seller", time_zone="UTC"),
        member=Member(person_id=new_id(), email="a@example.com", name="A", roles=("seller",)),
    )  # fmt: skip


async def tell(desk: Desk, event: MemberChanged) -> None:
    async with desk.runtime.worker_db.transaction() as tx:
        await on_members(tx, [Received(new_id(), "/test", datetime.now(UTC), "", event)])


async def zone_is(desk: Desk, marketplace_id: UUID, zone: str) -> None:
    async def there() -> bool:
        _, report = await desk.get(marketplace_id, "/v1/reports/orders?from=2026-03-01&to=2026-03-02")
        return bool(report["period"]["time_zone"] == zone)

    await until(there, what=f"the days are those of {zone}")


async def test_the_time_zone_decides_the_day_also_of_what_came_before_it_was_known(desk: Desk) -> None:
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)

    def placed() -> Any:
        order = snapshot(marketplace_id=marketplace_id, placed_at=late, updated_at=late)
        return order_event(OrderCreated, order)

    async def days() -> dict[str, int]:
        _, report = await desk.get(marketplace_id, "/v1/reports/orders?from=2026-02-28&to=2026-03-03")
        return {r["day"]: r["orders"] for r in report["rows"]}

    marketplace_id = new_id()
    await desk.project([placed() for _ in range(5)])
    assert await days() == {"2026-03-01": 5}
    await tell(desk, member_changed(marketplace_id, "Europe/Oslo"))
    await zone_is(desk, marketplace_id, "Europe/Oslo")
    assert await days() == {"2026-03-02": 5}
    await desk.project([placed()])
    assert await days() == {"2026-03-02": 6}
    await tell(desk, member_changed(marketplace_id, "America/New_York"))
    await zone_is(desk, marketplace_id, "America/New_York")
    assert await days() == {"2026-03-01": 6}


async def test_a_zone_that_is_none_changes_nothing(desk: Desk) -> None:
    marketplace_id = new_id()
    await tell(desk, member_changed(marketplace_id, "Europe/Oslo"))
    await zone_is(desk, marketplace_id, "Europe/Oslo")
    await tell(desk, member_changed(marketplace_id, "Mars/Olympus"))

    async def refused() -> bool:
        async with desk.runtime.worker_db.transaction() as tx:
            wanted = await tx.fetchval("SELECT wanted_zone FROM marketplace WHERE marketplace_id = $1", marketplace_id)
        return bool(wanted == "Europe/Oslo")

    await until(refused, what="the zone that does not exist was put aside")
    await zone_is(desk, marketplace_id, "Europe/Oslo")


async def test_reply_times_count_first_and_next_answers_in_business_hours(desk: Desk) -> None:
    marketplace_id, seller, thread = new_id(), new_id(), new_id()
    await tell(desk, member_changed(marketplace_id, "UTC", business_hours="mon-fri 09:00-17:00"))
    friday = datetime(2026, 3, 6, 16, 0, tzinfo=UTC)
    said: list[tuple[Any, int, dict[str, Any]]] = [
        ("buyer", 0, {}),
        ("seller", 5, {"automatic": True}),
        ("seller", 60 * 66, {}),
        ("buyer", 60 * 67, {}),
        ("operator", 60 * 67 + 30, {"on_behalf_of": "seller"}),
    ]
    common: dict[str, Any] = {
        "marketplace_id": marketplace_id, "order_id": new_id(), "order_number": "ORD-1", "thread_id": thread,
        "sender": Actor(kind="person", name="X"), "buyer_organisation_id": new_id(),
        "seller_organisation_id": seller, "preview": "",
    }  # fmt: skip
    events = []
    for n, (side, minutes, given) in enumerate(said, 1):
        own = {"seq": n, "message_id": new_id(), "sender_side": side, "posted_at": friday + timedelta(minutes=minutes)}
        events.append(MessagePosted(**(common | own | given)))
    for batch in (events[:2], events[2:], events):
        async with desk.runtime.worker_db.transaction() as tx:
            await on_messages(tx, [Received(new_id(), "/test", friday, "", e) for e in batch])
    _, summary = await desk.get(marketplace_id, "/v1/reports/summary?from=2026-03-01&to=2026-03-31")
    first, following = summary["replies"]["first"], summary["replies"]["next"]
    assert (first["replies"], first["mean_seconds"], first["mean_business_seconds"]) == (1, 66 * 3600, 2 * 3600)
    assert (first["within_1h"], first["within_4h"]) == (0, 1)
    assert (following["replies"], following["mean_business_seconds"], following["within_1h"]) == (1, 1800, 1)


async def test_savings_are_those_of_received_goods_by_organisation(desk: Desk) -> None:
    world = World(15, currencies=["EUR"])
    events = world.lives(150)
    await desk.project(events)
    received = [o for o in newest(events).values() if o.phase == "completed" and o.money != "refunded"]
    kept: int = sum(
        int((Decimal(25_000) * (1 - Decimal(o.lines[0].refunded.minor) / o.lines[0].total.minor)).quantize(Decimal(1)))
        for o in received
    )
    _, whole = await desk.get(world.marketplace_id, f"/v1/reports/savings?{ALL}")
    weighed = sum((Decimal(r["kg"]) * 1000 for r in whole["rows"]), Decimal(0))
    assert abs(weighed - kept) <= len(received)
    assert {r["side"] for r in whole["rows"]} == {"seller", "internal"}
    assert sum(int(r["orders"]) for r in whole["rows"]) <= len(received)
    buyer = world.buyers[0].organisation_id
    _, own = await desk.get(
        world.marketplace_id, f"/v1/reports/savings?{ALL}", roles=["buyer"], kind="buyer", organisation_id=buyer
    )
    assert {r["side"] for r in own["rows"]} == {"buyer"}
    _, table = await desk.get(world.marketplace_id, "/v1/reports/savings/factors")
    assert {r["factors"] for r in own["rows"]} == {table["version"]}
    assert all(m["source_url"].startswith("https://") for m in table["materials"])


async def test_reports_answer_while_batches_come_in(desk: Desk) -> None:
    world = World(16, currencies=["EUR"])
    events = world.lives(200)

    async def ask() -> None:
        for _ in range(10):
            status, _ = await desk.get(world.marketplace_id, f"/v1/reports/summary?{ALL}")
            assert status == 200

    await asyncio.gather(desk.project(events, 50), ask(), ask())
