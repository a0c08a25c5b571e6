"""Plays an order through its life in a test: one line per thing that somebody does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from contracts.order import OrderEvent, OrderSnapshot, Side
from services.order import workflow as wf
from services.order.workflow.decision import World
from tests.unit.order.workflow import people


class Play:
    """An order, the events of its life so far and what was asked of the world."""

    def __init__(
        self,
        lifecycle: str | wf.Lifecycle,
        placement: wf.Placement | None = None,
        facts: wf.Facts | None = None,
        actor: str = "placer",
    ) -> None:
        self.lifecycle = wf.builtin(lifecycle) if isinstance(lifecycle, str) else lifecycle
        self.facts = facts or people.facts()
        self.now: datetime = people.NOW
        self.ids = people.fresh_ids(700_000)
        self.events: list[OrderEvent] = []
        self.world: list[World] = []
        self.timer: datetime | None = None
        self.order = self._keep(people.place_one(self.lifecycle, placement, self.facts, people.ACTORS[actor], self.now))

    def _keep(self, decision: wf.Decision) -> wf.Order:
        self.events += [wf.event_of(s, self.lifecycle) for s in decision.steps]
        self.world += decision.world
        self.timer = decision.next_timer_at
        self.order = decision.order
        return decision.order

    def do(self, actor: str, action: str, **params: Any) -> wf.Decision:
        decision = wf.decide(
            self.order, self.lifecycle, action, people.ACTORS[actor], params, self.now, self.ids, self.facts
        )
        self._keep(decision)
        return decision

    def refused(self, actor: str, action: str, **params: Any) -> wf.Refused:
        """The refusal of something that must not be possible; the order stays as it was."""
        before = wf.dump(self.order)
        try:
            self.do(actor, action, **params)
        except wf.Refused as e:
            assert wf.dump(self.order) == before
            return e
        raise AssertionError(f"{action} by {actor} was possible")

    def wait(self, **span: float) -> wf.Decision | None:
        """Time passes, and the clock does what is due by then."""
        self.now += timedelta(**span)
        decision = wf.fire(self.order, self.lifecycle, self.now, self.ids, self.facts)
        if decision is not None:
            self._keep(decision)
        return decision

    def line(self, n: int = 0) -> str:
        return str(self.order.lines[n].line_id)

    def part(self, quantity: Any, n: int = 0, units: Iterable[UUID] = ()) -> dict[str, Any]:
        named = [str(u) for u in units]
        return {"line_id": self.line(n), "quantity": quantity, **({"unit_ids": named} if named else {})}

    @property
    def status(self) -> str:
        return self.order.status

    @property
    def label(self) -> str:
        return wf.shown(self.order, self.lifecycle).label

    def told(self) -> tuple[str, ...]:
        """The sides that the last event may go to."""
        return self.events[-1].audience

    @property
    def kinds(self) -> list[str]:
        return [e.TYPE for e in self.events]

    def snapshot(self, side: Side | None = None) -> OrderSnapshot:
        return wf.to_snapshot(self.order, self.lifecycle, side)

    def labels(self, actor: str) -> dict[str, str]:
        """Names and labels of what the actor may do now."""
        found = wf.allowed_actions(self.order, self.lifecycle, people.ACTORS[actor], self.now, self.facts)
        return {a.name: a.label for a in found}

    def moves(self, kind: str) -> Decimal:
        """The sum of the stock moves of a kind."""
        return sum((w.quantity for w in self.world if isinstance(w, wf.StockMove) and w.kind == kind), Decimal(0))
