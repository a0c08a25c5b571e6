"""Orders that were there before their customers' names had a table of their own are found as new ones are."""

from __future__ import annotations

import shutil
from pathlib import Path

from services.order.store.texts import fold, searched
from shared.ids import new_id
from shared.postgres.database import connect
from shared.postgres.migrate import migrate, owner_role
from tests.stack import ROOT, StackDatabase

MIGRATIONS = ROOT / "services/order/migrations"
INSERT = """
INSERT INTO orders.orders (
    marketplace_id, id, number, purchase_id, channel, part, lifecycle, lifecycle_version, sequence, status, shown,
    phase, money, issue, known, overdue, buyer_org, seller_org, customer_name_lc, customer_email_lc, search, currency,
    total_minor, placed_at, updated_at, chain, card, doc)
VALUES ($1, $2, $3, $2, 'direct', 1, 'storefront', 1, 1, 'pending', 'pending', 'pending', 'paid', 'none', true, false,
        $2, $2, $4, $5, $6, 'USD', 100, now(), now(), '', '{}', '{}')
"""
# the third is too long to be kept: folded, each of its characters is four words
LONG = "ﷺ" * 40
NAMES = ("José Núñez", "Ann Nunez", LONG, "")


async def test_names_of_earlier_orders_are_found(database: StackDatabase, tmp_path: Path) -> None:
    conn = await connect(database.admin_dsn, name="test")
    try:
        await conn.execute(f"DROP SCHEMA orders CASCADE; CREATE SCHEMA orders AUTHORIZATION {owner_role('order')}")
        for file in sorted(MIGRATIONS.glob("000[1-5]_*.sql")):
            shutil.copy(file, tmp_path)
        await migrate(database.admin_dsn, "order", "orders", tmp_path)
        marketplace = new_id()
        ids = {name: new_id() for name in NAMES}
        for number, (name, order_id) in enumerate(ids.items()):
            folded, email = fold(name), f"nunez{number}@x.example"
            await conn.execute(INSERT, marketplace, order_id, number, folded, email, searched(folded, email))
        assert "0006_names_and_values" in await migrate(database.admin_dsn, "order", "orders", MIGRATIONS)
        kept = [r["name"] for r in await conn.fetch("SELECT name FROM orders.customer_name ORDER BY name")]
        assert kept == ["ann nunez", "jose nunez"]

        await conn.execute(f"SET search_path = orders, public; SET app.marketplace = '{marketplace}'")
        for text, names, beside in (
            ("jose nunez", ["jose nunez"], []),
            ("nez", ["ann nunez", "jose nunez"], list(ids.values())),
            ("ann nunez nunez1", [], [ids["Ann Nunez"]]),
            (fold("ﷺ"), [], [ids[LONG]]),
        ):
            found = await conn.fetch("SELECT customer_names_matching($1, 9) AS name", text)
            assert sorted(r["name"] for r in found) == names, text
            found = await conn.fetch("SELECT orders_matching($1, $1, 9) AS id", text)
            assert {r["id"] for r in found} == set(beside), text
    finally:
        await conn.close()
