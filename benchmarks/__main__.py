"""Runs benchmarks and prints a table: `python -m benchmarks [NAME ...] [--small] [--json FILE]`."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import pkgutil
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import benchmarks
from benchmarks.world import Figure, World, world
from shared import logs
from tests.stack import Databases, chosen_kind, describe, running_stack

Benchmark = Callable[[World], Awaitable[list[Figure]]]
FRAME = {"__main__", "world"}


def found() -> dict[str, Benchmark]:
    """Every module of this package that has a coroutine `run(world)`."""
    modules = {
        m.name: importlib.import_module(f"benchmarks.{m.name}")
        for m in pkgutil.iter_modules(benchmarks.__path__)
        if m.name not in FRAME
    }
    return {name: module.run for name, module in modules.items() if hasattr(module, "run")}


async def run_all(chosen: dict[str, Benchmark], *, small: bool) -> dict[str, list[Figure]]:
    """The figures by benchmark, each in a world of its own."""
    kind = chosen_kind()
    print(f"{describe(kind)}; {platform.machine()}, Python {platform.python_version()}", flush=True)
    results: dict[str, list[Figure]] = {}
    with running_stack(kind) as stack:
        databases = Databases(stack)
        await databases.open()
        try:
            for name, benchmark in chosen.items():
                started = time.monotonic()
                async with world(stack, databases, small=small) as here:
                    results[name] = await benchmark(here)
                print(f"\n{name} ({time.monotonic() - started:.0f} s)", flush=True)
                for figure in results[name]:
                    print(line(figure), flush=True)
        finally:
            await databases.close()
    return results


def line(figure: Figure) -> str:
    verdict = {None: "", True: "met", False: "MISSED"}[figure.met]
    goal = f"goal {figure.goal}: {verdict}" if figure.goal else ""
    return f"  {figure.name:<58} {figure.value:>12,.2f} {figure.unit:<12} {goal} {figure.note}".rstrip()


def main() -> None:
    benchmarks_here = found()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*benchmarks_here, []], help="which; all where none is named")
    parser.add_argument("--small", action="store_true", help="a few seconds each: shows that they run, not how fast")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    chosen = {n: b for n, b in benchmarks_here.items() if not arguments.names or n in arguments.names}
    logs.setup("benchmarks", "bench", "warning")
    results = asyncio.run(run_all(chosen, small=arguments.small))
    if arguments.json:
        arguments.json.write_text(
            json.dumps({n: [asdict(f) | {"met": f.met} for f in fs] for n, fs in results.items()}, indent=2) + "\n"
        )
    sys.exit(0)


if __name__ == "__main__":
    main()
