"""What becomes of a batch of records: one transaction for all, and where that fails, a savepoint for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from contracts.envelope import ContractError, Event, Headers, Received, decode, headers_to_json
from shared import metrics
from shared.clock import Clock, utc_now
from shared.ids import new_id
from shared.logs import log, unit_of_work
from shared.postgres import Database, Queries, Transaction
from shared.postgres.database import TRANSIENT
from shared.telemetry import span

_q = Queries.load(__package__)
NIL: Final = UUID(int=0)
MOST_REASON: Final = 2_000

Handler = Callable[[Transaction, Sequence[Received[Any]]], Awaitable[None]]
Handlers = Mapping[type[Event], Handler]
# Takes different events in with all their effects, inbox and all, by itself; False where it did nothing.
AtOnce = Callable[[Sequence[Received[Any]]], Awaitable[bool]]


class RetryLater(Exception):
    """Raised by a handler for "not yet": the event is parked and tried again, without an error in the log."""


class BackOff(Exception):
    """Nothing was done and nothing is lost: deliver the same batch again after a pause."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as the broker gave it; `headers` as they came."""

    topic: str  # without the installation's prefix
    partition: int
    offset: int
    key: bytes | None
    headers: Headers
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Readable:
    raw: RawRecord
    key: str
    received: Received[Event]

    @property
    def place(self) -> tuple[str, str]:
        """Within which order is kept: a key on a topic."""
        return self.raw.topic, self.key


def lane_of(received: Received[Any]) -> str:
    """The key under which the event is parked and waits behind others: its lane, or itself alone."""
    return received.event.lane() or str(received.event_id)


