"""Handing mail to the mail server, and what its answers mean. Knows when a mail has perhaps left."""

from __future__ import annotations

import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Literal

import aiosmtplib

from services.notification.channels.message import Envelope
from services.notification.settings import Settings
from services.notification.telling.plain import plain

# 550 mailbox unavailable, 551 user not local, 553 mailbox name not allowed (RFC 5321 4.2.3)
_NO_SUCH_MAILBOX: Final = frozenset((550, 551, 553))
_STATUS: Final = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_CLOSING: Final = 421
MOST_REASON: Final = 500

Kind = Literal["sent", "retry", "refused", "unknown", "trouble", "taken"]


class Phase(IntEnum):
    """How far a mail has got. From BODY on the server may have it, whatever happens next."""

    CONNECT = 0
    SENDER = 1
    RECIPIENT = 2
    DATA = 3
    BODY = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt.

    sent: the server answered 250. retry: refused for now. refused: refused for good (`dead_address`: because there
    is no such mailbox). unknown: it has perhaps been sent and must not be sent again. trouble: the server or our way
    to it failed; says nothing of this mail. taken: another sender has it, nothing was sent.
    """

    kind: Kind
    reason: str = ""
    dead_address: bool = False


def judge(phase: Phase, error: Exception) -> Outcome:
    """What a failure in a phase means for the mail."""
    reason = plain(f"{phase.name.lower()}: {_said(error)}", MOST_REASON)
    code = getattr(error, "code", 0)
    answered = isinstance(code, int) and 400 <= code <= 599
    if phase is Phase.BODY:
        if not answered:
            return Outcome("unknown", reason)
        return Outcome("retry" if code < 500 else "refused", reason)
    if phase <= Phase.SENDER or not answered or code == _CLOSING:
        return Outcome("trouble", reason)
    if code < 500:
        return Outcome("retry", reason)
    return Outcome("refused", reason, dead_address=phase is Phase.RECIPIENT and is_dead(code, reason))


def is_dead(code: int, text: str) -> bool:
    """Whether a permanent answer says that there is no such mailbox: 5.1.x, or 550/551/553 without a status."""
    status = _STATUS.search(text)
    return status.group(2) == "1" if status else code in _NO_SUCH_MAILBOX


def _said(error: Exception) -> str:
    code, message = getattr(error, "code", None), getattr(error, "message", None)
    if code is not None and message is not None:
        return f"{code} {message}"
    return str(message or error or type(error).__name__)


class Connection:
    """One connection to the mail server, used for several mails and then closed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: aiosmtplib.SMTP | None = None
        self._used = 0

    @property
    def usable(self) -> bool:
        client = self._client
        return client is not None and client.is_connected and self._used < self._settings.smtp_mails_per_connection

    async def open(self) -> Outcome | None:
        """Connect if need be: greeting, TLS and sign-in as the settings say. None, or what the trouble is."""
        if self.usable:
            return None
        await self.close()
        s = self._settings
        client = aiosmtplib.SMTP(
            hostname=s.smtp_host,
            port=s.smtp_port,
            use_tls=s.smtp_security == "tls",
            start_tls=s.smtp_security == "starttls",
            username=s.smtp_username or None,
            password=s.smtp_password.get_secret_value() or None,
            timeout=s.smtp_timeout_seconds,
            local_hostname=s.domain,
            tls_context=_tls(s),
        )
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError, ValueError) as e:
            client.close()
            return judge(Phase.CONNECT, e)
        self._client, self._used = client, 0
        return None

    async def close(self) -> None:
        """Say QUIT if anybody listens; then close."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            if client.is_connected:
                await client.quit(timeout=2)
        except (aiosmtplib.SMTPException, OSError):
            pass
        finally:
            client.close()

    async def send(self, envelope: Envelope, raw: bytes, hand_over: Callable[[], Awaitable[bool]]) -> Outcome:
        """Send one mail over the open connection. `hand_over` is asked just before DATA and may still say no."""
        client = self._client
        assert client is not None
        self._used += 1
        phase = Phase.SENDER
        try:
            options: list[str] = []
            encoding = "ascii"
            if envelope.international:
                if client.is_ehlo_or_helo_needed:
                    await client.ehlo()
                if not client.supports_extension("smtputf8"):
                    return Outcome("refused", "the mail server takes no address with letters beyond ASCII")
                options, encoding = ["SMTPUTF8"], "utf-8"
            await client.mail(envelope.sender, options=options, encoding=encoding)
            phase = Phase.RECIPIENT
            await client.rcpt(envelope.recipient, encoding=encoding)
        except (aiosmtplib.SMTPException, OSError, ValueError) as e:
            await self._reset(client)
            return judge(phase, e)
        if not await self._asked(client, hand_over):
            return Outcome("taken", "another sender has taken it over")
        return await self._data(client, raw)

    async def _asked(self, client: aiosmtplib.SMTP, hand_over: Callable[[], Awaitable[bool]]) -> bool:
        agreed = False
        try:
            agreed = await hand_over()
        finally:
            if not agreed:
                await self._reset(client)
        return agreed

    async def _data(self, client: aiosmtplib.SMTP, raw: bytes) -> Outcome:
        left = _watch_body(client)
        try:
            await client.data(raw, timeout=self._settings.smtp_answer_seconds)
        except (aiosmtplib.SMTPException, OSError, ValueError) as e:
            await self._reset(client)
            return judge(Phase.BODY if left() else Phase.DATA, e)
        return Outcome("sent")

    async def _reset(self, client: aiosmtplib.SMTP) -> None:
        """Make the connection fit for the next mail, or give it up."""
        try:
            if client.is_connected:
                await client.rset()
                return
        except (aiosmtplib.SMTPException, OSError):
            pass
        client.close()
        self._client = None


def _watch_body(client: aiosmtplib.SMTP) -> Callable[[], bool]:
    """Tells whether any of the body has been written: the client's errors look alike before and after that.

    The protocol writes twice, "DATA" and then, after the server's 354, the body; `write` is where both pass.
    """
    protocol: Any = client.protocol
    write: Callable[[bytes], None] = protocol.write
    left = False

    def watched(data: bytes) -> None:
        nonlocal left
        left = left or data != b"DATA\r\n"
        write(data)

    protocol.write = watched

    def ask() -> bool:
        protocol.write = write
        return left

    return ask


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.smtp_security == "none":
        return None
    return ssl.create_default_context(cafile=settings.smtp_ca_file or None)
