"""A mail's two ends: what is sent, if anything is to be sent; and what is recorded and told when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.envelope import Event
from contracts.notification import NotificationDelivered, NotificationFailed
from services.notification import metrics, signing
from services.notification.channels import compose, message
from services.notification.channels.mail import Mail
from services.notification.channels.message import BadAddress, Envelope
from services.notification.channels.rendering import render
from services.notification.channels.smtp import Outcome
from services.notification.channels.words import Words
from services.notification.settings import Settings
from services.notification.store import delivering as store
from services.notification.store.delivering import ClaimedMail, Settled, SettledDelivery
from services.notification.telling.categories import CATEGORIES, enabled
from services.notification.telling.occasions import Occasion
from services.notification.telling.timing import Timing, after_quiet_hours
from shared import reply_address
from shared.logs import log
from shared.postgres.database import TRANSIENT
from shared.process import Runtime


@dataclass(frozen=True, slots=True)
class Prepared:
    """A mail that is ready to be sent."""

    mail: ClaimedMail
    envelope: Envelope
    message_id: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Dropped:
    """A mail that is not to be sent, and why."""

    state: Settled
    reason: str


@dataclass(frozen=True, slots=True)
class PutOff:
    """A mail that has come to be due while its reader has quiet hours, and when these end."""

    until: datetime


@dataclass(frozen=True, slots=True)
class NotPrepared:
    """A mail that could not be composed: our fault, so it is tried again later."""

    mail: ClaimedMail
    outcome: Outcome


class Mailing:
    """Prepares and settles mails."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings: Settings = runtime.settings
        self._keys: list[bytes] = []
        self._reply_keys = reply_address.keys_of(self._settings.reply_keys.get_secret_value())

    async def prepare(self, mail: ClaimedMail) -> Prepared | Dropped | PutOff | NotPrepared:
        """The mail as it is to be sent, looked at with today's settings of the person."""
        unsent = self._drop(mail) or self._put_off(mail)
        if unsent is not None:
            return unsent
        try:
            recipient = message.address(mail.email)
        except BadAddress as e:
            return Dropped("suppressed", str(e))
        try:
            return await self._prepare(mail, recipient)
        except TRANSIENT:
            raise
        except Exception as e:
            # a template, a translation or the content is at fault: other mails go on, this one is tried again
            log.exception("mail.not_composed", delivery_id=mail.delivery_id)
            return NotPrepared(mail, Outcome("retry", f"could not be composed: {type(e).__name__}"))

    def _drop(self, mail: ClaimedMail) -> Dropped | None:
        if mail.handed_at is not None:
            return Dropped("unknown", "the sender stopped while it was handing the mail over")
        if not mail.active:
            return Dropped("skipped", "the person is no longer active")
        if mail.suppressed:
            return Dropped("suppressed", mail.suppressed)
        if not enabled(CATEGORIES[mail.category], "email", mail.choices.get((mail.category, "email"))):
            return Dropped("skipped", "switched off by the person")
        if self._runtime.clock() - mail.created_at > timedelta(hours=self._settings.mail_give_up_hours):
            return Dropped("failed", f"given up after {self._settings.mail_give_up_hours:g} hours")
        return None

    def _put_off(self, mail: ClaimedMail) -> PutOff | None:
        """A mail that was refused for now, or found no server, may be due at a time when none is wanted."""
        if CATEGORIES[mail.category].critical:
            return None
        now = self._runtime.clock()
        until = after_quiet_hours(now, Timing(mail.time_zone, mail.quiet_from, mail.quiet_until))
        return PutOff(until) if until > now else None

    async def _prepare(self, mail: ClaimedMail, recipient: str) -> Prepared | Dropped:
        s = self._settings
        secret = (await self._secrets())[0]
        answers_to = self._answers_to(mail, recipient)
        content = await self._compose(mail, secret, answerable=answers_to is not None)
        if content is None:
            return Dropped("skipped", "nothing was left to tell")
        rendered = render(content, Words(mail.language, mail.time_zone))
        identifier = message.message_id(mail.event_id, mail.person_id, s.domain)
        headers = message.Headers(
            from_name=content.marketplace,
            from_address=s.mail_from,
            to_name=mail.name,
            to_address=recipient,
            date=self._runtime.clock(),
            message_id=identifier,
            refers_to=message.thread_id(mail.order_id, s.domain) if mail.order_id else None,
            reply_to=answers_to,
            unsubscribe_url=content.unsubscribe_url,
        )
        sender = signing.bounce_address(secret, mail.delivery_id, s.domain) if s.bounce_listen else s.mail_from
        return Prepared(mail, Envelope(sender, recipient), identifier, message.build(headers, rendered))

    def _answers_to(self, mail: ClaimedMail, recipient: str) -> str | None:
        """Where a mail that tells of a message is answered; nowhere where answers are not taken in."""
        thread, domain = mail.facts.get("thread_id"), self._settings.reply_domain
        if not domain or not self._reply_keys or mail.is_digest or mail.kind != Occasion.MESSAGE or not thread:
            return None
        key = self._reply_keys[0]
        return reply_address.make(key, UUID(thread), mail.person_id, recipient, self._runtime.clock(), domain)

    async def _compose(self, mail: ClaimedMail, secret: bytes, *, answerable: bool) -> Mail | None:
        frame = compose.Frame(
            words=Words(mail.language, mail.time_zone),
            marketplace=mail.marketplace_name,
            organisation=mail.organisation_name,
            console_url=self._settings.console_url,
            category=mail.category,
            unsubscribe_url=self._unsubscribe_url(mail, secret),
            answerable=answerable,
        )
        if not mail.is_digest:
            told = compose.Told(Occasion(mail.kind), mail.side, mail.facts, mail.order_id, mail.occurred_at)
            return compose.single(frame, told, mail.event)
        async with self._runtime.worker_db.transaction() as tx:
            rows, total = await store.digest_entries(tx, mail.event_id, compose.MOST_ENTRIES)
        entries = [compose.Told(Occasion(r.kind), r.side, r.facts, r.order_id, r.occurred_at) for r in rows]
        return compose.digest(frame, entries, total) if entries else None

    def _unsubscribe_url(self, mail: ClaimedMail, secret: bytes) -> str | None:
        """Digests and reminders can be stopped with one click; what somebody did on purpose cannot."""
        if not (mail.is_digest or CATEGORIES[mail.category].reminder):
            return None
        what = signing.Unsubscribe(mail.marketplace_id, mail.person_id, mail.category)
        token = signing.unsubscribe_token(secret, what)
        return f"{self._settings.notification_url.rstrip('/')}/v1/unsubscribe?token={token}"

    async def _secrets(self) -> list[bytes]:
        if not self._keys:
            async with self._runtime.worker_db.transaction() as tx:
                self._keys = await store.mail_keys(tx)
        return self._keys

    async def settle(
        self, mail: ClaimedMail, state: Settled, reason: str, *, attempted: bool, dead_address: bool = False
    ) -> None:
        """Record the end of a mail and tell of it, in one transaction."""
        now = self._runtime.clock()
        async with self._runtime.worker_db.transaction() as tx:
            settled = await store.settle(tx, mail, state, reason, now, attempted=attempted)
            if dead_address:
                await store.suppress_address(tx, mail.marketplace_id, mail.email, reason, now)
            if state != "skipped":
                await self._runtime.outbox.append_many(tx, outcome_events(settled, state, reason, now))
        if settled:
            metrics.SETTLED.labels(state).inc()


def outcome_events(settled: list[SettledDelivery], state: str, reason: str, now: datetime) -> list[Event]:
    """notification.delivered or .failed for each; a digest's envelope itself is of no interest to anybody."""
    events: list[Event] = []
    for d in settled:
        if d.kind == "digest":
            continue
        fields: dict[str, Any] = {
            "marketplace_id": d.marketplace_id,
            "notification_id": d.notification_id,
            "delivery_id": d.delivery_id,
            "cause_event_id": d.event_id,
            "person_id": d.person_id,
            "order_id": d.order_id,
            "category": d.category,
            "channel": "email",
            "at": now,
        }
        if state == "sent":
            events.append(NotificationDelivered(**fields))
        else:
            events.append(NotificationFailed(**fields, state=state, reason=reason))
    return events
