"""The decision: may this actor do this now, and what becomes of the order. Also what the clock does by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from difflib import get_close_matches
from typing import Any, NoReturn

from contracts.order import Side
from services.order.workflow.actors import admits, visible
from services.order.workflow.decision import AllowedAction, Decision, Step, World
from services.order.workflow.draft import Draft
from services.order.workflow.facts import CLOCK, SYSTEM, Actor, Facts
from services.order.workflow.lifecycle import Lifecycle, Transition, Who
from services.order.workflow.model import Deadline, Ids, Order
from services.order.workflow.param_schema import params_schema
from services.order.workflow.params import Ground, parse_params
from services.order.workflow.refusals import (
    GuardFailed,
    LifecycleFault,
    NotAllowed,
    NotVisible,
    Refused,
    UnknownAction,
    WrongState,
)
from services.order.workflow.settings import effective
from services.order.workflow.steps import first_refusal, holds, label_of, seal, take

# Automatic transitions in a row: a lifecycle has at most 100 states, an order at most 50 issues to settle by itself.
MOST_FOLLOW_UPS = 200
# Deadlines that one firing takes; an order has a handful.
MOST_FIRINGS = 32

Candidates = list[tuple[Transition, Side | None]]


class Run:
    """One decision as it is made: the order so far, its steps, what is asked of the world."""

    def __init__(self, order: Order, lifecycle: Lifecycle, now: datetime, ids: Ids, facts: Facts) -> None:
        self.order = order
        self.lifecycle = lifecycle
        self.now = now
        self.ids = ids
        self.facts = facts
        self.settings = effective(lifecycle, facts.settings)
        self.steps: list[Step] = []
        self.world: list[World] = []

    def draft(self, actor: Actor, side: Side | None = None, params: Mapping[str, Any] | None = None) -> Draft:
        return Draft(
            self.order, self.lifecycle, actor, side, params or {}, self.now, self.ids, self.facts, self.settings
        )

    def keep(self, draft: Draft, step: Step | None) -> None:
        """Takes over what a draft has come to."""
        self.world += draft.world
        if step is not None:
            self.steps.append(step)
            self.order = step.order

    def follow_up(self) -> None:
        """Takes automatic transitions until none is left, or none that would change anything."""
        for _ in range(MOST_FOLLOW_UPS):
            if not self._follow_one():
                return
        raise LifecycleFault(f"the automatic transitions of {self.lifecycle.name} do not end")

    def _follow_one(self) -> bool:
        """Takes the first automatic transition that can be taken; one whose effects cannot be is as if held back."""
        for transition in self.lifecycle.automatic[self.order.status]:
            draft = self.draft(SYSTEM)
            if not holds(draft, transition.guards):
                continue
            with suppress(Refused):
                step = take(draft, transition)
                if step is not None:
                    self.keep(draft, step)
                    return True
        return False

    def decision(self) -> Decision:
        timers = [at for d in self.order.deadlines if (at := self.fires_at(d)) is not None]
        return Decision(self.order, tuple(self.steps), tuple(self.world), min(timers, default=None))

    def fires_at(self, deadline: Deadline) -> datetime | None:
        """When the clock next has to do with a deadline; None while it must not (an open issue holds closing)."""
        if deadline.action is not None:
            transition = self.timed(deadline.action)
            if transition is None or first_refusal(self.draft(CLOCK), transition.guards) is not None:
                return None
            return deadline.due_at
        if deadline.told == 0:
            return deadline.due_at
        return deadline.overdue_at if deadline.told == 1 else None

    def timed(self, name: str) -> Transition | None:
        return next((t for t in self.lifecycle.timed[self.order.status] if t.name == name), None)


def decide(
    order: Order,
    lifecycle: Lifecycle,
    action: str,
    actor: Actor,
    params: Mapping[str, Any],
    now: datetime,
    ids: Ids,
    facts: Facts = Facts(),  # noqa: B008 - frozen and empty
) -> Decision:
    """What becomes of the order when the actor takes the action. Raises Refused; nothing has changed then."""
    run = Run(order, lifecycle, now, ids, facts)
    refused: Refused | None = None
    for transition, side in _candidates(run, action, actor):
        try:
            # what no answer could change is said before the answers are looked at
            if early := first_refusal(run.draft(actor, side), transition.guards, surveying=True):
                raise early
            values = parse_params(transition.params, params, Ground(order, lifecycle, facts, now))
            draft = run.draft(actor, side, values)
            run.keep(draft, take(draft, transition))
        except Refused as e:
            refused = refused or e
            continue
        run.follow_up()
        return run.decision()
    assert refused is not None
    raise refused


def _candidates(run: Run, action: str, actor: Actor) -> Candidates:
    """The transitions that the actor may take from here under that name, at least one. Raises the refusal else."""
    order, lifecycle = run.order, run.lifecycle
    if not visible(order, actor):
        raise NotVisible("order_not_found", "there is no such order")
    anywhere = lifecycle.named.get(action)
    if anywhere is None:
        close = get_close_matches(action[:100], lifecycle.named, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UnknownAction("unknown_action", f"{lifecycle.name} has no action {action[:100]!r}{hint}")
    if not any(admits(order, actor, t, run.settings)[0] for t in anywhere):
        _deny(run, anywhere, action)
    here = lifecycle.actions[order.status].get(action)
    if here is None:
        _wrong_state(run, anywhere, action)
    found = [(t, side) for t in here for ok, side in [admits(order, actor, t, run.settings)] if ok]
    if not found:
        _deny(run, here, action)
    if actor.kind == "clock":
        _check_due(run, action)
    return found


def _deny(run: Run, transitions: Sequence[Transition], action: str) -> NoReturn:
    contact = run.facts.channel.contact or f"your contact at the channel {run.order.channel}"
    said = next((t.denied for t in transitions if t.denied), None)
    roles = sorted({w.role for t in transitions for w in _asked(run, t)})
    named = sorted({f"{w.role} who placed it" if w.placer else w.role for t in transitions for w in _asked(run, t)})
    detail = said.replace("{contact}", contact) if said else f"{action} is for: {', '.join(named) or 'nobody'}"
    raise NotAllowed("not_allowed", detail, action=action, who=roles)


def _asked(run: Run, transition: Transition) -> list[Who]:
    """The roles that the marketplace's settings let take it."""
    return [w for w in transition.who if w.setting is None or run.settings[w.setting]]


