"""Writing and reading over HTTP: numbers without gaps, once each, in order on the topic, and only to those who may."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer

from contracts.envelope import decode
from contracts.messaging import MessagePosted
from contracts.order import OrderCanceled, OrderCreated, OrderUpdated, Party
from shared.ids import new_id
from tests.builders import order_event
from tests.integration.messaging.conftest import Desk, Somebody


async def test_a_conversation_reads_in_order_and_pages_backwards(desk: Desk) -> None:
    order_id = await desk.order()
    for n in range(7):
        who = desk.buyer if n % 2 == 0 else desk.seller
        assert (await desk.say(who, order_id, f"message {n}"))["seq"] == n + 1
    path = f"/v1/orders/{order_id}/messages"
    _, page, _ = await desk.get(desk.seller, f"{path}?limit=3")
    assert [m["text"] for m in page["items"]] == ["message 4", "message 5", "message 6"]
    _, older, _ = await desk.get(desk.seller, f"{path}?limit=3&cursor={page['next_cursor']}")
    assert [m["seq"] for m in older["items"]] == [2, 3, 4]
    _, oldest, _ = await desk.get(desk.seller, f"{path}?limit=3&cursor={older['next_cursor']}")
    assert [m["seq"] for m in oldest["items"]] == [1]
    assert oldest["next_cursor"] is None
    assert await desk.hear(desk.buyer, order_id, "after_seq=5") == ["message 5", "message 6"]


async def test_messages_posted_at_once_get_numbers_without_gaps_and_the_topic_has_their_order(desk: Desk) -> None:
    order_id = await desk.order()
    sent = await asyncio.gather(*(desk.say(desk.buyer, order_id, f"m{n}") for n in range(30)))
    assert sorted(m["seq"] for m in sent) == list(range(1, 31))
    events = await posted_events(desk, order_id, 30)
    assert [e.seq for e in events] == list(range(1, 31))
    assert {e.message_id: e.seq for e in events} == {UUID(m["message_id"]): m["seq"] for m in sent}
    assert {e.audience for e in events} == {("buyer", "seller", "operator")}
    assert {e.sender_side for e in events} == {"buyer"}


async def test_the_same_key_writes_once_and_another_body_is_refused(desk: Desk) -> None:
    order_id = await desk.order()
    path = f"/v1/orders/{order_id}/messages"
    first = await desk.post(desk.buyer, path, {"text": "hello"}, key="k-1")
    again = await desk.post(desk.buyer, path, {"text": "hello"}, key="k-1")
    assert first[0] == again[0] == 201
    assert first[1] == again[1]
    assert again[2]["Idempotency-Replayed"] == "true"
    status, problem, _ = await desk.post(desk.buyer, path, {"text": "other"}, key="k-1")
    assert (status, problem["code"]) == (422, "idempotency_key_reused")
    assert await desk.hear(desk.seller, order_id) == ["hello"]


async def test_a_foreign_thread_looks_like_one_that_is_not_there(desk: Desk) -> None:
    order_id, absent = await desk.order(), new_id()
    await desk.say(desk.buyer, order_id, "between us")
    strangers: list[tuple[Somebody, dict[str, Any]]] = [
        (Somebody("seller", ("seller",), "Other seller"), {}),
        (Somebody("buyer", ("admin",), "Other buyer"), {}),
        (desk.buyer.colleague("buyer"), {}),
        (desk.seller.colleague("approver"), {}),
        (desk.operator, {"marketplace_id": new_id()}),
        (desk.seller, {"marketplace_id": new_id()}),
    ]
    for who, claims in strangers:
        for suffix, body in (("messages", None), ("messages", {"text": "let me in"}), ("read", {"up_to_seq": 0}),
                             ("unread", {"from_seq": 1}), ("participants", None)):  # fmt: skip
            seen = []
            for target in (order_id, absent):
                path = f"/v1/orders/{target}/{suffix}"
                answer = await (desk.get(who, path, **claims) if body is None else desk.post(who, path, body, **claims))
                assert answer[0] == 404, (who, suffix)
                seen.append({k: v for k, v in answer[1].items() if k != "instance"})
            assert seen[0] == seen[1]
        assert (await desk.get(who, f"/v1/threads?order_id={order_id}", **claims))[1]["items"] == []
        assert (await desk.get(who, "/v1/threads", **claims))[1]["items"] == []
        assert (await desk.get(who, "/v1/unread", **claims))[1]["total"] == 0
    assert await desk.hear(desk.seller, order_id) == ["between us"]


async def test_who_may_read_and_write(desk: Desk) -> None:
    order_id = await desk.order()
    insiders = [desk.buyer, desk.buyer.colleague("admin"), desk.buyer.colleague("approver"), desk.seller,
                desk.seller.colleague("member"), desk.seller.colleague("admin"), desk.operator]  # fmt: skip
    for n, who in enumerate(insiders, 1):
        assert (await desk.say(who, order_id, f"from {n}"))["seq"] == n
        assert len(await desk.hear(who, order_id)) == n


async def test_a_thread_opens_when_the_seller_may_know_of_the_order(desk: Desk) -> None:
    order = desk.snapshot(status="needs_approval", phase="approval")
    waiting = order_event(OrderUpdated, order, audience=("buyer", "operator"))
    await desk.tell(waiting)
    for who in (desk.buyer, desk.seller, desk.operator):
        assert (await desk.get(who, f"/v1/orders/{order.order_id}/messages"))[0] == 404
    approved = order.model_copy(update={"sequence": 2, "phase": "pending"})
    await desk.tell(order_event(OrderCreated, approved))
    await desk.say(desk.seller, order.order_id, "thank you for your order")


async def test_an_approval_that_was_rejected_never_opens_a_thread(desk: Desk) -> None:
    order = desk.snapshot(phase="canceled", cancel_kind="approval_rejected", sequence=2)
    await desk.tell(order_event(OrderCanceled, order, kind="approval_rejected", audience=("buyer", "operator")))
    assert (await desk.get(desk.seller, f"/v1/orders/{order.order_id}/messages"))[0] == 404


async def test_events_in_any_order_and_again_leave_the_newest_parties(desk: Desk) -> None:
    order = desk.snapshot()
    other = Party(organisation_id=order.seller.organisation_id, name="Seller renamed")
    events = [
        order_event(OrderCreated, order),
        order_event(OrderUpdated, order.model_copy(update={"sequence": 2})),
        order_event(OrderUpdated, order.model_copy(update={"sequence": 3, "seller": other})),
        order_event(OrderUpdated, order.model_copy(update={"sequence": 4, "seller": other})),
    ]
    for batch in ([events[2]], [events[0]], [events[3], events[1]], events, events[::-1]):
        await desk.tell(*batch)
    _, page, _ = await desk.get(desk.operator, f"/v1/threads?order_id={order.order_id}")
    assert [t["kind"] for t in page["items"]] == ["buyer_seller", "seller_operator"]
    for thread in page["items"]:
        assert [p["name"] for p in thread["participants"] if p["side"] == "seller"] == ["Seller renamed"]


async def test_the_operator_writes_on_behalf_of_the_seller_and_both_sides_see_it(desk: Desk) -> None:
    order_id = await desk.order()
    await desk.say(desk.buyer, order_id, "where is it?")
    await desk.say(desk.operator, order_id, "it left today", on_behalf_of="seller")
    for who in (desk.buyer, desk.seller):
        _, page, _ = await desk.get(who, f"/v1/orders/{order_id}/messages")
        sender = page["items"][1]["sender"]
        assert (sender["side"], sender["on_behalf_of"], sender["name"]) == ("operator", "seller", "Olga Operator")
    status, problem, _ = await desk.post(
        desk.seller, f"/v1/orders/{order_id}/messages", {"text": "me too", "on_behalf_of": "seller"}
    )
    assert (status, problem["code"]) == (403, "operators_only")
    events = await posted_events(desk, order_id, 2)
    assert (events[1].sender_side, events[1].on_behalf_of) == ("operator", "seller")


async def test_seller_and_operator_talk_without_the_buyer(desk: Desk) -> None:
    order_id = await desk.order()
    await desk.say(desk.seller, order_id, "may I cancel?", kind="seller_operator")
    assert await desk.hear(desk.operator, order_id, "kind=seller_operator") == ["may I cancel?"]
    assert (await desk.get(desk.buyer, f"/v1/orders/{order_id}/messages?kind=seller_operator"))[0] == 404
    status, _, _ = await desk.post(
        desk.buyer, f"/v1/orders/{order_id}/messages", {"text": "hi", "kind": "seller_operator"}
    )
    assert status == 404
    assert await desk.hear(desk.buyer, order_id) == []
    (event,) = await posted_events(desk, order_id, 1)
    assert event.audience == ("seller", "operator")


async def test_logged_in_as_somebody_both_names_are_kept(desk: Desk) -> None:
    order_id = await desk.order()
    act = {"sub": str(new_id()), "name": "Olga Operator", "reason": "holiday"}
    status, message, _ = await desk.post(desk.seller, f"/v1/orders/{order_id}/messages", {"text": "accepted"}, act=act)
    assert status == 201
    assert (message["sender"]["name"], message["sender"]["acted_by_name"]) == ("Sam Seller", "Olga Operator")
    (event,) = await posted_events(desk, order_id, 1)
    assert (str(event.sender.id), event.sender.name) == (act["sub"], "Olga Operator")
    assert (event.sender.on_behalf_of, event.sender.on_behalf_of_name) == (desk.seller.person_id, "Sam Seller")


async def test_api_keys_write_with_their_scope_and_may_be_automatic(desk: Desk) -> None:
    order_id = await desk.order()
    path, key = f"/v1/orders/{order_id}/messages", new_id()
    body = {"text": "your parcel was scanned", "automatic": True}
    status, problem, _ = await desk.post(desk.seller, path, body, api_key_id=key, scopes=["orders:read"], roles=[])
    assert (status, problem["code"]) == (403, "scope_missing")
    status, message, _ = await desk.post(desk.seller, path, body, api_key_id=key, scopes=["messages:write"], roles=[])
    assert status == 201
    assert message["automatic"] is True
    status, problem, _ = await desk.post(desk.seller, path, body)
    assert (status, problem["code"]) == (403, "api_keys_only")


HOSTILE = ["<script>alert(1)</script>", "'; DROP TABLE message; --", "=cmd|' /C calc'!A0", "👩‍👩‍👧‍👦 ok", "‮evil",
           "{{7*7}} ${7*7}", "a\r\nBcc: x@y", "ﷺ" * 100, "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!", "x" * 4_000]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_is_only_text(desk: Desk, text: str) -> None:
    order_id = await desk.order()
    message = await desk.say(desk.buyer, order_id, text)
    assert await desk.hear(desk.seller, order_id) == [message["text"]]


@pytest.mark.parametrize(
    "body",
    [{}, {"text": ""}, {"text": "   \n "}, {"text": "x" * 4_001}, {"text": "bell \x07"}, {"text": "\u200b\u200d"},
     {"text": 5}, {"text": "a", "seq": 1}, {"text": "a", "kind": "public"}, {"text": "a", "on_behalf_of": "buyer"},
     {"text": "nul \x00"}, [], "text"],
)  # fmt: skip
async def test_a_message_that_is_none_is_refused_and_changes_nothing(desk: Desk, body: Any) -> None:
    order_id = await desk.order()
    status, problem, _ = await desk.post(desk.buyer, f"/v1/orders/{order_id}/messages", body)
    assert status in (400, 422), problem
    assert problem["code"]
    assert await desk.hear(desk.buyer, order_id) == []


async def posted_events(desk: Desk, order_id: UUID, count: int) -> list[MessagePosted]:
    """The message.posted events of an order as the topic has them."""
    consumer = AIOKafkaConsumer(
        f"{desk.prefix}message.posted", bootstrap_servers=desk.stack.kafka_bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    found: list[MessagePosted] = []
    try:
        async with asyncio.timeout(60):
            while len(found) < count:
                record = await consumer.getone()
                event = decode(record.headers, record.value).event
                if isinstance(event, MessagePosted) and event.order_id == order_id:
                    found.append(event)
    finally:
        await consumer.stop()
    return found
