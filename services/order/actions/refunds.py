"""Refunds as a resource: the lifecycle's refunding action, recognised by the source's id where it comes again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from contracts.money import Money
from services.order import policy
from services.order.actions.acting import Wish, act_in, facts_for
from services.order.actions.changing import lifecycle_of, refunding_action
from services.order.actions.showing import order_json
from services.order.errors import absent
from services.order.schemas import RefundRequest
from services.order.store import orders
from services.order.workflow.lifecycle import Role
from services.order.workflow.model import Refund
from shared.errors import Conflict
from shared.ids import new_id
from shared.process import Runtime
from shared.web import Answer, Once, Precondition, Principal, etag


async def refund(
    run: Runtime, caller: Principal, order_id: UUID, body: RefundRequest, if_match: Precondition, once: Once
) -> Answer:
    """POST /v1/orders/{id}/refunds. A refund that the order has under its external id is not booked again.

    Raises Conflict where it has another one under that id.
    """
    params: dict[str, Any] = body.model_dump(mode="json", exclude_none=True, exclude={"external_id"})
    named = uuid5(NAMESPACE_URL, f"ordertrail:refund:{order_id}:{body.external_id}") if body.external_id else None
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        held = await orders.lock(tx, order_id)
        if held is None:
            raise absent()
        policy.see(held.order, caller)
        lifecycle = await lifecycle_of(tx, held)
        known = next((r for r in held.order.refunds if r.refund_id == named), None)
        if known is not None:
            _check_same(known, body, held.order.currency)
            facts = await facts_for(tx, held, lifecycle)
            shown = order_json(held.order, lifecycle, caller, facts, run.clock())
            return await once.keep(tx, Answer(200, shown, {"etag": etag(held.order.sequence)}))
        role: Role = "operator" if caller.is_operator else "seller"
        wish = Wish(refunding_action(lifecycle, held.order.status, role), params, _first(named))
        return await act_in(run, tx, caller, order_id, wish, if_match, once, status=201)


def _check_same(known: Refund, body: RefundRequest, currency: str) -> None:
    """What is left open was chosen when the refund was booked. Raises Conflict for what is stated otherwise."""
    booked = Money.of(known.amount, currency)
    told = (body.amount.minor, body.amount.currency) if body.amount is not None else (booked.minor, currency)
    if told != (booked.minor, currency) or (body.line_id, body.quantity) != (known.line_id, known.quantity):
        raise Conflict(
            "external_id_conflict",
            f"The refund {body.external_id!r} is booked already: {booked.amount} {currency}"
            f"{'' if known.line_id is None else ' of one line'}. A further refund needs an external id of its own.",
            refund_id=str(known.refund_id),
        )


def _first(named: UUID | None) -> Callable[[], UUID]:
    """Ids of which the first is `named`: the refund action makes its refund's id first."""
    if named is None:
        return new_id
    waiting = [named]
    return lambda: waiting.pop() if waiting else new_id()
