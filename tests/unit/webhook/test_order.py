"""Gaps: when sequences that came early are within reach."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.webhook.store.intake import closes_gap
from services.webhook.upkeep.seldom import first_id
from tests.builders import NOON


def test_closing_a_gap() -> None:
    assert not closes_gap(1, [1])
    assert not closes_gap(3, [1, 2, 3])
    assert not closes_gap(1, [3])
    assert closes_gap(3, [2])
    assert closes_gap(4, [2, 4])


@given(st.sets(st.integers(1, 30), min_size=1, max_size=10), st.sets(st.integers(1, 30), max_size=10))
def test_it_never_misses_one(batch: set[int], before: set[int]) -> None:
    batch -= before
    everything, seen = batch | before, 0
    while seen + 1 in everything:
        seen += 1
    was = 0
    while was + 1 in before:
        was += 1
    released = {s for s in before if was < s <= seen}
    assert closes_gap(seen, sorted(batch)) or not released


def test_the_first_id_of_a_moment() -> None:
    low = first_id(NOON)
    assert low.version == 7
    assert (low.int >> 80) == int(NOON.timestamp() * 1000)
    assert low < UUID(int=low.int + 1)
