"""What the handlers of reporting and messaging take: whole lives of orders, in batches of 500, on the real database."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from benchmarks.world import Figure, World, median
from contracts.envelope import Received
from contracts.examples import examples
from contracts.order import OrderCompleted, OrderCreated, OrderEvent, OrderUpdated
from services.messaging.handlers import on_orders as message_threads
from services.reporting.handlers import on_orders as report_figures
from shared.clock import utc_now
from shared.ids import new_id
from shared.postgres import Database, Transaction
from shared.process import tune_gc

GOAL = ">= 5000"
BATCH = 500
SELLERS = 50
STEPS = (
    (OrderCreated, "pending", "pending"),
    (OrderUpdated, "processing", "preparing"),
    (OrderUpdated, "shipped", "in_transit"),
    (OrderCompleted, "completed", "completed"),
)

Handle = Callable[[Transaction, Sequence[Received[Any]]], Awaitable[None]]


async def run(world: World) -> list[Figure]:
    """Events per second of one consumer's handler, without the broker and the inbox."""
    orders, turns = (250, 1) if world.small else (3_000, 3)
    tune_gc()
    return [
        Figure(f"{service}: events projected by one consumer", await _rate(world, service, handle, orders, turns),
               "events/s", GOAL)
        for service, handle in (("reporting", report_figures), ("messaging", message_threads))
    ]  # fmt: skip


async def _rate(world: World, service: str, handle: Handle, orders: int, turns: int) -> float:
    db = Database(world.database.worker_dsn(service), name=f"bench-{service}")
    await db.open()
    try:
        return median([await _turn(db, handle, lives(orders)) for _ in range(turns)])
    finally:
        await db.close()


async def _turn(db: Database, handle: Handle, events: list[Received[Any]]) -> float:
    started = time.perf_counter()
    for start in range(0, len(events), BATCH):
        async with db.transaction() as tx:
            await handle(tx, events[start : start + BATCH])
    return len(events) / (time.perf_counter() - started)


def lives(orders: int) -> list[Received[Any]]:
    """Lives of four events each, of one marketplace with fifty sellers, mixed as a topic has them."""
    example = examples()["order.created", 1]
    assert isinstance(example, OrderCreated)
    chance, marketplace = random.Random(1), new_id()
    sellers = [example.order.seller.model_copy(update={"organisation_id": new_id()}) for _ in range(SELLERS)]
    running: list[list[OrderEvent]] = []
    mixed: list[Received[Any]] = []
    for _ in range(orders):
        running.append(_life(example, marketplace, chance.choice(sellers)))
        while len(running) >= 200 or (len(running) > 1 and chance.random() < 0.75):
            _next(running, mixed, chance)
    while running:
        _next(running, mixed, chance)
    return mixed


def _next(running: list[list[OrderEvent]], mixed: list[Received[Any]], chance: random.Random) -> None:
    life = chance.choice(running)
    event = life.pop(0)
    mixed.append(Received(new_id(), "/bench", utc_now(), "", event))
    if not life:
        running.remove(life)


def _life(example: OrderCreated, marketplace: Any, seller: Any) -> list[OrderEvent]:
    order_id, found = new_id(), []
    for n, (cls, status, phase) in enumerate(STEPS, 1):
        at = example.occurred_at + timedelta(hours=n)
        order = example.order.model_copy(
            update={"order_id": order_id, "marketplace_id": marketplace, "seller": seller, "sequence": n,
                    "status": status, "phase": phase, "updated_at": at}
        )  # fmt: skip
        before = STEPS[n - 2] if n > 1 else (None, None, None)
        change = example.change.model_copy(
            update={"from_status": before[1], "to_status": status, "from_phase": before[2], "to_phase": phase}
        )
        fields = {name: getattr(example, name) for name in ("audience",)}
        found.append(
            cls.model_construct(**fields, marketplace_id=marketplace, order_id=order_id, sequence=n, occurred_at=at,
                                change=change, order=order)
        )  # fmt: skip
    return found
