"""What could hold a delivery for longer than is promised: plans, caches, lost wakes, a busy pool, a process that stood
still, an endpoint whose health cannot be written down."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import pytest

from deploy.embedded.process import free_port
from services.webhook.addresses import LOOPBACK, Policy, parse_target
from services.webhook.app import PLANS, with_server_settings
from services.webhook.deliver import content, ledger, queue
from services.webhook.deliver.queue import Claimed, Result
from services.webhook.egress import Egress
from services.webhook.schedule import Failure, State
from services.webhook.stalls import Stalls
from shared import metrics
from shared.clock import utc_now
from shared.errors import Unavailable
from shared.ids import new_id
from shared.postgres import Database
from tests.integration.webhook.receiver import Hit, Receiver, receiving, status
from tests.integration.webhook.world import World, webhook_world
from tests.issuer import TokenIssuer
from tests.stack import StackDatabase
from tests.waiting import until

POLICY = Policy(https_only=False, ports=frozenset(), allowed=LOOPBACK)
# Two deliveries of each of 15,000 orders, the second behind the first.
FULL = """
WITH seen AS (
    INSERT INTO webhook.stream (stream_id, marketplace_id, seen_through, updated_at)
    SELECT gen_random_uuid(), $1, 2, now() FROM generate_series(1, 15000) RETURNING stream_id
)
INSERT INTO webhook.pending (endpoint_id, delivery_id, marketplace_id, event_id, message_at, type, stream_id, sequence,
    order_id, eyes, ordered, origin, next_attempt_at, created_at)
SELECT $2, webhook.uuid_at(now()), $1, gen_random_uuid(), now(), 'order.updated', stream_id, n, stream_id, 4, true,
       'event', CASE WHEN n = 1 THEN now() ELSE 'infinity' END, now()
FROM seen, generate_series(1, 2) AS n
"""
# Rows that the transaction has read so far, by scans and by indexes.
READ = "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"


async def test_a_plan_made_for_an_empty_queue_serves_a_full_one(database: StackDatabase, issuer: TokenIssuer) -> None:
    """Plans are kept, and figures on tables come late: neither may make a settlement take seconds."""
    async with webhook_world(database, issuer, free_port, roles=("api",)) as world:
        await world.admin.execute("ALTER TABLE webhook.pending SET (autovacuum_enabled = off)")
        await world.admin.execute("ALTER TABLE webhook.stream SET (autovacuum_enabled = off)")
        endpoint = await world.endpoint("http://127.0.0.1:9/none")
        endpoint_id = UUID(endpoint["endpoint_id"])
        dsn = with_server_settings(database.worker_dsn("webhook"), PLANS)
        db = Database(dsn, name="test-plans", max_size=1, statement_timeout_ms=60_000)
        await db.open()
        try:
            await world.take_in(world.life())
            assert (await _turn(db, endpoint_id, 10))[0] == 1
            await world.admin.execute(FULL, world.marketplace, endpoint_id)
            settled, read = await _turn(db, endpoint_id, 500)
            assert settled == 500
            assert read <= 20 * settled, "so many rows were looked at, which is what takes the seconds"
            due = await world.admin.fetchval("SELECT count(*) FROM webhook.pending WHERE next_attempt_at <= now()")
            assert due == 15_000, "each settled head has let the next one go"
        finally:
            await db.close()


async def _turn(db: Database, endpoint_id: UUID, most: int) -> tuple[int, int]:
    """Claim, and settle as delivered; how many, and how many rows were read for it."""
    async with db.transaction() as tx:
        claimed = await queue.claim(tx, {endpoint_id: (most, 0)}, utc_now(), 15.0)
        read = int(await tx.fetchval(READ))
    async with db.transaction() as tx:
        await queue.settle(tx, [_delivered(c) for c in claimed], utc_now())
        read += int(await tx.fetchval(READ))
    return len(claimed), read


def _delivered(c: Claimed) -> Result:
    answer = queue.Attempt(utc_now(), 1, 0, 200, "answered", None, "{}", b"", False)
    return Result(c, State.DELIVERED, None, 1, 0, answer)


async def test_what_was_claimed_is_sent_whatever_the_cache_forgets(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "MESSAGE_BYTES", 1)
    endpoint = await world.endpoint(receiver.url, retry_schedule=[1])
    await world.take_in([event for _ in range(20) for event in world.life(1)])

    async def delivered() -> bool:
        return await world.states(endpoint) == {"delivered": 40}

    await until(delivered)


async def test_order_asked_for_later_does_not_wait_for_what_had_none(world: World, receiver: Receiver) -> None:
    async def first_fails(hit: Hit, writer: asyncio.StreamWriter) -> bool:
        return await status(500 if hit.sequence == 1 else 200)(hit, writer)

    receiver.answer = first_fails
    endpoint = await world.endpoint(receiver.url, ordered=False, retry_schedule=[3600])
    one, two, three = world.life(2)
    await world.take_in([one])
    await until(lambda: receiver.of(one.order_id) == [1])
    code, _ = await world.call("PATCH", f"/v1/endpoints/{endpoint['endpoint_id']}", {"ordered": True})
    assert code == 200
    await world.take_in([two, three])
    await until(lambda: receiver.of(one.order_id) == [1, 2, 3])


async def test_a_retry_is_punctual_though_its_endpoint_rests(world: World, receiver: Receiver) -> None:
    times: list[float] = []

    async def once(hit: Hit, writer: asyncio.StreamWriter) -> bool:
        times.append(time.monotonic())
        return await status(200 if len(times) > 1 else 500)(hit, writer)

    receiver.answer = once
    await world.endpoint(receiver.url, retry_schedule=[3])
    stalls = Stalls()
    stalls.start()
    await world.take_in(world.life())
    await until(lambda: len(times) == 2)
    stalls.stop()
    assert times[1] - times[0] >= 2.4, "three seconds less a fifth"
    # a worker that did not know of the retry would look after seven; what this machine stood still is nobody's fault
    assert times[1] - times[0] < 6.5 + stalls.seconds


async def test_a_lost_wake_is_found(world: World, receiver: Receiver) -> None:
    """As after an intake that read "awake" just before the worker noted a rest, and was killed."""
    endpoint = await world.endpoint(receiver.url)
    endpoint_id = UUID(endpoint["endpoint_id"])
    await world.call("POST", f"/v1/endpoints/{endpoint_id}/pause")
    await world.take_in(world.life())
    await world.admin.execute("UPDATE webhook.endpoint SET status = 'active' WHERE endpoint_id = $1", endpoint_id)
    await world.admin.execute("UPDATE webhook.drain SET due_at = 'infinity' WHERE endpoint_id = $1", endpoint_id)
    await until(lambda: receiver.hits)


@pytest.mark.parametrize("stands_still", [True, False])
async def test_a_process_that_stood_still_blames_nobody(stands_still: bool) -> None:
    async def late(hit: Hit, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(0 if stands_still else 60)
        return await status(200)(hit, writer)

    egress = Egress()
    try:
        async with receiving(late) as slow:
            target: Any = parse_target(slow.url, POLICY)
            # long enough for a busy machine not to stand still for a quarter of it by itself
            deadline = 0.8 if stands_still else 5
            sending = asyncio.create_task(egress.send(new_id(), target, POLICY, {}, b"{}", deadline=deadline))
            await asyncio.sleep(0)
            if stands_still:
                time.sleep(1.2)  # noqa: ASYNC251 - the whole process, as with SIGSTOP or no processor time
            outcome = await sending
    finally:
        await egress.close()
    assert outcome.failure is (Failure.LOCAL if stands_still else Failure.TIMEOUT), outcome


class Said:
    """The log of a room: what was said, by event."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **_: self.events.append(event)


