"""The log by state and type: frequent and rare ones are found by different indexes, with the same answers."""

from __future__ import annotations

import pytest

from contracts.messaging import MessagePosted
from contracts.order import Actor
from shared.clock import utc_now
from shared.ids import new_id
from tests.integration.webhook.receiver import Receiver
from tests.integration.webhook.world import World
from tests.waiting import until


@pytest.mark.parametrize("state", [None, "delivered"])
async def test_one_type(world: World, receiver: Receiver, state: str | None) -> None:
    endpoint = await world.endpoint(receiver.url)
    events = world.life(2)
    message = MessagePosted(
        marketplace_id=world.marketplace, order_id=events[0].order_id, order_number="ORD-1", thread_id=new_id(),
        message_id=new_id(), seq=1, posted_at=utc_now(), sender=Actor(kind="person", name="Sam", side="seller"),
        sender_side="seller", buyer_organisation_id=world.buyer, seller_organisation_id=world.seller, preview="Hello",
    )  # fmt: skip
    await world.take_in([*events, message])

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
