"""Fair shares: nobody starves, nobody hogs, a hanging endpoint shrinks to one place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.webhook.deliver.windows import Window, share

WINDOWS = st.lists(
    st.builds(
        Window,
        most=st.integers(1, 256),
        size=st.floats(1, 256),
        in_flight=st.integers(0, 100),
        queued=st.integers(0, 100),
        proven=st.booleans(),
    ),
    max_size=60,
)


@given(st.integers(1, 1_000), st.integers(0, 1_000), WINDOWS)
def test_shares_stay_within_budget_and_room(places: int, in_hand: int, windows: list[Window]) -> None:
    granted = share(places, in_hand, windows)
    assert len(granted) == len(windows)
    assert sum(granted) <= max(0, places - in_hand)
    assert all(0 <= n <= w.room() for n, w in zip(granted, windows, strict=True))


@given(
    st.integers(8, 1_000),
    st.lists(st.builds(Window, most=st.just(64), size=st.just(64.0), proven=st.just(True)), min_size=2, max_size=8),
)
def test_equals_get_nearly_the_same(places: int, windows: list[Window]) -> None:
    granted = share(places, 0, windows)
    assert min(granted) >= 1
    assert max(granted) - min(granted) <= max(places // len(windows), 1)


def test_the_reserve_is_for_the_proven() -> None:
    strangers = [Window(size=64.0) for _ in range(100)]
    good = Window(size=64.0, proven=True)
    granted = share(100, 75, [*strangers, good])
    assert sum(granted[:-1]) == 0
    assert granted[-1] == 25


def test_a_hanging_endpoint_holds_one_place() -> None:
    window = Window()
    for _ in range(10):
        window.struggled()
    assert window.room() == 1
    for _ in range(300):
        window.succeeded()
    assert window.size == window.most
    assert window.room() == 4 * window.most
