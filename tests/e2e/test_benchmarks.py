"""Each benchmark runs once, small, so that none of them rots. The figures are not looked at here."""

from __future__ import annotations

import math

import pytest

from benchmarks.__main__ import found
from benchmarks.world import world
from tests.stack import Databases, Stack

BENCHMARKS = found()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", BENCHMARKS)
async def test_a_benchmark_runs_and_gives_figures(name: str, stack: Stack, databases: Databases) -> None:
    async with world(stack, databases, small=True) as here:
        figures = await BENCHMARKS[name](here)
    assert figures
    for figure in figures:
        assert math.isfinite(figure.value), figure
        assert figure.value >= 0, figure
