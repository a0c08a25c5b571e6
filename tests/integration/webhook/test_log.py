"""The log by state and type (frequent and rare ones are found by different indexes), by order, and summed up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from contracts.messaging import MessagePosted
from contracts.order import Actor
from shared.clock import utc_now
from shared.ids import new_id
from tests.integration.webhook.receiver import Receiver, status
from tests.integration.webhook.world import World, path, settled
from tests.waiting import until


def _message(world: World, order_id: UUID) -> MessagePosted:
    return MessagePosted(
        marketplace_id=world.marketplace, order_id=order_id, order_number="ORD-1", thread_id=new_id(),
        message_id=new_id(), seq=1, posted_at=utc_now(), sender=Actor(kind="person", name="Sam", side="seller"),
        sender_side="seller", buyer_organisation_id=world.buyer, seller_organisation_id=world.seller, preview="Hello",
    )  # fmt: skip


@pytest.mark.parametrize("state", [None, "delivered"])
async def test_one_type(world: World, receiver: Receiver, state: str | None) -> None:
    endpoint = await world.endpoint(receiver.url)
    events = world.life(2)
    await world.take_in([*events, _message(world, events[0].order_id)])

    async def delivered() -> bool:
        return await world.states(endpoint) == {"delivered": 4}

    await until(delivered)
    given = {"state": state} if state else {}
    for event_type, n in (("order.created", 1), ("order.updated", 2), ("message.posted", 1), ("order.disputed", 0)):
        found = await world.deliveries(endpoint, type=event_type, **given)
        assert [d["type"] for d in found] == [event_type] * n


async def test_a_wildcard_is_no_type_of_a_delivery(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url)
    path = f"/v1/endpoints/{endpoint['endpoint_id']}/deliveries"
    code, problem = await world.call("GET", path, params={"type": "order.*"})
    assert (code, problem["code"]) == (422, "unknown_event_type")


async def test_stats_count_attempts(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url, retry_schedule=[])
    await world.take_in(world.life(2))
    await settled(world, endpoint, delivered=3)
    receiver.answer = status(500)
    await world.take_in(world.life())
    await settled(world, endpoint, delivered=3, exhausted=1)

    async def counted() -> dict[str, Any] | None:
        total = (await world.call("GET", path(endpoint, "/stats")))[1]["total"]
        return total if total["attempts"] == 4 else None

    total = await until(counted)
    assert (total["succeeded"], total["failed"], total["success_rate"]) == (3, 1, 0.75)
    assert total["p50_ms"] <= total["p99_ms"]


async def test_an_orders_trail(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url)
    events = world.life(1)
    await world.take_in(events)
    await settled(world, endpoint, delivered=2)
    _, page = await world.call("GET", "/v1/deliveries", params={"order_id": str(events[0].order_id)})
    assert [(d["sequence"], d["state"]) for d in page["items"]] == [(1, "delivered"), (2, "delivered")]
    _, foreign = await world.call(
        "GET", "/v1/deliveries", params={"order_id": str(events[0].order_id)}, who="buyer-admin"
    )
    assert foreign["items"] == []
    _, seen = await world.call("GET", "/v1/deliveries", params={"order_id": str(events[0].order_id)}, who="operator")
    assert len(seen["items"]) == 2


async def test_an_orders_trail_has_its_messages_before_they_have_arrived_too(world: World, receiver: Receiver) -> None:
    receiver.answer = status(500)
    endpoint = await world.endpoint(receiver.url, retry_schedule=[3600])
    events = world.life()
    await world.take_in([*events, _message(world, events[0].order_id), _message(world, new_id())])

    async def trail() -> list[tuple[str, str, int]]:
        _, page = await world.call("GET", "/v1/deliveries", params={"order_id": str(events[0].order_id)})
        return sorted((d["type"], d["state"], d["attempts"]) for d in page["items"])

    await until(lambda: _is(trail, [("message.posted", "pending", 1), ("order.created", "pending", 1)]))
    await world.call("DELETE", path(endpoint))


async def _is(found: Callable[[], Awaitable[Any]], wanted: Any) -> bool:
    return bool(await found() == wanted)
