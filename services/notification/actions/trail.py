"""What went out because of an order: for the order's trail."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.notification.policy import deliveries_of_orders
from services.notification.schemas import OrderDelivery
from services.notification.store import feed as store
from shared.process import Runtime
from shared.web import Principal


async def deliveries(
    run: Runtime, caller: Principal, order_id: UUID, *, after: UUID | None, limit: int
) -> list[OrderDelivery]:
    """The deliveries that the caller may see, oldest first. An unknown order, or somebody else's, has none."""
    scope = deliveries_of_orders(caller)
    async with run.db.tenant(caller.marketplace_id) as tx:
        rows = await store.order_deliveries(
            tx, order_id, organisation_id=scope.organisation_id, person_id=scope.person_id, after=after, limit=limit
        )
    return [_shown(r) for r in rows]


def _shown(r: Any) -> OrderDelivery:
    return OrderDelivery(
        id=r["delivery_id"],
        notification_id=r["notification_id"],
        event_id=r["event_id"],
        event_type=r["event_type"],
        actor=r["actor"],
        actor_for=r["actor_for"],
        actor_side=r["actor_side"],
        category=r["category"],
        kind=r["kind"],
        side=r["side"],
        person_id=r["person_id"],
        person=r["name"],
        organisation_id=r["organisation_id"],
        organisation=r["organisation_name"],
        channel=r["channel"],
        state=r["state"],
        reason=r["reason"],
        attempts=r["attempts"],
        address=r["address"],
        occurred_at=r["occurred_at"],
        due_at=r["not_before"] if r["state"] == "pending" else None,
        settled_at=r["settled_at"],
        seen_at=r["seen_at"],
        read_at=r["read_at"],
    )
