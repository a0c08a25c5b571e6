"""Exports of a long list through HTTP: how long they take, and the most memory that the api process ever had."""

from __future__ import annotations

import time
from pathlib import Path

import aiohttp

from benchmarks.lists import market_of, seed
from benchmarks.world import Figure, World
from tests.e2e.market import Market

ORDERS = 100_000
SMALL_ORDERS = 400


async def run(world: World) -> list[Figure]:
    """Seconds of a CSV and of an XLSX file, read to the end, and the process's peak of resident memory after each."""
    orders = SMALL_ORDERS if world.small else ORDERS
    found: list[Figure] = []
    async with market_of(world) as market:
        await seed(world, orders)
        before = peak(market)
        for kind in ("csv", "xlsx"):
            seconds, size = await _exported(market, kind, orders)
            name = f"export of {orders:,} orders, {kind.upper()}"
            found.append(Figure(name, seconds, "s", "<= 20", f"{size / 1e6:.1f} MB"))
            found.append(Figure(f"{name}: peak memory", peak(market), "MB", "<= 150", f"{before:.0f} MB before"))
    return found


def peak(market: Market) -> float:
    """VmHWM of the api process in MB."""
    process = market.fleet.processes["order-api-1"].popen
    assert process is not None
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1_024


async def _exported(market: Market, kind: str, orders: int) -> tuple[float, int]:
    """Seconds and bytes. Raises RuntimeError where the file has not every order."""
    size = lines = 0
    started = time.perf_counter()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=300)) as http, http.get(
        f"{market.fleet.url('order')}/v1/orders/export", params={"format": kind}, headers=market.headers("operator")
    ) as answer:  # fmt: skip
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {await answer.text()}")
        async for chunk in answer.content.iter_chunked(65_536):
            size += len(chunk)
            lines += chunk.count(b"\n")
    seconds = time.perf_counter() - started
    if kind == "csv" and lines != orders + 1:
        raise RuntimeError(f"the file has {lines} lines for {orders} orders")
    return seconds, size
