"""What was paid for an order that has ended can be given back, whatever its lifecycle says of its course."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.order import workflow as wf
from services.order.workflow.loader import builtin_text, load_stored
from tests.unit.order.workflow.play import Play

# a lifecycle that knows nothing of money, as the page on own lifecycles has it
SMALL = """
name = "small"
title = "Small"
summary = "The least there can be."
initial = "waiting"
[state.waiting]
phase = "pending"
label = "Waiting"
[state.done]
phase = "completed"
label = "Done"
final = true
[state.off]
phase = "canceled"
cancel_kind = "canceled"
label = "Off"
final = true
[[transition]]
name = "finish"
label = "Finish"
from = ["waiting"]
to = "done"
who = ["seller"]
[[transition]]
name = "give_up"
label = "Give up"
from = ["waiting"]
to = "off"
who = ["buyer"]
"""


def refunders(lifecycle: wf.Lifecycle, state: str) -> set[str]:
    found = lifecycle.actions[state].values()
    return {w.role for ts in found for t in ts if any(e.name == "refund" for e in t.effects) for w in t.who}


@pytest.mark.parametrize("name", wf.BUILTIN)
def test_every_end_of_every_lifecycle_has_somebody_who_gives_back(name: str) -> None:
    lifecycle = wf.builtin(name)
    for state, said in lifecycle.states.items():
        if said.final:
            assert "operator" in refunders(lifecycle, state), state
            assert "refund_done" in lifecycle.actions[state], state


@pytest.mark.parametrize("name", wf.BUILTIN)
def test_a_chargeback_is_recorded_and_closed_wherever_an_order_ends_or_waits_for_approval(name: str) -> None:
    lifecycle = wf.builtin(name)
    for state, said in lifecycle.states.items():
        if said.final or said.phase == "approval":
            recorders = {w.role for t in lifecycle.actions[state].get("chargeback", ()) for w in t.who}
            closers = {w.role for t in lifecycle.actions[state].get("close_chargeback", ()) for w in t.who}
            assert recorders >= {"service", "channel"}, state
            assert "operator" in closers, state


def test_a_chargeback_of_a_lifecycle_that_knows_nothing_of_money_holds_the_payout() -> None:
    play = Play(load_stored(SMALL, 3))
    play.do("placer", "give_up")
    play.do("service", "chargeback", amount={"amount": "5.00", "currency": "EUR"}, note="payment pay-1")
    assert (play.status, play.order.issue, play.order.payout_held) == ("off", "open", True)
    [issue] = play.order.issues
    assert (issue.kind, issue.evidence_due_at) == ("chargeback", play.now + timedelta(days=7))
    play.do("operator", "close_chargeback", resolution="lost")
    assert (play.status, play.order.issue, play.order.payout_held) == ("off", "resolved", False)


def test_a_lifecycle_without_money_and_one_that_was_taken_before_have_it_too() -> None:
    for lifecycle in (wf.load_lifecycle(SMALL), load_stored(SMALL, 3)):
        assert {n: refunders(lifecycle, n) for n in lifecycle.states} == {
            "waiting": set(), "done": {"operator"}, "off": {"operator"},
        }  # fmt: skip


def test_what_a_lifecycle_has_itself_is_not_added() -> None:
    text = builtin_text("storefront")
    assert len(wf.load_lifecycle(text).named["refund"]) == text.count('name = "refund"\n') == 1
    own = (
        SMALL
        + """
[[transition]]
name = "refund"
label = "Ask the bank"
from = ["off"]
who = ["seller"]
guards = ["refundable"]
effects = ["refund"]
"""
    )
    assert refunders(wf.load_lifecycle(own), "off") == {"seller"}
