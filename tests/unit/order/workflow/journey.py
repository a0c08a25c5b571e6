"""Journey files: hand-written tables of who may do what in each state, and how to get an order there."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from services.order import workflow as wf
from tests.unit.order.workflow import people

FILES = Path(__file__).parent / "journeys"
# by then the clock has something to do in every lifecycle
LATER = people.NOW + timedelta(days=40)


class Journey:
    """One file, read; `lifecycle` is the file name up to the first underscore."""

    def __init__(self, name: str, lifecycle: wf.Lifecycle | None = None) -> None:
        raw = tomllib.loads((FILES / f"{name}.toml").read_text())
        self.name = name
        self.lifecycle = lifecycle or wf.builtin(name.split("_")[0])
        self.states: list[str] = list(raw["reach"])
        self.reach: dict[str, list[list[Any]]] = raw["reach"]
        self.params: dict[str, dict[str, Any]] = raw.get("params", {})
        self.prepare: dict[str, list[list[Any]]] = raw.get("prepare", {})
        self.may = raw["may"]
        self.held = raw.get("held", {})
        self.order: dict[str, Any] = raw.get("order", {})
        self.unseen: list[str] = self.order.get("unseen", [])
        self._groups: dict[str, list[str]] = raw["groups"]
        self.actions = sorted({a for named in self.may.values() for a in named} | self._only_held())
        self.ids = people.fresh_ids(900_000)

    def _only_held(self) -> set[str]:
        return {a for named in self.held.values() for a in named}

    def names(self, listed: list[str]) -> set[str]:
        return {n for entry in listed for n in self._groups.get(entry, [entry])}

    def allowed(self, state: str, action: str) -> set[str]:
        """The actors that the file lets take the action in the state."""
        return self.names(self.may.get(state, {}).get(action, []))

    def blocked(self, state: str, action: str) -> tuple[str, set[str]] | None:
        """The guard that holds an action back, and the actors to whom that is said."""
        entry = self.held.get(state, {}).get(action)
        return None if entry is None else (entry[0], self.names(entry[1:]))

    @property
    def facts(self) -> wf.Facts:
        channel = wf.Channel(can_refund=self.order.get("can_refund", False), contact="support@channel.example")
        return people.facts(channel=channel)

    def placed(self) -> wf.Decision:
        limit = self.order.get("limit")
        what = people.placement(
            people.submitted(delivery_method=self.order.get("delivery_method")),
            limit=people.eur(limit) if limit else None,
            tracked=self.order.get("tracked", False),
            mode=self.order.get("mode"),
        )
        return people.place_one(self.lifecycle, what, self.facts)

    @cache  # noqa: B019 - journeys live as long as the test module
    def at(self, state: str) -> wf.Order:
        """An order in the state, by the file's way."""
        order = self.placed().order
        for step in self.reach[state]:
            order = self.act(order, *step).order
        assert order.status == state, f"{self.name}: the way to {state} leads to {order.status}"
        return order

    def ready(self, state: str, action: str) -> wf.Order:
        """An order in the state with what the action needs, as far as that can be had there."""
        order = self.at(state)
        for step in self.prepare.get(action, []):
            try:
                order = self.act(order, *step).order
            except wf.Refused:
                break
        return order

    def act(self, order: wf.Order, actor: str, action: str, params: Mapping[str, Any] | None = None) -> wf.Decision:
        given = _fill(self.params.get(action, {}) if params is None else params, order)
        return wf.decide(
            order, self.lifecycle, action, people.ACTORS[actor], given, self.now(actor), self.ids, self.facts
        )

    def filled(self, order: wf.Order, action: str) -> dict[str, Any]:
        """The file's parameters of an action, with the order's own ids in them."""
        given: dict[str, Any] = _fill(self.params.get(action, {}), order)
        return given

    def now(self, actor: str) -> datetime:
        return LATER if actor == "clock" else people.NOW


def _fill(value: Any, order: wf.Order) -> Any:
    """Puts the order's ids where a file says @line, @issue or @unit0."""
    if isinstance(value, dict):
        return {k: _fill(v, order) for k, v in value.items()}
    if isinstance(value, list):
        return [_fill(v, order) for v in value]
    if value == "@line":
        return str(order.lines[0].line_id)
    if isinstance(value, str) and value.startswith("@unit"):
        return str(list(people.UNITS)[int(value[5:])])
    return value


JOURNEYS = tuple(sorted(p.stem for p in FILES.glob("*.toml")))
