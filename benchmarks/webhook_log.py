"""The log at full size (BENCH_ATTEMPTS rows): pages of deliveries and their attempts, and a day of it dropped."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from benchmarks.webhook_rig import Rig, rig
from benchmarks.world import Figure, World, percentile
from services.webhook.store import log
from shared.postgres import Database, Transaction

DAYS = 30
ENDPOINTS = 100
PAGE = 51
# Rows as a settlement writes them: one in a hundred is exhausted, one in a thousand of a rare type.
FILL = """
WITH made AS (
    INSERT INTO webhook.delivery (endpoint_id, delivery_id, marketplace_id, event_id, message_at, type, stream_id,
        sequence, order_id, eyes, origin, state, attempts, deferrals, tries, last_status, last_error, created_at,
        finished_at)
    SELECT ($2::uuid[])[1 + n % 100], webhook.uuid_at(at), $1, o, at,
           CASE WHEN n % 1000 = 7 THEN 'order.disputed' ELSE 'order.updated' END, o, 1, o, 4, 'event',
           CASE WHEN n % 100 = 13 THEN 'exhausted' ELSE 'delivered' END, 1, 0, 1, 200, NULL, at, at
    FROM generate_series(1, $4::int) AS n
    CROSS JOIN LATERAL (SELECT $3::timestamptz + n * interval '1 second' * (86000.0 / $4::int) AS at,
                               gen_random_uuid() AS o) AS made
    RETURNING delivery_id, endpoint_id, created_at
)
INSERT INTO webhook.attempt (delivery_id, number, marketplace_id, endpoint_id, started_at, duration_ms, connect_ms,
    status, outcome, response_headers, response_body, response_truncated)
SELECT delivery_id, 1, $1, endpoint_id, created_at, 12, 0, 200, 'answered',
       '{"content-type":"text/plain","content-length":"2"}', 'ok', false FROM made
"""
SAMPLE = """
SELECT endpoint_id, delivery_id, order_id, created_at FROM webhook.delivery
WHERE created_at >= $1 AND created_at < $1 + interval '1 minute' LIMIT 20
"""


async def run(world: World) -> list[Figure]:
    """p99 of each page at that size in milliseconds, and of dropping the oldest day."""
    rows = 20_000 if world.small else int(os.environ.get("BENCH_ATTEMPTS", "1000000"))
    async with rig(world) as r:
        made = await r.endpoints([f"/ok/{n}" for n in range(ENDPOINTS)])
        first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
        await r.admin.execute(
            "SELECT webhook.make_partitions($1, $2)", first.date(), first.date() + timedelta(days=DAYS)
        )
        for day in range(DAYS):
            await r.admin.execute(FILL, r.marketplace, made, first + timedelta(days=day), rows // DAYS, timeout=600)
        await r.admin.execute("ANALYZE webhook.delivery, webhook.attempt", timeout=600)
        figures = await _pages(r, made, first, 20 if world.small else 400)
        dropped = await _drop(r, first.date())
    size = f"{rows:,} deliveries and attempts"
    return [
        *(Figure(f"webhook log, {size}: {name}, p99", value, "ms", "<= 50") for name, value in figures.items()),
        Figure(f"webhook log: a day of {rows // DAYS:,} + {rows // DAYS:,} rows dropped", dropped, "ms"),
    ]


async def _pages(r: Rig, endpoints: list[UUID], first: datetime, times: int) -> dict[str, float]:
    chance = random.Random(11)
    rows: list[Any] = []
    while len(rows) < times:
        at = first + timedelta(seconds=chance.uniform(0, DAYS * 86_000))
        rows += await r.admin.fetch(SAMPLE, at)
    chance.shuffle(rows)
    queries: dict[str, Callable[[Transaction, Any], Awaitable[Any]]] = {
        "newest page": lambda tx, d: log.page(tx, d["endpoint_id"], None, None, None, PAGE),
        "a page anywhere": lambda tx, d: log.page(tx, d["endpoint_id"], d["delivery_id"], None, None, PAGE),
        "exhausted ones": lambda tx, d: log.page(tx, d["endpoint_id"], d["delivery_id"], "exhausted", None, PAGE),
        "a rare type": lambda tx, d: log.page(tx, d["endpoint_id"], d["delivery_id"], None, "order.disputed", PAGE),
        "an order's trail": lambda tx, d: log.of_order(tx, d["order_id"], None, None, PAGE),
        "a delivery": lambda tx, d: log.delivery(tx, d["delivery_id"], None),
        "its attempts": lambda tx, d: log.attempts(tx, d["delivery_id"], d["created_at"]),
    }
    db = Database(r.world.database.app_dsn("webhook"), name="bench", max_size=1)
    await db.open()
    try:
        return {name: await _p99(db, r.marketplace, query, rows[:times]) for name, query in queries.items()}
    finally:
        await db.close()


async def _p99(
    db: Database, marketplace: UUID, query: Callable[[Transaction, Any], Awaitable[Any]], rows: list[Any]
) -> float:
    took: list[float] = []
    for row in rows:
        async with db.tenant(marketplace) as tx:
            started = time.perf_counter()
            await query(tx, row)
            took.append((time.perf_counter() - started) * 1000)
    return percentile(took, 0.99)


async def _drop(r: Rig, first: date) -> float:
    async with r.db.transaction() as tx:
        started = time.perf_counter()
        dropped = await tx.fetchval("SELECT webhook.drop_partitions($1)", first + timedelta(days=1))
    assert len(dropped) >= 2, dropped
    return (time.perf_counter() - started) * 1000
