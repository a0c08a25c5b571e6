"""Every action, by every kind of actor, in every state, against tables written by hand from the pages."""

from __future__ import annotations

import pytest

from services.order import workflow as wf
from tests.unit.order.workflow.journey import JOURNEYS, Journey
from tests.unit.order.workflow.people import ACTORS, NOW

SIDES_OF_THE_ORDER = {"placer", "buyer_member", "buyer_admin", "approver"}
ALL = [(name, state) for name in JOURNEYS for state in Journey(name).states]
_journeys = {name: Journey(name) for name in JOURNEYS}


def expected(journey: Journey, state: str, action: str, actor: str) -> str:
    """What must come of it: "done", or the name of the refusal."""
    if actor in ("buyer", "other_seller", "stranger"):
        return "NotVisible"
    if actor.startswith("seller") and state in journey.unseen:
        return "NotVisible"
    if actor in journey.allowed(state, action):
        return "done"
    held = journey.blocked(state, action)
    if held is not None and actor in held[1]:
        return held[0]
    elsewhere = set().union(*(journey.allowed(s, action) for s in journey.states))
    elsewhere |= set().union(*((journey.blocked(s, action) or ("", set()))[1] for s in journey.states))
    if actor not in elsewhere:
        return "NotAllowed"
    here = action in journey.may.get(state, {}) or held is not None
    return "NotAllowed" if here else "WrongState"


def outcome(journey: Journey, order: wf.Order, action: str, actor: str) -> str:
    try:
        journey.act(order, actor, action)
    except wf.GuardFailed as e:
        return e.code
    except wf.Refused as e:
        return type(e).__name__
    return "done"


@pytest.mark.parametrize(("name", "state"), ALL)
def test_every_action_by_everybody(name: str, state: str) -> None:
    journey = _journeys[name]
    wrong = []
    for action in journey.actions:
        order = journey.ready(state, action)
        before = wf.dump(order)
        for actor in ACTORS:
            want, got = expected(journey, state, action, actor), outcome(journey, order, action, actor)
            if want != got:
                wrong.append(f"{action} by {actor}: expected {want}, got {got}")
        assert wf.dump(order) == before
    assert wrong == []


@pytest.mark.parametrize(("name", "state"), ALL)
def test_what_is_listed_as_allowed_is_what_can_be_done(name: str, state: str) -> None:
    """What GET shows as allowed_actions is what a POST would do, for everybody but the clock."""
    journey = _journeys[name]
    wrong = []
    for action in journey.actions:
        order = journey.ready(state, action)
        for actor in set(ACTORS) - {"clock"}:
            listed = {a.name for a in wf.allowed_actions(order, journey.lifecycle, ACTORS[actor], NOW, journey.facts)}
            can = outcome(journey, order, action, actor) == "done"
            if (action in listed) != can:
                wrong.append(f"{action} by {actor}: listed {action in listed}, possible {can}")
    assert wrong == []


@pytest.mark.parametrize("name", JOURNEYS)
def test_the_file_covers_the_whole_lifecycle(name: str) -> None:
    """No action and no state of the profile is left out of its journey; states left by themselves aside."""
    journey = _journeys[name]
    assert set(journey.actions) == set(journey.lifecycle.named)
    passing = {n for n, autos in journey.lifecycle.automatic.items() if any(t.to and not t.guards for t in autos)}
    other_way = {"awaiting_pickup", "awaiting_delivery"} - set(journey.states)
    assert set(journey.states) == set(journey.lifecycle.states) - passing - other_way
