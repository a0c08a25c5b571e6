"""Whose turn it is to answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts.order import Side
from services.messaging.policy import ThreadKind
from services.messaging.turns import Turn, after

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOBODY = Turn(None, None)


def play(kind: ThreadKind, *messages: tuple[Side, bool]) -> list[Side | None]:
    turn, seen = NOBODY, []
    for n, (side, automatic) in enumerate(messages):
        turn = after(turn, kind, side, NOON + timedelta(minutes=n), automatic=automatic)
        seen.append(turn.side)
    return seen


@pytest.mark.parametrize(
    ("kind", "messages", "awaited"),
    [
        ("buyer_seller", [("buyer", False), ("seller", False), ("buyer", False)], ["seller", "buyer", "seller"]),
        ("buyer_seller", [("buyer", False), ("seller", True)], ["seller", "seller"]),
        ("buyer_seller", [("buyer", True)], [None]),
        ("buyer_seller", [("operator", False), ("buyer", False), ("operator", False)], [None, "seller", "seller"]),
        ("seller_operator", [("seller", False), ("operator", False)], ["operator", "seller"]),
    ],
)
def test_turns(kind: ThreadKind, messages: list[tuple[Side, bool]], awaited: list[Side | None]) -> None:
    assert play(kind, *messages) == awaited


def test_who_writes_again_keeps_the_first_moment() -> None:
    first = after(NOBODY, "buyer_seller", "buyer", NOON, automatic=False)
    again = after(first, "buyer_seller", "buyer", NOON + timedelta(hours=1), automatic=False)
    assert again == Turn("seller", NOON)
