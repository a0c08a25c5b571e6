"""What a message may be made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.messaging.schemas import MOST_TEXT, PostMessage, readable


@pytest.mark.parametrize(
    ("given", "kept"),
    [("  hello \n", "hello"), ("a\r\nb\rc", "a\nb\nc"), ("e\u0301", "\u00e9"), ("a\tb", "a\tb"), ("👍", "👍")],
)
def test_text_is_kept_in_one_form(given: str, kept: str) -> None:
    assert PostMessage(text=given).text == kept


@pytest.mark.parametrize(
    "text", ["", " \n\t ", "\u200b\u200d\ufeff", "\x07bell", "\x1b[31mred", "\x85", "x" * (MOST_TEXT + 1)]
)
def test_what_nobody_can_read_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        PostMessage(text=text)


@given(st.text(max_size=200))
def test_kept_text_is_kept_as_it_is_the_next_time(text: str) -> None:
    try:
        once = readable(text)
    except ValueError:
        return
    assert readable(once) == once
    assert 1 <= len(once) <= MOST_TEXT
