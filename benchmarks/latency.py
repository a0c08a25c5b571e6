"""From the 201 of a placed order to a webhook that a foreign library has verified, with all services running."""

from __future__ import annotations

import asyncio
import base64
import os
import time

import asyncpg

from benchmarks.world import Figure, World, percentile, reached
from shared.ids import new_id
from tests.e2e.fleet import fleet
from tests.e2e.market import Market, Receiver

RATE = 100
# of a small run: what any machine bears beside other work
SMALL_RATE = 10
WARM_UP = 50
TRIES = 50
SERVICES = ("order", "reporting", "messaging", "notification", "webhook")


async def run(world: World) -> list[Figure]:
    """p50 and p99 in milliseconds at a steady rate; the first second is a warm-up and not counted."""
    rate, seconds = (SMALL_RATE, 3) if world.small else (RATE, 30)
    keys = f"k1:{base64.b64encode(os.urandom(32)).decode()}"
    extra = {"ORDERTRAIL_WEBHOOK_ALLOW_LOOPBACK": "true", "ORDERTRAIL_WEBHOOK_SECRET_KEYS": keys}
    async with fleet(world.database, **extra, ORDERTRAIL_LOG_LEVEL="warning") as f:
        for service in SERVICES:
            f.add(service, "all")
        await f.ready()
        market, receiver = Market(f), Receiver()
        await market.announce()
        runner = await receiver.start()
        admin = await asyncpg.connect(world.database.admin_dsn)
        try:
            await reached(lambda: _known(admin))
            await receiver.subscribe(market)
            placed = await _place(market, rate, seconds)
            await reached(lambda: _arrived(receiver, placed))
        finally:
            await admin.close()
            await runner.cleanup()
    seen = {order_id: at for _, order_id, _, at in reversed(receiver.seen)}
    late = [1000 * (seen[o] - at) for n, (o, at) in enumerate(placed) if n >= WARM_UP + rate]
    note = f"{len(late)} orders at {rate}/s, {len(SERVICES)} services"
    return [
        Figure("201 -> verified webhook, p50", percentile(late, 0.50), "ms", "<= 30", note),
        Figure("201 -> verified webhook, p99", percentile(late, 0.99), "ms", "<= 120"),
    ]


async def _known(admin: asyncpg.Connection) -> bool:
    return bool(await admin.fetchval("SELECT (SELECT count(*) FROM orders.member) = 3"))


async def _arrived(receiver: Receiver, placed: list[tuple[str, float]]) -> bool:
    return {o for o, _ in placed} <= {o for _, o, *_ in receiver.seen}


async def _place(market: Market, rate: int, seconds: int) -> list[tuple[str, float]]:
    """(order id, wall time of its 201) of every order, placed at a steady rate."""
    placed: list[tuple[str, float]] = []
    headers = market.headers("operator")

    async def one(reference: str) -> None:
        for _ in range(TRIES):
            async with market.fleet.http.post(
                f"{market.fleet.url('order')}/v1/orders", json=market.order(reference),
                headers={**headers, "Idempotency-Key": reference},
            ) as answer:  # fmt: skip
                body = await answer.json()
                if answer.status in (200, 201):
                    placed.append((body["orders"][0]["order_id"], time.time()))
                    return
                # too many at once for this machine at this moment: a client waits and asks again
                assert answer.status in (409, 429, 503), body
            await asyncio.sleep(0.2)
        raise RuntimeError(f"no order after {TRIES} tries: {body}")

    for _ in range(WARM_UP):
        await one(str(new_id()))
    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for n in range(rate * seconds):
            if (ahead := started + n / rate - time.monotonic()) > 0:
                await asyncio.sleep(ahead)
            group.create_task(one(str(new_id())))
    return placed
