"""Reply clocks: from the buyer's first unanswered message to the first answer that a person wrote for the seller."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.messaging import MessagePosted
from contracts.order import Actor, Side
from services.reporting.projections.replies import advance, reply_difference
from services.reporting.store import Clock, Reply
from shared.ids import new_id

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
THREAD, MARKETPLACE, SELLER = new_id(), new_id(), new_id()


def message(seq: int, side: Side, minutes: int, **given: Any) -> MessagePosted:
    fields: dict[str, Any] = {
        "marketplace_id": MARKETPLACE, "order_id": new_id(), "order_number": "ORD-1", "thread_id": THREAD,
        "message_id": new_id(), "seq": seq, "posted_at": MONDAY + timedelta(minutes=minutes), "sender_side": side,
        "sender": Actor(kind="person", name="X"), "buyer_organisation_id": new_id(),
        "seller_organisation_id": SELLER, "preview": "",
    }  # fmt: skip
    return MessagePosted(**(fields | given))


def replies(*messages: MessagePosted) -> list[Reply]:
    clock, found = Clock(THREAD, 0, None, None, 0), []
    for m in messages:
        clock, reply = advance(clock, m)
        if reply is not None:
            found.append(reply)
    return found


def test_the_clock_runs_from_the_first_question_to_the_first_answer() -> None:
    (reply,) = replies(
        message(1, "buyer", 0), message(2, "buyer", 5), message(3, "seller", 30), message(4, "seller", 40)
    )
    assert (reply.asked_seq, reply.elapsed_seconds, reply.first) == (1, 30 * 60, True)


def test_next_replies_are_told_from_the_first() -> None:
    first, second = replies(
        message(1, "buyer", 0), message(2, "seller", 10), message(3, "buyer", 20), message(4, "seller", 25)
    )
    assert (first.first, second.first) == (True, False)
    assert (second.asked_seq, second.elapsed_seconds) == (3, 5 * 60)


@pytest.mark.parametrize(
    "answer",
    [{"automatic": True}, {"sender_side": "operator"}, {"sender_side": "buyer"}],
    ids=["automatic", "mediating operator", "the buyer again"],
)
def test_what_is_no_answer(answer: dict[str, Any]) -> None:
    assert replies(message(1, "buyer", 0), message(2, **{"side": "seller", "minutes": 10, **_side(answer)})) == []


def _side(answer: dict[str, Any]) -> dict[str, Any]:
    given = dict(answer)
    return {"side": given.pop("sender_side", "seller"), **given}


def test_the_operator_answers_where_it_writes_for_the_seller() -> None:
    (reply,) = replies(message(1, "buyer", 0), message(2, "operator", 10, on_behalf_of="seller"))
    assert reply.elapsed_seconds == 600


def test_a_message_that_comes_again_moves_nothing() -> None:
    asked, answered = message(1, "buyer", 0), message(2, "seller", 10)
    assert len(replies(asked, answered, asked, answered)) == 1


def test_what_replies_add_to_the_day() -> None:
    reply = replies(message(1, "buyer", 0), message(2, "seller", 90))[0]
    columns = reply_difference([reply, reply._replace(asked_seq=9, business_seconds=100_000)]).columns()
    assert columns is not None
    assert [c[0] for c in columns[:4]] == [MARKETPLACE, MONDAY.date(), SELLER, True]
    assert [c[0] for c in columns[4:]] == [2, 10_800, 105_400, 0, 1, 1, 1]
