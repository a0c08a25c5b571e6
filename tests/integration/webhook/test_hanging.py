"""Who does not answer delays nobody: neither a stranger, nor one who had been quick until then."""

from __future__ import annotations

import asyncio
from uuid import UUID

from deploy.embedded.process import free_port
from tests.integration.webhook.receiver import Answer, Hit, Receiver, receiving, status
from tests.integration.webhook.world import World, settled, webhook_world
from tests.issuer import TokenIssuer
from tests.stack import StackDatabase
from tests.waiting import until


def until_told(hang: asyncio.Event) -> Answer:
    """Answers, until told to answer nothing more."""

    async def answer(hit: Hit, writer: asyncio.StreamWriter) -> bool:
        if hang.is_set():
            await asyncio.sleep(120)
        return await status(200)(hit, writer)

    return answer


async def test_a_hanging_endpoint_delays_nobody(world: World, receiver: Receiver) -> None:
    hang = asyncio.Event()
    hang.set()
    async with receiving(until_told(hang)) as hanging:
        stuck = await world.endpoint(hanging.url, timeout_ms=60_000)
        healthy = await world.endpoint(receiver.url)
        await world.take_in([event for _ in range(40) for event in world.life()])
        await settled(world, healthy, delivered=40)
        await until(lambda: hanging.hits)
        attempts = "SELECT count(*) FROM webhook.attempt WHERE endpoint_id = $1"
        assert await world.admin.fetchval(attempts, UUID(stuck["endpoint_id"])) == 0, "none has ended, not even one"
        assert len(hanging.hits) <= 4, "a window, not the whole budget"


async def test_quick_endpoints_that_fall_silent_leave_places_to_the_others(
    database: StackDatabase, issuer: TokenIssuer
) -> None:
    """Three of four hold most places when they stop answering, each for a minute."""
    hang = asyncio.Event()
    async with (
        webhook_world(database, issuer, free_port, webhook_in_flight=16) as world,
        receiving(until_told(hang)) as hanging,
        receiving() as receiver,
    ):
        stuck = [await world.endpoint(f"{hanging.url}/{n}", timeout_ms=60_000) for n in range(3)]
        healthy = await world.endpoint(receiver.url)

        async def delivered(n: int) -> bool:
            return all([await world.states(e) == {"delivered": n} for e in [healthy, *stuck]])

        async def nothing_claimed_ahead() -> bool:
            leased = await world.admin.fetchval("SELECT count(*) FROM webhook.pending WHERE leased")
            return bool(leased == len(hanging.hits) - 3 * 40)

        await world.take_in([event for _ in range(40) for event in world.life()])
        await until(lambda: delivered(40))
        hang.set()
        await world.take_in([event for _ in range(40) for event in world.life()])
        # what hangs is given up after a minute
        await settled(world, healthy, delivered=80)
        await until(nothing_claimed_ahead)
        for endpoint in stuck:
            assert await world.states(endpoint) == {"delivered": 40, "pending": 40}
