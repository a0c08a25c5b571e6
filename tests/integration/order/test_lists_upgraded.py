"""What was there before a change of the schema is found, and counts, as what is new."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import orjson

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


async def test_what_waited_for_approval_before(database: StackDatabase, tmp_path: Path) -> None:
    conn = await connect(database.admin_dsn, name="test")
    try:
        await conn.execute(f"DROP SCHEMA orders CASCADE; CREATE SCHEMA orders AUTHORIZATION {owner_role('order')}")
        for file in sorted(MIGRATIONS.glob("000[1-8]_*.sql")):
            shutil.copy(file, tmp_path)
        await migrate(database.admin_dsn, "order", "orders", tmp_path)
        marketplace, listing, uncounted = new_id(), new_id(), new_id()
        for listing_id, sku, on_hand, reserved in ((listing, "A", 9, Decimal("4.5")), (uncounted, "B", None, 0)):
            await conn.execute(
                "INSERT INTO orders.listing (marketplace_id, id, version, seller_org, sku, name, price_minor, currency,"
                " unit_code, on_hand, reserved, tracked, active, changed_at)"
                " VALUES ($1, $2, 1, $1, $3, 'A', 1, 'EUR', 'C62', $4, $5, false, true, now())",
                marketplace, listing_id, sku, on_hand, reserved,
            )  # fmt: skip
        lines = [{"listing_id": str(listing), "ordered": "3", "rejected": "0.5"}, {"ordered": "7"},
                 {"listing_id": str(uncounted), "ordered": "2"}]  # fmt: skip
        for number, phase in enumerate(("approval", "pending", "canceled")):
            await conn.execute(INSERT, marketplace, new_id(), number, "", "", "")
            await conn.execute(
                "UPDATE orders.orders SET doc = $2, phase = $3 WHERE number = $1",
                number, orjson.dumps({"lines": lines}).decode(), phase,
            )  # fmt: skip
        await migrate(database.admin_dsn, "order", "orders", MIGRATIONS)
        seen = await conn.fetch("SELECT reserved, hidden FROM orders.listing ORDER BY sku")
        assert [tuple(r) for r in seen] == [(Decimal("4.5"), Decimal("2.5")), (Decimal(4), Decimal(2))]
        policies = await conn.fetch("SELECT polname FROM pg_policy WHERE polrelid = 'orders.listing'::regclass")
        assert "owner_listing" not in {r["polname"] for r in policies}
    finally:
        await conn.close()
