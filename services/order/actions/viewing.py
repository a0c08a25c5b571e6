"""Looking at one order: the order itself, its timeline."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.order import policy
from services.order.actions.acting import facts_for
from services.order.actions.changing import lifecycle_of
from services.order.actions.showing import order_json
from services.order.errors import absent
from services.order.store import orders, timeline
from services.order.store.orders import Held
from services.order.workflow import Lifecycle
from shared.postgres import Transaction
from shared.process import Runtime
from shared.web import Answer, Page, Principal, etag

MOST_ENTRIES = 1_000


async def visible(tx: Transaction, caller: Principal, order_id: UUID) -> tuple[Held, Lifecycle]:
    """The order if the caller may see it. Raises NotFound, the same for absent and foreign ones."""
    held = await orders.read(tx, order_id)
    if held is None:
        raise absent()
    policy.see(held.order, caller)
    return held, await lifecycle_of(tx, held)


async def get(run: Runtime, caller: Principal, order_id: UUID) -> tuple[Answer, int]:
    """GET /v1/orders/{id}: the answer and the order's sequence."""
    async with run.db.tenant(caller.marketplace_id) as tx:
        held, lifecycle = await visible(tx, caller, order_id)
        facts = await facts_for(tx, held, lifecycle)
    body = order_json(held.order, lifecycle, caller, facts, run.clock(), blocked=True)
    sequence = held.order.sequence
    return Answer(200, body, {"etag": etag(sequence)}), sequence


async def entries(run: Runtime, caller: Principal, order_id: UUID, after: int, page: Page) -> list[dict[str, Any]]:
    """GET /v1/orders/{id}/timeline: what happened, as far as the caller's side may know."""
    async with run.db.tenant(caller.marketplace_id) as tx:
        held, _ = await visible(tx, caller, order_id)
        return await timeline.read(tx, order_id, policy.speaking_side(held.order, caller), after, page.fetch)
