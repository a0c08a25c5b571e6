"""Taking in returned mail: a small SMTP door that knows our return addresses, and what a bounce leads to."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from uuid import UUID

from aiosmtpd.smtp import SMTP, Envelope, Session

from services.notification import metrics, signing
from services.notification.actions.mailing import outcome_events
from services.notification.channels import dsn
from services.notification.store import delivering as store
from shared.logs import log, unit_of_work
from shared.postgres.database import TRANSIENT
from shared.process import Runtime
from shared.stop import Stop

MOST_CONNECTIONS: Final = 20
IDLE_SECONDS: Final = 60
ACCEPTED: Final = "250 2.0.0 OK"


async def record(runtime: Runtime, delivery_id: UUID, raw: bytes) -> str:
    """What a mail to the return address of a delivery leads to: "bounced", "ignored" (no failure) or "unknown"."""
    report = dsn.read(raw)
    if report is None:
        return "ignored"
    now = runtime.clock()
    async with runtime.worker_db.transaction() as tx:
        bounced = await store.bounce(tx, delivery_id, report.reason, now)
        if bounced is None:
            return "unknown"
        if report.dead_address and bounced.address:
            await store.suppress_address(tx, bounced.settled[0].marketplace_id, bounced.address, report.reason, now)
        await runtime.outbox.append_many(tx, outcome_events(bounced.settled, "bounced", report.reason, now))
    return "bounced"


async def listen(runtime: Runtime, stop: Stop) -> None:
    """Serve the SMTP door on `bounce_listen` until asked to stop; without that setting there is none."""
    where: str = runtime.settings.bounce_listen
    if not where:
        return
    host, _, port = where.rpartition(":")
    handler = _Handler(runtime)
    server = await asyncio.get_running_loop().create_server(handler.session, host, int(port))
    log.info("bounces.listening", address=where)
    try:
        while not await stop.wait(3_600):
            pass
    finally:
        server.close()
        handler.close()


class _Handler:
    """aiosmtpd's hooks; it finds them by name."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._keys: list[bytes] = []
        self._sessions: set[_Session] = set()

    def session(self) -> SMTP:
        session = _Session(
            self,
            data_size_limit=dsn.MOST_BYTES,
            hostname=self._runtime.settings.domain,
            ident="Ordertrail bounces",
            timeout=IDLE_SECONDS,
        )
        session.sessions = self._sessions
        return session

    def close(self) -> None:
        for session in list(self._sessions):
            session.hang_up()

    async def handle_RCPT(self, _: Any, __: Session, envelope: Envelope, address: str, ___: list[str]) -> str:
        if envelope.rcpt_tos:
            return "452 4.5.3 one recipient at a time"
        if await self._delivery(address) is None:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return ACCEPTED

    async def handle_DATA(self, _: Any, __: Session, envelope: Envelope) -> str:
        delivery_id = await self._delivery(envelope.rcpt_tos[0])
        content = envelope.content
        assert delivery_id is not None
        with unit_of_work("bounce.received", delivery_id=delivery_id) as line:
            try:
                outcome = await record(self._runtime, delivery_id, content if isinstance(content, bytes) else b"")
            except TRANSIENT as e:
                line.add(outcome="failed", error=f"{type(e).__name__}: {e}")
                return "451 4.3.0 try again later"
            line.add(result=outcome)
            metrics.BOUNCES.labels(outcome).inc()
        return ACCEPTED

    async def _delivery(self, address: str) -> UUID | None:
        if not self._keys:
            async with self._runtime.worker_db.transaction() as tx:
                self._keys = await store.mail_keys(tx)
        return signing.read_bounce_address(self._keys, address)


class _Session(SMTP):
    """One connection; above MOST_CONNECTIONS it is refused."""

    sessions: set[_Session]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if len(self.sessions) >= MOST_CONNECTIONS and isinstance(transport, asyncio.WriteTransport):
            transport.write(b"421 4.3.2 too many connections\r\n")
            transport.close()
        self.sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.sessions.discard(self)
        super().connection_lost(error)

    def hang_up(self) -> None:
        if self.transport is not None:
            self.transport.close()
