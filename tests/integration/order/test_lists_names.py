"""Names of customers are kept as orders are placed: whoever places them at once, and however their texts are cut."""

from __future__ import annotations

import asyncpg

from services.order.store.texts import fold, searched
from shared.ids import new_id
from shared.postgres.database import connect
from tests.integration.order.test_lists_upgraded import INSERT
from tests.stack import StackDatabase


async def _place(conn: asyncpg.Connection, marketplace: object, number: int, name: str) -> None:
    folded, email = fold(name), f"c{number}@x.example"
    await conn.execute(INSERT, marketplace, new_id(), number, folded, email, searched(folded, email))


async def test_the_same_new_names_in_opposite_order_wait_for_nobody(database: StackDatabase) -> None:
    """A transaction places Ann's order, then Bob's; another one Bob's, then Ann's, while the first one is open."""
    one, other = [await connect(database.admin_dsn, name="test") for _ in range(2)]
    marketplace = new_id()
    try:
        for conn in (one, other):
            await conn.execute("SET lock_timeout = '5s'; BEGIN")
        await _place(one, marketplace, 1, "Ann")
        await _place(other, marketplace, 2, "Bob")
        await _place(one, marketplace, 3, "Bob")
        await _place(other, marketplace, 4, "Ann")
        for conn in (one, other):
            await conn.execute("COMMIT")
        await _place(one, marketplace, 5, "Ann")
        kept = await one.fetch("SELECT name FROM orders.customer_name WHERE marketplace_id = $1", marketplace)
        assert sorted(r["name"] for r in kept) == ["ann", "ann", "bob", "bob"]
    finally:
        for conn in (one, other):
            await conn.close()


async def test_a_text_over_the_end_of_a_name_is_found_or_said_to_be_in_many(database: StackDatabase) -> None:
    conn = await connect(database.admin_dsn, name="test")
    marketplace = new_id()
    try:
        for number, name in enumerate(("Ann Lo", "Ann Lu", "Lu Ann", "O'Lo", "50% Lo", "a_b Lo")):
            await _place(conn, marketplace, number, name)
        await conn.execute(f"SET search_path = orders, public; SET app.marketplace = '{marketplace}'")
        for text, numbers in {
            "lo c": [0, 3, 4, 5], "ann lo c": [0], "n lu c1@": [1], "o c5@x": [5], "0% lo c": [4], "a_b lo c5": [5],
            "axb lo c": [], "u c": [1], "lu ann c2@x.example": [2],
        }.items():  # fmt: skip
            found = await conn.fetch("SELECT orders_matching($1, $1, 9) AS id", text)
            placed = await conn.fetch("SELECT number FROM orders WHERE id = ANY ($1)", [r["id"] for r in found])
            assert sorted({r["number"] for r in placed}) == numbers, text
    finally:
        await conn.close()
