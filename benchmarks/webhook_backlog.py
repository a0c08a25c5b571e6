"""A large backlog drains steadily in flat memory; what a delivery costs in statements; claims among many endpoints."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from uuid import UUID

import psutil

from benchmarks.webhook_rig import Rig, rig
from benchmarks.world import Figure, World, percentile, reached
from services.webhook.deliver import queue
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
# Statements of a transaction, BEGIN and COMMIT among them: a claim has 4 (6 where settings are read anew), a
# settlement 3 (4 where lanes are ordered), polls, health and figures 3. The database counts transactions.
STATEMENTS = 5
MANY = 10_000


async def run(world: World) -> list[Figure]:
    """The rate and memory of a drain (BENCH_BACKLOG rows, 200,000 unless set), and the time of one claim."""
    rows = 2_000 if world.small else int(os.environ.get("BENCH_BACKLOG", "200000"))
    return [*await _drain(world, rows), await _claim(world, 200 if world.small else MANY)]


async def _drain(world: World, rows: int) -> list[Figure]:
    async with rig(world) as r:
        made = await r.endpoints([f"/ok/{n}" for n in range(ENDPOINTS)], ordered=False)
        await _fill(r, made, rows)
        await r.admin.execute("UPDATE webhook.drain SET due_at = now()")
        before = await _transactions(r)
        async with r.service("worker") as [pid]:
            await r.arrived(min(rows, 1_000))
            process = psutil.Process(pid)
            first = process.memory_info().rss
            got = await r.arrived(rows, seconds=1_500)
            grown = (process.memory_info().rss - first) / 1e6
            await reached(lambda: _empty(r))
        spent = await _transactions(r) - before
    return [
        Figure(f"webhook: drain of {rows} waiting deliveries", rows / got["seconds"], "deliveries/s", ">= 2000"),
        Figure("webhook: memory gained while draining", grown, "MB", "<= 50"),
        Figure("webhook: statements per delivery under load, at most", STATEMENTS * spent / rows, "", "<= 0.2"),
    ]


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


async def _transactions(r: Rig) -> int:
    await r.admin.execute("SELECT pg_stat_force_next_flush()")
    await asyncio.sleep(1.2)
    return int(await r.admin.fetchval("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"))


async def _claim(world: World, endpoints: int) -> Figure:
    """One claim for an endpoint of ten thousand, each with something waiting."""
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
    return Figure(f"webhook: one claim among {endpoints} endpoints, p50", percentile(took, 0.5), "ms", "<= 5")