def _wrong_state(run: Run, transitions: Sequence[Transition], action: str) -> NoReturn:
    states = [n for n, named in run.lifecycle.actions.items() if action in named]
    raise WrongState(
        "wrong_state",
        f"{transitions[0].label} is not possible while the order is {run.order.status}; possible while: "
        f"{', '.join(states) or 'never'}",
        status=run.order.status,
        possible_in=states,
    )


def _check_due(run: Run, action: str) -> None:
    if not any(d.action == action and d.due_at <= run.now for d in run.order.deadlines):
        raise GuardFailed("not_due", f"{action} is not due yet")


def fire(
    order: Order,
    lifecycle: Lifecycle,
    now: datetime,
    ids: Ids,
    facts: Facts = Facts(),  # noqa: B008 - frozen and empty
) -> Decision | None:
    """Does everything that is due by the clock, earliest first; None where nothing is.

    After days without a clock each deadline still fires once: what is overdue by then is told as overdue only. What
    cannot be done holds nothing else up.
    """
    run = Run(order, lifecycle, now, ids, facts)
    refused: list[Deadline] = []
    for _ in range(MOST_FIRINGS):
        due = [
            (at, d.name, d)
            for d in run.order.deadlines
            if d not in refused and (at := run.fires_at(d)) is not None and at <= now
        ]
        if not due:
            break
        deadline = min(due, key=lambda x: x[:2])[2]
        try:
            _fire_one(run, deadline)
        except Refused:
            refused.append(deadline)
            continue
        run.follow_up()
    return run.decision() if run.steps else None


def _fire_one(run: Run, deadline: Deadline) -> None:
    draft = run.draft(CLOCK)
    transition = run.timed(deadline.action) if deadline.action else None
    if transition is not None:
        # where it stays in its state, the clock has to do with it again after the same time, and not at once
        span = transition.after.span(run.settings) if transition.after else None
        anew = (deadline.model_copy(update={"due_at": run.now + span}),) if span else ()
        draft.change(deadlines=(*(d for d in run.order.deadlines if d != deadline), *anew))
        run.keep(draft, take(draft, transition, run.order))
        return
    rule = next((r for r in run.lifecycle.document.deadline if r.name == deadline.name), None)
    late = deadline.overdue_at is None or deadline.overdue_at <= run.now
    told = deadline.model_copy(update={"told": 2 if late else 1, "overdue": late})
    draft.change(deadlines=tuple(told if d == deadline else d for d in run.order.deadlines))
    draft.details["deadline"] = {"name": deadline.name, "due_at": deadline.due_at.isoformat(), "overdue": late}
    what = rule.label if rule else deadline.name.capitalize()
    label = f"{what}: {'overdue' if late else 'due'}"
    name = f"{deadline.name}_{'overdue' if late else 'due'}"
    run.keep(draft, seal(draft, run.order, name, label, rule.tell if rule else ("seller", "operator")))


def allowed_actions(
    order: Order,
    lifecycle: Lifecycle,
    actor: Actor,
    now: datetime,
    facts: Facts = Facts(),  # noqa: B008 - frozen and empty
) -> tuple[AllowedAction, ...]:
    """What the actor could do now, in the file's order, each with the JSON Schema of its parameters."""
    return tuple(_survey(order, lifecycle, actor, now, facts, blocked=False))


def blocked_actions(
    order: Order,
    lifecycle: Lifecycle,
    actor: Actor,
    now: datetime,
    facts: Facts = Facts(),  # noqa: B008 - frozen and empty
) -> tuple[AllowedAction, ...]:
    """What the actor could do in this state but for a condition; `blocked` says which."""
    return tuple(_survey(order, lifecycle, actor, now, facts, blocked=True))


def _survey(
    order: Order, lifecycle: Lifecycle, actor: Actor, now: datetime, facts: Facts, *, blocked: bool
) -> Iterator[AllowedAction]:
    if not visible(order, actor) or actor.kind == "clock":
        return
    run = Run(order, lifecycle, now, _no_ids, facts)
    for name, transitions in lifecycle.actions[order.status].items():
        judged = []
        for t in transitions:
            ok, side = admits(order, actor, t, run.settings)
            if not ok:
                continue
            draft = run.draft(actor, side)
            failed = first_refusal(draft, t.guards, surveying=True)
            judged.append((t, draft, failed))
            if failed is None:
                break
        if not judged:
            continue
        # the first that may be taken speaks for the name, else the first that may not
        t, draft, failed = judged[-1] if judged[-1][2] is None else judged[0]
        if (failed is not None) == blocked:
            schema = params_schema(t.params, order, lifecycle)
            yield AllowedAction(name, label_of(draft, t), schema, failed.detail if failed else None)


def _no_ids() -> NoReturn:
    raise AssertionError("looking at what is allowed makes nothing")
