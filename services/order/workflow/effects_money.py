"""Effects on money: payments that came in, refunds begun and done, commission reversed in proportion."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from contracts.money import MAX_MINOR
from services.order.workflow.draft import MOST_REFUNDS, Draft
from services.order.workflow.model import ZERO, Line, Order, Refund
from services.order.workflow.proportion import allocate, share
from services.order.workflow.refusals import BadParams, GuardFailed
from services.order.workflow.registry import effect


def line_values(order: Order) -> dict[UUID, int]:
    """What each line is worth in refunds, by line id, in minor units."""
    return {line.line_id: value for line, value in zip(order.lines, order.line_values, strict=True)}


@effect(reads={"amount": "money"})
def record_payment(draft: Draft) -> None:
    """Money came in; without an amount, all that is outstanding."""
    order = draft.order
    amount = draft.params.get("amount", order.owed - order.paid)
    if amount <= 0:
        raise GuardFailed("nothing_outstanding", "nothing is outstanding; state the amount that came in")
    if order.paid + amount > MAX_MINOR:
        raise BadParams([("amount", f"the order would be paid beyond {draft.money(MAX_MINOR)}")])
    draft.change(paid=order.paid + amount)
    draft.details["paid"] = draft.money(amount)


@effect(
    reads={
        "amount": "money",
        "line_id": "line",
        "quantity": "quantity",
        "reason": "text",
        "issue_id": "issue",
        "settled": "flag",
    }
)
def refund(draft: Draft, *, paid_out: Literal["now", "later"] = "now") -> None:
    """Gives money back by line, quantity or amount; without any, all that is left. Never beyond what was paid.

    `later`, or the parameter settled = false, leaves the refund pending until it is reported as done.
    """
    order, given = draft.order, draft.params
    if len(order.refunds) >= MOST_REFUNDS:
        raise GuardFailed("too_many_refunds", f"the order has {MOST_REFUNDS} refunds; no more can be recorded")
    line = draft.line(given["line_id"]) if "line_id" in given else None
    quantity = given.get("quantity")
    if quantity is not None and (line is None or "amount" in given):
        raise BadParams([("quantity", "goes with line_id, and without amount")])
    amount = _line_amount(draft, line) if line else given.get("amount", order.refund_left)
    if amount > order.refund_left:
        left = draft.money(order.refund_left)
        raise GuardFailed("refund_exceeds_paid", f"{draft.money(amount)} is more than the {left} left to refund")
    if amount <= 0:
        raise GuardFailed("refundable", "nothing is left to refund there")
    settled = given.get("settled", paid_out == "now")
    made = Refund(
        refund_id=draft.ids(),
        amount=amount,
        state="done" if settled else "pending",
        at=draft.now,
        line_id=line.line_id if line else None,
        quantity=quantity,
        reason=given.get("reason"),
        issue_id=given.get("issue_id"),
    )
    draft.change(refunds=(*order.refunds, made))
    made = made.model_copy(update={"commission_reversed": reversal_due(draft.order)})
    draft.change(refunds=(*order.refunds, made))
    draft.refund_id = made.refund_id
    draft.details["refund"] = {"refund_id": str(made.refund_id), "amount": draft.money(amount), "state": made.state}


def _line_amount(draft: Draft, line: Line) -> int:
    """The amount for a line: stated, by quantity, or what is left of it. The last quantity takes the rest.

    What was rejected or canceled before it was paid for has no money to give back.
    """
    order, given = draft.order, draft.params
    value = line_values(order)[line.line_id]
    before = [r for r in order.refunds if r.line_id == line.line_id]
    unpaid = max(share(value, line.given_back, line.ordered) - order.excess, 0)
    left = value - unpaid - sum(r.amount for r in before)
    quantity = given.get("quantity")
    if "amount" in given:
        amount = int(given["amount"])
    elif quantity is None:
        # the last refund of an order takes what is left of the payment, should that be less
        return min(left, order.refund_left)
    else:
        gone = sum((r.quantity or ZERO for r in before), ZERO)
        if gone + quantity > line.ordered:
            rest = (line.ordered - gone).normalize()
            raise BadParams([("quantity", f"only {rest:f} of {line.sku} are not refunded yet")])
        whole = gone + quantity == line.ordered
        amount = left if whole else share(value, gone + quantity, line.ordered) - share(value, gone, line.ordered)
    if amount > left:
        raise GuardFailed(
            "refund_exceeds_line", f"{draft.money(amount)} is more than the {draft.money(left)} left of {line.sku}"
        )
    return amount


def reversal_due(order: Order) -> int:
    """Commission that has to be given back as the order is now, less what is given back already, or will be with a
    pending refund.

    What is rejected or canceled carries none: each line has its share by what it costs. The rest goes back in
    proportion as what was paid is refunded, and wholly when that is used up. What was paid beyond what is sold earned
    none and is the first to be refunded.
    """
    if not order.commission or not (order.refunds or any(line.given_back for line in order.lines)):
        return 0
    parts = allocate(order.commission, [max(line.net - line.discount, 0) for line in order.lines])
    unsold = sum(share(part, x.given_back, x.ordered) for part, x in zip(parts, order.lines, strict=True))
    sold = order.commission - unsold
    earned = order.paid - order.excess
    gone = order.paid - order.refund_left - order.of_excess(order.refunds)
    due = unsold + (sold if gone >= earned > 0 else share(sold, gone, earned) if gone > 0 else 0)
    return max(due - order.commission_released - sum(r.commission_reversed for r in order.refunds), 0)


@effect(reads={"refund_id": "refund"})
def refund_done(draft: Draft) -> None:
    """A pending refund was paid out; without `refund_id`, the oldest pending one."""
    pending = [r for r in draft.order.refunds if r.state == "pending"]
    wanted = draft.params.get("refund_id")
    found = next((r for r in pending if wanted in (None, r.refund_id)), None)
    if found is None:
        raise GuardFailed("refund_pending", "that refund is done already" if wanted else "no refund is pending")
    done = found.model_copy(update={"state": "done"})
    draft.change(refunds=tuple(done if r.refund_id == done.refund_id else r for r in draft.order.refunds))
    draft.refund_id = done.refund_id
    draft.details["refund"] = {"refund_id": str(done.refund_id), "amount": draft.money(done.amount), "state": "done"}
