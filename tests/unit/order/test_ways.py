"""Which way to the orders with a text is tried first, and that trying comes to an end."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.order.store.ways import MOST, RISK, TRIES, Ways, share

MILLION: dict[str, Any] = {
    "limit": 51, "orders": 1_000_000, "fitting": 80_000, "text": 0.05, "both": 0.004, "sort": "total",
    "gathers": True, "names": True, "narrowed": True, "combined": 0,
}  # fmt: skip


def _first(**known: Any) -> str:
    step = Ways(**{**MILLION, **known}).next()
    assert step is not None
    return step.way


def test_a_frequent_text_is_walked_to_and_a_rare_one_looked_up() -> None:
    assert _first(text=0.5, both=0.4, fitting=800_000) == "walk"
    assert _first(text=0.0005, both=0.00004) == "names"
    assert _first(text=0.05, both=0.00005, fitting=1_000, names=False) == "gather"


def test_names_that_cannot_be_narrowed_are_looked_up_where_they_are_few() -> None:
    assert _first(narrowed=False, fitting=900_000, both=0.045) == "walk"
    assert _first(narrowed=False, text=0.0005, both=0.0005) == "names"


def test_a_walk_that_found_little_is_not_gone_on_with() -> None:
    ways = Ways(**{**MILLION, "both": 0.05})
    step = ways.next()
    assert step is not None
    assert step.way == "walk"
    ways.failed(step, hits=1)
    following = ways.next()
    assert following is not None
    assert following.way == "names"


def test_a_walk_that_is_gone_on_with_counts_what_it_has_found_so_far() -> None:
    ways = Ways(**{**MILLION, "fitting": 30_000, "text": 0.05, "both": 0.005, "gathers": False, "narrowed": False})
    first = ways.next()
    assert first is not None
    ways.failed(first, hits=39)
    second = ways.next()
    assert second is not None
    assert (second.way, second.most) == ("walk", 2 * first.most)


def test_a_few_hits_are_held_against_what_is_expected() -> None:
    assert share(0, 1_000, 0.0025) < 0.0025 < share(9, 1_000, 0.0025) < 0.009
    assert share(300, 1_000, 0.0025) > 0.1
    assert share(0, 1_000, 0) > 0


def test_a_list_that_is_short_is_walked_to_its_end() -> None:
    step = Ways(**{**MILLION, "orders": 900, "names": False, "gathers": False}).next()
    assert step is not None
    assert step.whole
    assert step.most > 900


@given(
    limit=st.integers(1, 201), orders=st.integers(1, 10**9), fitting=st.floats(0, 1e9), text=st.floats(1e-7, 1),
    both=st.floats(1e-9, 1), sort=st.sampled_from(sorted(RISK)), gathers=st.booleans(), names=st.booleans(),
    narrowed=st.booleans(), combined=st.integers(0, 200), hits=st.integers(0, 3),
)  # fmt: skip
def test_whatever_fails_the_ways_come_to_an_end_and_each_has_its_bound(hits: int, **known: Any) -> None:
    ways = Ways(**known)
    for _ in range(3 * TRIES + 1):
        step = ways.next()
        if step is None or step.whole:
            return
        assert 0 < step.most <= MOST[step.way]
        found = min(hits, ways.limit - 1) if step.way == "walk" else 0
        ways.failed(step, found)
    raise AssertionError("it goes on")
