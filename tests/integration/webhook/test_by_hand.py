"""What a person does by hand happens now, whatever a receiver asked for before: it is how trouble is ended."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.webhook.receiver import Receiver, receiving, status
from tests.integration.webhook.world import World, path, settled
from tests.waiting import until

EPOCH = "2020-01-01T00:00:00Z"


async def _held_back(world: World, endpoint: dict[str, Any]) -> None:
    """Until the endpoint has been asked to wait for an hour, with one delivery that waits."""

    async def closed() -> bool:
        return bool((await world.call("GET", path(endpoint)))[1]["health"]["held_back_until"])

    await until(closed)
    await settled(world, endpoint, pending=1)


@pytest.mark.parametrize("act", ["retry", "replay"])
async def test_what_waits_is_sent_now(world: World, receiver: Receiver, act: str) -> None:
    receiver.answer = status(503, retry_after="3600")
    endpoint = await world.endpoint(receiver.url)
    await world.take_in(world.life())
    await _held_back(world, endpoint)
    receiver.answer = status(200)
    [waiting] = await world.deliveries(endpoint)
    if act == "retry":
        code, _ = await world.call("POST", f"/v1/deliveries/{waiting['delivery_id']}/retry")
    else:
        body = {"endpoint_id": endpoint["endpoint_id"], "received_from": EPOCH}
        code, _ = await world.call("POST", "/v1/replays", body)
    assert code == 202
    await settled(world, endpoint, delivered=1)
    [delivered] = await world.deliveries(endpoint)
    assert delivered["delivery_id"] == waiting["delivery_id"]


async def test_a_replay_brings_lanes_forward_in_order(world: World, receiver: Receiver) -> None:
    receiver.answer = status(500)
    endpoint = await world.endpoint(receiver.url, retry_schedule=[])
    events = world.life(3)
    await world.take_in(events[:2])
    await settled(world, endpoint, exhausted=2)
    _, changed = await world.call("PATCH", path(endpoint), {"retry_schedule": [3600]})
    assert changed["retry_schedule"] == [3600]
    await world.take_in(events[2:])

    async def failed() -> bool:
        return sorted(d["attempts"] for d in await world.deliveries(endpoint, state="pending")) == [0, 1]

    await until(failed, what="the third has failed, and the fourth waits for it")
    receiver.answer = status(200)
    receiver.hits.clear()
    body = {"endpoint_id": endpoint["endpoint_id"], "received_from": EPOCH}
    assert (await world.call("POST", "/v1/replays", body))[0] == 202
    await settled(world, endpoint, exhausted=2, delivered=4)
    assert [h.sequence for h in receiver.hits] == [1, 2, 3, 4]


async def test_resume_ends_a_wait(world: World, receiver: Receiver) -> None:
    receiver.answer = status(503, retry_after="3600")
    endpoint = await world.endpoint(receiver.url)
    await world.take_in(world.life())
    await _held_back(world, endpoint)
    other = world.life()
    await world.take_in(other)
    held = (await world.call("GET", path(endpoint)))[1]["health"]["held_back_until"]
    assert [d["next_attempt_at"] for d in await world.deliveries(endpoint)] == [held] * 2, "nothing is sent before"
    receiver.answer = status(200)
    await world.call("POST", path(endpoint, "/pause"))
    _, resumed = await world.call("POST", path(endpoint, "/resume"))
    assert (resumed["health"]["failures"], resumed["health"]["failing_since"]) == (0, None), "nor is it disabled for it"
    # that which was to come in an hour as well
    await settled(world, endpoint, delivered=2)


async def test_another_address_starts_afresh(world: World, receiver: Receiver) -> None:
    receiver.answer = status(503, retry_after="3600")
    endpoint = await world.endpoint(receiver.url)
    await world.take_in(world.life())
    await _held_back(world, endpoint)
    async with receiving() as other:
        code, changed = await world.call("PATCH", path(endpoint), {"url": other.url})
        assert (code, changed["health"]["held_back_until"], changed["health"]["failures"]) == (200, None, 0)
        await world.take_in(world.life())
        await settled(world, endpoint, delivered=2)
        assert len(other.hits) == 2


async def test_a_test_event_is_sent_now(world: World, receiver: Receiver) -> None:
    receiver.answer = status(503, retry_after="3600")
    endpoint = await world.endpoint(receiver.url)
    await world.take_in(world.life())
    await _held_back(world, endpoint)
    receiver.answer = status(200)
    code, queued = await world.call("POST", path(endpoint, "/test"))
    assert code == 202
    assert queued["next_attempt_at"] == queued["created_at"]
    await until(lambda: any("webhook-test" in h.headers for h in receiver.hits))


async def test_a_test_event_overtakes_what_waits(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url, rate_limit=0.5)
    await world.take_in([event for _ in range(60) for event in world.life()])
    await until(lambda: receiver.hits)
    assert (await world.call("POST", path(endpoint, "/test")))[0] == 202
    # one each two seconds: the last of those that wait leaves after two minutes
    await until(lambda: any("webhook-test" in h.headers for h in receiver.hits))
    await world.call("DELETE", path(endpoint))
