"""Telling people of events: planned purely, written in the transaction of the event, mailed by the worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from contracts.envelope import Event, Received, registered
from contracts.messaging import MessagePosted
from contracts.notification import NotificationDelivered, NotificationFailed
from services.notification import metrics
from services.notification.settings import Settings
from services.notification.store import telling as store
from services.notification.telling.causes import Cause, cause_of
from services.notification.telling.planning import Directory, plan, unknown_parties
from services.notification.waiting import woken
from shared.clock import Clock
from shared.logs import unit_of_work
from shared.outbox import Outbox
from shared.postgres import Transaction
from shared.process import Runtime
from shared.stop import Stop, Wake

# Names of the wakes that the parts of one process share.
MAILS: Final = "mails"
FEED: Final = "feed"
ARRIVALS: Final = "arrivals"

# How long a message waits for the first event of its order; then those hear of it who see every order.
ORDER_PATIENCE: Final = timedelta(minutes=2)
ARRIVALS_AT_ONCE: Final = 200
ARRIVALS_POLL_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Teller:
    """Turns causes into notifications, deliveries and events."""

    settings: Settings
    clock: Clock
    outbox: Outbox
    mails: Wake
    feed: Wake
    arrivals: Wake

    @classmethod
    def of(cls, runtime: Runtime) -> Teller:
        wakes = runtime.wakes
        return cls(
            runtime.settings, runtime.clock, runtime.outbox, wakes.get(MAILS), wakes.get(FEED), wakes.get(ARRIVALS)
        )

    async def tell(self, tx: Transaction, causes: Sequence[tuple[Cause, Event]]) -> None:
        """Tell whoever is concerned of the causes that are new; each comes with its event."""
        if not causes:
            return
        now = self.clock()
        new = await store.add_causes(tx, causes, now)
        fresh = [c for c, _ in causes if c.event_id in new]
        if fresh:
            directory = await store.people(tx, fresh)
            await store.await_parties(tx, [(c, p) for c in fresh for p in unknown_parties(c, directory)], now)
            await self._write(tx, fresh, directory, now)

    async def tell_when_order_is_known(self, tx: Transaction, causes: Sequence[tuple[Cause, Event]]) -> None:
        """Keep causes until something is known of their order: who may see it decides who is told."""
        if causes:
            now = self.clock()
            new = await store.add_causes(tx, causes, now)
            await store.await_orders(tx, [c for c, _ in causes if c.event_id in new], now)

    async def tell_late(self, tx: Transaction, causes: Sequence[Cause]) -> None:
        """Tell those who have become known since the causes were first told. Nobody is told twice."""
        if causes:
            directory, now = await store.people(tx, causes), self.clock()
            await store.await_parties(tx, [(c, p) for c in causes for p in unknown_parties(c, directory)], now)
            await self._write(tx, causes, directory, now)

    async def _write(self, tx: Transaction, causes: Sequence[Cause], directory: Directory, now: datetime) -> None:
        stale_after = timedelta(hours=self.settings.mail_stale_hours)
        planned = [p for c in causes for p in plan(c, directory, now, stale_after=stale_after)]
        added = await store.add_notifications(tx, planned, now)
        await self.outbox.append_many(tx, [e for a in added if (e := _outcome(a, now))])
        for a in added:
            metrics.PLANNED.labels(a.planned.category, a.channel, a.state).inc()
        tx.after_commit(self.mails.set)
        tx.after_commit(self.feed.set)


def _outcome(added: store.Added, now: datetime) -> NotificationDelivered | NotificationFailed | None:
    """The event of a delivery that is settled at once: in the feed, or refused by a suppressed address."""
    if added.state not in ("sent", "suppressed"):
        return None
    cause = added.planned.cause
    fields: dict[str, Any] = {
        "marketplace_id": cause.marketplace_id,
        "notification_id": added.notification_id,
        "delivery_id": added.delivery_id,
        "cause_event_id": cause.event_id,
        "person_id": added.planned.person.person_id,
        "order_id": cause.order_id,
        "category": added.planned.category,
        "channel": added.channel,
        "at": now,
    }
    if added.state == "sent":
        return NotificationDelivered(**fields)
    return NotificationFailed(**fields, state="suppressed", reason=added.reason)


def with_people(cause: Cause, ref: store.OrderRef | None) -> Cause:
    """A message's cause with the people of its order, whom the message itself does not name."""
    if ref is None or cause.buyer is None or cause.seller is None:
        return cause
    return cause.between_people(ref.buyer_person_id, ref.seller_person_id, hidden=ref.hidden_from_seller)


async def catch_up(runtime: Runtime, stop: Stop) -> None:
    """Tell people who became known after the event. member.changed and the order topics come in no common order."""
    teller = Teller.of(runtime)
    patience = timedelta(minutes=teller.settings.party_patience_minutes)
    while not stop.requested:
        async with runtime.worker_db.transaction() as tx:
            since = runtime.clock() - ORDER_PATIENCE
            rows = await store.take_arrived(tx, order_patience_since=since, limit=ARRIVALS_AT_ONCE)
            if rows:
                with unit_of_work("notification.told_late", events=len(rows)):
                    await teller.tell_late(tx, await _causes(tx, rows))
            else:
                await store.forget_awaited(tx, runtime.clock() - patience)
        if not rows:
            await woken(teller.arrivals, stop, ARRIVALS_POLL_SECONDS)


async def _causes(tx: Transaction, rows: Sequence[Any]) -> list[Cause]:
    received = [_received(r) for r in rows]
    refs = await store.order_refs(tx, {r.event.order_id for r in received if isinstance(r.event, MessagePosted)})
    causes = []
    for r in received:
        cause = cause_of(r)
        if cause is not None and isinstance(r.event, MessagePosted):
            cause = with_people(cause, refs.get(r.event.order_id))
        if cause is not None:
            causes.append(cause)
    return causes


def _received(row: Any) -> Received[Any]:
    cls = registered()[row["event_type"], row["event_version"]]
    event = cls.model_validate_json(orjson.dumps(row["event"]))
    event_id: UUID = row["event_id"]
    return Received(event_id, "", row["occurred_at"], row["traceparent"], event)
