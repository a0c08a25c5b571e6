"""A hanging endpoint delays nobody: the healthy endpoints' delay with one of ten hanging, against none hanging."""

from __future__ import annotations

from benchmarks.webhook_rig import Rig, rig
from benchmarks.world import Figure, World, median

ENDPOINTS, RATE = 10, 20
TURNS, SECONDS = 3, 12.0
FORGET = """
UPDATE webhook.endpoint SET status = 'deleted';
UPDATE webhook.drain SET due_at = 'infinity';
DELETE FROM webhook.pending;
"""


async def run(world: World) -> list[Figure]:
    """Deliveries to the healthy at 20 events/s, in turns: none, one and five of ten endpoints never answer."""
    turns, seconds = (1, 2.0) if world.small else (TURNS, SECONDS)
    arms: dict[int, list[dict[str, float]]] = {0: [], 1: [], ENDPOINTS // 2: []}
    for _ in range(turns):
        for hanging, taken in arms.items():
            taken.append(await _healthy(world, hanging, seconds))
    note = f"medians of {turns} turns of {seconds:g} s"
    figures: list[Figure] = []
    for q in ("p50", "p99"):
        none, *others = (median([turn[q] for turn in taken]) for taken in arms.values())
        figures.append(Figure(f"webhook: healthy {q}, none of {ENDPOINTS} endpoints hanging", none, "ms", "", note))
        for hanging, value in zip(list(arms)[1:], others, strict=True):
            name = f"webhook: healthy {q}, {hanging} of {ENDPOINTS} hanging"
            figures.append(Figure(name, value, "ms"))
            figures.append(Figure(f"{name} / none", value / none, "", "<= 1.2" if q == "p99" else ""))
    return figures


async def _healthy(world: World, hanging: int, seconds: float) -> dict[str, float]:
    paths = [f"/hang/{n}" if n < hanging else f"/ok/{n}" for n in range(ENDPOINTS)]
    async with rig(world) as r:
        await r.endpoints(paths)
        async with r.service("all"):
            await _warm(r, ENDPOINTS - hanging)
            count = await r.produce_at(RATE, seconds)
            got = await r.arrived(count * (ENDPOINTS - hanging))
        await r.admin.execute(FORGET)
    return got


async def _warm(r: Rig, healthy: int) -> None:
    await r.produce(1)
    await r.arrived(healthy)
    await r.arrived((1 + await r.produce_at(RATE, 1)) * healthy)
    await r.figures(reset=True)
