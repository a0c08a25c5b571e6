"""Links and return addresses that nobody else can make."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.notification import signing

KEY, OLD = b"k" * 32, b"o" * 32
WHAT = signing.Unsubscribe(UUID(int=1), UUID(int=2), "reminders")
DELIVERY = UUID(int=7)


def test_what_we_signed_is_read_back_with_an_older_key_too() -> None:
    assert signing.read_unsubscribe_token([KEY, OLD], signing.unsubscribe_token(OLD, WHAT)) == WHAT
    assert signing.read_unsubscribe_token([KEY], signing.unsubscribe_token(OLD, WHAT)) is None
    made = signing.bounce_address(KEY, DELIVERY, "x.example")
    assert len(made.partition("@")[0]) <= 64  # RFC 5321 4.5.3.1.1
    assert signing.read_bounce_address([OLD, KEY], made.upper()) == DELIVERY
    assert signing.read_bounce_address([OLD], made) is None


@given(st.text(max_size=250))
def test_what_we_did_not_sign_says_nothing(text: str) -> None:
    assert signing.read_unsubscribe_token([KEY], text) is None
    assert signing.read_bounce_address([KEY], text) is None
    assert signing.read_bounce_address([KEY], f"bounce+{text}@x") is None


@given(st.integers(0, 400), st.integers(1, 255))
def test_one_changed_byte_is_enough(position: int, change: int) -> None:
    token = bytearray(signing.unsubscribe_token(KEY, WHAT).encode())
    spot = position % (len(token) - 1)  # the last character has bits that stand for nothing
    token[spot] = (token[spot] + change) % 256
    read = signing.read_unsubscribe_token([KEY], token.decode("latin-1"))
    assert read is None
