"""Webhooks end to end: from the topic to a receiver that checks the signature, on one machine with everything else."""

from __future__ import annotations

from typing import Final

from benchmarks.webhook_rig import Rig, rig
from benchmarks.world import Figure, World


async def run(world: World) -> list[Figure]:
    """Throughput by number of endpoints."""
    return [await _throughput(world, *plan) for plan in _plans(world.small)]


ONE: Final = ("all",)
# intake and sending each with a core of its own
TWO: Final = ("consumer", "worker")


def _plans(small: bool) -> list[tuple[int, int, bool, tuple[str, ...], str]]:
    if small:
        return [(5, 100, True, ONE, ""), (1, 50, False, TWO, "")]
    return [
        (1, 15_000, False, ONE, ">= 1500"),
        (1, 15_000, False, TWO, ">= 1500"),
        (1, 10_000, True, ONE, ""),
        (10, 2_000, True, ONE, ">= 1988"),
        (100, 300, True, ONE, ">= 2500"),
        (1_000, 30, True, ONE, ""),
    ]


async def _throughput(
    world: World, endpoints: int, events: int, ordered: bool, roles: tuple[str, ...], goal: str
) -> Figure:
    async with rig(world) as r:
        await r.endpoints([f"/ok/{n}" for n in range(endpoints)], ordered=ordered)
        async with r.service(*roles):
            await warm(r, endpoints)
            await r.produce(events)
            got = await r.arrived(events * endpoints)
    assert not got["bad"], "a signature was refused"
    name = (
        f"webhook: {endpoints} endpoint(s), {'ordered' if ordered else 'unordered'}, {events} events, {'+'.join(roles)}"
    )
    repeated = got["received"] - got["unique"]
    return Figure(name, got["unique"] / got["seconds"], "deliveries/s", goal, f"{repeated:.0f} repeated")


async def warm(r: Rig, endpoints: int) -> None:
    """A first event has come through everywhere; what it cost is forgotten."""
    await r.produce(1)
    await r.arrived(endpoints)
    await r.figures(reset=True)
