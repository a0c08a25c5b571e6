"""Indexes of lists and searches, set aside while very many orders are written and built again afterwards.

Building an index over all rows at once takes a third of the time that keeping it up row by row takes, and leaves it
compact. Unique indexes stay, and the one that the clock reads. Meanwhile lists of a running installation are slow, and
orders can't be changed while an index is built.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from typing import Final

import asyncpg

from cli.seed_rows import connected

# Fewer than this are written faster than every index is built, or the table is full of others' orders anyway.
FEWEST: Final = 20_000
BUILDERS: Final = 2
_MARK: Final = "ordertrail seed builds these indexes again:\n"
_ROWS: Final = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'orders'::regclass"
# What takes longest comes first, so that both builders end together; of an empty table the sizes tell nothing.
_FOUND: Final = """
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS a ON a.oid = c.relam
WHERE i.indrelid = 'orders'::regclass AND NOT i.indisunique AND i.indexrelid <> 'orders_timer'::regclass
ORDER BY pg_relation_size(i.indexrelid) DESC, a.amname = 'gin' DESC, i.indpred IS NULL DESC, i.indnatts DESC, name
"""
_REMEMBERED: Final = "SELECT obj_description('orders'::regclass, 'pg_class')"


async def set_aside(conn: asyncpg.Connection, orders: int) -> None:
    """Drop them where at least as many orders come as are there, remembering them with the table, at once."""
    if await _remembered(conn) or orders < max(FEWEST, await conn.fetchval(_ROWS)):
        return
    async with conn.transaction():
        found = await conn.fetch(_FOUND)
        definitions = "\n".join(row["definition"] for row in found)
        await conn.execute(
            await conn.fetchval("SELECT format('COMMENT ON TABLE orders IS %L', $1::text)", _MARK + definitions)
        )
        await conn.execute(f"DROP INDEX {', '.join(row['name'] for row in found)}")


async def build_again(url: str, tell: Callable[..., None]) -> None:
    """Build what was set aside, also by an earlier run that was killed.

    `tell(completed=..., total=...)` is called as each is begun.
    """
    conn = await connected(url)
    try:
        waiting = await _remembered(conn)
        total = len(waiting)
        begun = partial(_told, tell, waiting, total)
        await asyncio.gather(*(_build(url, waiting, begun) for _ in range(min(BUILDERS, total))))
        if total:
            await conn.execute("COMMENT ON TABLE orders IS NULL")
    finally:
        await conn.close()


def _told(tell: Callable[..., None], waiting: list[str], total: int) -> None:
    tell(completed=total - len(waiting), total=total)


async def _remembered(conn: asyncpg.Connection) -> list[str]:
    text = await conn.fetchval(_REMEMBERED) or ""
    return text.removeprefix(_MARK).splitlines() if text.startswith(_MARK) else []


async def _build(url: str, waiting: list[str], begun: Callable[[], None]) -> None:
    conn = await connected(url)
    try:
        # workers that help to build one index take processor time of their own, which the other builder has already
        helpers = max(0, (os.cpu_count() or 1) // BUILDERS - 1)
        await conn.execute(f"SET maintenance_work_mem = '256MB'; SET max_parallel_maintenance_workers = {helpers}")
        while waiting:
            definition = waiting.pop(0)
            begun()
            await conn.execute(definition.replace(" INDEX ", " INDEX IF NOT EXISTS ", 1))
    finally:
        await conn.close()
