"""Token buckets: the burst, the refill, and a bounded memory."""

from __future__ import annotations

from shared.web import limits
from shared.web.limits import RateLimit


class Hand:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def told(headers: list[tuple[bytes, bytes]]) -> str:
    return dict(headers)[b"ratelimit"].decode()


def test_a_burst_then_the_rate() -> None:
    hand = Hand()
    limit = RateLimit("caller", rate=2, burst=4, clock=hand)
    assert [limit.take("a")[0] for _ in range(6)] == [True] * 4 + [False] * 2
    hand.now += 0.5
    assert [limit.take("a")[0] for _ in range(2)] == [True, False]
    hand.now += 100
    assert [limit.take("a")[0] for _ in range(5)] == [True] * 4 + [False]


def test_the_headers_count_down_and_say_how_long_to_wait() -> None:
    hand = Hand()
    limit = RateLimit("caller", rate=0.5, burst=2, clock=hand)
    assert told(limit.take("a")[1]) == '"caller";r=1;t=0'
    assert told(limit.take("a")[1]) == '"caller";r=0;t=2'
    allowed, headers = limit.take("a")
    assert not allowed
    assert told(headers) == '"caller";r=0;t=2'
    assert dict(headers)[b"ratelimit-policy"] == b'"caller";q=2;w=4'
    assert limit.refusal().extensions == {"retry_after": 2}


def test_callers_do_not_share() -> None:
    limit = RateLimit("caller", rate=1, burst=1, clock=Hand())
    assert limit.take("a")[0]
    assert limit.take("b")[0]
    assert not limit.take("a")[0]


def test_memory_is_bounded_and_forgets_who_was_longest_away(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(limits, "MOST_CALLERS", 3)
    limit = RateLimit("caller", rate=1, burst=1, clock=Hand())
    for name in ("a", "b", "c", "a", "d"):
        limit.take(name)
    assert not limit.take("a")[0], "a came back and is remembered"
    assert limit.take("b")[0], "b was longest away"
