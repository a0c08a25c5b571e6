"""Webhooks end to end: from the topic to a receiver that checks the signature, on one machine with everything else."""

from __future__ import annotations

from typing import Final

from benchmarks.webhook_rig import Rig, rig
from benchmarks.world import Figure, World


async def run(world: World) -> list[Figure]:
    """Throughput by number of endpoints, and delay at a steady rate."""
    figures = await _delay(world, 1, 100, ("<= 30", "<= 100"))
    if not world.small:
        figures += await _delay(world, 100, 5, ("", ""))
        figures += await _delay(world, 1_000, 0.5, ("", ""))
    return [*figures, *[await _throughput(world, *plan) for plan in _plans(world.small)]]


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
            await _warm(r, endpoints)
            await r.produce(events)
            got = await r.arrived(events * endpoints)
    assert not got["bad"], "a signature was refused"
    name = (
        f"webhook: {endpoints} endpoint(s), {'ordered' if ordered else 'unordered'}, {events} events, {'+'.join(roles)}"
    )
    repeated = got["received"] - got["unique"]
    return Figure(name, got["unique"] / got["seconds"], "deliveries/s", goal, f"{repeated:.0f} repeated")


async def _delay(world: World, endpoints: int, rate: float, goals: tuple[str, str]) -> list[Figure]:
    """From an event's own time to its verified delivery, each event going to every endpoint."""
    seconds, warm_up = (3, 1) if world.small else (30, 12)
    async with rig(world) as r:
        await r.endpoints([f"/ok/{n}" for n in range(endpoints)])
        # what making the database has left to write is not the service's
        await r.admin.execute("CHECKPOINT")
        async with r.service("all"):
            await _warm(r, endpoints)
            await r.arrived(await r.produce_at(rate, warm_up) * endpoints)
            await r.figures(reset=True)
            count = await r.produce_at(rate, seconds)
            got = await r.arrived(count * endpoints)
    note = f"{count} events after a warm-up of {warm_up} s"
    name = f"webhook: delay at {rate:g} events/s to {endpoints} endpoint(s)"
    return [
        Figure(f"{name}, p50", got["p50"], "ms", goals[0], note),
        Figure(f"{name}, p99", got["p99"], "ms", goals[1]),
    ]


async def _warm(r: Rig, endpoints: int) -> None:
    """A first event has come through everywhere; what it cost is forgotten."""
    await r.produce(1)
    await r.arrived(endpoints)
    await r.figures(reset=True)
