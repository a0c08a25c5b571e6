"""A hanging endpoint delays nobody: the healthy endpoints' delay with one of ten hanging, against none hanging."""

from __future__ import annotations

import asyncio

from benchmarks.webhook_rig import Rig, rig
from benchmarks.world import Figure, World

ENDPOINTS, RATE = 10, 20


async def run(world: World) -> list[Figure]:
    """Deliveries to the healthy nine (or ten) at 20 events/s; a hanging one never answers a request."""
    seconds = 2 if world.small else 60
    none = await _healthy(world, 0, seconds)
    tenth = await _healthy(world, 1, seconds)
    half = tenth if world.small else await _healthy(world, ENDPOINTS // 2, seconds)
    return [
        Figure("webhook: healthy p99, none of 10 endpoints hanging", none["p99"], "ms"),
        Figure("webhook: healthy p99, 1 of 10 hanging", tenth["p99"], "ms"),
        Figure("webhook: healthy p99, 1 of 10 hanging / none", tenth["p99"] / none["p99"], "", "<= 1.2"),
        Figure("webhook: healthy p99, 5 of 10 hanging / none", half["p99"] / none["p99"], ""),
    ]


async def _healthy(world: World, hanging: int, seconds: float) -> dict[str, float]:
    paths = [f"/hang/{n}" if n < hanging else f"/ok/{n}" for n in range(ENDPOINTS)]
    async with rig(world) as r:
        await r.endpoints(paths)
        async with r.service("all"):
            await _warm(r, ENDPOINTS - hanging)
            count = await r.produce_at(RATE, seconds)
            return await r.arrived(count * (ENDPOINTS - hanging))


async def _warm(r: Rig, healthy: int) -> None:
    await r.produce(1)
    await r.arrived(healthy)
    await asyncio.sleep(1)
    await r.figures(reset=True)