class Processor:
    """Gives batches to the handlers of one service. Safe to call again with the same records."""

    def __init__(
        self,
        db: Database,
        handlers: Handlers,
        *,
        clock: Clock = utc_now,
        parked_limit: int = 1_000,
        first_delay: float = 1.0,
        waits: bool = True,
        at_once: AtOnce | None = None,
    ) -> None:
        """`waits`: whether effects are on the disk when `process` returns; if not, a Witness tells when they are.

        `at_once` is tried first with each batch that can be read. Where it does nothing or fails, the handlers follow.
        """
        self.db, self.handlers, self.clock, self._waits = db, handlers, clock, waits
        self._at_once = at_once
        self._parked_limit, self._first_delay = parked_limit, first_delay

    async def process(self, records: Sequence[RawRecord]) -> None:
        """All effects of the batch, or BackOff. A failing event is parked; an unreadable one is a dead letter."""
        readable, unreadable = self._read(records)
        trace = readable[0].received.traceparent if len(readable) == 1 else ""
        with (
            span("consume", traceparent=trace),
            unit_of_work("consumer.batch", records=len(records), topics=sorted({r.topic for r in records})) as line,
        ):
            try:
                try:
                    if unreadable or not await self._all_at_once(readable, line.add):
                        await self._together(readable, unreadable, line.add)
                except TRANSIENT:
                    raise
                except Exception as e:
                    log.info("consumer.batch_split", records=len(records), error=_text(e))
                    await self._one_by_one(readable, unreadable, line.add)
            except TRANSIENT as e:
                raise BackOff(f"{type(e).__name__}: {e}") from e

    def _read(self, records: Sequence[RawRecord]) -> tuple[list[Readable], list[tuple[RawRecord, str]]]:
        readable: list[Readable] = []
        unreadable: list[tuple[RawRecord, str]] = []
        for raw in records:
            try:
                received = decode(raw.headers, raw.value)
                if raw.topic != received.event.TOPIC:
                    raise ContractError(f"{received.event.TYPE} does not belong on the topic {raw.topic}")
                if type(received.event) not in self.handlers:
                    continue
                readable.append(Readable(raw, lane_of(received), received))
            except ContractError as e:
                unreadable.append((raw, e.reason))
        return readable, unreadable

    async def _all_at_once(self, readable: Sequence[Readable], note: Callable[..., None]) -> bool:
        unique = {r.received.event_id: r for r in readable}
        if self._at_once is None or not unique:
            return False
        try:
            with metrics.HANDLER_SECONDS.labels("at once").time():
                taken = await self._at_once([r.received for r in unique.values()])
        except TRANSIENT:
            raise
        except Exception as e:
            log.info("consumer.not_at_once", records=len(readable), error=_text(e))
            return False
        if not taken:
            return False
        note(handled=len(unique), duplicates=len(readable) - len(unique), unreadable=0)
        _count(readable, set(unique), set())
        return True

    async def _together(
        self,
        readable: Sequence[Readable],
        unreadable: Sequence[tuple[RawRecord, str]],
        note: Callable[..., None],
    ) -> None:
        async with self.db.transaction(waits=self._waits) as tx:
            await self._bury_unreadable(tx, unreadable)
            unique = {r.received.event_id: r for r in readable}
            rows = await tx.fetch(
                _q.claim_events,
                list(unique),
                [r.received.event.marketplace_id for r in unique.values()],
                [r.raw.topic for r in unique.values()],
                [r.key for r in unique.values()],
            )
            fresh = {row["event_id"] for row in rows if row["event_id"] is not None}
            held = {(row["topic"], row["key"]) for row in rows if row["key"] is not None}
            for r in unique.values():
                if r.place in held:
                    await self._park(tx, r, "waits behind an earlier event of its key")
            done = [r for i, r in unique.items() if i in fresh]
            await self._handle(tx, done)
        note(handled=len(done), duplicates=len(readable) - len(done) - len(held), unreadable=len(unreadable))
        _count(readable, fresh, held)

    async def _handle(self, tx: Transaction, readable: Sequence[Readable]) -> None:
        """Each handler once, with its events (of all its types) in the order in which they came."""
        by_handler: dict[Handler, list[Received[Any]]] = {}
        for r in readable:
            by_handler.setdefault(self.handlers[type(r.received.event)], []).append(r.received)
        for handler, events in by_handler.items():
            first = events[0]
            name = first.event.TYPE if len({e.event.TYPE for e in events}) == 1 else "several"
            only = span(f"handle {name}", traceparent=first.traceparent) if len(events) == 1 else nullcontext()
            with metrics.HANDLER_SECONDS.labels(name).time(), only:
                await handler(tx, events)

    async def _one_by_one(
        self,
        readable: Sequence[Readable],
        unreadable: Sequence[tuple[RawRecord, str]],
        note: Callable[..., None],
    ) -> None:
        """The same batch event by event, so that only the failing keys are parked."""
        parked = 0
        async with self.db.transaction(waits=self._waits) as tx:
            await self._bury_unreadable(tx, unreadable)
            rows = await tx.fetch(_q.held_keys, [r.raw.topic for r in readable], [r.key for r in readable])
            held = {(row["topic"], row["key"]) for row in rows}
            for r in readable:
                if r.place in held:
                    await self._park(tx, r, "waits behind an earlier event of its key")
                    continue
                try:
                    async with tx.savepoint():
                        if await tx.fetchval(_q.claim_event, r.received.event_id, r.received.event.marketplace_id):
                            await self._handle(tx, [r])
                except TRANSIENT:
                    raise
                except Exception as e:
                    held.add(r.place)
                    parked += 1
                    await self._park(tx, r, _text(e))
                    level = log.info if isinstance(e, RetryLater) else log.error
                    level("consumer.parked", event_id=r.received.event_id, key=r.key, error=_text(e))
            if parked and await tx.fetchval(_q.parked_keys) > self._parked_limit:
                raise BackOff(
                    f"more than {self._parked_limit} keys are parked: the fault is not in single events. "
                    "The consumer waits; mend the cause, then it goes on by itself."
                )
        note(parked=parked, unreadable=len(unreadable))

    async def _park(self, tx: Transaction, r: Readable, error: str) -> None:
        await tx.execute(
            _q.park,
            r.received.event_id,
            r.received.event.marketplace_id,
            r.key,
            r.raw.topic,
            r.raw.partition,
            r.raw.offset,
            headers_to_json(r.raw.headers),
            r.raw.value,
            self.clock() + timedelta(seconds=self._first_delay),
            error[:MOST_REASON],
        )

    async def _bury_unreadable(self, tx: Transaction, unreadable: Sequence[tuple[RawRecord, str]]) -> None:
        for raw, reason in unreadable:
            key = raw.key.decode("utf-8", "replace").replace("\x00", "\ufffd")[:500] if raw.key else None
            headers = headers_to_json(raw.headers).replace("\\u0000", "\\ufffd")
            await tx.execute(
                _q.bury, new_id(), None, NIL, key, raw.topic, raw.partition, raw.offset, headers,
                raw.value, 0, reason[:MOST_REASON].replace("\x00", "\ufffd"),
            )  # fmt: skip
            metrics.CONSUMED.labels(raw.topic, "unreadable").inc()
            log.error("consumer.unreadable", topic=raw.topic, partition=raw.partition, offset=raw.offset, reason=reason)


def _count(readable: Sequence[Readable], fresh: set[UUID], held: set[tuple[str, str]]) -> None:
    counts: dict[tuple[str, str], int] = {}
    for r in readable:
        outcome = "handled" if r.received.event_id in fresh else "parked" if r.place in held else "duplicate"
        counts[r.raw.topic, outcome] = counts.get((r.raw.topic, outcome), 0) + 1
    for (topic, outcome), n in counts.items():
        metrics.CONSUMED.labels(topic, outcome).inc(n)


def _text(e: BaseException) -> str:
    return f"{type(e).__name__}: {e}"[:MOST_REASON].replace("\x00", "\ufffd")
