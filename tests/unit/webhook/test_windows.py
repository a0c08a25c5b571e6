"""Fair shares: nobody starves, nobody hogs, a hanging endpoint shrinks to one place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.webhook.deliver.windows import SILENT_SECONDS, START, Window, share

WINDOWS = st.lists(
    st.builds(
        Window,
        most=st.integers(1, 256),
        size=st.floats(1, 256),
        in_flight=st.integers(0, 100),
        queued=st.integers(0, 100),
        proven=st.booleans(),
        quick=st.booleans(),
        silent=st.booleans(),
        idle=st.booleans(),
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
    assert granted[-1] == START


def test_who_holds_everything_gets_nothing_of_the_reserve() -> None:
    hogs = [Window(size=64.0, proven=True, quick=True, in_flight=25) for _ in range(3)]
    newcomer = Window()
    assert share(100, 75, [*hogs, newcomer], 3) == [0, 0, 0, 0]
    assert share(100, 74, [*hogs, newcomer], 3) == [0, 0, 0, 1]
    newcomer.succeeded()
    assert share(100, 75, [*hogs, newcomer], 3) == [0, 0, 0, START]


@given(st.integers(4, 100), st.integers(1, 30), st.integers(1, 30))
def test_those_that_hang_hold_no_more_than_their_part(each: int, hanging: int, healthy: int) -> None:
    """All ask again and again; those that hang give nothing back, the others everything."""
    places = each * (hanging + healthy)
    stuck = [Window(size=64.0, proven=True, quick=True) for _ in range(hanging)]
    free = [Window(size=64.0, proven=True, quick=True) for _ in range(healthy)]
    for _ in range(20):
        windows = [*stuck, *free]
        held = [w.in_hand for w in windows]
        granted = share(places, sum(held), windows, sum(h > 0 for h in held))
        for window, n in zip(windows, granted, strict=True):
            window.in_flight += n
        assert sum(w.in_flight for w in windows) <= places
        assert max(w.in_flight for w in stuck) <= max(each, START)
        assert min(w.in_flight for w in free) >= 1
        for window in free:
            window.in_flight = 0


def test_a_busy_endpoint_among_many_that_have_little_to_send() -> None:
    """Neither those under way nor those merely asked narrow its window; claimed ahead is no more than its part."""
    busy = Window(size=64.0, proven=True, quick=True, in_flight=60, queued=0)
    idle = [Window(size=64.0, proven=True, quick=True, idle=True) for _ in range(80)]
    granted = share(1_000, 110, [*idle, busy], 51)
    assert granted[-1] == 4, "its width, though fifty others have one under way"
    assert set(granted[:-1]) == {START}
    assert share(1_000, 60, [busy], 1) == [196]
    assert share(1_000, 65, [busy], 6) == [65], "an equal part of three quarters"


def test_a_hanging_endpoint_holds_one_place() -> None:
    window = Window()
    for _ in range(10):
        window.struggled()
    assert window.room() == 1
    for _ in range(300):
        window.succeeded()
    assert window.size == window.most
    assert window.room() == window.most
    window.began(1.0)
    window.ended(1.1, 0.1)
    assert window.room() == 4 * window.most, "quick: some are claimed ahead"


def test_who_answers_nothing_for_a_second_is_a_stranger_again() -> None:
    window = Window(size=64.0, proven=True, quick=True)
    window.began(10.0)
    window.began(10.9)
    assert not window.listen(10.0 + SILENT_SECONDS - 0.01)
    assert window.room() > START
    assert window.listen(10.0 + SILENT_SECONDS)
    assert not window.listen(12.0), "said once"
    assert window.room() == START - 2
    window.ended(12.5, None)
    assert window.room() == START - 1, "a time-out is no answer"
    window.ended(12.6, 1.7)
    assert window.trusted
    assert window.room() == 64, "but slow: nothing is claimed ahead"


def test_a_silence_is_counted_from_the_first_that_is_under_way() -> None:
    window = Window()
    window.began(0.0)
    window.ended(0.1, 0.1)
    window.began(100.0)
    assert not window.listen(100.5)
    assert window.listen(101.0)
