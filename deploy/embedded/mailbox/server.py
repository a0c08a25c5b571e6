"""The mailbox's two ears: SMTP on one port, HTTP on another, each in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from http.server import ThreadingHTTPServer
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.embedded.mailbox.behaviour import Behaviour, Stage
from deploy.embedded.mailbox.page import handler_for
from deploy.embedded.mailbox.store import Mail, Store

LOOPBACK = "127.0.0.1"
MOST_MESSAGE_BYTES = 10 * 1024 * 1024
MOST_CONNECTIONS = 100
MOST_RECIPIENTS = 100
IDLE_SECONDS = 60
START_SECONDS = 30.0
POLL_SECONDS = 0.1  # the page looks this often whether it is to close
ACCEPTED = "250 OK"


class Mailbox:
    """`with Mailbox() as mailbox:` serves until the block ends. A port of 0 takes a free one; see `smtp_port`."""

    def __init__(self, smtp_port: int = 0, http_port: int = 0) -> None:
        self.store = Store()
        self._handler = _Handler(self)
        self._behaviour = Behaviour()
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._smtp_thread = threading.Thread(target=self._loop.run_forever, name="smtp", daemon=True)
        self._http = ThreadingHTTPServer((LOOPBACK, http_port), handler_for(self))
        self._http_thread = threading.Thread(
            target=self._http.serve_forever, args=(POLL_SECONDS,), name="http", daemon=True
        )
        self._wanted_smtp_port = smtp_port
        self.smtp_port = 0
        self.http_port: int = self._http.server_address[1]

    def __enter__(self) -> Mailbox:
        self._smtp_thread.start()
        self._http_thread.start()
        try:
            self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(START_SECONDS)
        except BaseException:
            self._close_http_and_loop()
            raise
        self.smtp_port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._close_http_and_loop()

    def _close_http_and_loop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._smtp_thread.join(START_SECONDS)

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(self._session, LOOPBACK, self._wanted_smtp_port)

    def _session(self) -> SMTP:
        return _BoundedSMTP(
            self._handler, loop=self._loop, data_size_limit=MOST_MESSAGE_BYTES, enable_SMTPUTF8=True,
            hostname="mailbox.localhost", ident="Ordertrail mailbox", timeout=IDLE_SECONDS,
        )  # fmt: skip

    @property
    def behaviour(self) -> Behaviour:
        return self._behaviour

    def behave(self, behaviour: Behaviour) -> None:
        """From the next command on."""
        with self._lock:
            self._behaviour = behaviour

    def mails(self, *, to: str = "", subject: str = "") -> list[Mail]:
        """The newest first; see Store.find."""
        return self.store.find(to=to, subject=subject)

    def take_behaviour(self, stage: Stage, recipients: list[str]) -> Behaviour | None:
        """What to do now instead of accepting, counted down; None to accept."""
        with self._lock:
            now = self._behaviour
            if not now.applies(stage, recipients):
                return None
            if now.times is not None:
                self._behaviour = replace(now, times=now.times - 1) if now.times > 1 else Behaviour()
            return now


class _BoundedSMTP(SMTP):
    """Refuses callers above MOST_CONNECTIONS."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.event_handler.open_connections += 1
        if self.event_handler.open_connections > MOST_CONNECTIONS and isinstance(transport, asyncio.WriteTransport):
            transport.write(b"421 too many connections\r\n")
            transport.close()
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.open_connections -= 1
        super().connection_lost(error)


class _Handler:
    """aiosmtpd's hooks; it finds them by name."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self.open_connections = 0

    async def handle_MAIL(self, server: Any, _: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        refusal = await self._refusal(server, "mail", [])
        if refusal:
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return ACCEPTED

    async def handle_RCPT(self, server: Any, _: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        refusal = await self._refusal(server, "rcpt", [address])
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return ACCEPTED

    async def handle_DATA(self, server: Any, _: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        behaviour = self._mailbox.take_behaviour("data", envelope.rcpt_tos)
        dropped = behaviour is not None and behaviour.mode == "drop"
        if behaviour and not dropped:
            refusal = await _act(server, behaviour)
            if refusal:
                return refusal
        self._mailbox.store.add(envelope.mail_from or "", envelope.rcpt_tos, content, dropped=dropped)
        if behaviour and dropped:
            await _act(server, behaviour)
        return ACCEPTED

    async def _refusal(self, server: Any, stage: Stage, recipients: list[str]) -> str | None:
        behaviour = self._mailbox.take_behaviour(stage, recipients)
        return await _act(server, behaviour) if behaviour else None


async def _act(server: Any, behaviour: Behaviour) -> str | None:
    """Do what the behaviour says; the answer to give, or None to go on."""
    if behaviour.mode == "defer":
        return "451 4.3.0 try again later (asked for by a switch)"
    if behaviour.mode == "refuse":
        return "550 5.1.1 no such mailbox (asked for by a switch)"
    if behaviour.mode == "tarpit":
        await asyncio.sleep(behaviour.seconds)
    if behaviour.mode == "drop":
        server.transport.abort()
    return None
