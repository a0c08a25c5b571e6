"""CloudEvents' abuse protection: a receiver is asked (OPTIONS) whether it wants events from us before any is sent."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from services.webhook.addresses import Policy
from services.webhook.deliver.content import Destination, read_destinations
from services.webhook.egress import Egress, Outcome
from services.webhook.hints import Hints
from services.webhook.settings import Settings
from services.webhook.upkeep import pace, rows
from services.webhook.vault import Vault
from shared.logs import log, unit_of_work
from shared.process import Runtime
from shared.stop import Stop

# Asked at the same time: one that hangs holds a place until its deadline, and keeps nobody else waiting.
AT_ONCE: Final = 200
EVERY_SECONDS: Final = 5.0
AGAIN_FIRST, AGAIN_MOST = 10.0, 600.0
KNOWN_MOST: Final = 10_000
# An endpoint with a version of its settings: changed ones are asked anew.
Asked = tuple[UUID, int]


class Handshakes:
    """Asks again with growing pauses while a receiver does not agree; its endpoint's log of deliveries just waits."""

    def __init__(self, runtime: Runtime, hints: Hints, vault: Vault, policy: Policy, egress: Egress) -> None:
        self._runtime, self._hints, self._egress = runtime, hints, egress
        self._vault, self._policy = vault, policy
        # how long the next pause is, and until when this one lasts (monotonic seconds)
        self._again: OrderedDict[Asked, tuple[float, float]] = OrderedDict()
        self._asking: dict[asyncio.Task[None], Asked] = {}

    async def run(self, stop: Stop) -> None:
        wake = self._runtime.wakes.get("handshakes")
        try:
            while not stop.requested:
                await self._round()
                await pace.rest(wake, stop, EVERY_SECONDS)
        finally:
            for task in self._asking:
                task.cancel()
            await asyncio.gather(*self._asking, return_exceptions=True)

    async def _round(self) -> None:
        free = AT_ONCE - len(self._asking)
        if free <= 0:
            return
        now, at = self._runtime.clock(), time.monotonic()
        waiting = {*self._asking.values(), *(asked for asked, (_, until) in self._again.items() if at < until)}
        async with self._runtime.worker_db.transaction() as tx:
            due = await rows.handshakes_due(tx, free, waiting)
            found = await read_destinations(tx, due, self._vault, self._policy, now) if due else {}
        for endpoint_id, destination in found.items():
            task = asyncio.create_task(self._ask(endpoint_id, destination))
            self._asking[task] = (endpoint_id, destination.version)
            task.add_done_callback(self._asked)

    def _asked(self, task: asyncio.Task[None]) -> None:
        asked = self._asking.pop(task)
        pause, _ = self._again.pop(asked, (AGAIN_FIRST, 0.0))
        self._again[asked] = (min(pause * 2, AGAIN_MOST), time.monotonic() + pause)
        if len(self._again) > KNOWN_MOST:
            self._again.popitem(last=False)
        if not task.cancelled() and (e := task.exception()) is not None:
            log.error("webhook.handshake_failed", endpoint_id=asked[0], error=f"{type(e).__name__}: {e}")
        if len(self._asking) == AT_ONCE - 1:
            # somebody may wait for this place
            self._runtime.wakes.get("handshakes").set()

    async def _ask(self, endpoint_id: UUID, destination: Destination) -> None:
        settings: Settings = self._runtime.settings
        with unit_of_work("webhook.handshake", endpoint_id=endpoint_id) as line:
            refused: str | None = destination.problem
            rate: float | None = None
            if destination.target is not None and destination.style is not None:
                headers = {**destination.style.custom, "webhook-request-origin": settings.webhook_origin}
                outcome = await self._egress.send(
                    endpoint_id, destination.target, destination.policy, headers, b"",
                    deadline=destination.deadline, method="OPTIONS",
                )  # fmt: skip
                refused, rate = answer(outcome, settings.webhook_origin)
            line.add(agreed=refused is None, refused=refused, per_second=rate)
            async with self._runtime.worker_db.transaction() as tx:
                if refused is None:
                    await rows.handshake_done(tx, endpoint_id, destination.version, rate, self._runtime.clock())
                    await rows.wake_if_active(tx, endpoint_id, self._runtime.clock())
                else:
                    await rows.handshake_failed(tx, endpoint_id, refused)
        if refused is None:
            self._hints.add([endpoint_id])


def answer(outcome: Outcome, origin: str) -> tuple[str | None, float | None]:
    """(why the receiver did not agree, or None; the rate per second that it allows, or None for any)."""
    if outcome.failure is not None or outcome.response is None:
        return outcome.error or "no answer", None
    headers: Mapping[str, str] = outcome.response.headers
    allowed = headers.get("webhook-allowed-origin", "").strip()
    if not 200 <= outcome.response.status <= 299 or allowed not in ("*", origin):
        return f"answered {outcome.response.status} without WebHook-Allowed-Origin: {origin}", None
    rate = headers.get("webhook-allowed-rate", "*").strip()
    # requests per minute; CloudEvents has it as a positive integer or "*"
    return None, (max(int(rate), 1) / 60 if rate.isdigit() and len(rate) < 10 else None)
