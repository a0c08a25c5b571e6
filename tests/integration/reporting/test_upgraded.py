"""Figures that were made before sellers' figures obeyed each event's audience are set right by the upgrade."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import UUID

from shared.ids import new_id
from shared.postgres.database import connect
from shared.postgres.migrate import migrate, owner_role
from tests.stack import ROOT, StackDatabase

MIGRATIONS = ROOT / "services/reporting/migrations"
FACT = """
INSERT INTO reporting.order_fact VALUES (
    1, $1, $2, 2, 'ORD-1', 'supplier', 'pending', 'pending', NULL, '2026-03-01', '2026-03-01', 'direct', 'EUR', $3, $3,
    500, 0, 0, 50, 0, 0, 0, 0, '', $4, false, false, false, false, NULL, NULL)
"""
MOVED = """
INSERT INTO reporting.order_movement VALUES
    (1, $1, 1, $2, '2026-03-01', '2026-03-01', 'needs_approval', 'approval', true, true, 500, 0, 0, 50, 0),
    (1, $1, 2, $2, '2026-03-02', '2026-03-02', 'pending', 'pending', true, true, 500, 0, 0, 50, 0)
"""
ROWS = """
SELECT day::text, approval::int, pending::int, gross_minor::int FROM reporting.seller_day WHERE clock = 'event'
ORDER BY day
"""


async def test_entries_into_an_approval_leave_the_sellers_figures(database: StackDatabase, tmp_path: Path) -> None:
    conn = await connect(database.admin_dsn, name="test")
    try:
        owner = owner_role("reporting")
        await conn.execute(f"DROP SCHEMA reporting CASCADE; CREATE SCHEMA reporting AUTHORIZATION {owner}")
        shutil.copy(MIGRATIONS / "0001_reporting.sql", tmp_path)
        await migrate(database.admin_dsn, "reporting", "reporting", tmp_path)
        marketplace, seller, approved, unseen = (new_id() for _ in range(4))
        for order, known in ((approved, True), (unseen, False)):
            await conn.execute(FACT, order, marketplace, seller, known)
            await conn.execute(MOVED, order, marketplace)
        await conn.execute("INSERT INTO reporting.seller_day SELECT * FROM reporting.seller_day_computed")
        assert [tuple(r) for r in await conn.fetch(ROWS)] == [("2026-03-01", 1, 0, 500), ("2026-03-02", 0, 1, 0)]

        await migrate(database.admin_dsn, "reporting", "reporting", MIGRATIONS)
        assert [tuple(r) for r in await conn.fetch(ROWS)] == [("2026-03-02", 0, 1, 500)]
        told: dict[UUID, list[bool]] = {approved: [], unseen: []}
        for r in await conn.fetch("SELECT order_id, seller_told FROM reporting.order_movement ORDER BY sequence"):
            told[r["order_id"]].append(r["seller_told"])
        assert told == {approved: [False, True], unseen: [False, False]}
    finally:
        await conn.close()
