"""What came back, written down in batches: the more there is, the fewer statements a delivery costs."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from services.webhook import metrics
from services.webhook.actions.endpoints import Disabling, disable_many
from services.webhook.deliver import queue
from services.webhook.deliver.queue import LATENCY_BUCKETS, TROUBLE, Pulse, Result
from services.webhook.schedule import State, Verdict
from shared.logs import log
from shared.process import Runtime
from shared.stop import Wake

BATCH_MOST: Final = 1_000
# After a first result, how long to wait for others: nobody waits for what is written here but the next of its lane.
GATHER_SECONDS: Final = 0.01
HOURS_SECONDS: Final = 2.0
PAUSE_FIRST, PAUSE_MOST = 0.05, 2.0
# A success is noted with an endpoint's health at most this often while it is well anyway.
SUCCESS_NOTED_SECONDS: Final = 5.0

Hour = tuple[UUID, datetime]
HourFigures = tuple[UUID, int, int, int, list[int]]


class Ledger:
    """Results in, rows out. `settled` is told how many claims are done with; `freed` which endpoints have more."""

    def __init__(self, runtime: Runtime, settled: Callable[[int, Iterable[UUID]], None]) -> None:
        self._runtime, self._db, self._clock = runtime, runtime.worker_db, runtime.clock
        self._settled = settled
        self._results: list[Result] = []
        self._pulses: dict[UUID, Pulse] = {}
        self._disable: list[Disabling] = []
        self._noted: dict[UUID, float] = {}
        self._hours: dict[Hour, HourFigures] = {}
        self._hours_due = time.monotonic() + HOURS_SECONDS
        self._wake = Wake()
        self._closing = False

    def put(self, result: Result, verdict: Verdict | None) -> None:
        """Take a result in; returns at once."""
        self._results.append(result)
        if verdict is not None and result.attempt is not None:
            self._observe(result, verdict)
        self._wake.set()

    def _observe(self, result: Result, verdict: Verdict) -> None:
        c, a = result.claimed, result.attempt
        if a is None:
            return
        pulse = self._pulses.setdefault(c.endpoint_id, Pulse())
        if verdict.succeeded:
            pulse.succeeded += 1
        else:
            pulse.failed += 1
            pulse.error = a.error
        if verdict.throttle_until is not None:
            pulse.throttle_until = max(pulse.throttle_until or verdict.throttle_until, verdict.throttle_until)
        if verdict.disable is not None:
            self._disable.append(Disabling(c.endpoint_id, verdict.disable, a.error or f"answered {a.status}"))
        hour = a.started_at.replace(minute=0, second=0, microsecond=0)
        _, ok, bad, total, latency = self._hours.get((c.endpoint_id, hour)) or (None, 0, 0, 0, [0] * LATENCY_BUCKETS)
        latency[queue.latency_bucket(a.duration_ms)] += 1
        ok, bad = (ok + 1, bad) if verdict.succeeded else (ok, bad + 1)
        self._hours[(c.endpoint_id, hour)] = (c.marketplace_id, ok, bad, total + a.duration_ms, latency)

    def _add_again(self, hours: Mapping[Hour, HourFigures]) -> None:
        """What could not be written, to what has come meanwhile."""
        for hour, (marketplace_id, ok, bad, total, latency) in hours.items():
            _, ok2, bad2, total2, latency2 = self._hours.get(hour) or (None, 0, 0, 0, [0] * LATENCY_BUCKETS)
            both = [a + b for a, b in zip(latency, latency2, strict=True)]
            self._hours[hour] = (marketplace_id, ok + ok2, bad + bad2, total + total2, both)

    def close(self) -> None:
        """No more results will come; `run` returns once what is here has been written."""
        self._closing = True
        self._wake.set()

    async def run(self) -> None:
        pause = PAUSE_FIRST
        while True:
            try:
                if self._results:
                    if len(self._results) < BATCH_MOST and not self._closing:
                        await asyncio.sleep(GATHER_SECONDS)
                    await self._write()
                elif self._closing:
                    await self._write_hours()
                    return
                else:
                    await self._wake.wait(HOURS_SECONDS)
                if time.monotonic() >= self._hours_due:
                    await self._write_hours()
                pause = PAUSE_FIRST
            except TROUBLE as e:
                log.warning("deliveries.not_settled", waiting=len(self._results), error=f"{type(e).__name__}: {e}")
                if self._closing and pause >= PAUSE_MOST:
                    return  # the leases end by themselves
                await asyncio.sleep(pause)
                pause = min(pause * 2, PAUSE_MOST)

    async def _write(self) -> None:
        batch, self._results = self._results[:BATCH_MOST], self._results[BATCH_MOST:]
        try:
            later, freed = await self._settle(batch)
        except TROUBLE:
            self._results[:0] = batch
            raise
        except Exception:
            log.exception("deliveries.batch_not_settled", results=len(batch))
            later, freed = await self._settle_each(batch)
        if later:
            self._results.extend(later)
            await asyncio.sleep(GATHER_SECONDS)
        done = len(batch) - len(later)
        self._settled(done, freed)
        await self._write_health()
        for r in batch:
            if r.state is not State.PENDING:
                metrics.FINISHED.labels(r.state.value).inc()

    async def _settle(self, batch: list[Result]) -> tuple[list[Result], list[UUID]]:
        async with self._db.transaction() as tx:
            return await queue.settle(tx, batch, self._clock())

    async def _settle_each(self, batch: list[Result]) -> tuple[list[Result], list[UUID]]:
        """One at a time, so that a row that cannot be written costs nobody else; its lease ends by itself."""
        later: list[Result] = []
        freed: list[UUID] = []
        for result in batch:
            try:
                one_later, one_freed = await self._settle([result])
                later += one_later
                freed += one_freed
            except TROUBLE:
                later.append(result)
            except Exception as e:
                log.error(
                    "delivery.not_settled", delivery_id=result.claimed.delivery_id, error=f"{type(e).__name__}: {e}"
                )
        return later, freed

    async def _write_health(self) -> None:
        now = time.monotonic()
        due = {
            i: p
            for i, p in self._pulses.items()
            if p.failed or p.throttle_until or now - self._noted.get(i, -1e9) >= SUCCESS_NOTED_SECONDS
        }
        disable, self._disable = self._disable, []
        if not due and not disable:
            return
        for endpoint_id in due:
            del self._pulses[endpoint_id]
        try:
            await self._note(due, disable)
        except TROUBLE:
            self._note_later(due, disable)
            raise
        except Exception:
            log.exception("deliveries.health_not_noted", endpoints=len(due))
            await self._note_each(due, disable)
        # only a success-only pulse may be put off: after a failure the next success must close the breaker at once
        self._noted = {i: t for i, t in self._noted.items() if now - t < SUCCESS_NOTED_SECONDS and i not in due}
        self._noted.update({i: now for i, p in due.items() if not p.failed and not p.throttle_until})

    async def _note(self, pulses: Mapping[UUID, Pulse], disable: Sequence[Disabling]) -> None:
        async with self._db.transaction() as tx:
            if pulses:
                await queue.note_health(tx, pulses, self._clock(), random.uniform(-1, 1))  # noqa: S311 - jitter
            if disable:
                await disable_many(tx, self._runtime.outbox, disable, self._clock())

    def _note_later(self, pulses: Mapping[UUID, Pulse], disable: Sequence[Disabling]) -> None:
        # what has come meanwhile is newer
        self._pulses = {**pulses, **self._pulses}
        self._disable[:0] = disable

    async def _note_each(self, pulses: Mapping[UUID, Pulse], disable: Sequence[Disabling]) -> None:
        """One at a time, so that an endpoint whose health cannot be written costs nobody else his deliveries."""
        alone: list[tuple[dict[UUID, Pulse], list[Disabling]]] = [({i: p}, []) for i, p in pulses.items()]
        for one, disabling in alone + [({}, [d]) for d in disable]:
            try:
                await self._note(one, disabling)
            except TROUBLE:
                self._note_later(one, disabling)
            except Exception as e:
                endpoint_id = next(iter(one), None) or disabling[0].endpoint_id
                log.error("delivery.health_not_noted", endpoint_id=endpoint_id, error=f"{type(e).__name__}: {e}")

    async def _write_hours(self) -> None:
        self._hours_due = time.monotonic() + HOURS_SECONDS
        hours, self._hours = self._hours, {}
        if not hours:
            return
        try:
            async with self._db.transaction() as tx:
                await queue.add_hours(tx, hours)
        except TROUBLE:
            self._add_again(hours)
            raise
        except Exception:
            log.exception("deliveries.hours_not_added", hours=len(hours))
