"""A large backlog drains steadily in flat memory; what a delivery costs in statements; claims among many endpoints."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from uuid import UUID

import psutil

from benchmarks.webhook_rig import Rig, rig
from benchmarks.webhook_wire import wire
from benchmarks.world import Figure, World, percentile, reached
from services.webhook.deliver import queue
from services.webhook.upkeep import rows as upkeep
from shared.clock import utc_now
from shared.ids import new_id

# Rows like intake's, made by the database: every endpoint waits for every one of a hundred events, again and again.
FILL = """
WITH event AS (
    INSERT INTO webhook.message (event_id, marketplace_id, type, version, stream_id, sequence, order_id, occurred_at,
        audience, traceparent, data, ordinal, received_at)
    SELECT gen_random_uuid(), $1, 'order.created', 1, gen_random_uuid(), 1, gen_random_uuid(), $2, 4, '', $3, n, $2
    FROM generate_series(1, $4::int) AS n RETURNING event_id, stream_id
)
INSERT INTO webhook.pending (endpoint_id, delivery_id, marketplace_id, event_id, message_at, type, stream_id, sequence,
    order_id, eyes, ordered, origin, next_attempt_at, created_at)
SELECT e, webhook.uuid_at($2), $1, event_id, $2, 'order.created', stream_id, 1, stream_id, 4, false, 'event', $2, $2
FROM event, unnest($5::uuid[]) AS e
"""
ENDPOINTS = 100
MANY = 10_000


async def run(world: World) -> list[Figure]:
    """The rate and memory of a drain (BENCH_BACKLOG rows, 200,000 unless set), statements, and the time of a claim."""
    rows = 2_000 if world.small else int(os.environ.get("BENCH_BACKLOG", "200000"))
    events = 20 if world.small else 200
    return [
        *await _drain(world, rows),
        await _statements(world, ENDPOINTS, events, ordered=True),
        await _statements(world, 1, 20 * events, ordered=False),
        *await _claim(world, 200 if world.small else MANY),
    ]


async def _drain(world: World, rows: int) -> list[Figure]:
    async with rig(world) as r:
        made = await r.endpoints([f"/ok/{n}" for n in range(ENDPOINTS)], ordered=False)
        await _fill(r, made, rows)
        await r.admin.execute("UPDATE webhook.drain SET due_at = now()")
        async with r.service("worker") as [pid]:
            await r.arrived(min(rows, 1_000))
            process = psutil.Process(pid)
            first = process.memory_info().rss
            got = await r.arrived(rows, seconds=1_500)
            grown = (process.memory_info().rss - first) / 1e6
            await reached(lambda: _empty(r))
    return [
        Figure(f"webhook: drain of {rows} waiting deliveries", rows / got["seconds"], "deliveries/s", ">= 2000"),
        Figure("webhook: memory gained while draining", grown, "MB", "<= 50"),
    ]


async def _statements(world: World, endpoints: int, events: int, *, ordered: bool) -> Figure:
    """From the topic to the log: every statement that PostgreSQL completed for the service, polls and BEGINs too."""
    async with rig(world) as r, wire(r.world.database.admin_dsn) as counted:
        await r.endpoints([f"/ok/{n}" for n in range(endpoints)], ordered=ordered)
        async with r.service("all", **r.through(counted)):
            await r.produce(1)
            await r.arrived(endpoints)
            await reached(lambda: _empty(r))
            counted.completed.clear()
            await r.produce(events)
            await r.arrived((events + 1) * endpoints)
            await reached(lambda: _empty(r))
            per = counted.statements / (events * endpoints)
    name = f"webhook: statements per delivery, {endpoints} endpoint(s), {events} events at once"
    return Figure(name, per, "", "<= 0.2", ", ".join(f"{n} {verb}" for verb, n in counted.completed.most_common(4)))


async def _empty(r: Rig) -> bool:
    return await r.waiting() == 0


async def _fill(r: Rig, endpoints: Sequence[UUID], rows: int) -> None:
    data = r.event().model_dump_json(exclude_none=True).encode()
    left = rows
    while left > 0:
        events = max(1, min(100, left // ENDPOINTS))
        await r.admin.execute(FILL, r.marketplace, utc_now(), data, events, list(endpoints))
        left -= events * ENDPOINTS
    await r.admin.execute("ANALYZE webhook.pending, webhook.message")


async def _claim(world: World, endpoints: int) -> list[Figure]:
    """One claim for an endpoint of ten thousand, each with something waiting; and one poll for who is due."""
    async with rig(world) as r:
        r.marketplace = new_id()
        made = await r.endpoints([f"/ok/{n}" for n in range(endpoints)], ordered=False)
        data = r.event().model_dump_json(exclude_none=True).encode()
        await r.admin.execute(FILL, r.marketplace, utc_now(), data, 10, made)
        await r.admin.execute("ANALYZE webhook.pending")
        took: list[float] = []
        for endpoint_id in made[:100]:
            async with r.db.transaction() as tx:
                started = time.perf_counter()
                await queue.claim(tx, {endpoint_id: (16, 0)}, utc_now(), 15.0)
                took.append((time.perf_counter() - started) * 1000)
        await r.admin.execute("UPDATE webhook.drain SET due_at = now()")
        async with r.db.transaction() as tx:
            started = time.perf_counter()
            found = await queue.due_drains(tx, utc_now(), 2_000, [])
            poll = (time.perf_counter() - started) * 1000
            started = time.perf_counter()
            await upkeep.wake_forgotten(tx, utc_now())
            sweep = (time.perf_counter() - started) * 1000
    assert len(found) >= min(endpoints, 2_000)
    return [
        Figure(f"webhook: one claim among {endpoints} endpoints, p50", percentile(took, 0.5), "ms", "<= 5"),
        Figure(f"webhook: one claim among {endpoints} endpoints, p99", percentile(took, 0.99), "ms"),
        Figure(f"webhook: a poll that finds {len(found)} of {endpoints} endpoints due", poll, "ms"),
        Figure(f"webhook: the sweep for lost wakes over {endpoints} endpoints", sweep, "ms"),
    ]
