"""The bytes of a mail: whatever people write, the headers are ours, once each, and read as they were meant."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.header import decode_header, make_header
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notification.channels import message
from services.notification.channels.mail import Rendered
from services.notification.channels.message import BadAddress, Headers, UnsafeHeader, address, build, message_id
from services.notification.telling.plain import plain

EXPECTED = [
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "References",
    "List-Unsubscribe", "List-Unsubscribe-Post",
]  # fmt: skip
INJECTIONS = (
    "=?utf-8?q?a=0d=0aBcc:_e@x?=",
    "=?utf-8?b?YQ0KQmNjOiBlQHg=?=",
    "=?utf-8?Q?=0D=0A?= Bcc: e@x",
    "a\r\nBcc: e@x",
    "a\nBcc: e@x",
    "a\rBcc: e@x",
    "a\u2028Bcc: e@x",
    "a\x85Bcc: e@x",
    "a\x00b",
    '"; Bcc: e@x; "',
    "a <b@c>, d@e",
    "=?" * 200,
    "é" * 500,
    " =?utf-8?q?=0a?=" * 40,
)


def raw(subject: str = "Hi", name: str = "Kari", text: str = "body\n") -> bytes:
    headers = Headers(
        from_name=name, from_address="no-reply@x.example", to_name=name, to_address="kari@x.example",
        date=datetime(2026, 3, 2, tzinfo=UTC), message_id="<1@x.example>", refers_to="<order.1@x.example>",
        unsubscribe_url="http://127.0.0.1:8002/v1/unsubscribe?token=" + "t" * 90,
    )  # fmt: skip
    return build(headers, Rendered(subject, f"<p>{text}</p>", text))


def check(made: bytes, subject: str) -> None:
    block = made.split(b"\r\n\r\n", 1)[0]
    assert b"\n" not in block.replace(b"\r\n", b"")
    for policy in (email.policy.default, email.policy.compat32):
        parsed = email.message_from_bytes(made, policy=policy)
        assert parsed.keys()[: len(EXPECTED)] == EXPECTED
        assert "Bcc" not in parsed
        assert not parsed.defects
    shown = str(make_header(decode_header(email.message_from_bytes(made)["Subject"].replace("\r\n", ""))))
    assert shown == plain(subject, message.MOST_SUBJECT)
    default = email.message_from_bytes(made, policy=email.policy.default)
    assert [a.addr_spec for a in default["To"].addresses] == ["kari@x.example"]


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_looks_like_a_header_stays_text(text: str) -> None:
    check(raw(text, text, text + "\n"), text)


@given(st.text(max_size=300), st.text(max_size=150))
def test_any_text_makes_exactly_our_headers(subject: str, name: str) -> None:
    check(raw(subject, name), subject)


def test_a_header_that_reads_differently_is_refused() -> None:
    headers = Headers("x", "a@x", "y", "b@x", datetime(2026, 3, 2, tzinfo=UTC), "<1@x>\r\nBcc: e@x")
    with pytest.raises(UnsafeHeader):
        build(headers, Rendered("s", "h", "t"))
    encoded = Headers("x", "a@x", "y", "b@x", datetime(2026, 3, 2, tzinfo=UTC), "=?utf-8?b?DQpCY2M6IGVAeA==?=")
    with pytest.raises(UnsafeHeader):
        build(encoded, Rendered("s", "h", "t"))


def test_addresses() -> None:
    assert address(" Kari.Nordmann+x@Example.COM ") == "Kari.Nordmann+x@Example.COM"
    assert address("kari@blåbær.example") == "kari@xn--blbr-roah.example"
    assert address("kåre@x.example") == "kåre@x.example"
    for bad in (
        "", "a", "@x.example", "a@", "a b@x.example", "a@x..example", "a@-x.example", "<a@x.example>", "a@x\r\n.b",
        '"a b"@x.example', "a@b@x.example", "a.@x.example", "x" * 65 + "@x.example", "a@" + "x" * 64 + ".example",
        "a,b@x.example", "a@x.example,b@x.example", "a\x00@x.example", "a@[127.0.0.1]",
    ):  # fmt: skip
        with pytest.raises(BadAddress):
            address(bad)


def test_the_message_id_is_the_same_for_the_same_event_and_recipient() -> None:
    one, two = UUID(int=1), UUID(int=2)
    assert message_id(one, two, "x.example") == message_id(one, two, "x.example")
    assert len({message_id(a, b, "x.example") for a in (one, two) for b in (one, two)}) == 4


@given(st.text(max_size=2_000), st.text(max_size=2_000))
def test_both_parts_arrive_as_they_were_written(text: str, html: str) -> None:
    headers = Headers("x", "a@x", "y", "b@x", datetime(2026, 3, 2, tzinfo=UTC), "<1@x>")
    made = build(headers, Rendered("s", html, text))
    assert all(len(line) <= 78 for line in made.split(b"\r\n"))
    assert b"\n" not in made.replace(b"\r\n", b"")
    parts = email.message_from_bytes(made).get_payload()
    assert [p.get_content_type() for p in parts] == ["text/plain", "text/html"]  # type: ignore[union-attr]
    for part, wrote in zip(parts, (text, html), strict=True):
        got = part.get_payload(decode=True)
        lines = wrote.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace")
        assert got.replace(b"\r\n", b"\n") == lines
