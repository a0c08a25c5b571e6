"""The consumer on the real broker: threads and people from the topics, whatever comes twice, late or from elsewhere."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from contracts.envelope import Event, Received, encode
from contracts.identity import Marketplace, Member, MemberChanged, Organisation
from contracts.order import OrderCreated, OrderUpdated
from services.messaging.app import service
from services.messaging.handlers import on_orders
from services.messaging.store import q
from shared.clock import utc_now
from shared.ids import new_id
from shared.postgres import Database
from shared.process import running
from tests.builders import life, order_event, snapshot
from tests.integration.messaging.conftest import Desk, Somebody
from tests.stack import StackDatabase
from tests.waiting import until


async def send(desk: Desk, events: list[Event], *, ids: list[UUID] | None = None) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=desk.stack.kafka_bootstrap)
    await producer.start()
    try:
        for n, event in enumerate(events):
            r = encode(event, event_id=ids[n] if ids else new_id(), source="/test", time=utc_now())
            await producer.send(desk.prefix + r.topic, r.value, r.key.encode(), headers=r.headers)
        await producer.flush()
    finally:
        await producer.stop()


async def count(database: StackDatabase, sql: str, *args: Any) -> int:
    conn = await asyncpg.connect(database.admin_dsn)
    try:
        return int(await conn.fetchval(sql, *args))
    finally:
        await conn.close()


async def test_threads_come_from_the_topics_once_and_two_consumers_share_the_work(
    desk: Desk, module_database: StackDatabase
) -> None:
    orders = [desk.snapshot() for _ in range(60)]
    events: list[Event] = [e for o in orders for e in life(o, 3)]
    ids = [new_id() for _ in events]
    settings = desk.runtime.settings.model_copy(update={"http_port": 0})
    async with running(service(settings), roles={"consumer"}):
        await send(desk, events, ids=ids)
        await send(desk, events, ids=ids)  # the same again
        await send(desk, events)  # and with new ids, as a replay of another producer
        threads = "SELECT count(*) FROM messaging.thread WHERE marketplace_id = $1"
        await until(
            lambda: _equals(count(module_database, threads, desk.marketplace_id), 120), what="two threads per order"
        )
        await desk.say(desk.seller, orders[0].order_id, "still here")
        marker = desk.snapshot()
        await send(desk, [order_event(OrderCreated, marker)])
        await until(lambda: _equals(count(module_database, threads, desk.marketplace_id), 122))
    assert await desk.hear(desk.buyer, orders[0].order_id) == ["still here"]


async def test_people_are_known_by_their_highest_version_and_named_to_their_own_side(desk: Desk) -> None:
    order_id = await desk.order()
    colleague, gone = desk.seller.colleague("member", name="Carl"), desk.seller.colleague(name="Gone")
    await desk.member(colleague, version=3, name="Carl Three")
    await desk.member(colleague, version=2, name="Carl Two")
    await desk.member(gone, active=False)
    await desk.member(desk.buyer)
    await desk.member(desk.operator)
    _, shown, _ = await desk.get(desk.seller, f"/v1/orders/{order_id}/participants")
    assert {s: [p["name"] for p in people] for s, people in shown["people"].items()} == {"seller": ["Carl Three"]}
    assert [p["side"] for p in shown["participants"]] == ["buyer", "seller", "operator"]
    assert not any(p["current"] for p in shown["participants"])
    await desk.say(desk.seller, order_id, "hello")
    _, shown, _ = await desk.get(desk.operator, f"/v1/orders/{order_id}/participants")
    assert {s: [p["name"] for p in people] for s, people in shown["people"].items()} == {
        "buyer": ["Bea Buyer"], "seller": ["Carl Three"], "operator": ["Olga Operator"],
    }  # fmt: skip
    assert [p["side"] for p in shown["participants"] if p["current"]] == ["seller"]


async def test_members_arrive_over_the_topic(desk: Desk) -> None:
    order_id = await desk.order()
    late = Somebody("seller", ("seller",), "Late", desk.seller.organisation_id)
    event = MemberChanged(
        marketplace_id=desk.marketplace_id, version=1,
        marketplace=Marketplace(marketplace_id=desk.marketplace_id, slug="t", name="T", currency="NOK",
                                time_zone="Europe/Oslo", lifecycle="storefront"),
        organisation=Organisation(organisation_id=late.organisation_id, slug="o", name="O", kind="seller",
                                  time_zone="UTC"),
        member=Member(person_id=late.person_id, email="l@example.com", name="Late Comer", roles=("seller",)),
    )  # fmt: skip
    await send(desk, [event])

    async def known() -> bool:
        _, shown, _ = await desk.get(desk.seller, f"/v1/orders/{order_id}/participants")
        return [p["name"] for p in shown["people"]["seller"]] == ["Late Comer"]

    await until(known, what="the person is named")


async def test_the_database_itself_keeps_marketplaces_apart(desk: Desk) -> None:
    order_id = await desk.order()
    await desk.say(desk.buyer, order_id, "secret")
    async with desk.runtime.db.tenant(new_id()) as tx:
        for table in ("thread", "message", "thread_read", "member", "marketplace", "outbox", "idempotency"):
            assert await tx.fetchval(f"SELECT count(*) FROM {table}") == 0, table
    async with desk.runtime.db.tenant(desk.marketplace_id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM message") == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tx.execute(
                q.set_members, [new_id()], [new_id()], [new_id()], ["seller"], ["x"], ["seller"], [True], [1]
            )


async def test_events_of_one_batch_in_two_transactions_at_once_make_the_threads_once(desk: Desk) -> None:
    events = [e for o in (snapshot(marketplace_id=desk.marketplace_id) for _ in range(40)) for e in life(o, 2)]
    db: Database = desk.runtime.worker_db

    async def handle(batch: list[Any]) -> None:
        async with db.transaction() as tx:
            await on_orders(tx, [Received(new_id(), "/test", utc_now(), "", e) for e in batch])

    await asyncio.gather(
        handle(events), handle(events[::-1]), handle([e for e in events if isinstance(e, OrderUpdated)])
    )
    async with db.transaction() as tx:
        rows = await tx.fetch(
            "SELECT count(*), count(DISTINCT order_id), min(order_sequence) FILTER (WHERE kind = 'buyer_seller')"
            " FROM thread WHERE marketplace_id = $1",
            desk.marketplace_id,
        )
    assert tuple(rows[0]) == (80, 40, 3)


async def _equals(counted: Any, wanted: int) -> bool:
    return bool(await counted == wanted)
