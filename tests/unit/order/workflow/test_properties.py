"""Whatever people do, in whatever sequence: quantities, stock and money are conserved, and the story is told once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.inbound import SubmittedLine
from contracts.order import OrderEvent
from services.order import workflow as wf
from services.order.workflow.decision import Released
from services.order.workflow.lifecycle import Param
from services.order.workflow.model import HELD
from tests.unit.order.workflow import people

FAST = settings(
    max_examples=35,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
INVOLVED = ["placer", "buyer_admin", "seller", "seller_member", "approver", "operator", "channel", "service"]
BUFFERED = wf.Channel("direct", auto_accept=True, buffer=Decimal(1), can_refund=True)


@dataclass
class World:
    """What the rest of the system holds for one order: a ledger of everything that decisions asked for."""

    available: dict[UUID, Decimal] = field(default_factory=dict)
    reserved: dict[UUID, Decimal] = field(default_factory=dict)
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
        if line.tracked:
            held = line.units_in(*HELD)
            assert len(held) <= line.accepted - line.returned
            assert {u.unit_id for u in held} == world.taken
    allocated = sum(r.amount for r in order.refunds)
    assert 0 <= order.refunded <= allocated <= order.paid
    assert 0 <= order.commission_reversed <= order.commission
    assert sum(r.commission_reversed for r in order.refunds) <= order.commission
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
        assert known or event.audience == ("buyer",)
        assert event.audience
        assert event.change.from_status == (before.change.to_status if before else None)
        assert event.order.sequence == event.sequence
        assert type(event).model_validate_json(event.model_dump_json(exclude_none=True)).sequence == event.sequence


def answers(data: st.DataObject, spec: Param, order: wf.Order) -> Any:
    """Some value for a parameter: mostly sensible, sometimes not."""
    line_ids = [str(x.line_id) for x in order.lines]
    quantity = st.sampled_from([1, "0.5", "1", 2, "2.5", 3, "7"])
    line = st.fixed_dictionaries({"line_id": st.sampled_from(line_ids)}, optional={"quantity": quantity})
    units = st.lists(st.sampled_from([str(u) for u in people.UNITS]), max_size=4, unique=True)
    amount = st.sampled_from(["0.01", "1.00", "9.99", "10.00", "33.33", "500.00"])
    issues = [str(i.issue_id) for i in order.issues] or [line_ids[0]]
    refunds = [str(r.refund_id) for r in order.refunds] or [line_ids[0]]
    parcels = [str(p.parcel_id) for p in order.parcels] or [line_ids[0]]
    images = [str(d) for d in people.IMAGES]
    of: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
        "text": lambda: st.sampled_from(["a", "late again", "x" * 90]),
        "choice": lambda: st.sampled_from(spec.choices),
        "flag": st.booleans,
        "quantity": lambda: quantity,
        "money": lambda: st.fixed_dictionaries({"amount": amount, "currency": st.just("EUR")}),
        "day": lambda: st.sampled_from(["tomorrow", "2026-03-02", "2026-12-24", "2020-01-01"]),
        "moment": lambda: st.sampled_from(["2026-03-01T09:00:00Z", "2026-03-20T09:00:00Z"]),
        "url": lambda: st.just("https://track.example/1"),
        "line": lambda: st.sampled_from(line_ids),
        "lines": lambda: st.lists(line, min_size=1, max_size=2, unique_by=lambda x: x["line_id"]),
        "units": lambda: units.map(lambda u: [{"line_id": line_ids[0], "unit_ids": u}]),
        "issue": lambda: st.sampled_from(issues),
        "refund": lambda: st.sampled_from(refunds),
        "parcel": lambda: st.sampled_from(parcels),
        "images": lambda: st.lists(st.sampled_from(images), max_size=3, unique=True),
        "invoice": lambda: st.just(str(people.PDF.document_id)),
        "state": lambda: st.sampled_from(["shipped", "closed", "canceled", "accepted", "waiting_acceptance"]),
    }
    return data.draw(of[spec.type]())


def some_params(data: st.DataObject, lifecycle: wf.Lifecycle, action: str, order: wf.Order) -> dict[str, Any]:
    specs = lifecycle.named[action][0].params
    return {p.name: answers(data, p, order) for p in specs if p.required or data.draw(st.booleans())}


def placed(data: st.DataObject, lifecycle: wf.Lifecycle, facts: wf.Facts) -> wf.Decision:
    price = st.sampled_from(["0.00", "0.01", "3.33", "10.00", "99.99"])
    lines = tuple(
        SubmittedLine(listing_id=listing, quantity=quantity, unit_price=people.eur(data.draw(price)))
        for listing, quantity in ((people.LISTING, Decimal(3)), (people.LISTING2, Decimal("2.5")))
    )
    order = people.submitted(
        *lines, paid=data.draw(st.booleans()), delivery_method=data.draw(st.sampled_from([None, "tracked"]))
    )
    what = people.placement(
        order,
        tracked=data.draw(st.booleans()),
        mode=data.draw(st.sampled_from(["pickup", "delivery", None])),
        limit=people.eur("20.00") if data.draw(st.booleans()) else None,
    )
    return people.place_one(lifecycle, what, facts)


@pytest.mark.parametrize("name", wf.BUILTIN)
@FAST
@given(data=st.data())
def test_random_lives_conserve_everything(name: str, data: st.DataObject) -> None:
    lifecycle, ids, now = wf.builtin(name), people.fresh_ids(500_000), people.NOW
    on = {"operator_may_process": "true", "allow_auto_accept": "on"} if data.draw(st.booleans()) else {}
    stock = {listing: Decimal(data.draw(st.integers(2, 5))) for listing in (people.LISTING, people.LISTING2)}
    facts = people.facts(settings=on, channel=BUFFERED if data.draw(st.booleans()) else None, available=stock)
    decision = placed(data, lifecycle, facts)
    world = World()
    world.book(decision, lifecycle)
    order = decision.order
    check_order(order, lifecycle, world)
    for _ in range(data.draw(st.integers(4, 18))):
        now += timedelta(hours=data.draw(st.sampled_from([0, 1, 30, 400])))
        step = one_step(data, order, lifecycle, now, ids, facts)
        if step is not None:
            world.book(step, lifecycle)
            order = step.order
            check_order(order, lifecycle, world)
    check_events(world.events, lifecycle)


def one_step(
    data: st.DataObject, order: wf.Order, lifecycle: wf.Lifecycle, now: datetime, ids: Any, facts: wf.Facts
) -> wf.Decision | None:
    """Something that somebody does, or the clock; None where it was refused."""
    before = wf.dump(order)
    if data.draw(st.integers(0, 5)) == 0:
        return wf.fire(order, lifecycle, now, ids, facts)
    who = data.draw(st.sampled_from(INVOLVED if data.draw(st.integers(0, 7)) else list(people.ACTORS)))
    allowed = [a.name for a in wf.allowed_actions(order, lifecycle, people.ACTORS[who], now, facts)]
    sensible = bool(allowed) and data.draw(st.integers(0, 7)) > 0
    action: str = data.draw(st.sampled_from(allowed if sensible else list(lifecycle.named)))
    params = some_params(data, lifecycle, action, order)
    try:
        return wf.decide(order, lifecycle, action, people.ACTORS[who], params, now, ids, facts)
    except wf.Refused:
        assert wf.dump(order) == before, "a refusal changes nothing"
        return None
