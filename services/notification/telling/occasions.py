"""What an order event means to people: one occasion for each event, or none where nobody needs to be told.

Occasions follow phases and kinds, not the names of statuses, so a lifecycle that an operator adds is told of too.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from contracts.order import (
    Change,
    Issue,
    OrderCanceled,
    OrderCompleted,
    OrderCreated,
    OrderDisputed,
    OrderEvent,
    OrderRefunded,
    OrderSnapshot,
)


class Occasion(StrEnum):
    """Each has its texts (channels/texts.py) and its recipients (rules.py)."""

    APPROVAL_NEEDED = "approval_needed"
    APPROVAL_PENDING = "approval_pending"
    APPROVAL_REJECTED = "approval_rejected"
    CREATED = "created"
    APPROVED = "approved"
    ACCEPTED = "accepted"
    PARTLY_ACCEPTED = "partly_accepted"
    PREPARING = "preparing"
    LINES_REJECTED = "lines_rejected"
    REOPENED = "reopened"
    READY_FOR_PICKUP = "ready_for_pickup"
    READY_FOR_DELIVERY = "ready_for_delivery"
    SHIPPED = "shipped"
    PARCEL = "parcel"
    TRACKING = "tracking"
    SCHEDULED = "scheduled"
    COMPLETED = "completed"
    CLOSED = "closed"
    REJECTED = "rejected"
    CANCELED = "canceled"
    ABANDONED = "abandoned"
    EXPIRED = "expired"
    REFUND_BEGUN = "refund_begun"
    REFUND_DONE = "refund_done"
    ISSUE_OPENED = "issue_opened"
    ISSUE_SETTLED = "issue_settled"
    DISPUTED = "disputed"
    DISPUTE_RESOLVED = "dispute_resolved"
    CHARGEBACK = "chargeback"
    CANCELLATION_REQUESTED = "cancellation_requested"
    CANCELLATION_DECLINED = "cancellation_declined"
    DUE = "due"
    OVERDUE = "overdue"
    NOTE_ADDED = "note_added"
    PAID = "paid"
    PAID_LATE = "paid_late"
    MONEY_HELD = "money_held"
    MOVED = "moved"
    MESSAGE = "message"
    ENDPOINT_WARNING = "endpoint_warning"
    ENDPOINT_DISABLED = "endpoint_disabled"
    ACTED_FOR = "acted_for"
    DIGEST = "digest"


_CANCELED: Final = {
    "rejected": Occasion.REJECTED,
    "canceled": Occasion.CANCELED,
    "abandoned": Occasion.ABANDONED,
    "expired": Occasion.EXPIRED,
    "approval_rejected": Occasion.APPROVAL_REJECTED,
}
# Actions whose name says more than the phases do; the same names in every lifecycle of the order service.
_ACTIONS: Final = {
    "add_note": Occasion.NOTE_ADDED,
    "record_payment": Occasion.PAID,
    "request_cancellation": Occasion.CANCELLATION_REQUESTED,
    "decline_cancellation": Occasion.CANCELLATION_DECLINED,
    "schedule": Occasion.SCHEDULED,
    "process": Occasion.PREPARING,
    "add_tracking": Occasion.TRACKING,
}


def occasion(event: OrderEvent) -> Occasion | None:
    """The occasion of an order event. None: a step that no person needs to hear of by itself."""
    change, order = event.change, event.order
    if isinstance(event, OrderCreated):
        return Occasion.APPROVED if change.from_phase == "approval" else Occasion.CREATED
    if isinstance(event, OrderCompleted):
        return Occasion.COMPLETED
    if isinstance(event, OrderCanceled):
        return _CANCELED[event.kind]
    if isinstance(event, OrderRefunded):
        return Occasion.REFUND_DONE if event.refund.state == "done" else Occasion.REFUND_BEGUN
    if isinstance(event, OrderDisputed):
        return _issue(event.issue)
    deadline = change.details.get("deadline")
    if isinstance(deadline, dict):
        return Occasion.OVERDUE if deadline.get("overdue") else Occasion.DUE
    if change.action == "record_payment" and order.phase == "canceled":
        return Occasion.PAID_LATE
    return _ACTIONS.get(change.action) or _progress(change, order)


def held(order: OrderSnapshot) -> int:
    """What was paid for an order that has been canceled and is not on its way back, in minor units."""
    if order.phase != "canceled":
        return 0
    return max(order.totals.paid.minor - sum(r.amount.minor for r in order.refunds), 0)


def _issue(issue: Issue) -> Occasion | None:
    is_open = issue.state == "open"
    if issue.kind == "cancellation_request":
        if is_open:
            return Occasion.CANCELLATION_REQUESTED
        # an approved request is told by the cancellation that follows it
        return Occasion.CANCELLATION_DECLINED if issue.state == "declined" else None
    if issue.kind == "dispute":
        return Occasion.DISPUTED if is_open else Occasion.DISPUTE_RESOLVED
    if issue.kind == "chargeback" and is_open:
        return Occasion.CHARGEBACK
    return Occasion.ISSUE_OPENED if is_open else Occasion.ISSUE_SETTLED


def _progress(change: Change, order: OrderSnapshot) -> Occasion | None:
    match change.from_phase, change.to_phase:
        case (None, "approval"):
            return Occasion.APPROVAL_NEEDED
        case ("pending", "preparing"):
            return Occasion.PARTLY_ACCEPTED if _partly(order) else Occasion.ACCEPTED
        case ("preparing", "pending"):
            return Occasion.REOPENED
        case ("pending" | "preparing", "in_transit"):
            return _left(order)
        case ("preparing", "preparing") if change.action == "ship":
            return Occasion.PARCEL
        case ("completed", "completed") if order.closed_at is not None and change.from_status != change.to_status:
            return Occasion.CLOSED
        case ("pending", "pending") if change.action == "reject" and _partly(order):
            return Occasion.LINES_REJECTED
    by_person = change.actor.kind in ("person", "api_key", "channel")
    return Occasion.MOVED if by_person and change.from_status != change.to_status else None


def _partly(order: OrderSnapshot) -> bool:
    return any(line.rejected > 0 for line in order.lines)


def _left(order: OrderSnapshot) -> Occasion:
    if order.parcels:
        return Occasion.SHIPPED
    if order.scheduled_for is not None:
        return Occasion.SCHEDULED
    return Occasion.READY_FOR_PICKUP if order.delivery_mode == "pickup" else Occasion.READY_FOR_DELIVERY
