"""A fetch's answer reads as the library reads it, whatever is in it."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchResponse_v11
from hypothesis import given
from hypothesis import strategies as st

from shared.kafka import fetched

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LONGS = st.integers(-(2**63), 2**63 - 1)
INTS = st.integers(-(2**31), 2**31 - 1)
SHORTS = st.integers(-(2**15), 2**15 - 1)
ABORTED = st.none() | st.lists(st.tuples(LONGS, LONGS), max_size=2)
RECORDS = st.none() | st.binary(max_size=60)
PARTITIONS = st.tuples(INTS, SHORTS, LONGS, LONGS, LONGS, ABORTED, INTS, RECORDS)
TOPICS = st.none() | st.lists(st.tuples(NAMES, st.none() | st.lists(PARTITIONS, max_size=4)), max_size=4)


def both(raw: bytes) -> list[tuple[Any, ...]]:
    """What the library and this read: the fields and where they stopped, or the error's name."""
    outcomes: list[tuple[Any, ...]] = []
    for decode in (fetched._library, fetched._decode):
        stream = BytesIO(b"head" + raw + b"tail")
        stream.seek(4)
        try:
            answer = decode(FetchResponse_v11, stream)
        except Exception as e:
            outcomes.append((type(e).__name__,))
            continue
        outcomes.append((answer.throttle_time_ms, answer.error_code, answer.session_id, answer.topics, stream.tell()))
    return outcomes


@given(INTS, SHORTS, INTS, TOPICS)
def test_every_answer_reads_the_same(throttle: int, code: int, session: int, topics: list[Any] | None) -> None:
    raw = FetchResponse_v11(throttle, code, session, topics).encode()
    library, ours = both(raw)
    assert ours == library
    assert library[3] == topics
    assert fetched._decode(FetchResponse_v11, raw).topics == topics


@given(st.binary(max_size=120))
def test_garbage_fails_or_reads_as_the_library_has_it(raw: bytes) -> None:
    library, ours = both(raw)
    assert ours == library


def test_what_is_usual_is_read_here_and_the_rest_by_the_library() -> None:
    usual: list[Any] = [(0, 0, 5, 5, 0, [], -1, b"records"), (1, 0, 0, 0, 0, None, -1, b"")]
    raw = FetchResponse_v11(0, 0, 0, [("order.created", usual)]).encode()
    assert fetched._topics(memoryview(raw), 0) == ((0, 0, 0, 1), [("order.created", usual)], len(raw))
    aborted: list[Any] = [(0, 0, 5, 5, 0, [(7, 3)], -1, b"records")]
    raw = FetchResponse_v11(0, 0, 0, [("order.created", aborted)]).encode()
    assert fetched._topics(memoryview(raw), 0) is None


def test_an_answer_that_is_cut_off_anywhere_is_refused() -> None:
    raw = FetchResponse_v11(0, 0, 0, [("order.created", [(0, 0, 5, 5, 0, [], -1, b"records")] * 2)]).encode()
    for end in range(len(raw)):
        with pytest.raises(ValueError, match=r"."):
            fetched._decode(FetchResponse_v11, raw[:end])
