"""What sellers have earned."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from services.order import policy
from services.order.actions import balancing
from shared.web import Caller, Router, Run

router = Router(tags=["balances"])


@router.get("/v1/balance")
async def balance(
    caller: Caller,
    run: Run,
    seller: Annotated[str | None, Query(max_length=100, description="For operators: id, slug or external id.")] = None,
) -> dict[str, Any]:
    """A seller's balance by currency: paid less refunds and commission; pending, held by open issues, available."""
    policy.need_scope(caller, "orders:read")
    return await balancing.balance(run, caller, seller)
