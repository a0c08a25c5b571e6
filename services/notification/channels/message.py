"""The bytes of a mail. Every header is written here, so nothing that people wrote can become a header of its own.

CPython before 3.11.15 turns a subject such as "=?utf-8?q?a=0d=0aBcc:_e@x?=" into a real Bcc header, so header
values do not go through `email` at all: plain ASCII is written as it is, anything else as RFC 2047 words, and the
finished block is read back and compared before it may leave.
"""

from __future__ import annotations

import base64
import re
from binascii import b2a_qp
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Final
from uuid import UUID, uuid4, uuid5

from services.notification.channels.mail import Rendered
from services.notification.telling.plain import plain

MOST_LINE: Final = 76
MOST_SUBJECT: Final = 200
_NAMESPACE: Final = UUID("5d1c1a54-3b0c-5a43-9b0e-6f0d4f3b7c11")
# An address as RFC 5321 allows it without quoting; letters beyond ASCII need SMTPUTF8 on the way.
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LOCAL: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_DOMAIN: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")
_PLAIN_WORDS: Final = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~.,-]*")
_CRLF: Final = b"\r\n"


class BadAddress(ValueError):
    """An address that no mail can be sent to; the text says why."""


class UnsafeHeader(Exception):
    """A finished header block that reads differently from what was meant. Such a mail is never sent."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends to whom, as the mail server is told. `international`: the way there needs SMTPUTF8."""

    sender: str
    recipient: str

    @property
    def international(self) -> bool:
        return not self.recipient.isascii()


def address(text: str) -> str:
    """A usable address with its domain in ASCII. Raises BadAddress."""
    local, _, domain = text.strip().rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii") if domain else ""
    except UnicodeError:
        ascii_domain = ""
    if not 0 < len(local.encode()) <= 64 or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(ascii_domain):
        raise BadAddress(f"{plain(text, 100)!r} is not an e-mail address")
    return f"{local}@{ascii_domain}"


def message_id(event_id: UUID, person_id: UUID, domain: str) -> str:
    """The same for the same event and recipient, always: a mail that is sent again can be recognised."""
    return f"<{uuid5(_NAMESPACE, f'{event_id}:{person_id}')}@{domain}>"


def thread_id(order_id: UUID, domain: str) -> str:
    """What all mails of an order refer to, so that mail programs show them together."""
    return f"<order.{order_id}@{domain}>"


@dataclass(frozen=True, slots=True)
class Headers:
    """What stands in the header of a mail, before it is written."""

    from_name: str
    from_address: str
    to_name: str
    to_address: str
    date: datetime
    message_id: str
    refers_to: str | None = None
    reply_to: str | None = None
    unsubscribe_url: str | None = None


def build(headers: Headers, content: Rendered) -> bytes:
    """The whole mail with CRLF line ends. Raises UnsafeHeader if the header block is not exactly what was meant."""
    rows: list[tuple[str, str]] = [
        ("From", mailbox(headers.from_name, headers.from_address)),
        ("To", mailbox(headers.to_name, headers.to_address)),
        ("Subject", words(plain(content.subject, MOST_SUBJECT))),
        ("Date", format_datetime(headers.date)),
        ("Message-ID", headers.message_id),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
    ]
    if headers.reply_to:
        rows.append(("Reply-To", headers.reply_to))
    if headers.refers_to:
        rows.append(("References", headers.refers_to))
    if headers.unsubscribe_url:
        rows += [
            ("List-Unsubscribe", f"<{headers.unsubscribe_url}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ]
    block = _CRLF.join(f"{name}: {value}".encode() for name, value in rows) + _CRLF
    _check(block, rows)
    return block + _body(content)


def words(text: str) -> str:
    """Text as an unstructured header value: as it is where that is safe and short, else as encoded words."""
    if _PLAIN_WORDS.fullmatch(text) and "=?" not in text and len(text) <= MOST_LINE - 12:
        return text
    return _encoded(text)


def mailbox(name: str, addr: str) -> str:
    """Name <address>, the name quoted or encoded."""
    name = plain(name, 100)
    if not name:
        return addr
    if _PLAIN_WORDS.fullmatch(name) and "=?" not in name and len(name) <= MOST_LINE - 12:
        return f'"{name}" <{addr}>'
    return f"{_encoded(name)}\r\n <{addr}>"


def _encoded(text: str) -> str:
    """RFC 2047 words of at most 75 characters, on lines of their own; no character is cut in two."""
    chunks: list[bytes] = [b""]
    for character in text:
        raw = character.encode("utf-8", "replace")
        # =?utf-8?B? and ?= take 12 of 75 characters; 63 characters of base64 hold 45 bytes
        if len(chunks[-1]) + len(raw) > 45:
            chunks.append(b"")
        chunks[-1] += raw
    return "\r\n ".join(f"=?utf-8?B?{base64.b64encode(c).decode()}?=" for c in chunks)


def _check(block: bytes, rows: Sequence[tuple[str, str]]) -> None:
    """The block holds these headers and no others, and no line break that is not a fold."""
    lines = re.sub(rb"\r\n(?=[ \t])", b"", block).split(_CRLF)[:-1]
    names = [line.partition(b":")[0].decode("utf-8", "replace") for line in lines]
    if names != [name for name, _ in rows]:
        raise UnsafeHeader(f"the header block reads as {names[:20]}")
    for name, line in zip(names, lines, strict=True):
        decoded = b"".join(_decoded(word) for word in re.split(rb"(=\?[^?]*\?[bB]\?[^?]*\?=)", line))
        if len(line) > 3_000 or any(b < 32 or b == 127 for b in decoded):
            raise UnsafeHeader(f"the header {name} has a line break or control character in it")


def _decoded(part: bytes) -> bytes:
    match = re.fullmatch(rb"=\?[^?]*\?[bB]\?([^?]*)\?=", part)
    return base64.b64decode(match[1]) if match else part


def _body(content: Rendered) -> bytes:
    """MIME-Version, Content-Type and both parts; nothing that people wrote is in these headers.

    "=_" cannot stand in quoted-printable text, so no part can hold the boundary. Written here because the standard
    library takes 2 ms for it, half of the time that composing a mail costs.
    """
    boundary = f"=_{uuid4().hex}"
    parts = [
        "MIME-Version: 1.0",
        "Content-Type: multipart/alternative;",
        f' boundary="{boundary}"',
        "",
    ]
    for kind, text in (("plain", content.text), ("html", content.html)):
        parts += [
            f"--{boundary}",
            f'Content-Type: text/{kind}; charset="utf-8"',
            "Content-Transfer-Encoding: quoted-printable",
            "",
            _quoted(text),
        ]
    return "\r\n".join((*parts, f"--{boundary}--", "")).encode("ascii")


def _quoted(text: str) -> str:
    """Quoted-printable with CRLF line ends, in lines of at most 76 characters."""
    raw = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace")
    return b2a_qp(raw, istext=True).decode("ascii").replace("\n", "\r\n")
