"""Sending mail: claim, compose, send outside any transaction, settle. One lane is one connection's worth of it.

What a crash can do, exactly: before `hand_over` is committed, nothing has left and the mail is claimed again when
its lease ends. After it, until `settle` is committed, nobody can know whether the server took the mail: it is
settled as `unknown` and never sent again. So no mail is sent twice, and one is missing at most if the process dies
between the two, which is the time the server takes to answer DATA.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from services.notification import metrics
from services.notification.actions.mailing import Dropped, Mailing, NotPrepared, Prepared, PutOff
from services.notification.actions.telling import MAILS
from services.notification.channels.smtp import Connection, Outcome
from services.notification.settings import Settings
from services.notification.store import delivering as store
from services.notification.store.delivering import ClaimedMail
from services.notification.waiting import woken
from shared.logs import log, unit_of_work
from shared.postgres.database import TRANSIENT
from shared.process import Runtime, Worker
from shared.stop import Stop
from shared.telemetry import span

CLAIM: Final = 10
POLL_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 30.0
MORE: Final = "mails-more"
JITTER: Final = 0.2


def lanes(settings: Settings) -> dict[str, Worker]:
    """One worker per connection, so that trouble in one leaves the others alone."""
    return {f"mail-{n}": _lane(first=n == 0) for n in range(settings.smtp_connections)}


def _lane(*, first: bool) -> Worker:
    async def run(runtime: Runtime, stop: Stop) -> None:
        lane = Lane(runtime, stop, first=first)
        try:
            await lane.run()
        finally:
            await lane.connection.close()

    return run


def next_attempt(attempts: int, pauses: Sequence[float], now: datetime, jitter: float) -> datetime | None:
    """When a mail that was refused for now is tried again; None where it has had all its attempts.

    `attempts` is how many there were before this one; `jitter` in [-1, 1] spreads the pauses by +-20 %.
    """
    if attempts >= len(pauses):
        return None
    return now + timedelta(seconds=pauses[attempts] * (1 + JITTER * jitter))


class Lane:
    """Sends mails one after the other. The first lane polls; the others join when there is more than it can take."""

    def __init__(self, runtime: Runtime, stop: Stop, *, first: bool) -> None:
        self.settings: Settings = runtime.settings
        self.connection = Connection(self.settings)
        self._runtime, self._stop, self._first = runtime, stop, first
        self._mailing = Mailing(runtime)
        self._more = runtime.wakes.get(MORE)
        self._pause = 0.0

    async def run(self) -> None:
        while not self._stop.requested:
            mails = await self._claim()
            if mails:
                await self._send_all(mails)
                continue
            await self.connection.close()
            if self._first:
                await woken(self._runtime.wakes.get(MAILS), self._stop, POLL_SECONDS)
            else:
                await woken(self._more, self._stop, IDLE_SECONDS)

    async def _claim(self) -> list[ClaimedMail]:
        now = self._runtime.clock()
        until = now + timedelta(seconds=self.settings.smtp_lease_seconds)
        async with self._runtime.worker_db.transaction() as tx:
            mails = await store.claim(tx, now, until, CLAIM)
        if len(mails) == CLAIM:
            self._more.set()
        return mails

    async def _send_all(self, mails: Sequence[ClaimedMail]) -> None:
        for n, mail in enumerate(mails):
            if self._stop.requested:
                await self._release(mails[n:], 0.0)
                return
            if not await self._one(mail):
                self._pause = min(max(self._pause * 2, 1.0), self.settings.smtp_trouble_seconds)
                await self._release(mails[n + 1 :], self._pause)
                await self._stop.wait(self._pause)
                return
            self._pause = 0.0

    async def _release(self, mails: Sequence[ClaimedMail], seconds: float) -> None:
        async with self._runtime.worker_db.transaction() as tx:
            await store.release(tx, mails, self._runtime.clock() + timedelta(seconds=seconds))

    async def _one(self, mail: ClaimedMail) -> bool:
        """One mail from claim to its end. False: the mail server is in trouble, so pause."""
        with (
            span("mail", traceparent=mail.traceparent),
            unit_of_work(
                "mail.attempted", delivery_id=mail.delivery_id, category=mail.category, attempt=mail.attempts + 1
            ) as line,
        ):
            prepared = await self._mailing.prepare(mail)
            if isinstance(prepared, Dropped):
                line.add(state=prepared.state, reason=prepared.reason)
                await self._settle(mail, prepared.state, prepared.reason, attempted=False)
                return True
            if isinstance(prepared, PutOff):
                line.add(quiet_until=prepared.until)
                await self._postpone(mail, prepared.until, "", attempted=False)
                return True
            outcome = await self._attempt(prepared)
            metrics.ATTEMPTS.labels(outcome.kind).inc()
            line.add(result=outcome.kind, reason=outcome.reason)
            await self._conclude(mail, outcome)
            return outcome.kind != "trouble"

    async def _attempt(self, prepared: Prepared | NotPrepared) -> Outcome:
        if isinstance(prepared, NotPrepared):
            return prepared.outcome
        trouble = await self.connection.open()
        if trouble is not None:
            return trouble
        started = time.perf_counter()
        outcome = await self.connection.send(prepared.envelope, prepared.raw, lambda: self._hand_over(prepared))
        metrics.SEND_SECONDS.observe(time.perf_counter() - started)
        return outcome

    async def _hand_over(self, prepared: Prepared) -> bool:
        now = self._runtime.clock()
        # long enough for the server's answer: the row is not taken for an abandoned one while we wait for it
        until = now + timedelta(seconds=self.settings.smtp_answer_seconds + self.settings.smtp_settle_seconds)
        async with self._runtime.worker_db.transaction() as tx:
            # the address as the person has it, not as it is on the way (xn--...): a bounce is of the former
            return await store.hand_over(tx, prepared.mail, now, until, prepared.mail.email, prepared.message_id)

    async def _conclude(self, mail: ClaimedMail, outcome: Outcome) -> None:
        now = self._runtime.clock()
        match outcome.kind:
            case "sent":
                metrics.ARRIVAL_SECONDS.observe(max(0.0, (now - mail.created_at).total_seconds()))
                await self._settle(mail, "sent", "", attempted=True)
            case "unknown":
                await self._settle(mail, "unknown", outcome.reason, attempted=True)
            case "refused":
                await self._settle(mail, "suppressed", outcome.reason, attempted=True, dead=outcome.dead_address)
            case "retry":
                jitter = secrets.SystemRandom().uniform(-1, 1)
                again = next_attempt(mail.attempts, self.settings.smtp_retry_seconds, now, jitter)
                if again is None:
                    await self._settle(mail, "failed", outcome.reason, attempted=True)
                else:
                    await self._postpone(mail, again, outcome.reason, attempted=True)
            case "trouble":
                metrics.TROUBLE.inc()
                due = now + timedelta(seconds=max(self._pause, 1.0))
                await self._postpone(mail, due, outcome.reason, attempted=False)
            case "taken":
                pass

    async def _postpone(self, mail: ClaimedMail, due: datetime, reason: str, *, attempted: bool) -> None:
        async with self._runtime.worker_db.transaction() as tx:
            await store.postpone(tx, mail, due, reason, attempted=attempted)

    async def _settle(
        self, mail: ClaimedMail, state: store.Settled, reason: str, *, attempted: bool, dead: bool = False
    ) -> None:
        """Settled for sure if the database comes back in time: the mail has left, only we can say so."""
        deadline = time.monotonic() + self.settings.smtp_settle_seconds
        while True:
            try:
                await self._mailing.settle(mail, state, reason, attempted=attempted, dead_address=dead)
                return
            except TRANSIENT as e:
                if time.monotonic() > deadline or await self._stop.wait(0.5):
                    raise
                log.warning("mail.settle_again", delivery_id=mail.delivery_id, error=f"{type(e).__name__}: {e}")
