"""The projections against the real database: whatever the order, the batches and the repetitions, the same figures."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from contracts.order import OrderEvent
from services.reporting.projections import orders
from shared.postgres import Database
from shared.postgres.database import TRANSIENT
from tests.integration.reporting.lives import World, newest
from tests.stack import StackDatabase

COMPARE = {
    "status_day": "value_minor",
    "channel_day": "gross_minor",
    "seller_day": "gross_minor",
    "saving_day": "grams",
}


@pytest.fixture(scope="module")
async def db(module_database: StackDatabase) -> AsyncIterator[Database]:
    database = Database(module_database.worker_dsn("reporting"), name="test")
    await database.open()
    yield database
    await database.close()


async def project(db: Database, events: Sequence[OrderEvent], size: int = 50) -> None:
    """In batches; one that meets another consumer's is done again, as the runtime does it."""
    for start in range(0, len(events), size):
        for _ in range(50):
            try:
                async with db.transaction() as tx:
                    await orders.project(tx, events[start : start + size])
                break
            except TRANSIENT:
                continue
        else:
            raise AssertionError("a batch never came through")


async def figures(db: Database, world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Every roll-up of the marketplace without rows of zeros, sorted."""
    found = {}
    async with db.transaction() as tx:
        for table in COMPARE:
            rows = await tx.fetch(f"SELECT * FROM {table} WHERE marketplace_id = $1", world.marketplace_id)
            found[table] = sorted(tuple(r) for r in rows if _says_something(r))
    return found


def _says_something(row: Any) -> bool:
    return any(type(v) is int and v for k, v in row.items() if k != "generation")


async def differing(db: Database, world: World) -> list[Any]:
    """Rows in which a roll-up and what the facts say differ."""
    found: list[Any] = []
    async with db.transaction() as tx:
        for table in COMPARE:
            nonzero = await tx.fetch(
                f"SELECT * FROM {table} WHERE marketplace_id = $1 EXCEPT SELECT * FROM {table}_computed",
                world.marketplace_id,
            )
            found += [(table, r) for r in nonzero if _says_something(r)]
            found += await tx.fetch(
                f"SELECT * FROM {table}_computed WHERE marketplace_id = $1 EXCEPT SELECT * FROM {table}",
                world.marketplace_id,
            )
    return found


async def test_the_figures_add_up_to_the_newest_snapshots_on_both_clocks(db: Database) -> None:
    world = World(1)
    events = world.lives(120)
    await project(db, events)
    expected: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for order in newest(events).values():
        totals, commission = order.totals, order.commission
        amounts = (totals.total, totals.paid, totals.refunded, commission.amount, commission.reversed)
        for i, amount in enumerate(amounts):
            expected[order.currency][i] += amount.minor
    async with db.transaction() as tx:
        rows = await tx.fetch(
            "SELECT clock, currency, sum(gross_minor), sum(paid_minor), sum(refunded_minor), sum(commission_minor),"
            " sum(commission_reversed_minor) FROM channel_day WHERE marketplace_id = $1 GROUP BY 1, 2",
            world.marketplace_id,
        )
    assert len(rows) == 2 * len(expected)
    for clock, currency, *sums in rows:
        assert [int(s) for s in sums] == expected[currency], (clock, currency)
    assert not await differing(db, world)


@pytest.mark.parametrize("seed", range(3))
async def test_any_order_of_arrival_and_any_repetition_give_the_same_figures(db: Database, seed: int) -> None:
    world = World(seed)
    events = world.lives(40)
    await project(db, events)
    straight = await figures(db, world)
    await project(db, events)
    assert await figures(db, world) == straight

    async with db.transaction() as tx:
        for table in ("order_fact", "order_movement", *COMPARE):
            await tx.execute(f"DELETE FROM {table} WHERE marketplace_id = $1", world.marketplace_id)
    shuffled = events * 2
    world.random.shuffle(shuffled)
    await project(db, shuffled, size=7)
    assert await figures(db, world) == straight
    assert not await differing(db, world)


async def test_two_consumers_at_once_lose_nothing_and_end(db: Database) -> None:
    world, other = World(7), World(8)
    events, others = world.lives(80), other.lives(80)
    mixed = [e for pair in zip(events, reversed(others), strict=False) for e in pair]
    await asyncio.gather(
        project(db, events + others, 25), project(db, list(reversed(mixed)), 25), project(db, others + events, 40)
    )
    assert not await differing(db, world)
    assert not await differing(db, other)
    async with db.transaction() as tx:
        count = await tx.fetchval("SELECT count(*) FROM order_fact WHERE marketplace_id = $1", world.marketplace_id)
    assert count == 80


async def test_what_the_seller_may_not_know_is_in_no_figure_of_the_seller(db: Database) -> None:
    world = World(3)
    hidden = [
        e for life in (world.life() for _ in range(80)) for e in life if not any("seller" in x.audience for x in life)
    ]
    assert hidden
    await project(db, hidden)
    async with db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM seller_day WHERE marketplace_id = $1", world.marketplace_id) == 0
        assert await tx.fetchval("SELECT count(*) FROM channel_day WHERE marketplace_id = $1", world.marketplace_id) > 0