async def test_a_busy_pool_lets_go_of_nothing(
    database: StackDatabase, issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No connection is to be had as the answer comes: it is written down as soon as there is one, and sent once."""
    said, answers = Said(), asyncio.Event()
    monkeypatch.setattr(ledger, "log", said)

    async def patient(hit: Hit, writer: asyncio.StreamWriter) -> bool:
        await answers.wait()
        return await status(200)(hit, writer)

    async with webhook_world(database, issuer, free_port) as world, receiving(patient) as receiver:
        endpoint = await world.endpoint(receiver.url)
        await world.take_in(world.life())
        await until(lambda: receiver.hits)
        monkeypatch.setattr(world.runtime.worker_db, "_acquire_seconds", 0.2)
        async with AsyncExitStack() as held:
            for _ in range(world.runtime.settings.worker_pool_size):
                await until(lambda: _taken(world, held))
            answers.set()
            await until(lambda: said.events.count("deliveries.not_settled") >= 2)
            assert await world.states(endpoint) == {"pending": 1}

        async def delivered() -> bool:
            return await world.states(endpoint) == {"delivered": 1}

        await until(delivered)
        assert len(receiver.hits) == 1


async def _taken(world: World, held: AsyncExitStack) -> bool:
    """Whether another connection of the workers' pool is in hand now."""
    try:
        await held.enter_async_context(world.runtime.worker_db.transaction())
    except Unavailable:
        return False
    return True


async def test_health_that_cannot_be_noted_holds_nobody_up(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deliveries of that endpoint and of all others go on, in the same worker."""
    said = Said()
    monkeypatch.setattr(ledger, "log", said)

    async def by_path(hit: Hit, writer: asyncio.StreamWriter) -> bool:
        return await status(500 if hit.path == "/ill" else 200)(hit, writer)

    receiver.answer = by_path
    ill = await world.endpoint(receiver.url.replace("/hook", "/ill"), retry_schedule=[1] * 20)
    well = await world.endpoint(receiver.url)
    restarts = metrics.WORKER_RESTARTS.labels("deliver")._value.get()
    check = f"CHECK (endpoint_id <> '{ill['endpoint_id']}' OR failures = 0)"
    await world.admin.execute(f"ALTER TABLE webhook.drain ADD CONSTRAINT refuses {check}")
    try:
        await world.take_in(world.life(2))

        async def delivered() -> bool:
            return await world.states(well) == {"delivered": 3}

        await until(delivered)
        await until(lambda: sum(h.path == "/ill" for h in receiver.hits) >= 3)
        await until(lambda: "delivery.health_not_noted" in said.events)
    finally:
        await world.admin.execute("ALTER TABLE webhook.drain DROP CONSTRAINT refuses")
    assert metrics.WORKER_RESTARTS.labels("deliver")._value.get() == restarts

    async def noted() -> bool:
        return bool((await world.call("GET", f"/v1/endpoints/{ill['endpoint_id']}"))[1]["health"]["failing_since"])

    await until(noted)
