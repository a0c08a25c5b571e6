"""A hanging endpoint delays nobody: the healthy endpoints' delay with some of ten hanging, against none hanging.

BENCH_TURNS turns (three unless set), of all cases or of the first BENCH_CASES of them.
"""

from __future__ import annotations

import os
from typing import Final

from benchmarks.webhook_rig import Rig, disk, rig
from benchmarks.world import Figure, World, median, percentile

ENDPOINTS, RATE = 10, 50
TURNS, SECONDS, WARM_UP = 3, 20.0, 3.0
# How many hang, and whether they had been quick until then: /until/N answers until it is told to be silent.
ARMS: Final = {
    "none": (0, "ok"),
    "1 of 10": (1, "hang"),
    "5 of 10": (5, "hang"),
    "5 of 10, quick until then,": (5, "until"),
}
FORGET = """
UPDATE webhook.endpoint SET status = 'deleted';
UPDATE webhook.drain SET due_at = 'infinity';
DELETE FROM webhook.pending;
"""


async def run(world: World) -> list[Figure]:
    """Deliveries to the healthy at 50 events/s, in turns; and what one write to the disk took meanwhile."""
    turns, seconds, warm_up = (1, 2.0, 1.0) if world.small else (_given("TURNS", TURNS), SECONDS, WARM_UP)
    arms = [*ARMS][::3] if world.small else [*ARMS][: _given("CASES", len(ARMS))]
    taken: dict[str, list[dict[str, float]]] = {arm: [] for arm in arms}
    writes: dict[str, list[float]] = {arm: [] for arm in arms}
    for turn in range(turns):
        # each turn begins with another, so that no arm always comes first
        first = turn % len(arms)
        for arm in arms[first:] + arms[:first]:
            got, wrote = await _healthy(world, *ARMS[arm], seconds=seconds, warm_up=warm_up)
            taken[arm].append(got)
            writes[arm] += wrote
    figures: list[Figure] = []
    for q in ("p50", "p99"):
        values = {arm: [got[q] for got in each] for arm, each in taken.items()}
        none = median(values["none"])
        for arm, each in values.items():
            note = "turns: " + ", ".join(f"{v:.0f}" for v in each)
            figures.append(Figure(f"webhook: healthy {q}, {arm} hanging", median(each), "ms", "", note))
            if arm != "none":
                goal = "<= 1.2" if q == "p99" else ""
                figures.append(Figure(f"webhook: healthy {q}, {arm} hanging / none", median(each) / none, "", goal))
    for arm, each in writes.items():
        note = f"p50 {percentile(each, 0.5):.1f}, max {max(each):.0f}"
        figures.append(
            Figure(f"  a write to the disk meanwhile, {arm} hanging, p99", percentile(each, 0.99), "ms", "", note)
        )
    return figures


def _given(name: str, default: int) -> int:
    return max(1, int(os.environ.get(f"BENCH_{name}", default)))


async def _healthy(
    world: World, hanging: int, kind: str, *, seconds: float, warm_up: float
) -> tuple[dict[str, float], list[float]]:
    paths = [f"/{kind if n < hanging else 'ok'}/{n}" for n in range(ENDPOINTS)]
    answering = ENDPOINTS if kind == "until" else ENDPOINTS - hanging
    async with rig(world) as r:
        await r.endpoints(paths)
        await r.admin.execute("CHECKPOINT")
        # nobody waits at the end for those that hang; a second of the time to stop is theirs
        async with r.service("all", ORDERTRAIL_SHUTDOWN_SECONDS="6"):
            await _warm(r, answering, warm_up)
            await r.tell("silence")
            async with disk() as writes:
                count = await r.produce_at(RATE, seconds)
                got = await r.arrived(count * (ENDPOINTS - hanging))
        await r.admin.execute(FORGET)
    return got, writes


async def _warm(r: Rig, answering: int, seconds: float) -> None:
    await r.produce(1)
    await r.arrived(answering)
    await r.arrived((1 + await r.produce_at(RATE, seconds)) * answering)
    await r.figures(reset=True)
