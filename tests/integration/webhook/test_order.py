"""Per order nothing overtakes: under failures, gaps and late arrivals; and one failing order holds back only itself."""

from __future__ import annotations

import asyncio
import random

from deploy.embedded.process import free_port
from tests.integration.webhook.receiver import Hit, Receiver, status
from tests.integration.webhook.world import World, webhook_world
from tests.issuer import TokenIssuer
from tests.stack import StackDatabase
from tests.waiting import until


async def test_in_sequence_though_half_of_all_attempts_fail(world: World, receiver: Receiver) -> None:
    chance = random.Random(7)

    async def shaky(hit: Hit, writer: asyncio.StreamWriter) -> bool:
        return await status(200 if chance.random() < 0.6 else 500)(hit, writer)

    receiver.answer = shaky
    endpoint = await world.endpoint(receiver.url, retry_schedule=[1] * 20)
    lives = [world.life(3) for _ in range(5)]
    events = [event for events in lives for event in events]
    for start in range(0, len(events), 4):
        await world.take_in(events[start : start + 4])
    await until(lambda: _delivered(world, endpoint, len(events)), seconds=90)
    for events in lives:
        order_id = events[0].order_id
        accepted = [h.sequence for h in receiver.hits if h.order_id == str(order_id)]
        assert accepted == sorted(accepted), "a later event never comes before an earlier one was taken"
        assert receiver.of(order_id) == [1, 2, 3, 4]


async def _delivered(world: World, endpoint: dict[str, object], n: int) -> bool:
    return await _states(world, endpoint, {"delivered": n})


async def _states(world: World, endpoint: dict[str, object], expected: dict[str, int]) -> bool:
    return await world.states(endpoint) == expected


async def _attempted(world: World, endpoint: dict[str, object]) -> bool:
    return any(d["attempts"] == 1 for d in await world.deliveries(endpoint, state="pending"))


async def test_a_failing_order_holds_back_only_itself(world: World, receiver: Receiver) -> None:
    bad, good = world.life(2), world.life(2)

    async def picky(hit: Hit, writer: asyncio.StreamWriter) -> bool:
        return await status(500 if hit.order_id == str(bad[0].order_id) else 200)(hit, writer)

    receiver.answer = picky
    endpoint = await world.endpoint(receiver.url, retry_schedule=[3600])
    await world.take_in([*bad, *good])
    await until(lambda: receiver.of(good[0].order_id) == [1, 2, 3])
    await until(lambda: _states(world, endpoint, {"delivered": 3, "pending": 3}))
    # the refusal too must have been written down before the delivery is asked for again
    await until(lambda: _attempted(world, endpoint))
    assert receiver.of(bad[0].order_id) == [1]
    # exhausted in the end: the rest of the order goes on
    [first] = [d for d in await world.deliveries(endpoint, state="pending") if d["attempts"] == 1]
    code, _ = await world.call("POST", f"/v1/deliveries/{first['delivery_id']}/retry")
    assert code == 202
    await until(lambda: receiver.of(bad[0].order_id)[-1:] == [2])
    assert (await world.states(endpoint))["exhausted"] == 1


async def test_an_early_event_waits_for_its_predecessor(world: World, receiver: Receiver) -> None:
    await world.endpoint(receiver.url)
    one, two, three, four = world.life(3)
    await world.take_in([three])
    await world.take_in([two, four])
    other = world.life()
    await world.take_in(other)
    await until(lambda: receiver.of(other[0].order_id) == [1])
    assert receiver.of(one.order_id) == []
    await world.take_in([one])
    await until(lambda: receiver.of(one.order_id) == [1, 2, 3, 4])


async def test_a_gap_in_what_an_endpoint_wants_is_no_gap(world: World, receiver: Receiver) -> None:
    """The predecessor has been seen, though this endpoint does not want it."""
    await world.endpoint(receiver.url, event_types=["order.updated"])
    events = world.life(1)
    await world.take_in([events[1]])
    await world.take_in([events[0]])
    await until(lambda: receiver.of(events[0].order_id) == [2])


async def test_unordered_waits_for_nothing(world: World, receiver: Receiver) -> None:
    await world.endpoint(receiver.url, ordered=False)
    events = world.life(2)
    await world.take_in([events[2]])
    await until(lambda: receiver.of(events[0].order_id) == [3])


async def test_a_lost_predecessor_is_waited_for_only_so_long(
    database: StackDatabase, issuer: TokenIssuer, receiver: Receiver
) -> None:
    async with webhook_world(database, issuer, free_port, webhook_gap_seconds=1.0) as impatient:
        await impatient.endpoint(receiver.url)
        events = impatient.life(4)
        await impatient.take_in([events[2], events[4]])
        await until(lambda: receiver.of(events[0].order_id) == [3, 5])
        await impatient.take_in([events[3]])
        await until(lambda: receiver.of(events[0].order_id) == [3, 5, 4])


async def test_the_same_event_twice_is_one_delivery(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url)
    events = world.life()
    ids = await world.take_in(events)
    await world.take_in(events, ids)
    await until(lambda: _delivered(world, endpoint, 1))
    assert len(receiver.hits) == 1


async def test_two_workers_never_send_one_order_at_once(
    world: World, module_database: StackDatabase, issuer: TokenIssuer, receiver: Receiver
) -> None:
    """Intake and two workers at full speed, each settling what the other freed: lanes stay in sequence."""
    async with webhook_world(module_database, issuer, free_port, roles=("worker",), webhook_poll_seconds=0.005):
        endpoint = await world.endpoint(receiver.url)
        lives = [world.life(6) for _ in range(15)]
        shuffled = random.Random(3)
        for n in range(7):
            batch = [events[n] for events in lives]
            shuffled.shuffle(batch)
            await world.take_in(batch)
        await until(lambda: _delivered(world, endpoint, 7 * len(lives)))
    for events in lives:
        assert [h.sequence for h in receiver.hits if h.order_id == str(events[0].order_id)] == [1, 2, 3, 4, 5, 6, 7]
