"""Whatever people do, in whatever sequence: quantities, stock and money are conserved, and the story is told once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.inbound import SubmittedLine
from contracts.money import Money
from contracts.order import OrderEvent
from services.order import workflow as wf
from services.order.workflow.decision import Released, Revealed
from services.order.workflow.lifecycle import Param
from services.order.workflow.model import HELD
from tests.unit.order.workflow import people

FAST = settings(
    max_examples=35,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
ENDING = ("cancel", "abandon", "approve_cancellation", "reject", "refuse", "decline")
SEEDS = range(60)
QUANTITIES = [1, "0.5", "1", 2, "2.5", 3, "7"]
PRICES = ["0.00", "0.01", "3.33", "10.00", "99.99"]
INVOLVED = ["placer", "buyer_admin", "seller", "seller_member", "approver", "operator", "channel", "service"]
BUFFERED = wf.Channel("direct", auto_accept=True, buffer=Decimal(1), can_refund=True)


@dataclass
class World:
    """What the rest of the system holds for one order: a ledger of everything that decisions asked for."""

    available: dict[UUID, Decimal] = field(default_factory=dict)
    reserved: dict[UUID, Decimal] = field(default_factory=dict)
    hidden: dict[UUID, Decimal] = field(default_factory=dict)
    released: int = 0
    taken: set[UUID] = field(default_factory=set)
    events: list[OrderEvent] = field(default_factory=list)

    def book(self, decision: wf.Decision, lifecycle: wf.Lifecycle) -> None:
        for move in decision.of(wf.StockMove):
            assert move.quantity > 0
            free, held = {"reserve": (-1, 1), "release": (1, -1), "ship": (0, -1), "restock": (1, 0)}[move.kind]
            self.available[move.line_id] = self.available.get(move.line_id, Decimal(0)) + free * move.quantity
            self.reserved[move.line_id] = self.reserved.get(move.line_id, Decimal(0)) + held * move.quantity
            assert self.reserved[move.line_id] >= 0
            unseen = held * move.quantity if move.hidden else Decimal(0)
            self.hidden[move.line_id] = self.hidden.get(move.line_id, Decimal(0)) + unseen
        for revealed in decision.of(Revealed):
            self.hidden[revealed.line_id] -= revealed.quantity
        for unit in decision.of(wf.UnitMove):
            for unit_id in unit.unit_ids:
                assert (unit_id in self.taken) == (unit.kind == "give_back"), "a unit is taken and given back in turn"
            self.taken ^= set(unit.unit_ids)
        self.released += sum(r.amount for r in decision.of(Released))
        self.events += [wf.event_of(s, lifecycle) for s in decision.steps]


def check_order(order: wf.Order, lifecycle: wf.Lifecycle, world: World) -> None:
    """The invariants of one order as it is now."""
    for line in order.lines:
        buckets = (line.open, line.accepted, line.rejected, line.canceled, line.shipped, line.received, line.returned)
        assert all(b >= 0 for b in buckets)
        assert line.ordered == line.open + line.accepted + line.rejected + line.canceled
        assert line.shipped <= line.accepted
        assert line.received <= line.shipped
        assert line.returned <= line.shipped
        assert world.available[line.line_id] == -(line.ordered - line.given_back - line.returned)
        assert world.reserved[line.line_id] == line.open + line.accepted - line.shipped
        approving = lifecycle.states[order.status].phase == "approval"
        assert world.hidden[line.line_id] == (world.reserved[line.line_id] if approving else 0)
        if line.tracked:
            held = line.units_in(*HELD)
            assert len(held) <= line.accepted - line.returned
            assert {u.unit_id for u in held} == world.taken
    allocated = sum(r.amount for r in order.refunds)
    assert 0 <= order.refunded <= allocated <= order.paid
    assert 0 <= order.commission_reversed <= order.commission
    reversed_or_going = order.commission_released + sum(r.commission_reversed for r in order.refunds)
    assert reversed_or_going <= order.commission
    if all(line.given_back == line.ordered for line in order.lines):
        assert reversed_or_going == order.commission, "what is not sold carries no commission"
    for line, value in zip(order.lines, order.line_values, strict=True):
        assert sum(r.amount for r in order.refunds if r.line_id == line.line_id) <= value
    if allocated == order.paid and order.refunds and order.money == "refunded":
        assert order.commission_reversed == order.commission
    assert world.released == order.released
    assert wf.load(orjson.loads(orjson.dumps(wf.dump(order)))) == order
    totals = wf.to_snapshot(order, lifecycle).totals
    parts = totals.lines.minor + totals.tax.minor + totals.shipping.minor - totals.discount.minor
    assert totals.total.minor == parts + totals.adjustment.minor
    if lifecycle.states[order.status].phase == "canceled":
        assert all(x.open == 0 and x.accepted == x.received for x in order.lines)
    if lifecycle.states[order.status].phase == "completed":
        assert all(x.open == 0 and x.accepted == x.received for x in order.lines)


def check_events(events: list[OrderEvent], lifecycle: wf.Lifecycle) -> None:
    """The story that the events tell: gapless, each milestone at most once, to nobody who may not know."""
    assert [e.sequence for e in events] == list(range(1, len(events) + 1))
    for kind in ("order.created", "order.completed", "order.canceled"):
        assert [e.TYPE for e in events].count(kind) <= 1
    pending = [e for e in events if e.change.to_phase == "pending"]
    completed = [e for e in events if e.change.to_phase == "completed"]
    canceled = [e for e in events if e.change.to_phase == "canceled"]
    assert [e.TYPE for e in pending[:1]] == ["order.created"] * bool(pending)
    assert [e.TYPE for e in completed[:1]] == ["order.completed"] * bool(completed)
    assert [e.TYPE for e in canceled[:1]] == ["order.canceled"] * bool(canceled)
    known = False
    for before, event in zip([None, *events], events, strict=False):
        known = known or event.TYPE == "order.created"
        # the operator gives back what was paid for what was never approved, and answers chargebacks
        held = event.order.phase == "canceled" and event.order.totals.paid.minor > 0
        asked = held or any(i.kind == "chargeback" for i in event.order.issues)
        assert known or set(event.audience) <= ({"buyer", "operator"} if asked else {"buyer"})
        assert event.audience
        assert event.change.from_status == (before.change.to_status if before else None)
        assert event.order.sequence == event.sequence
        assert type(event).model_validate_json(event.model_dump_json(exclude_none=True)).sequence == event.sequence


def answer(rng: Random, spec: Param, order: wf.Order) -> Any:
    """Some value for a parameter: mostly sensible, sometimes not."""
    line_ids = [str(x.line_id) for x in order.lines]
    ids = {
        "issue": [i.issue_id for i in order.issues],
        "refund": [r.refund_id for r in order.refunds],
        "parcel": [p.parcel_id for p in order.parcels],
    }
    if spec.type in ids:
        return str(rng.choice(ids[spec.type] or [order.order_id]))
    if spec.type == "lines":
        chosen = rng.sample(line_ids, rng.randint(1, len(line_ids)))
        return [{"line_id": x, **({"quantity": rng.choice(QUANTITIES)} if rng.random() < 0.8 else {})} for x in chosen]
    if spec.type == "units":
        wanted = int(order.lines[0].accepted) if rng.random() < 0.8 else rng.randint(0, 4)
        return [{"line_id": line_ids[0], "unit_ids": [str(u) for u in rng.sample(list(people.UNITS), wanted)]}]
    if spec.type == "images":
        return [str(d) for d in rng.sample(list(people.IMAGES), rng.randint(0, 3))]
    fixed: dict[str, list[Any]] = {
        "text": ["a", "late again", "x" * 90],
        "choice": list(spec.choices),
        "flag": [True, False],
        "quantity": QUANTITIES,
        "money": [{"amount": a, "currency": "EUR"} for a in ("0.01", "1.00", "9.99", "10.00", "33.33", "500.00")],
        "day": ["tomorrow", "2026-12-24", "2020-01-01"],
        "moment": ["2026-03-01T09:00:00Z", "2026-03-20T09:00:00Z"],
        "url": ["https://track.example/1"],
        "line": line_ids,
        "invoice": [str(people.PDF.document_id)],
        "state": ["shipped", "closed", "canceled", "accepted", "waiting_acceptance"],
    }
    return rng.choice(fixed[spec.type])


def placed(rng: Random, lifecycle: wf.Lifecycle, facts: wf.Facts) -> wf.Decision:
    lines = tuple(
        SubmittedLine(listing_id=listing, quantity=quantity, unit_price=people.eur(rng.choice(PRICES)))
        for listing, quantity in ((people.LISTING, Decimal(3)), (people.LISTING2, Decimal("2.5")))
    )
    order = people.submitted(*lines, paid=rng.random() < 0.7, delivery_method=rng.choice([None, "tracked"]))
    goods = sum(int(x.unit_price.minor * x.quantity) for x in lines if x.unit_price)
    order = order.model_copy(update={"discount": Money.of(rng.choice([0, 0, goods // 3, goods]), "EUR")})
    what = people.placement(
        order,
        tracked=rng.random() < 0.5,
        mode=rng.choice(["pickup", "delivery", None]),
        limit=people.eur("5.00") if rng.random() < 0.5 else None,
    )
    return people.place_one(lifecycle, what, facts)


class Life:
    """One order's random life, checked after every step."""

    def __init__(self, name: str, seed: int) -> None:
        rng = Random(seed)
        self.lifecycle, self.ids, self.now = wf.builtin(name), people.fresh_ids(500_000), people.NOW
        on = {"operator_may_process": "true", "allow_auto_accept": "on"} if rng.random() < 0.5 else {}
        stock = {listing: Decimal(rng.randint(2, 5)) for listing in (people.LISTING, people.LISTING2)}
        self.facts = people.facts(settings=on, channel=BUFFERED if rng.random() < 0.5 else None, available=stock)
        self.world = World()
        self.order = self.keep(placed(rng, self.lifecycle, self.facts))

    def keep(self, decision: wf.Decision) -> wf.Order:
        self.world.book(decision, self.lifecycle)
        check_order(decision.order, self.lifecycle, self.world)
        return decision.order

    def step(self, seed: int) -> None:
        """Something that somebody does, or the clock; a refusal changes nothing."""
        rng = Random(seed)
        self.now += timedelta(hours=rng.choice([0, 1, 1, 30, 400]))
        before = wf.dump(self.order)
        try:
            decision = self.happen(rng)
        except wf.Refused:
            assert wf.dump(self.order) == before
            return
        if decision is not None:
            self.order = self.keep(decision)

    def happen(self, rng: Random) -> wf.Decision | None:
        if rng.random() < 0.25:
            return wf.fire(self.order, self.lifecycle, self.now, self.ids, self.facts)
        who, action = self.choose(rng)
        specs = self.lifecycle.named[action][0].params
        params = {p.name: answer(rng, p, self.order) for p in specs if p.required or rng.random() < 0.3}
        actor = people.ACTORS[who]
        return wf.decide(self.order, self.lifecycle, action, actor, params, self.now, self.ids, self.facts)

    def choose(self, rng: Random) -> tuple[str, str]:
        """Who does what: mostly something possible, and mostly something that leads on."""
        if rng.random() < 0.1:
            return rng.choice(list(people.ACTORS)), rng.choice(list(self.lifecycle.named))
        possible = [
            (who, a.name)
            for who in rng.sample(INVOLVED, 4)
            for a in wf.allowed_actions(self.order, self.lifecycle, people.ACTORS[who], self.now, self.facts)
        ]
        leading = [p for p in possible if any(t.to for t in self.lifecycle.named[p[1]])]
        # ends are reached often enough without being looked for
        onward = [p for p in leading if not p[1].startswith(ENDING)]
        for choice, chance in ((onward, 0.4), (leading, 0.15), (possible, 1.0)):
            if choice and rng.random() < chance:
                return rng.choice(choice)
        return rng.choice(list(people.ACTORS)), rng.choice(list(self.lifecycle.named))


@pytest.mark.parametrize("name", wf.BUILTIN)
@FAST
@given(seed=st.integers(0, 2**20), steps=st.lists(st.integers(0, 2**20), min_size=6, max_size=20))
def test_random_lives_conserve_everything(name: str, seed: int, steps: list[int]) -> None:
    life = Life(name, seed)
    for step in steps:
        life.step(step)
    check_events(life.world.events, life.lifecycle)


@pytest.mark.parametrize("name", wf.BUILTIN)
def test_the_random_lives_get_everywhere(name: str) -> None:
    """What the property above is worth: its lives reach every state and take most actions."""
    lifecycle = wf.builtin(name)
    states: set[str] = set()
    actions: set[str] = set()

    def everywhere() -> bool:
        return states == set(lifecycle.states) and len(lifecycle.named.keys() - actions) <= len(lifecycle.named) // 4

    for seed in SEEDS:
        life = Life(name, seed)
        for step in range(20):
            life.step(seed * 1000 + step)
        states |= {e.change.to_status for e in life.world.events}
        actions |= {e.change.action for e in life.world.events}
        if everywhere():
            return
    raise AssertionError(
        f"never reached {set(lifecycle.states) - states}, never done {lifecycle.named.keys() - actions}"
    )
