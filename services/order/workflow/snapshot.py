"""The order as the contracts show it: the snapshot of an order, and the event of a step."""

from __future__ import annotations

from typing import Any

from contracts.money import Money
from contracts.order import (
    Commission,
    OrderCanceled,
    OrderCompleted,
    OrderCreated,
    OrderDisputed,
    OrderEvent,
    OrderRefunded,
    OrderSnapshot,
    OrderUpdated,
    Side,
    Totals,
)
from contracts.order import Deadline as DeadlineView
from contracts.order import Line as LineView
from contracts.order import Refund as RefundView
from services.order.workflow.decision import Step
from services.order.workflow.display import concerned, line_statuses, phase_of, refunded_by_line, shown
from services.order.workflow.lifecycle import Lifecycle
from services.order.workflow.model import EVERYONE, Line, Order, Refund, is_active

# Both have these under the same name and type, so that they go over as they are.
_SAME = (
    "order_id", "marketplace_id", "number", "purchase_id", "sequence", "lifecycle", "status", "money", "issue",
    "placed_at", "updated_at", "closed_at", "channel", "external_id", "external_status", "external_number", "buyer",
    "seller", "customer", "currency", "delivery_mode", "delivery_method", "scheduled_for", "parcels", "issues",
    "documents", "replaces_order_id", "reordered_from_id", "payout_held", "attributes",
)  # fmt: skip
_SAME_LINE = (
    "line_id", "position", "listing_id", "sku", "name", "unit_code", "ordered", "open", "accepted", "rejected",
    "canceled", "shipped", "received", "returned", "units", "external_line_id", "kg_per_unit", "material",
)  # fmt: skip


def to_snapshot(order: Order, lifecycle: Lifecycle, side: Side | None = None) -> OrderSnapshot:
    """The whole order as the contracts have it. With `side`, without what that side may not read.

    Other sides' notes and deadlines are left out; the purchasing approval and its time are the buyer's side's and the
    operator's.
    """
    state = lifecycle.states[order.status]
    fields: dict[str, Any] = {name: getattr(order, name) for name in _SAME}
    hidden = side == "seller"
    times = order.status_times
    if hidden:
        private = {n for n, s in lifecycle.states.items() if s.phase == "approval"}
        times = tuple(t for t in times if t.status not in private)
    return OrderSnapshot.model_construct(
        **fields,
        status_label=shown(order, lifecycle, side).label,
        phase=phase_of(order, lifecycle),
        cancel_kind=state.cancel_kind,
        lines=_lines(order, lifecycle),
        totals=_totals(order),
        commission=_commission(order),
        refunds=tuple(refund_view(r, order.currency) for r in order.refunds),
        notes=tuple(n for n in order.notes if side is None or side in n.audience),
        approval=None if hidden else order.approval,
        deadlines=_deadlines(order, lifecycle, side),
        status_times=times,
    )


def _deadlines(order: Order, lifecycle: Lifecycle, side: Side | None) -> tuple[DeadlineView, ...]:
    return tuple(
        DeadlineView.model_construct(
            name=d.name, due_at=d.due_at, overdue=d.overdue, audience=None if audience == EVERYONE else audience
        )
        for d in order.deadlines
        for audience in (concerned(d, lifecycle),)
        if side is None or side in audience
    )


def _lines(order: Order, lifecycle: Lifecycle) -> tuple[LineView, ...]:
    statuses, back = line_statuses(order, lifecycle), refunded_by_line(order)
    return tuple(
        _line(order, line, status, back.get(line.line_id, 0))
        for line, status in zip(order.lines, statuses, strict=True)
    )


def _line(order: Order, line: Line, status: str, back: int) -> LineView:
    fields: dict[str, Any] = {name: getattr(line, name) for name in _SAME_LINE}
    currency = order.currency
    return LineView.model_construct(
        **fields,
        unit_price=Money.of(line.unit_price, currency),
        net=Money.of(line.net, currency),
        tax=Money.of(line.tax, currency),
        total=Money.of(line.total, currency),
        refunded=Money.of(back, currency),
        discount=Money.of(line.discount, currency) if line.discount else None,
        status=status,
        open_incidents=tuple(
            i.issue_id for i in order.issues if i.line_id == line.line_id and i.kind == "incident" and is_active(i)
        ),
    )


def _totals(order: Order) -> Totals:
    def of(minor: int) -> Money:
        return Money.of(minor, order.currency)

    return Totals.model_construct(
        lines=of(sum(line.net for line in order.lines)),
        tax=of(sum(line.tax for line in order.lines)),
        shipping=of(order.shipping),
        discount=of(order.discount),
        adjustment=of(order.adjustment),
        total=of(order.total),
        paid=of(order.paid),
        refunded=of(order.refunded),
    )


def _commission(order: Order) -> Commission:
    return Commission.model_construct(
        rate=order.commission_rate,
        amount=Money.of(order.commission, order.currency),
        reversed=Money.of(order.commission_reversed, order.currency),
    )


def refund_view(refund: Refund, currency: str) -> RefundView:
    return RefundView.model_construct(
        refund_id=refund.refund_id,
        amount=Money.of(refund.amount, currency),
        state=refund.state,
        at=refund.at,
        line_id=refund.line_id,
        quantity=refund.quantity,
        reason=refund.reason,
        commission_reversed=Money.of(refund.commission_reversed, currency),
    )


def event_of(step: Step, lifecycle: Lifecycle) -> OrderEvent:
    """The one event of a step, of its most specific class."""
    order = step.order
    common: dict[str, Any] = {
        "marketplace_id": order.marketplace_id,
        "order_id": order.order_id,
        "sequence": order.sequence,
        "occurred_at": step.at,
        "audience": step.audience,
        "change": step.change,
        "order": to_snapshot(order, lifecycle),
    }
    if step.kind == "order.created":
        return OrderCreated.model_construct(**common)
    if step.kind == "order.completed":
        return OrderCompleted.model_construct(**common)
    if step.kind == "order.canceled" and step.cancel_kind is not None:
        return OrderCanceled.model_construct(**common, kind=step.cancel_kind, returned=step.returned)
    if step.kind == "order.refunded":
        refund = next(r for r in order.refunds if r.refund_id == step.refund_id)
        return OrderRefunded.model_construct(**common, refund=refund_view(refund, order.currency))
    if step.kind == "order.disputed":
        return OrderDisputed.model_construct(
            **common, issue=next(i for i in order.issues if i.issue_id == step.issue_id)
        )
    return OrderUpdated.model_construct(**common)
