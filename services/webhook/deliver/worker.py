"""The loops of a deliver worker: one finds and claims, one task per delivery sends, one settles what came back."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.webhook import metrics
from services.webhook.deliver import queue
from services.webhook.deliver.attempt import attempt
from services.webhook.deliver.content import Contents
from services.webhook.deliver.drains import Drain, Ready
from services.webhook.deliver.ledger import Ledger
from services.webhook.deliver.offers import Lost, Offers
from services.webhook.deliver.queue import TROUBLE, Claimed, Result
from services.webhook.deliver.windows import Window, share, share_of_everybody
from services.webhook.egress import Egress
from services.webhook.formats import Content
from services.webhook.hints import Hints
from services.webhook.schedule import THROTTLING, Failure, State, Verdict
from services.webhook.settings import Settings
from services.webhook.store.intake import Incoming, Standing, Taken
from shared.logs import log
from shared.postgres import Database
from shared.process import Runtime
from shared.stop import Stop

ENDPOINTS_AT_ONCE: Final = 2_000
# An endpoint with nothing due is looked at for this long (a burst goes on), put to rest, then looked at twice more:
# an intake may have read "awake" just before the rest was written and committed just after.
LINGER_SECONDS: Final = 1.0
AFTER_REST: Final = (1.0, 5.0)
# While this many deliveries start within so short a time, claims wait a moment for company: fewer, larger statements
# under load, and no delay without. What merely hangs is no load.
BUSY: Final = 16
BUSY_SECONDS: Final = 0.025
GATHER_SECONDS: Final = 0.004
PAUSE_FIRST, PAUSE_MOST = 0.05, 2.0
# how long an intake that may bring claims is waited for at the end
OFFER_SECONDS: Final = 1.0


class Worker:
    """One deliver worker. `run` returns once stopped, with everything that it had claimed settled or given back.

    `claims` need not wait for the disk: a claim that a crash of the database forgets is one that nobody holds. What
    became of it is written down through the runtime's own pool, which does wait.
    """

    def __init__(self, runtime: Runtime, claims: Database, hints: Hints, contents: Contents, egress: Egress) -> None:
        settings: Settings = runtime.settings
        self._db, self._clock, self._settings = claims, runtime.clock, settings
        self._hints, self._contents, self._egress = hints, contents, egress
        self._drains: dict[UUID, Drain] = {}
        self._in_flight = 0
        # claimed and not yet settled: what the global budget bounds
        self._in_hand = 0
        self._tasks: set[asyncio.Task[None]] = set()
        # when the last deliveries started
        self._started: deque[float] = deque(maxlen=BUSY)
        self._ledger = Ledger(runtime, self._settled)
        self._offers = Offers(settings.webhook_lease_seconds)
        self._polled = 0.0
        self._random = random.Random()  # noqa: S311 - jitter, not a secret

    async def run(self, stop: Stop) -> None:
        self._hints.taker = self
        settling = asyncio.create_task(self._ledger.run(), name="settle")
        pause = PAUSE_FIRST
        try:
            while not stop.requested and not settling.done():
                try:
                    await self._round()
                    pause = PAUSE_FIRST
                except TROUBLE as e:
                    log.warning("deliveries.not_claimed", error=f"{type(e).__name__}: {e}", pause_s=pause)
                    await stop.wait(pause)
                    pause = min(pause * 2, PAUSE_MOST)
        finally:
            self._hints.taker = None
            await self._finish(settling)

    def standing(self, events: int) -> Standing | None:
        """What an intake of so many events may claim, where it would be asked for at once."""
        free = share_of_everybody(self._settings.webhook_in_flight) - self._in_hand
        if self._busy():
            return None
        standing, places = self._offers.make(self._drains, events, free)
        self._in_hand += places
        return standing

    def given(self, standing: Standing, taken: Taken | None) -> None:
        """What became of it. Claims for which nothing has to be read are on their way at once."""
        self._in_hand -= self._offers.ended(self._drains, standing, taken)
        if self._hints.taker is self:
            self._start_at_hand()
        self._hints.wake.set()

    def lost(self, standing: Standing, events: Sequence[Incoming], moment: datetime) -> None:
        """Give back what it may have claimed, as soon as the database answers: it would rest until the lease ends."""
        self._in_hand -= self._offers.ended(self._drains, standing, None)
        self._offers.lost.append(Lost([e.stream_id for e in events], standing.endpoints, moment))
        self._hints.wake.set()

    def _start_at_hand(self) -> None:
        self._contents.offer(self._hints.events())
        while self._offers.brought:
            brought = self._offers.brought[0]
            contents = self._contents.at_hand(brought.claimed, self._clock())
            if contents is None:
                break
            self._offers.brought.popleft()
            self._start(brought.rooms, brought.claimed, contents, brought.start_by)

    async def _give_back_lost(self) -> None:
        while self._offers.lost:
            lost = self._offers.lost.popleft()
            try:
                async with self._db.statements() as tx:
                    found = await queue.give_back_lost(tx, lost.streams, lost.endpoints, lost.moment, self._clock())
            except BaseException:
                self._offers.lost.appendleft(lost)
                raise
            for endpoint_id in found:
                self._look(endpoint_id)

    async def _round(self) -> None:
        await self._give_back_lost()
        self._contents.offer(self._hints.events())
        while self._offers.brought:
            brought = self._offers.brought[0]
            async with self._db.statements() as tx:
                contents = await self._contents.load(tx, brought.claimed, self._clock())
            self._offers.brought.popleft()
            self._start(brought.rooms, brought.claimed, contents, brought.start_by)
        hinted = self._hints.take()
        for endpoint_id in hinted:
            self._look(endpoint_id)
        now = time.monotonic()
        # what was hinted at goes first; a poll that is late by a round costs nobody anything
        if not hinted and now - self._polled >= self._settings.webhook_poll_seconds:
            self._polled = now
            await self._poll()
        if not await self._claim_some():
            await self._rest()
            await self._hints.wake.wait(self._settings.webhook_poll_seconds)

    async def _poll(self) -> None:
        """Find endpoints that have something due and are not in hand."""
        self._egress.sweep()
        async with self._db.statements() as tx:
            found = await queue.due_drains(tx, self._clock(), ENDPOINTS_AT_ONCE, list(self._drains))
        for endpoint_id in found:
            self._look(endpoint_id)

    def _look(self, endpoint_id: UUID) -> None:
        drain = self._drains.get(endpoint_id)
        if drain is None:
            drain = self._drains[endpoint_id] = Drain(Window())
        drain.look_at = drain.idle_since = 0.0
        drain.rested, drain.window.idle = 0, False

    def _busy(self) -> bool:
        return len(self._started) == BUSY and time.monotonic() - self._started[0] < BUSY_SECONDS

    def _asking(self) -> tuple[list[tuple[UUID, Drain]], int]:
        """Who has room and may have something due; and how many hold a place."""
        now, active = time.monotonic(), 0
        asking: list[tuple[UUID, Drain]] = []
        for endpoint_id, drain in self._drains.items():
            if drain.window.in_flight:
                active += 1
                if drain.window.listen(now):
                    self._return_waiting(drain, "silent")
            if drain.look_at <= now and not drain.asked and drain.window.room() > 0:
                asking.append((endpoint_id, drain))
        if len(asking) > ENDPOINTS_AT_ONCE:
            asking.sort(key=lambda pair: pair[1].look_at)
        return asking[:ENDPOINTS_AT_ONCE], active

    async def _claim_some(self) -> bool:
        """Claim for whoever has room and may have something due. True where anything was claimed."""
        asking, active = self._asking()
        if asking and self._busy():
            await asyncio.sleep(GATHER_SECONDS)
            asking, active = self._asking()
        rooms = share(self._settings.webhook_in_flight, self._in_hand, [d.window for _, d in asking], active)
        wanted = {i: (room, d.window.in_hand) for (i, d), room in zip(asking, rooms, strict=True) if room > 0}
        if not wanted:
            return False
        start_by = time.monotonic() + self._settings.webhook_lease_seconds
        now = self._clock()
        for endpoint_id in wanted:
            self._drains[endpoint_id].asked = True
        try:
            async with self._db.statements() as tx:
                claimed = await queue.claim(tx, wanted, now, self._settings.webhook_lease_seconds)
                contents = await self._contents.load(tx, claimed, now) if claimed else []
        finally:
            for endpoint_id in wanted:
                self._drains[endpoint_id].asked = False
        self._in_hand += len(claimed)
        for c in claimed:
            self._drains[c.endpoint_id].window.queued += 1
        self._start({i: room for i, (room, _) in wanted.items()}, claimed, contents, start_by)
        return bool(claimed)

    def _start(
        self, rooms: Mapping[UUID, int], claimed: Sequence[Claimed], contents: Sequence[Content | None], start_by: float
    ) -> None:
        """Send what was claimed for the endpoints that were asked for, as far as their windows allow."""
        counts = {i: 0 for i in rooms if i in self._drains}  # one for which nothing was claimed may be at rest by now
        for c, content in zip(claimed, contents, strict=True):
            counts[c.endpoint_id] += 1
            self._drains[c.endpoint_id].waiting.append(Ready(c, content, start_by))
        for endpoint_id, n in counts.items():
            self._note_claim(endpoint_id, n, rooms[endpoint_id])
            self._advance(endpoint_id)
        self._contents.trim()

    def _note_claim(self, endpoint_id: UUID, n: int, room: int) -> None:
        """When to look again: as soon as there is room where there was as much as asked for, else after a while."""
        drain, now = self._drains[endpoint_id], time.monotonic()
        drain.window.idle = n < room
        if n:
            drain.idle_since, drain.rested = 0.0, 0
        if n >= room:
            drain.look_at = 0.0
            return
        if not drain.idle_since:
            drain.idle_since = now
        if drain.rested:
            drain.rested += 1
            drain.look_at = now + AFTER_REST[min(drain.rested, len(AFTER_REST)) - 1]
            if drain.due > now:
                drain.look_at = min(drain.look_at, drain.due)
        else:
            drain.look_at = now + self._settings.webhook_poll_seconds

    async def _rest(self) -> None:
        """Note in the database when those have something due that have been idle for a while, and let go of them."""
        now = time.monotonic()
        idle = [
            (i, d) for i, d in self._drains.items()
            if d.idle_since and now - d.idle_since >= LINGER_SECONDS and not d.window.in_hand
        ]  # fmt: skip
        for endpoint_id, drain in idle:
            if drain.rested > len(AFTER_REST):
                del self._drains[endpoint_id]
        resting = [i for i, d in idle if not d.rested]
        if not resting:
            return
        async with self._db.transaction() as tx:
            rested = await queue.rest(tx, resting, self._clock())
        for endpoint_id, seconds in rested.items():
            drain = self._drains[endpoint_id]
            if seconds <= self._settings.webhook_poll_seconds:
                self._look(endpoint_id)
            else:
                drain.rested = 1
                drain.due = now + seconds
                drain.look_at = min(now + AFTER_REST[0], drain.due)

    def _advance(self, endpoint_id: UUID) -> None:
        """Start what waits for this endpoint, as far as its window allows."""
        drain = self._drains.get(endpoint_id)
        while drain is not None and drain.waiting and drain.window.free:
            ready = drain.waiting.popleft()
            drain.window.queued -= 1
            now = time.monotonic()
            if now >= ready.start_by:
                # its exchange might end after the lease: somebody else may have it by then
                self._give_back(ready.claimed, "lease")
                continue
            drain.window.began(now)
            self._started.append(now)
            self._in_flight += 1
            task = asyncio.create_task(self._deliver(ready.claimed, ready.content, drain))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        metrics.IN_FLIGHT.set(self._in_flight)

    async def _deliver(self, claimed: Claimed, content: Content | None, drain: Drain) -> None:
        """Send one and hand the result on. Whatever goes wrong in here, the claim is not forgotten."""
        answered_in: float | None = None
        try:
            destination = self._contents.destination(claimed)
            if destination is None:
                self._give_back(claimed, "no_endpoint")
                return
            drain.window.most, drain.limited = destination.max_in_flight, destination.limited
            if content is None:
                reason = "the event is older than what is kept"
                self._ledger.put(
                    Result(claimed, State.DISCARDED, None, claimed.attempts, claimed.deferrals, None, reason), None
                )
                return
            spread = self._random.uniform(-1, 1)
            result, verdict = await attempt(self._egress, claimed, destination, content, self._clock, spread)
            if verdict is not None and result.attempt is not None and result.attempt.outcome != Failure.TIMEOUT:
                answered_in = result.attempt.duration_ms / 1000
            self._size(drain.window, result, verdict)
            self._ledger.put(result, verdict)
        except asyncio.CancelledError:
            self._give_back(claimed, "stopped")
            raise
        except Exception:
            log.exception("delivery.not_attempted", delivery_id=claimed.delivery_id)
            self._give_back(claimed, "error")
        finally:
            drain.window.ended(time.monotonic(), answered_in)
            self._in_flight -= 1
            self._advance(claimed.endpoint_id)
            if drain.look_at <= time.monotonic():
                self._hints.wake.set()

    @staticmethod
    def _size(window: Window, result: Result, verdict: Verdict | None) -> None:
        if verdict is None or result.attempt is None:
            return
        if verdict.succeeded:
            window.succeeded()
        elif result.attempt.outcome != "answered" or result.attempt.status in THROTTLING:
            window.struggled()

    def _return_waiting(self, drain: Drain, reason: str) -> None:
        while drain.waiting:
            drain.window.queued -= 1
            self._give_back(drain.waiting.popleft().claimed, reason)

    def _give_back(self, claimed: Claimed, reason: str) -> None:
        """Return a claim unsent: due again in a moment, with nothing counted."""
        metrics.STALE.labels(reason).inc()
        due = self._clock() + timedelta(seconds=1 if reason == "error" else 0)
        self._ledger.put(Result(claimed, State.PENDING, due, claimed.attempts, claimed.deferrals), None)

    def _settled(self, n: int, freed: Iterable[UUID]) -> None:
        self._in_hand -= n
        for endpoint_id in freed:
            self._look(endpoint_id)
        self._hints.wake.set()

    async def _finish(self, settling: asyncio.Task[None]) -> None:
        """Let what is on its way arrive, give the rest back, write everything down."""
        deadline = time.monotonic() + OFFER_SECONDS
        while self._offers.out and time.monotonic() < deadline:
            await self._hints.wake.wait(OFFER_SECONDS)
        while self._offers.brought:
            for claimed in self._offers.brought.popleft().claimed:
                self._drains[claimed.endpoint_id].window.queued -= 1
                self._give_back(claimed, "stopped")
        for drain in self._drains.values():
            self._return_waiting(drain, "stopped")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(0.5, self._settings.shutdown_seconds - 5))
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)
        self._ledger.close()
        try:
            async with asyncio.timeout(4):
                await settling
        except TimeoutError:
            log.warning("deliveries.left_to_their_leases")
