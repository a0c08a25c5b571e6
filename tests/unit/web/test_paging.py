"""Cursors: what went in comes out; what was made elsewhere is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadRequest
from shared.web.paging import Cursor, Page

MOMENTS = st.datetimes(timezones=st.just(UTC))
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=100)
EVERY = Cursor("every", datetime, UUID, int, str)


@given(MOMENTS, st.uuids(), st.integers(-(2**63) + 1, 2**63 - 1), TEXTS)
def test_values_come_back(moment: datetime, key: UUID, number: int, text: str) -> None:
    cursor = EVERY.encode(moment, key, number, text)
    assert cursor.isascii()
    if len(cursor) <= 1_024:
        assert EVERY.decode(cursor) == (moment, key, number, text)


def test_a_missing_sort_value_is_a_value() -> None:
    cursor = Cursor("c", str, int)
    assert cursor.decode(cursor.encode(None, 1)) == (None, 1)


def test_no_cursor_is_the_first_page() -> None:
    assert EVERY.decode(None) is None


@given(st.text(max_size=60))
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="invalid_cursor"):
        EVERY.decode(text)


def test_another_lists_cursor_is_refused() -> None:
    with pytest.raises(BadRequest, match="invalid_cursor"):
        Cursor("orders.-placed_at", int).decode(Cursor("orders.placed_at", int).encode(1))


@pytest.mark.parametrize("value", [True, 2**63, 1.5, "1", [1]])
def test_a_value_of_another_type_is_refused(value: object) -> None:
    cursor = Cursor("c", int)
    with pytest.raises(BadRequest, match="invalid_cursor"):
        cursor.decode(cursor.encode(value))  # type: ignore[arg-type]


def test_a_time_without_offset_is_refused() -> None:
    cursor = Cursor("c", datetime)
    with pytest.raises(BadRequest, match="invalid_cursor"):
        cursor.decode(cursor.encode("2026-01-01T00:00:00"))


@pytest.mark.parametrize(("have", "shown", "more"), [(0, 0, False), (2, 2, False), (3, 3, False), (4, 3, True)])
def test_a_page_shows_its_limit_and_says_whether_there_is_more(have: int, shown: int, more: bool) -> None:
    page = Page(3, None)
    rows, cursor = page.of(list(range(have))[: page.fetch], str)
    assert len(rows) == shown
    assert (cursor == "2") is more
