"""What sellers have earned."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from services.order import policy
from services.order.actions import balancing
from shared.web import Caller, Cursor, Paging, Router, Run

router = Router(tags=["balances"])
Seller = Annotated[str | None, Query(max_length=100, description="For operators: id, slug or external id.")]
HELD = Cursor("balance.held", datetime, UUID)


@router.get("/v1/balance")
async def balance(
    caller: Caller,
    run: Run,
    seller: Seller = None,
) -> dict[str, Any]:
    """A seller's balance by currency: paid less refunds and commission; pending, held by open issues, available."""
    policy.need_scope(caller, "orders:read")
    return await balancing.balance(run, caller, seller)


@router.get("/v1/balance/held")
async def held(caller: Caller, page: Paging, run: Run, seller: Seller = None) -> dict[str, Any]:
    """The orders whose money is held, newest first, each with how much (`held`) and for what (`held_for`: an open
    `issue`, a refund on its way, `canceled`, paid in `excess`). Together they are what the balance says is held."""
    policy.need_scope(caller, "orders:read")
    rows = await balancing.held(run, caller, seller, HELD.decode(page.cursor), page.fetch)
    shown, next_cursor = page.of(rows, lambda r: HELD.encode(r["placed_at"], r["id"]))
    return {"items": [balancing.held_order(r, caller) for r in shown], "next_cursor": next_cursor}
