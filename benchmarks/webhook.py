"""Webhooks end to end: from the topic to a receiver that checks the signature, on one machine with everything else."""

from __future__ import annotations

from benchmarks.webhook_rig import Rig, rig
from benchmarks.world import Figure, World


async def run(world: World) -> list[Figure]:
    """Throughput by number of endpoints, and delay at 100 events per second."""
    figures = [await _throughput(world, *plan) for plan in _plans(world.small)]
    return [*figures, *await _delay(world)]


def _plans(small: bool) -> list[tuple[int, int, bool, str]]:
    if small:
        return [(5, 100, True, "")]
    return [
        (1, 15_000, False, ">= 1500"),
        (1, 10_000, True, ""),
        (10, 2_000, True, ">= 1988"),
        (100, 300, True, ">= 2500"),
        (1_000, 30, True, ""),
    ]


async def _throughput(world: World, endpoints: int, events: int, ordered: bool, goal: str) -> Figure:
    async with rig(world) as r:
        await r.endpoints([f"/ok/{n}" for n in range(endpoints)], ordered=ordered)
        async with r.service("all"):
            await _warm(r, endpoints)
            await r.produce(events)
            got = await r.arrived(events * endpoints)
    assert not got["bad"], "a signature was refused"
    name = f"webhook: {endpoints} endpoint(s), {'ordered' if ordered else 'unordered'}, {events} events"
    repeated = got["received"] - got["unique"]
    return Figure(name, got["unique"] / got["seconds"], "deliveries/s", goal, f"{repeated:.0f} repeated")


async def _delay(world: World) -> list[Figure]:
    seconds = 3 if world.small else 20
    async with rig(world) as r:
        await r.endpoints(["/ok/0"])
        async with r.service("all"):
            await _warm(r, 1)
            count = await r.produce_at(100, seconds)
            got = await r.arrived(count)
    return [
        Figure("webhook: delay at 100 events/s, p50", got["p50"], "ms", "<= 30"),
        Figure("webhook: delay at 100 events/s, p99", got["p99"], "ms", "<= 100"),
    ]


async def _warm(r: Rig, endpoints: int) -> None:
    """A first event has come through everywhere; what it cost is forgotten."""
    await r.produce(1)
    await r.arrived(endpoints)
    await r.figures(reset=True)
