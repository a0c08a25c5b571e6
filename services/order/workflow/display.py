"""What people see: status and line status by the lifecycle's display rules, never stored over the state."""

from __future__ import annotations

from uuid import UUID

from contracts.order import Phase, Side
from services.order.workflow.decision import Shown
from services.order.workflow.effects_money import line_values
from services.order.workflow.lifecycle import Display, Lifecycle
from services.order.workflow.model import EVERYONE, Deadline, Order, is_active


def phase_of(order: Order, lifecycle: Lifecycle) -> Phase:
    return lifecycle.states[order.status].phase


def is_overdue(order: Order) -> bool:
    """Whether it is for anybody on it."""
    return any(d.overdue for d in order.deadlines)


def overdue_to(order: Order, lifecycle: Lifecycle) -> tuple[Side, ...]:
    """The sides to which it is: those that may know of a deadline that has passed."""
    late = {side for d in order.deadlines if d.overdue for side in concerned(d, lifecycle)}
    return tuple(side for side in EVERYONE if side in late)


def concerned(deadline: Deadline, lifecycle: Lifecycle) -> tuple[Side, ...]:
    """The sides that may know of a deadline: those that are told of it, and the operator, who sees everything.

    storefront page: what the seller should begin within 48 hours is told to seller and owner; buyers are kept informed
    of late shipping. Evidence is gathered by seller and operator.
    """
    if deadline.action is not None:
        return EVERYONE
    rule = next((r for r in lifecycle.document.deadline if r.name == deadline.name), None)
    told = rule.tell or EVERYONE if rule else ("seller",)
    return tuple(side for side in EVERYONE if side in told or side == "operator")


def shown(order: Order, lifecycle: Lifecycle, side: Side | None = None) -> Shown:
    """The status that is shown: the first display rule that fits, else the state itself."""
    state = lifecycle.states[order.status]
    for rule in lifecycle.document.display:
        if rule.on == "order" and _fits(rule, order, state.phase):
            return Shown(rule.code, rule.label, rule.tone, rule.mark)
    return Shown(order.status, state.label_for(side), state.tone, state.mark)


def _fits(rule: Display, order: Order, phase: Phase) -> bool:
    return (
        (not rule.states or order.status in rule.states)
        and (not rule.phases or phase in rule.phases)
        and (not rule.money or order.money in rule.money)
        and (not rule.issue or order.issue in rule.issue)
    )


def line_statuses(order: Order, lifecycle: Lifecycle) -> list[str]:
    """The code shown for each line: the first line rule that fits, else the order's state."""
    phase = lifecycle.states[order.status].phase
    rules = [r for r in lifecycle.document.display if r.on == "line" and _fits(r, order, phase)]
    if not rules:
        return [order.status] * len(order.lines)
    traits = _traits(order)
    return [next((r.code for r in rules if r.line in traits[x.line_id]), order.status) for x in order.lines]


def line_labels(lifecycle: Lifecycle, side: Side | None = None) -> dict[str, str]:
    """Labels of all that `line_statuses` may give, as a side knows them."""
    states = {name: state.label_for(side) for name, state in lifecycle.states.items()}
    return states | {rule.code: rule.label for rule in lifecycle.document.display if rule.on == "line"}


def _traits(order: Order) -> dict[UUID, set[str]]:
    """What of each line a display rule may look at, by line id."""
    values, back = line_values(order), refunded_by_line(order)
    incidents = {i.line_id for i in order.issues if i.kind == "incident" and is_active(i)}
    everything = order.money == "refunded"
    found: dict[UUID, set[str]] = {}
    for line in order.lines:
        traits = found[line.line_id] = set()
        money = back.get(line.line_id, 0)
        if line.line_id in incidents:
            traits.add("incident")
        if everything or money > 0:
            traits.add("refunded" if everything or money >= values[line.line_id] else "partially_refunded")
        if line.rejected > 0 and line.given_back == line.ordered:
            traits.add("rejected")
        elif line.canceled == line.ordered:
            traits.add("canceled")
        elif line.open == 0:
            traits.add("accepted")
    return found


def refunded_by_line(order: Order) -> dict[UUID, int]:
    """What has been given back on each line that has refunds of its own, in minor units."""
    back: dict[UUID, int] = {}
    for refund in order.refunds:
        if refund.line_id is not None and refund.state == "done":
            back[refund.line_id] = back.get(refund.line_id, 0) + refund.amount
    return back
