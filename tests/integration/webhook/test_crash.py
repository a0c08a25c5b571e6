"""kill -9 of a worker at every stage: no delivery is lost, a repeated one has the same id, orders stay in sequence."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from deploy.embedded.process import free_port
from services.webhook.deliver import queue
from shared.clock import utc_now
from tests.integration.webhook.receiver import Hit, Receiver, receiving, status
from tests.integration.webhook.world import RING, World, webhook_world
from tests.issuer import TokenIssuer
from tests.stack import StackDatabase
from tests.waiting import until

# Deadline of the exchange and the rest of a claim's lease: what a killed worker's deliveries wait for at most.
# Long enough for a busy machine to answer in: what it fails to is tried again later, and once too often.
DEADLINE_MS, LEASE = 2_000, 1.0


@pytest.fixture
async def quiet(database: StackDatabase, issuer: TokenIssuer) -> AsyncIterator[World]:
    """The API alone: workers are processes of their own."""
    async with webhook_world(database, issuer, free_port, roles=("api",)) as world:
        world.database = database  # type: ignore[attr-defined]  # kept for the checks
        yield world


@asynccontextmanager
async def worker(world: World, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A deliver worker as a process of its own, killed at the end if it still lives."""
    database: StackDatabase = world.database  # type: ignore[attr-defined]
    settings = {
        "ORDERTRAIL_DATABASE_URL": database.app_dsn("webhook"),
        "ORDERTRAIL_WORKER_DATABASE_URL": database.worker_dsn("webhook"),
        "ORDERTRAIL_WEBHOOK_SECRET_KEYS": RING,
        "ORDERTRAIL_WEBHOOK_LEASE_SECONDS": str(LEASE),
        # rows that a stopped process had locked are free again after three times this
        "ORDERTRAIL_STATEMENT_TIMEOUT_MS": "8000",
        "ORDERTRAIL_OPERATIONS_PORT": "0",
        "ORDERTRAIL_LOG_LEVEL": "error",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.webhook", "worker", env={**os.environ, **settings, **env}
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def all_delivered(world: World, endpoint: dict[str, Any], n: int) -> bool:
    return await world.states(endpoint) == {"delivered": n}


async def test_killed_between_claim_and_send(quiet: World, receiver: Receiver) -> None:
    """What the dead worker had claimed is free when its lease ends, and not before."""
    endpoint = await quiet.endpoint(receiver.url, timeout_ms=DEADLINE_MS)
    events = [event for _ in range(3) for event in quiet.life(2)]
    await quiet.take_in(events)
    started = asyncio.get_running_loop().time()
    async with quiet.runtime.worker_db.transaction() as tx:
        claimed = await queue.claim(tx, {UUID(endpoint["endpoint_id"]): (100, 0)}, utc_now(), LEASE)
    assert {c.ordered for c in claimed} == {True}
    assert len(claimed) == 3, "the head of each order, no more"
    async with worker(quiet):
        await until(lambda: all_delivered(quiet, endpoint, len(events)), seconds=90)
    assert asyncio.get_running_loop().time() - started >= DEADLINE_MS / 1000 + LEASE - 0.5
    _check(receiver, events)


@pytest.mark.parametrize("stage", ["sent", "answered"])
async def test_killed_at(quiet: World, stage: str) -> None:
    """sent: before the answer; answered: before it is written down."""
    reached = asyncio.Event()

    async def answer(hit: Hit, writer: asyncio.StreamWriter) -> bool:
        if reached.is_set():
            return await status(200)(hit, writer)
        if stage == "answered":
            await status(200)(hit, writer)
            await writer.drain()
        reached.set()
        if stage == "sent":
            await asyncio.sleep(60)
        return stage == "answered"

    async with receiving(answer) as receiver:
        endpoint = await quiet.endpoint(receiver.url, timeout_ms=DEADLINE_MS, retry_schedule=[1] * 20)
        events = [event for _ in range(3) for event in quiet.life(2)]
        await quiet.take_in(events)
        async with worker(quiet) as first:
            await reached.wait()
            first.send_signal(signal.SIGKILL)
            await first.wait()
        async with worker(quiet):
            await until(lambda: all_delivered(quiet, endpoint, len(events)), seconds=90)
        _check(receiver, events)


def _check(receiver: Receiver, events: list[Any]) -> None:
    for order_id in {event.order_id for event in events}:
        wanted = sorted(event.sequence for event in events if event.order_id == order_id)
        assert receiver.of(order_id) == wanted
        ids = {(h.sequence, h.webhook_id) for h in receiver.hits if h.order_id == str(order_id)}
        assert len(ids) == len(wanted), "a repeated delivery has the same id"


async def test_killed_again_and_again_under_load(quiet: World) -> None:
    """Two workers, one of them killed every half second while events come in."""
    async with receiving() as receiver:
        endpoint = await quiet.endpoint(receiver.url, timeout_ms=DEADLINE_MS, retry_schedule=[1] * 20)
        lives = [quiet.life(4) for _ in range(40)]
        async with worker(quiet):
            for n in range(5):
                async with worker(quiet) as victim:
                    # counted before there is anything to send: the other worker may have sent it all by then
                    before = len(receiver.hits)
                    await quiet.take_in([events[n] for events in lives])
                    await until(_more_than(receiver, before + 5))
                    victim.send_signal(signal.SIGKILL)
                    await victim.wait()
            total = sum(len(events) for events in lives)
            await until(lambda: all_delivered(quiet, endpoint, total), seconds=120)
        _check(receiver, [event for events in lives for event in events])
        repeated = len(receiver.hits) - total
        assert repeated <= 5 * 256, "at most what a killed worker had in hand"


def _more_than(receiver: Receiver, n: int) -> Callable[[], bool]:
    return lambda: len(receiver.hits) > n


async def test_a_stopped_worker_that_wakes_up_changes_nothing(quiet: World) -> None:
    """SIGSTOP past the lease: another delivers; what the first one brings afterwards is fenced off."""
    hanging = asyncio.Event()

    async def slow_once(hit: Hit, writer: asyncio.StreamWriter) -> bool:
        if not hanging.is_set():
            hanging.set()
            await asyncio.sleep(0.3)
        return await status(200)(hit, writer)

    async with receiving(slow_once) as receiver:
        endpoint = await quiet.endpoint(receiver.url, timeout_ms=DEADLINE_MS, retry_schedule=[1] * 20)
        await quiet.take_in(quiet.life())
        async with worker(quiet) as frozen:
            await hanging.wait()
            frozen.send_signal(signal.SIGSTOP)
            async with worker(quiet):
                await until(lambda: all_delivered(quiet, endpoint, 1), seconds=90)
                frozen.send_signal(signal.SIGCONT)
                frozen.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(frozen.wait(), 90) == 0
        assert await quiet.states(endpoint) == {"delivered": 1}
        assert len({h.webhook_id for h in receiver.hits}) == 1


async def test_a_graceful_stop_gives_everything_back(quiet: World) -> None:
    async def slow(hit: Hit, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(0.2)
        return await status(200)(hit, writer)

    async with receiving(slow) as receiver:
        endpoint = await quiet.endpoint(receiver.url)
        await quiet.take_in([event for _ in range(60) for event in quiet.life()])
        async with worker(quiet) as first:
            await until(lambda: len(receiver.hits) > 3)
            first.terminate()
            assert await asyncio.wait_for(first.wait(), 90) == 0
        assert await quiet.admin.fetchval("SELECT count(*) FROM webhook.pending WHERE leased") == 0
        async with worker(quiet):
            await until(lambda: all_delivered(quiet, endpoint, 60), seconds=90)
        assert len(receiver.hits) == 60, "nothing was sent twice"
