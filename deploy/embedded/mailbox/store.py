"""The mails that came, in memory and bounded: the oldest go first."""

from __future__ import annotations

import email
import email.policy
import itertools
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import cached_property
from typing import Any

MOST_MAILS = 2_000
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Mail:
    """One received message and its envelope. `dropped`: the sender's connection was cut before our answer."""

    number: int
    received_at: datetime
    mail_from: str
    rcpt_to: tuple[str, ...]
    raw: bytes
    dropped: bool

    @cached_property
    def message(self) -> EmailMessage:
        """The parsed message; a broken one is parsed as far as it goes."""
        return email.message_from_bytes(self.raw, policy=email.policy.default)

    @property
    def subject(self) -> str:
        return str(self.message.get("Subject", ""))

    @property
    def text(self) -> str:
        return self._body("plain")

    @property
    def html(self) -> str:
        return self._body("html")

    def _body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        if part is None:
            return ""
        try:
            return str(part.get_content())
        except (LookupError, ValueError):  # a charset nobody knows, or text that is not in it
            payload = part.get_payload(decode=True)
            return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""

    def summary(self) -> dict[str, Any]:
        """For a list."""
        return {
            "id": self.number,
            "received_at": self.received_at.isoformat(),
            "mail_from": self.mail_from,
            "rcpt_to": list(self.rcpt_to),
            "subject": self.subject,
            "message_id": str(self.message.get("Message-ID", "")),
            "size": len(self.raw),
            "dropped": self.dropped,
        }

    def details(self) -> dict[str, Any]:
        """Everything but the raw bytes. Header names repeat where the message repeats them."""
        headers = [[name, str(value)] for name, value in self.message.items()]
        attachments = [
            {"file_name": part.get_filename() or "", "content_type": part.get_content_type()}
            for part in self.message.iter_attachments()
        ]
        return {
            **self.summary(), "headers": headers, "text": self.text, "html": self.html, "attachments": attachments,
        }  # fmt: skip


class Store:
    """The latest mails, at most MOST_MAILS and MOST_BYTES; safe to use from several threads."""

    def __init__(self) -> None:
        self._mails: OrderedDict[int, Mail] = OrderedDict()
        self._bytes = 0
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()

    def add(self, mail_from: str, rcpt_to: list[str], raw: bytes, *, dropped: bool = False) -> Mail:
        with self._changed:
            mail = Mail(next(self._numbers), datetime.now(UTC), mail_from, tuple(rcpt_to), raw, dropped)
            self._mails[mail.number] = mail
            self._bytes += len(raw)
            while len(self._mails) > MOST_MAILS or self._bytes > MOST_BYTES:
                self._bytes -= len(self._mails.popitem(last=False)[1].raw)
            self._changed.notify_all()
            return mail

    def get(self, number: int) -> Mail | None:
        with self._changed:
            return self._mails.get(number)

    def find(self, *, to: str = "", subject: str = "", limit: int = MOST_MAILS) -> list[Mail]:
        """The newest first. `to` and `subject` are parts of a recipient's address and of the subject."""
        with self._changed:
            newest = list(reversed(self._mails.values()))
        found = (
            mail
            for mail in newest
            if (not to or any(to.lower() in address.lower() for address in mail.rcpt_to))
            and (not subject or subject in mail.subject)
        )
        return list(itertools.islice(found, limit))

    def wait_for(self, count: int, *, to: str = "", subject: str = "", seconds: float = 60.0) -> list[Mail]:
        """Until at least `count` mails match or `seconds` are over; returns those that do."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.find(to=to, subject=subject)) >= count, seconds)
            return self.find(to=to, subject=subject)

    def clear(self) -> None:
        with self._changed:
            self._mails.clear()
            self._bytes = 0
