"""Orders: place, list, look at one, its timeline."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Header, Query
from starlette.responses import Response

from contracts.inbound import SubmittedOrder
from services.order import policy
from services.order.actions import listing, placing, viewing
from services.order.api.parameters import Filtered
from shared.web import Caller, Cursor, Idempotent, Paging, Router, Run, not_modified

router = Router(tags=["orders"])
ENTRIES = Cursor("timeline", int)


@router.post("/v1/orders", status_code=201)
async def place(body: SubmittedOrder, caller: Caller, once: Idempotent, run: Run) -> Response:
    """Place an order; lines of several sellers become one order each. 200 where the external id is known already."""
    policy.need_scope(caller, "orders:write")
    return (await placing.place(run, caller, body, once)).response()


@router.get("/v1/orders")
async def orders(
    caller: Caller,
    run: Run,
    page: Paging,
    filtered: Filtered,
    view: Annotated[
        str, Query(pattern="^(summary|full)$", description="full: whole orders, not summaries.")
    ] = "summary",
) -> Response:
    """The caller's orders, filtered and sorted, page by page."""
    policy.need_scope(caller, "orders:read")
    body = await listing.page(run, caller, *filtered, page, full=view == "full")
    return Response(body, media_type="application/json")


@router.get("/v1/orders/{order_id}")
async def order(
    order_id: UUID, caller: Caller, run: Run, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """The order as the caller's side sees it, with what the caller may do."""
    policy.need_scope(caller, "orders:read")
    answer, sequence = await viewing.get(run, caller, order_id)
    # The tag names the order's version, while what is allowed also depends on the clock and the marketplace's
    # settings: who revalidates gets 304 only for the order itself, which is what the tag promises.
    if not_modified(if_none_match, sequence):
        return Response(status_code=304, headers=dict(answer.headers))
    return answer.response()


@router.get("/v1/orders/{order_id}/timeline")
async def timeline(order_id: UUID, caller: Caller, run: Run, page: Paging) -> dict[str, Any]:
    """What happened to the order: who did what, when, on whose behalf, why, and which event it caused."""
    policy.need_scope(caller, "orders:read")
    after = ENTRIES.decode(page.cursor)
    rows = await viewing.entries(run, caller, order_id, after[0] if after else 0, page)
    shown, next_cursor = page.of(rows, lambda e: ENTRIES.encode(e["sequence"]))
    return {"items": shown, "next_cursor": next_cursor}
