"""Whose turn it is to answer. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.order import Side
from services.messaging.policy import ThreadKind

# Who is waited for after a side has written.
_ANSWERS: Final[dict[ThreadKind, dict[Side, Side]]] = {
    "buyer_seller": {"buyer": "seller", "seller": "buyer"},
    "seller_operator": {"seller": "operator", "operator": "seller"},
}


class Turn(NamedTuple):
    """The side whose answer is waited for, since the first message that it has not answered; nobody where None."""

    side: Side | None
    since: datetime | None


def after(turn: Turn, kind: ThreadKind, speaks_for: Side, at: datetime, *, automatic: bool) -> Turn:
    """The turn after a message of (or on behalf of) a side.

    An automatic message is no answer and asks nothing; an operator who mediates between buyer and seller in its own
    name leaves their turn as it is. A side that writes again before the other has answered keeps the first moment.
    """
    answers = _ANSWERS[kind].get(speaks_for)
    if automatic or answers is None or turn.side == answers:
        return turn
    return Turn(answers, at)
