"""One state change, from a transition to its event: guards, effects, the state entered, the step sealed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from contracts.order import Change, Phase, Side, StatusTime
from services.order.workflow.decision import EventKind, Step
from services.order.workflow.display import shown
from services.order.workflow.draft import MOST_NOTES, Draft
from services.order.workflow.effects_issues import settle_requests
from services.order.workflow.effects_lines import cancel_everything, receive_everything
from services.order.workflow.effects_money import reversal_due
from services.order.workflow.facts import SYSTEM
from services.order.workflow.lifecycle import Call, Transition
from services.order.workflow.model import Deadline, Milestone, Order
from services.order.workflow.refusals import BadParams, GuardFailed, LifecycleFault, Refused, WrongState
from services.order.workflow.registry import apply, refusal
from services.order.workflow.routes import route
from services.order.workflow.tables import GUARDS

# Beyond 100 entries the oldest but the first go: an order may be reopened for ever, its document may not grow so.
MOST_TIMES = 100


def check(draft: Draft, guards: Sequence[Call]) -> None:
    """Raises the refusal of the first guard that does not hold."""
    failed = first_refusal(draft, guards)
    if failed is not None:
        raise failed


def first_refusal(draft: Draft, guards: Sequence[Call], *, surveying: bool = False) -> Refused | None:
    """The refusal of the first guard that does not hold; surveying leaves out what depends on parameters."""
    for call in guards:
        if surveying and GUARDS[call.name].by_params:
            continue
        reason = refusal(draft, call.name, call.args)
        if reason is not None:
            if GUARDS[call.name].by_params:
                # said of the first answer that the guard looks at
                return BadParams([(next(iter(GUARDS[call.name].reads), ""), reason)], code=call.name)
            return GuardFailed(call.name, reason)
    return None


def holds(draft: Draft, guards: Sequence[Call]) -> bool:
    return all(refusal(draft, call.name, call.args) is None for call in guards)


def label_of(draft: Draft, transition: Transition) -> str:
    """The action's label for the order as it is ("Mark as sent" where units are picked)."""
    return next((x.label for x in transition.label_when if holds(draft, x.when)), transition.label)


def take(draft: Draft, transition: Transition, before: Order | None = None) -> Step | None:
    """Takes the transition; None where it leaves the order as it was (`before`, where the draft has gone on already).

    Raises Refused, and then nothing counts.
    """
    before = before or draft.order
    check(draft, transition.guards)
    label = label_of(draft, transition)
    for call in transition.effects:
        apply(draft, call.name, call.args)
    if transition.jump:
        _jump(draft)
    elif transition.to:
        target = next((t.state for t in transition.to if holds(draft, t.when)), None)
        if target is None:
            raise LifecycleFault(f"{transition.name} of {draft.lifecycle.name} leads nowhere from {before.status}")
        if target != before.status:
            enter(draft, target)
    if draft.order == before:
        return None
    return seal(draft, before, transition.name, label, transition.tell)


def _jump(draft: Draft) -> None:
    """Goes to the state that the channel names, over the stages between; their times are inferred."""
    target = draft.params.get("status")
    if target is None or target == draft.order.status:
        return
    path = route(draft.lifecycle, draft.order.status, target)
    if path is None:
        raise WrongState(
            "channel_behind",
            f"the order is {draft.order.status} and cannot go on to {target}",
            status=draft.order.status,
        )
    draft.following = True
    for i, (transition, state) in enumerate(path):
        for call in transition.effects:
            # what people would have settled on the way may not be there to be settled: the channel went on regardless
            with suppress(Refused):
                apply(draft, call.name, call.args)
        enter(draft, state, inferred=i + 1 < len(path))


def enter(draft: Draft, status: str, *, inferred: bool = False) -> None:
    """Makes the order enter a state, with all that its phase means for lines, requests and deadlines."""
    left, state = draft.order.status, draft.lifecycle.states[status]
    was = draft.lifecycle.states[left].phase if left else None
    draft.change(status=status, status_since=draft.now, closed_at=draft.now if state.final else None)
    stamp(draft, status, inferred=inferred)
    if state.phase == "canceled":
        cancel_everything(draft, "rejected" if state.cancel_kind == "rejected" else "canceled")
        settle_requests(draft, "resolved", "the order was canceled")
    elif state.phase == "completed" and was != "completed":
        receive_everything(draft)
    elif was == "approval" and state.phase != "approval":
        draft.reveal()
    draft.change(deadlines=_deadlines(draft, left, status))


