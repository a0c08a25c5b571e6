"""Acting on orders: one, many, refunds and issues."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Body, Path
from starlette.responses import Response

from services.order import policy
from services.order.actions import acting, bulk, issues, refunds
from services.order.actions.acting import Wish
from services.order.schemas import ActionRequest, BulkRequest, IssueRequest, RefundRequest
from shared.web import Caller, Idempotent, IfMatch, Router, Run

router = Router(tags=["actions"])
ActionName = Annotated[str, Path(max_length=48)]
NO_PARAMS = ActionRequest()


@router.post("/v1/orders/bulk")
async def act_on_many(body: BulkRequest, caller: Caller, once: Idempotent, run: Run) -> Response:
    """One action for several orders, with one result per order; refused ones do not hold the others up."""
    policy.need_scope(caller, "orders:write")
    return (await bulk.act_on_many(run, caller, body, once)).response()


@router.post("/v1/orders/{order_id}/actions/{action}")
async def act(
    order_id: UUID,
    action: ActionName,
    caller: Caller,
    if_match: IfMatch,
    once: Idempotent,
    run: Run,
    body: Annotated[ActionRequest, Body()] = NO_PARAMS,
) -> Response:
    """Take an action of the order's lifecycle. `allowed_actions` of the order tells names and parameters."""
    policy.need_scope(caller, "orders:write")
    return (await acting.act(run, caller, order_id, Wish(action, body.params), if_match, once)).response()


@router.post("/v1/orders/{order_id}/refunds", status_code=201)
async def refund(
    order_id: UUID, body: RefundRequest, caller: Caller, if_match: IfMatch, once: Idempotent, run: Run
) -> Response:
    """Give money back: by line, quantity or amount; 200 where the refund's external id is booked already."""
    policy.need_scope(caller, "orders:write")
    return (await refunds.refund(run, caller, order_id, body, if_match, once)).response()


@router.post("/v1/orders/{order_id}/issues", status_code=201)
async def open_issue(
    order_id: UUID, body: IssueRequest, caller: Caller, if_match: IfMatch, once: Idempotent, run: Run
) -> Response:
    """Open an issue of a kind that the order's lifecycle knows."""
    policy.need_scope(caller, "orders:write")
    return (await issues.open_issue(run, caller, order_id, body, if_match, once)).response()


@router.post("/v1/orders/{order_id}/issues/{issue_id}/{verb}")
async def settle_issue(
    order_id: UUID,
    issue_id: UUID,
    verb: Annotated[str, Path(max_length=48, description="close, resolve, reopen, approve or decline")],
    caller: Caller,
    if_match: IfMatch,
    once: Idempotent,
    run: Run,
    body: Annotated[ActionRequest, Body()] = NO_PARAMS,
) -> Response:
    """Settle or reopen an issue, by the action that the order's lifecycle has for its kind."""
    policy.need_scope(caller, "orders:write")
    return (await issues.settle(run, caller, order_id, issue_id, verb, body.params, if_match, once)).response()
