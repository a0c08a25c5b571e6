"""The way through a lifecycle from one state to another, for channels that jump over stages."""

from __future__ import annotations

from collections import deque

from services.order.workflow.lifecycle import Lifecycle, Transition

Route = tuple[tuple[Transition, str], ...]


def _edges(lifecycle: Lifecycle, state: str) -> list[tuple[Transition, str]]:
    named = [t for ts in lifecycle.actions[state].values() for t in ts]
    return [
        (t, target.state)
        for t in (*lifecycle.automatic[state], *named)
        # without a person's answers such a transition cannot be gone over
        if not t.jump and not any(p.required for p in t.params)
        for target in t.to
        if target.state != state
    ]


def route(lifecycle: Lifecycle, start: str, goal: str) -> Route | None:
    """The shortest way, as transitions with the states they lead to; None where there is none.

    Ties go to what the file says first. Nothing leads out of phase canceled, so no way goes through it.
    """
    ways: dict[str, Route] = {start: ()}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        if state == goal:
            return ways[state]
        for transition, target in _edges(lifecycle, state):
            if target not in ways:
                ways[target] = (*ways[state], (transition, target))
                queue.append(target)
    return None


def goes_on_by_itself(lifecycle: Lifecycle, start: str, goal: str) -> bool:
    """Whether an order that enters `start` is in `goal` at once, without a condition (lengow page: New advances by
    itself): who still says `start` then says nothing else."""
    passed: set[str] = set()
    while start != goal and start not in passed:
        passed.add(start)
        first = next(iter(lifecycle.automatic[start]), None)
        if first is None or first.guards or len(first.to) != 1:
            return False
        start = first.to[0].state
    return start == goal