def stamp(draft: Draft, status: str, *, inferred: bool = False) -> None:
    """Keeps when a status was entered: when the channel says so, where it does, else now."""
    times = draft.order.status_times
    if len(times) >= MOST_TIMES:
        times = (times[0], *times[2:])
    stated: datetime | None = draft.params.get("at")
    at = min(stated, draft.now) if stated is not None else draft.now
    draft.change(status_times=(*times, StatusTime(status=status, at=at, inferred=inferred)))


def _deadlines(draft: Draft, left: str, entered: str) -> tuple[Deadline, ...]:
    """What is due in the state entered: rules that cover both states run on, everything else starts anew."""
    running = {d.name: d for d in draft.order.deadlines if d.action is None and d.issue_id is None}
    found = [d for d in draft.order.deadlines if d.issue_id is not None]
    for rule in draft.lifecycle.document.deadline:
        if entered not in rule.states:
            continue
        if left in rule.states and rule.name in running:
            found.append(running[rule.name])
        elif (due := rule.due.span(draft.settings)) is not None:
            late = rule.overdue.span(draft.settings) if rule.overdue else None
            found.append(
                Deadline(name=rule.name, due_at=draft.now + due, overdue_at=draft.now + late if late else None)
            )
    for t in draft.lifecycle.timed[entered]:
        if t.after is not None and (span := t.after.span(draft.settings)) is not None:
            found.append(Deadline(name=t.name, due_at=draft.now + span, action=t.name))
    return tuple(found)


def seal(draft: Draft, before: Order, action: str, label: str, tell: tuple[Side, ...] | None) -> Step:
    """Numbers the change and makes its one event, the most specific one."""
    states = draft.lifecycle.states
    moved = draft.order.status != before.status
    if moved:
        _explain_waiting(draft)
    seen = shown(draft.order, draft.lifecycle).code
    if seen not in states and seen != (shown(before, draft.lifecycle).code if before.status else None):
        stamp(draft, seen)
    was = states[before.status].phase if before.status else None
    if due := reversal_due(draft.order):
        draft.change(commission_released=draft.order.commission_released + due)
    kind, milestone = _kind(draft, was)
    reached = draft.order.milestones
    draft.change(
        sequence=before.sequence + 1,
        updated_at=draft.now,
        milestones=(*reached, milestone) if milestone else reached,
    )
    order = draft.order
    change = Change.model_construct(
        action=action,
        label=label,
        from_status=before.status or None,
        to_status=order.status,
        from_phase=was,
        to_phase=states[order.status].phase,
        actor=draft.actor.as_event(draft.side),
        reason=draft.reason,
        details=draft.details,
    )
    return Step(
        kind=kind,
        change=change,
        audience=_audience(draft.audience or tell, order, states[order.status].phase),
        order=order,
        at=draft.now,
        refund_id=draft.refund_id,
        issue_id=draft.issue_id,
        cancel_kind=states[order.status].cancel_kind if kind == "order.canceled" else None,
        returned=tuple(draft.returned),
    )


def _audience(wanted: tuple[Side, ...] | None, order: Order, phase: Phase) -> tuple[Side, ...]:
    """Who may know of the change: of those meant, those who know of the order at all.

    The operator gives back what was paid for an order that has ended, also for one that was never approved, and
    answers chargebacks.
    """
    known = order.known_to
    asked = (phase == "canceled" and order.paid) or any(i.kind == "chargeback" for i in order.issues)
    if asked and "operator" not in known:
        known = (*known, "operator")
    return tuple(s for s in wanted or () if s in known) or known


def _kind(draft: Draft, was: str | None) -> tuple[EventKind, Milestone | None]:
    """The event of the change, and the milestone that it is, if any: each milestone once per order."""
    phase, reached = draft.lifecycle.states[draft.order.status].phase, draft.order.milestones
    if phase == "canceled" and was != "canceled" and "canceled" not in reached:
        return "order.canceled", "canceled"
    if phase == "pending" and "created" not in reached:
        return "order.created", "created"
    if phase == "completed" and "completed" not in reached:
        return "order.completed", "completed"
    if draft.refund_id is not None:
        return "order.refunded", None
    issue = next((i for i in draft.order.issues if i.issue_id == draft.issue_id), None)
    if issue is not None and issue.kind != "cancellation_request":
        return "order.disputed", None
    return "order.updated", None


def _explain_waiting(draft: Draft) -> None:
    """Where an automatic transition does not happen for a reason worth telling, the seller's side reads it."""
    for transition in draft.lifecycle.automatic[draft.order.status]:
        for call in transition.guards:
            reason = refusal(draft, call.name, call.args)
            if reason is None:
                continue
            if GUARDS[call.name].tells and len(draft.order.notes) < MOST_NOTES:
                text = f"{transition.label} waits for a person. {reason}."
                draft.note(text, SYSTEM.name, "operator", ("seller", "operator"))
                draft.details["waits_for_person"] = True
            break
