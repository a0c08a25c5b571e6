"""The loopfront page, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Literal
from uuid import UUID

import pytest

from services.order import workflow as wf
from services.order.workflow.decision import Relocation, Saving
from tests.unit.order.workflow import people
from tests.unit.order.workflow.play import Play

QR = list(people.UNITS)


def play_of(mode: Literal["pickup", "delivery"] = "pickup", tracked: bool = True) -> Play:
    return Play("loopfront", people.placement(mode=mode, tracked=tracked))


def pick(play: Play, *units: UUID) -> wf.Decision:
    return play.do("seller", "select_units", units=[{"line_id": play.line(), "unit_ids": [str(u) for u in units]}])


def test_mark_as_sent_only_when_the_ordered_number_is_selected() -> None:
    play = play_of()
    play.do("seller", "accept")
    assert play.labels("seller")["select_units"] == "Select items"
    assert "mark_ready" not in play.labels("seller")
    blocked = wf.blocked_actions(play.order, play.lifecycle, people.ACTORS["seller"], play.now, play.facts)
    assert [(a.name, a.label, a.blocked) for a in blocked] == [
        ("mark_ready", "Mark as sent", "Thing 0: 0 of 3 units are selected; select the rest first")
    ]
    pick(play, QR[0], QR[1])
    assert play.refused("seller", "mark_ready").code == "units_complete"
    pick(play, QR[0], QR[1], QR[2])
    assert play.labels("seller")["mark_ready"] == "Mark as sent"
    play.do("seller", "mark_ready")
    assert play.status == "awaiting_pickup"


def test_without_units_it_is_marked_as_ready_at_once() -> None:
    play = play_of("delivery", tracked=False)
    play.do("seller", "accept")
    assert play.labels("seller")["mark_ready"] == "Mark as ready"
    assert "select_units" not in play.labels("seller")
    play.do("seller", "mark_ready")
    assert play.status == "awaiting_delivery"


def test_units_are_taken_and_given_back_as_the_choice_changes() -> None:
    play = play_of()
    play.do("seller", "accept")
    pick(play, QR[0], QR[1])
    decision = pick(play, QR[1], QR[2])
    assert [(m.kind, m.unit_ids) for m in decision.of(wf.UnitMove)] == [
        ("give_back", (QR[0],)),
        ("take", (QR[2],)),
    ]
    assert pick(play, QR[1], QR[2]).steps == (), "the same choice again changes nothing and tells nobody"
    too_many = [{"line_id": play.line(), "unit_ids": [str(u) for u in QR[:4]]}]
    assert play.refused("seller", "select_units", units=too_many).code == "bad_params"
    foreign = [{"line_id": play.line(), "unit_ids": [str(UUID(int=77))]}]
    assert "not a free unit" in play.refused("seller", "select_units", units=foreign).detail
    counted_otherwise = [play.part(3, units=QR[:1])]
    refusal = play.refused("seller", "select_units", units=counted_otherwise)
    assert refusal.more["errors"][0]["path"] == "units.0.quantity", "what is asked for twice is not half ignored"


def test_a_code_that_is_the_id_of_another_unit_is_ambiguous() -> None:
    play = play_of()
    play.do("seller", "accept")
    odd = {QR[0]: "QR-0", QR[1]: str(QR[0])}
    play.facts = replace(play.facts, free_units={people.LISTING: odd})
    named = [{"line_id": play.line(), "unit_ids": [str(QR[0])]}]
    assert "is the id of one unit" in play.refused("seller", "select_units", units=named).detail
    play.do("seller", "select_units", units=[{"line_id": play.line(), "unit_ids": ["QR-0", str(QR[1])]}])
    assert {u.code for u in play.order.lines[0].units} == {"QR-0", str(QR[0])}


def test_a_unit_goes_with_one_line_only() -> None:
    lines = tuple(people.submitted().lines[0] for _ in range(2))
    facts = (people.line_facts(0, tracked=True), people.line_facts(2, tracked=True))
    play = Play("loopfront", people.placement(people.submitted(*lines), facts))
    play.do("seller", "accept")
    twice = [{"line_id": play.line(n), "unit_ids": [str(QR[0])]} for n in range(2)]
    refusal = play.refused("seller", "select_units", units=twice)
    assert refusal.more["errors"][0]["path"] == "units.1.unit_ids"


def test_back_to_pending_lets_go_of_picked_units() -> None:
    play = play_of()
    play.do("seller", "accept")
    pick(play, QR[0])
    play.do("seller_member", "reopen")
    assert play.status == "pending"
    assert play.order.lines[0].open == 3
    assert [u.state for u in play.order.lines[0].units] == ["released"]
    play.do("seller", "accept")
    pick(play, QR[0])
    assert [(u.unit_id, u.state) for u in play.order.lines[0].units] == [(QR[0], "selected")]
    assert play.kinds.count("order.created") == 1, "told once, however often it is pending"


def test_receipt_moves_the_things_and_books_the_savings() -> None:
    play = play_of()
    play.do("seller", "accept")
    pick(play, *QR[:3])
    play.do("seller", "mark_ready")
    assert play.moves("ship") == 0, "what waits for being picked up has not left"
    decision = play.do("seller_admin", "confirm")
    moved = decision.of(Relocation)
    assert [(m.organisation_id, m.location, m.unit_ids) for m in moved] == [
        (people.BUYER_ORG, "Oslo, floor 3", tuple(QR[:3])),
        (people.BUYER_ORG, "Oslo, floor 3", ()),
    ]
    saved = decision.of(Saving)
    assert [(s.quantity, s.kg_per_unit, s.material) for s in saved] == [
        (Decimal(3), Decimal("1.5"), "wood"),
        (Decimal("2.5"), Decimal("1.5"), "wood"),
    ]
    assert play.events[-1].TYPE == "order.completed"
    assert {u.state for u in play.order.lines[0].units} == {"received"}
    assert play.moves("ship") == play.moves("reserve")


def test_what_is_delivered_is_on_its_way_when_marked() -> None:
    play = play_of("delivery")
    play.do("seller", "accept")
    pick(play, *QR[:3])
    play.do("seller", "mark_ready")
    assert play.moves("ship") == Decimal("5.5")
    assert {u.state for u in play.order.lines[0].units} == {"shipped"}


def test_members_and_administrators_cancel_at_any_time_before_receipt() -> None:
    for canceller in ("buyer_member", "buyer_admin", "seller_member", "seller_admin"):
        play = play_of("delivery")
        play.do("seller", "accept")
        pick(play, *QR[:3])
        play.do("seller", "mark_ready")
        play.do(canceller, "cancel", reason="changed plans")
        assert play.events[-1].TYPE == "order.canceled"
        assert play.events[-1].change.reason == "changed plans"
        assert play.moves("restock") == Decimal("5.5"), "the items are available on their listing again"
        assert {u.state for u in play.order.lines[0].units} == {"released"}
        assert play.order.status_times[0].status == "pending", "the history stays"


def test_whoever_placed_it_cancels_only_until_it_is_accepted() -> None:
    play = play_of()
    play.do("seller", "accept")
    assert isinstance(play.refused("placer", "cancel"), wf.NotAllowed)
    play.do("seller", "reopen")
    assert play.refused("buyer", "cancel").code == "order_not_found", "nobody else who buys there"
    play.do("placer", "cancel")
    assert play.status == "canceled"
    assert isinstance(play.refused("seller", "accept"), wf.WrongState)


def test_what_a_key_has_placed_its_organisations_keys_cancel() -> None:
    """An order of a program has no person who placed it; it is still its own to cancel until it is accepted."""
    key = wf.Actor("api_key", "erp", UUID(int=902), people.BUYER_ORG, frozenset({"buyer"}))
    of_a_person = play_of()
    with pytest.raises(wf.NotAllowed) as refused:
        wf.decide(of_a_person.order, of_a_person.lifecycle, "cancel", key, {}, people.NOW, people.fresh_ids())
    assert refused.value.detail == "cancel is for: admin, buyer who placed it, member, seller"
    of_a_program = of_a_person.order.with_(
        buyer=of_a_person.order.buyer.model_copy(update={"person_id": None, "person_name": "erp"})
    )
    decided = wf.decide(of_a_program, of_a_person.lifecycle, "cancel", key, {}, people.NOW, people.fresh_ids())
    assert decided.order.status == "canceled"


def test_an_organisation_that_buys_from_itself_is_on_both_sides() -> None:
    what = people.placement(mode="pickup")
    inside = wf.Placement(
        submitted=what.submitted,
        lines=tuple(people.line_facts(n, mode="pickup", seller=people.BUYER_ORG) for n in range(2)),
        marketplace_id=what.marketplace_id,
        buyer=what.buyer,
        sellers={people.BUYER_ORG: what.buyer},
    )
    play = Play("loopfront", inside)
    assert wf.sides(play.order, people.ACTORS["buyer_admin"]) == {"buyer", "seller"}
    assert wf.sides(play.order, people.ACTORS["placer"]) == {"buyer"}
    play.do("buyer_member", "accept")
    play.do("buyer_member", "mark_ready")
    play.do("buyer_admin", "confirm")
    assert play.status == "received"
