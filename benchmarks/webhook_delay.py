"""From an event's own time to its verified delivery, at a steady rate; and what the disk did meanwhile."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.webhook import warm
from benchmarks.webhook_rig import rig
from benchmarks.world import Figure, World, median, percentile

TURNS, SECONDS, WARM_UP = 5, 8.0, 8.0
PROBE_SECONDS = 0.05


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
            async with _disk() as writes:
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


@asynccontextmanager
async def _disk() -> AsyncIterator[list[float]]:
    """Milliseconds that 8 kB take to reach the disk, asked twenty times a second while the block lasts."""
    took: list[float] = []
    done = asyncio.Event()
    with tempfile.NamedTemporaryFile(prefix="ordertrail-bench-") as file:
        task = asyncio.create_task(_probe(file.fileno(), took, done))
        try:
            yield took
        finally:
            done.set()
            await task


async def _probe(file: int, took: list[float], done: asyncio.Event) -> None:
    while not done.is_set():
        started = time.perf_counter()
        await asyncio.to_thread(_write, file)
        took.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(PROBE_SECONDS)


def _write(file: int) -> None:
    os.pwrite(file, b"x" * 8_192, 0)
    os.fdatasync(file)
