"""The clock of the orders: takes what is due, each once, whether it was away for a second or for days.

When the clock has to look at an order next is a column of the order itself, written with every change. The order's
own lock makes one of several clocks the one that acts; what is due is decided anew under it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.order import metrics, workflow
from services.order.actions.acting import facts_for
from services.order.actions.changing import lifecycle_of, write
from services.order.store import orders
from services.order.store.orders import q
from services.order.workflow.decide import Run
from shared.ids import new_id
from shared.logs import log, unit_of_work
from shared.postgres.database import TRANSIENT
from shared.process import Runtime
from shared.stop import Stop

PUT_OFF: Final = timedelta(minutes=10)


async def keep_deadlines(run: Runtime, stop: Stop) -> None:
    """The worker: looks every `timer_seconds`, at once again while there is more than one batch to do."""
    while not stop.requested:
        done = await fire_due(run, stop)
        if done < run.settings.timer_batch:
            await stop.wait(run.settings.timer_seconds)


async def fire_due(run: Runtime, stop: Stop | None = None) -> int:
    """One batch of orders whose time has come; how many there were is returned.

    An order that cannot be handled is put off and told of, so that it holds no other up.
    """
    now = run.clock()
    async with run.worker_db.transaction() as tx:
        due = [r["id"] for r in await tx.fetch(q.due_orders, now, run.settings.timer_batch)]
    for order_id in due:
        if stop is not None and stop.requested:
            break
        try:
            await _fire(run, order_id, now)
        except TRANSIENT:
            raise
        except Exception as e:
            metrics.TIMERS.labels("failed").inc()
            log.exception("order.timer_failed", order_id=str(order_id), error=f"{type(e).__name__}: {e}")
            await _put_off(run, order_id, now)
    return len(due)


async def _fire(run: Runtime, order_id: UUID, now: datetime) -> None:
    with unit_of_work("order.timer", order_id=str(order_id)) as line:
        async with run.worker_db.transaction() as tx:
            held = await orders.lock_due(tx, order_id, now)
            if held is None:
                line.drop()
                return
            lifecycle = await lifecycle_of(tx, held)
            facts = await facts_for(tx, held, lifecycle)
            decision = workflow.fire(held.order, lifecycle, now, new_id, facts)
            if decision is None:
                # What was due is held back by now (an open issue, another setting): look when the rest is due. What
                # is due and cannot be done is looked at again later, and holds no other order up.
                at = Run(held.order, lifecycle, now, new_id, facts).decision().next_timer_at
                await orders.set_timer(tx, order_id, at if at is None or at > now else now + PUT_OFF)
                line.add(outcome="nothing_due")
            else:
                await write(run, tx, held, decision, lifecycle)
                line.add(actions=[s.change.action for s in decision.steps], number=held.order.number)
        metrics.TIMERS.labels("fired" if decision else "nothing_due").inc()


async def _put_off(run: Runtime, order_id: UUID, now: datetime) -> None:
    async with run.worker_db.transaction() as tx:
        await orders.set_timer(tx, order_id, now + PUT_OFF)
