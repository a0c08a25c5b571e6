"""What people see: status and line status by the lifecycle's display rules, never stored over the state."""

from __future__ import annotations

from contracts.order import Phase, Side
from services.order.workflow.decision import Shown
from services.order.workflow.effects_money import line_values
from services.order.workflow.lifecycle import Display, Lifecycle
from services.order.workflow.model import Line, Order, is_active


def phase_of(order: Order, lifecycle: Lifecycle) -> Phase:
    return lifecycle.states[order.status].phase


def is_overdue(order: Order) -> bool:
    return any(d.overdue for d in order.deadlines)


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


def line_status(order: Order, line: Line, lifecycle: Lifecycle) -> str:
    """The code shown for a line: the first line rule that fits, else the order's state."""
    rules = [r for r in lifecycle.document.display if r.on == "line"]
    if rules:
        traits = _traits(order, line)
        phase = lifecycle.states[order.status].phase
        for rule in rules:
            if rule.line in traits and _fits(rule, order, phase):
                return rule.code
    return order.status


def _traits(order: Order, line: Line) -> set[str]:
    traits: set[str] = set()
    if any(i.line_id == line.line_id and i.kind == "incident" and is_active(i) for i in order.issues):
        traits.add("incident")
    back = sum(r.amount for r in order.refunds if r.line_id == line.line_id and r.state == "done")
    if order.money == "refunded":
        traits.add("refunded")
    elif back > 0:
        traits.add("refunded" if back >= line_values(order)[str(line.line_id)] else "partially_refunded")
    if line.rejected > 0 and line.given_back == line.ordered:
        traits.add("rejected")
    elif line.canceled == line.ordered:
        traits.add("canceled")
    return traits
