"""What went out because of an order."""

from __future__ import annotations

from uuid import UUID

from services.notification.actions import trail
from services.notification.schemas import OrderDeliveries
from shared.web import Caller, Cursor, Paging, Router, Run

router = Router(tags=["orders"])
DELIVERIES = Cursor("order_deliveries.id", UUID)


@router.get("/v1/orders/{order_id}/deliveries", response_model=OrderDeliveries)
async def deliveries(order_id: UUID, caller: Caller, page: Paging, run: Run) -> OrderDeliveries:
    """Each notification that the order's events led to, by channel, and whether it arrived; oldest first.

    Operators see those of everybody, an organisation's staff those of its own people, others only their own.
    """
    after = DELIVERIES.decode(page.cursor)
    rows = await trail.deliveries(run, caller, order_id, after=after[0] if after else None, limit=page.fetch)
    shown, more = page.of(rows, lambda d: DELIVERIES.encode(d.id))
    return OrderDeliveries(items=list(shown), next_cursor=more)
