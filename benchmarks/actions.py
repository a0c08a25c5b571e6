"""How long an action takes through HTTP at a steady rate: load the order, decide, save it with its event, answer."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

import aiohttp

from benchmarks.lists import market_of, seed
from benchmarks.world import Figure, World, percentile
from shared.ids import new_id
from tests.e2e.market import Market

RATE, WARM_UP = 50, 100
# of a small run: what any machine bears beside other work
SMALL_RATE, SMALL_WARM_UP = 10, 10
# orders that are there already: the indexes are as deep as after some weeks
SEEDED = 10_000


async def run(world: World) -> list[Figure]:
    """p50 and p99 in milliseconds of `process`, `ship` and `complete`, each at its moment whatever came before it."""
    rate, warm_up, seconds = (SMALL_RATE, SMALL_WARM_UP, 3) if world.small else (RATE, WARM_UP, 20)
    async with market_of(world) as market:
        if not world.small:
            await seed(world, SEEDED)
        orders = [await _placed(market) for _ in range((seconds * rate + warm_up) // 3 + 1)]
        taken = await _acted(market, orders, rate, warm_up, seconds)
    note = f"{len(taken)} actions at {rate}/s"
    return [
        Figure("action: load, decide, save, event, p50", percentile(taken, 0.50), "ms", "<= 8", note),
        Figure("action: load, decide, save, event, p99", percentile(taken, 0.99), "ms"),
    ]


async def _placed(market: Market) -> UUID:
    reference = str(new_id())
    async with market.fleet.http.post(
        f"{market.fleet.url('order')}/v1/orders", json=market.order(reference),
        headers={**market.headers("operator"), "Idempotency-Key": reference},
    ) as answer:  # fmt: skip
        body = await answer.json()
        assert answer.status == 201, body
        return UUID(body["orders"][0]["order_id"])


async def _acted(market: Market, orders: list[UUID], rate: int, warm_up: int, seconds: int) -> list[float]:
    """Milliseconds of each action after the warm-up; the steps of one order are as far apart as there are orders.

    A step whose predecessor is not done by its moment waits for it, and the waiting counts.
    """
    headers = market.headers("seller")
    wanted = [(order, action) for action in ("process", "ship", "complete") for order in orders]
    wanted = wanted[: warm_up + seconds * rate]
    taken: list[float] = []
    turns = {order: asyncio.Lock() for order in orders}
    async with aiohttp.ClientSession() as http:

        async def one(n: int, order: UUID, action: str) -> None:
            began = time.perf_counter()
            async with turns[order], http.post(
                f"{market.fleet.url('order')}/v1/orders/{order}/actions/{action}", json={"params": {}},
                headers={**headers, "Idempotency-Key": str(new_id())},
            ) as answer:  # fmt: skip
                body = await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{action}: {answer.status} {body[:300]!r}")
            if n >= warm_up:
                taken.append(1_000 * (time.perf_counter() - began))

        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for n, (order, action) in enumerate(wanted):
                if (ahead := started + n / rate - time.monotonic()) > 0:
                    await asyncio.sleep(ahead)
                group.create_task(one(n, order, action))
    return taken
