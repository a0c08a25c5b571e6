"""From an event's own time to its verified delivery, at a steady rate; and what the disk did meanwhile."""

from __future__ import annotations

from benchmarks.webhook import warm
from benchmarks.webhook_rig import disk, rig
from benchmarks.world import Figure, World, median, percentile

TURNS, SECONDS, WARM_UP = 5, 8.0, 8.0


async def run(world: World) -> list[Figure]:
    """p50 and p99 at 100 events/s to one endpoint, and at the same 500 deliveries/s to 100 and 1,000 endpoints."""
    figures = await _delay(world, 1, 100, ("<= 30", "<= 100"))
    if not world.small:
        figures += await _delay(world, 100, 5, ("", ""))
        figures += await _delay(world, 1_000, 0.5, ("", ""))
    return figures


async def _delay(world: World, endpoints: int, rate: float, goals: tuple[str, str]) -> list[Figure]:
    turns, seconds, warm_up = (1, 2.0, 1.0) if world.small else (TURNS, SECONDS, WARM_UP)
    taken: list[dict[str, float]] = []
    async with rig(world) as r:
        await r.endpoints([f"/ok/{n}" for n in range(endpoints)])
        # what making the database has left to write is not the service's
        await r.admin.execute("CHECKPOINT")
        async with r.service("all"):
            await warm(r, endpoints)
            await r.arrived(await r.produce_at(rate, warm_up) * endpoints)
            async with disk() as writes:
                for _ in range(turns):
                    await r.figures(reset=True)
                    count = await r.produce_at(rate, seconds)
                    taken.append(await r.arrived(count * endpoints))
    name = f"webhook: delay at {rate:g} events/s to {endpoints} endpoint(s)"
    worst = max(t["p99"] for t in taken)
    return [
        Figure(f"{name}, p50", median([t["p50"] for t in taken]), "ms", goals[0], f"median of {turns} turns"),
        Figure(f"{name}, p99", median([t["p99"] for t in taken]), "ms", goals[1], f"worst turn {worst:.0f}"),
        Figure("  one write to the disk meanwhile, p99", percentile(writes, 0.99), "ms", "", f"max {max(writes):.0f}"),
    ]
