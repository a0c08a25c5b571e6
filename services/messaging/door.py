"""Taking in answers by e-mail: a small SMTP door that knows the addresses that notification's mails carry.

Bounded in size, recipients, time and connections. A mail is accepted when its message is committed, and refused with
the reason otherwise; our own trouble is a temporary refusal, so that the sender's mail server tries again.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from services.messaging import metrics
from services.messaging.actions.answering import answer
from shared import reply_address
from shared.errors import Problem
from shared.logs import log, unit_of_work
from shared.postgres.database import TRANSIENT
from shared.process import Runtime
from shared.stop import Stop

MOST_CONNECTIONS: Final = 20
# Mails that are in memory at once; each takes some times its size.
MOST_MAILS: Final = 2
IDLE_SECONDS: Final = 60
# Of a whole connection, however busy it is.
MOST_SECONDS: Final = 300
ACCEPTED: Final = "250 2.0.0 OK"
BUSY: Final = "451 4.3.2 busy, try again later"


async def listen(runtime: Runtime, stop: Stop) -> None:
    """Serve the door on `reply_listen` until asked to stop; without that setting there is none."""
    where: str = runtime.settings.reply_listen
    if not where:
        return
    host, _, port = where.rpartition(":")
    door = Door(runtime)
    server = await asyncio.get_running_loop().create_server(door.session, host, int(port))
    log.info("answers.listening", address=where)
    try:
        while not await stop.wait(3_600):
            pass
    finally:
        server.close()
        door.close()


class Door:
    """aiosmtpd's hooks; it finds them by name."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._domain: str = runtime.settings.reply_domain
        self._keys = reply_address.keys_of(runtime.settings.reply_keys.get_secret_value())
        self.sessions: set[_Session] = set()
        self.mails = 0

    def session(self) -> SMTP:
        session = _Session(
            self,
            data_size_limit=self._runtime.settings.reply_bytes,
            hostname=self._domain or "localhost",
            ident="Ordertrail answers",
            timeout=IDLE_SECONDS,
            enable_SMTPUTF8=True,
        )
        session.door = self
        return session

    def close(self) -> None:
        for session in list(self.sessions):
            session.hang_up()

    async def handle_RCPT(self, _: Any, __: Session, envelope: Envelope, address: str, ___: list[str]) -> str:
        if envelope.rcpt_tos:
            return "452 4.5.3 one recipient at a time"
        found = reply_address.read(self._keys, address, self._domain)
        if found is None:
            return "550 5.1.1 no such mailbox"
        if self._runtime.clock().date() > found.ends:
            return "550 5.1.6 this address takes no answers any more, answer on the order page"
        envelope.rcpt_tos.append(address)
        return ACCEPTED

    async def handle_DATA(self, _: Any, __: Session, envelope: Envelope) -> str:
        to = reply_address.read(self._keys, envelope.rcpt_tos[0], self._domain)
        content = envelope.content
        assert to is not None
        with unit_of_work("answer.received", thread_id=to.conversation) as line:
            try:
                # nobody answers from the empty sender: it is a mail server that reports
                by_somebody = (envelope.mail_from or "").strip("<> ")
                if isinstance(content, bytes) and by_somebody:
                    outcome = await answer(self._runtime, to, content)
                else:
                    outcome = "automatic"
            except Problem as e:
                line.add(outcome="refused", code=e.code)
                metrics.ANSWERS.labels("refused").inc()
                return f"554 5.6.0 {_ascii(e.detail)}"
            except Exception as e:
                # ours, whatever it is: the mail stays with its server until it is mended
                line.add(**({} if isinstance(e, TRANSIENT) else {"exc_info": e}))
                line.add(outcome="failed", error=f"{type(e).__name__}: {e}")
                return "451 4.3.0 try again later"
            line.add(result=outcome)
            metrics.ANSWERS.labels(outcome).inc()
        return ACCEPTED


def _ascii(text: str) -> str:
    return " ".join(text.encode("ascii", "replace").decode().split())[:400]


class _Session(SMTP):
    """One connection; above MOST_CONNECTIONS it is refused."""

    door: Door
    _over: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if len(self.door.sessions) >= MOST_CONNECTIONS and isinstance(transport, asyncio.WriteTransport):
            transport.write(b"421 4.3.2 too many connections\r\n")
            transport.close()
        self.door.sessions.add(self)
        self._over = asyncio.get_running_loop().call_later(MOST_SECONDS, self.hang_up)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.door.sessions.discard(self)
        if self._over is not None:
            self._over.cancel()
        super().connection_lost(error)

    async def smtp_DATA(self, arg: str) -> None:
        if self.door.mails >= MOST_MAILS:
            await self.push(BUSY)
            return
        self.door.mails += 1
        try:
            await super().smtp_DATA(arg)
        finally:
            self.door.mails -= 1

    def hang_up(self) -> None:
        if self.transport is not None:
            self.transport.close()
