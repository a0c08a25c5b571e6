"""Read cursors, unread totals and whose turn it is: for each person, on the order, in the list and in all."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

from contracts.order import Party
from shared.ids import new_id
from tests.integration.messaging.conftest import Desk, Somebody


async def unread(desk: Desk, who: Somebody) -> dict[str, Any]:
    status, totals, _ = await desk.get(who, "/v1/unread")
    assert status == 200
    return dict(totals)


async def test_what_others_wrote_is_unread_until_the_cursor_passes_it(desk: Desk) -> None:
    order_id = await desk.order()
    for text in ("one", "two", "three"):
        await desk.say(desk.buyer, order_id, text)
    colleague = desk.seller.colleague("member")
    for who in (desk.seller, colleague):
        assert (await unread(desk, who))["total"] == 3
    status, state, _ = await desk.post(desk.seller, f"/v1/orders/{order_id}/read", {"up_to_seq": 2})
    assert (status, state["last_read_seq"], state["unread"]) == (200, 2, 1)
    assert (await unread(desk, desk.seller))["total"] == 1
    assert (await unread(desk, colleague))["total"] == 3
    await desk.say(desk.seller, order_id, "answer")
    assert (await unread(desk, desk.seller))["total"] == 1
    assert (await unread(desk, colleague))["total"] == 3
    assert (await unread(desk, desk.buyer))["total"] == 1


async def test_a_cursor_is_bounded_by_the_messages_and_goes_back_only_when_asked(desk: Desk) -> None:
    order_id = await desk.order()
    for text in ("one", "two", "three"):
        await desk.say(desk.buyer, order_id, text)
    read, back = f"/v1/orders/{order_id}/read", f"/v1/orders/{order_id}/unread"
    status, problem, _ = await desk.post(desk.seller, read, {"up_to_seq": 4})
    assert (status, problem["code"], problem["last_seq"]) == (422, "message_not_found", 3)
    assert (await desk.post(desk.seller, read, {"up_to_seq": -1}))[0] == 422
    await desk.post(desk.seller, read, {"up_to_seq": 3})
    _, state, _ = await desk.post(desk.seller, read, {"up_to_seq": 1})
    assert (state["last_read_seq"], state["unread"]) == (3, 0)
    _, state, _ = await desk.post(desk.seller, back, {"from_seq": 2})
    assert (state["last_read_seq"], state["unread"]) == (1, 2)
    assert (await desk.post(desk.seller, back, {"from_seq": 4}))[0] == 422
    assert (await desk.post(desk.seller, back, {"from_seq": 0}))[0] == 422
    _, state, _ = await desk.post(desk.seller, back, {"from_seq": 3})
    assert state["last_read_seq"] == 1


async def test_reading_as_somebody_else_leaves_that_persons_cursor(desk: Desk) -> None:
    order_id = await desk.order()
    await desk.say(desk.buyer, order_id, "one")
    act = {"sub": str(new_id()), "name": "Olga", "reason": "support"}
    status, state, _ = await desk.post(desk.seller, f"/v1/orders/{order_id}/read", {"up_to_seq": 1}, act=act)
    assert (status, state["last_read_seq"]) == (200, 0)
    assert (await unread(desk, desk.seller))["total"] == 1


async def test_totals_are_the_sum_of_the_threads_and_of_the_orders(desk: Desk) -> None:
    chance = random.Random(4)
    orders = [await desk.order(number=f"ORD-{n}") for n in range(5)]
    expected: dict[UUID, int] = dict.fromkeys(orders, 0)
    for _ in range(30):
        order_id = chance.choice(orders)
        who = chance.choice([desk.buyer, desk.seller, desk.operator])
        await desk.say(who, order_id, "text")
        expected[order_id] += who is not desk.seller
        if chance.random() < 0.2:
            _, thread, _ = await desk.get(desk.seller, f"/v1/threads?order_id={order_id}")
            last = next(t["last_seq"] for t in thread["items"] if t["kind"] == "buyer_seller")
            await desk.post(desk.seller, f"/v1/orders/{order_id}/read", {"up_to_seq": last})
            expected[order_id] = 0
    await desk.say(desk.operator, orders[0], "and this", kind="seller_operator")
    expected[orders[0]] += 1

    totals = await unread(desk, desk.seller)
    assert totals["total"] == sum(expected.values())
    assert {UUID(o["order_id"]): o["unread"] for o in totals["orders"]} == {o: n for o, n in expected.items() if n}
    query = "&".join(f"order_ids={o}" for o in orders)
    _, named, _ = await desk.get(desk.seller, f"/v1/unread?{query}")
    assert {UUID(o["order_id"]): o["unread"] for o in named["orders"]} == expected
    _, page, _ = await desk.get(desk.seller, "/v1/threads?unread=true&limit=200")
    assert sum(t["unread"] for t in page["items"]) == totals["total"]
    assert len(page["items"]) == totals["threads"]


async def test_threads_are_listed_last_spoken_in_first_and_in_pages(desk: Desk) -> None:
    orders = [await desk.order() for _ in range(5)]
    silent = await desk.order()
    for order_id in (*orders, orders[1]):
        await desk.say(desk.buyer, order_id, "hello")
    wanted = [orders[1], orders[4], orders[3], orders[2], orders[0]]
    seen, cursor = [], ""
    while True:
        _, page, _ = await desk.get(desk.seller, f"/v1/threads?limit=2{cursor}")
        seen += [UUID(t["order_id"]) for t in page["items"]]
        assert all(t["last_message"]["text"] == "hello" for t in page["items"])
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == wanted
    assert silent not in seen
    assert (await desk.get(desk.seller, "/v1/threads?cursor=nonsense"))[1]["code"] == "invalid_cursor"


async def test_awaiting_reply_is_another_thing_than_unread(desk: Desk) -> None:
    order_id = await desk.order()

    async def awaited() -> str | None:
        _, page, _ = await desk.get(desk.operator, f"/v1/threads?order_id={order_id}")
        awaiting = next(t["awaiting_reply"] for t in page["items"] if t["kind"] == "buyer_seller")
        return awaiting and str(awaiting["side"])

    assert await awaited() is None
    first = await desk.say(desk.buyer, order_id, "when?")
    assert await awaited() == "seller"
    await desk.say(desk.buyer, order_id, "hello?")
    _, page, _ = await desk.get(desk.seller, "/v1/threads?awaiting=true")
    assert page["items"][0]["awaiting_reply"] == {"side": "seller", "since": first["posted_at"]}
    await desk.post(desk.seller, f"/v1/orders/{order_id}/read", {"up_to_seq": 2})
    totals = await unread(desk, desk.seller)
    assert (totals["total"], totals["awaiting_reply"]) == (0, 1)
    await desk.post(
        desk.seller, f"/v1/orders/{order_id}/messages", {"text": "we are on holiday", "automatic": True},
        api_key_id=new_id(), scopes=["*"], roles=[],
    )  # fmt: skip
    await desk.say(desk.operator, order_id, "I am looking into it")
    assert await awaited() == "seller"
    await desk.say(desk.operator, order_id, "tomorrow", on_behalf_of="seller")
    assert await awaited() == "buyer"
    assert (await unread(desk, desk.seller))["awaiting_reply"] == 0
    assert (await unread(desk, desk.buyer))["awaiting_reply"] == 1


async def test_an_operator_is_told_of_what_it_takes_part_in_and_may_look_at_the_rest(desk: Desk) -> None:
    watched, joined = await desk.order(), await desk.order()
    for order_id in (watched, joined):
        await desk.say(desk.buyer, order_id, "hello")
    assert (await unread(desk, desk.operator))["total"] == 0
    _, page, _ = await desk.get(desk.operator, "/v1/threads")
    assert {UUID(t["order_id"]) for t in page["items"]} == {watched, joined}
    await desk.say(desk.operator, joined, "can I help?")
    await desk.say(desk.buyer, joined, "yes")
    assert (await unread(desk, desk.operator))["total"] == 2
    await desk.say(desk.seller, watched, "a question", kind="seller_operator")
    assert (await unread(desk, desk.operator))["total"] == 3


async def test_lists_and_single_threads_agree_on_who_stands_where(desk: Desk) -> None:
    """`reached` in SQL and `Reach.side_of` in Python are one policy: every kind of caller, every kind of order."""
    both = Somebody("both", ("buyer", "seller"), "Inside")
    own = Party(organisation_id=both.organisation_id, name="Both", person_id=both.person_id)
    colleague = own.model_copy(update={"person_id": new_id()})
    nobody = own.model_copy(update={"person_id": None})
    outside = Party(organisation_id=new_id(), name="Outside", person_id=new_id())
    sides = [(own, own), (colleague, own), (nobody, own), (own, outside), (colleague, outside), (nobody, outside),
             (outside, own), (outside, outside)]  # fmt: skip
    orders = []
    for buyer, seller in sides:
        order_id = await desk.order(buyer=buyer, seller=seller)
        orders.append(order_id)
        await desk.say(desk.operator, order_id, "to everybody")
        await desk.say(desk.operator, order_id, "to the seller", kind="seller_operator")
    query = "&".join(f"order_ids={o}" for o in orders)
    for kind in ("both", "buyer", "seller"):
        for roles in (("buyer",), ("seller",), ("buyer", "seller"), ("member",), ("approver",), ("buyer", "admin"), ()):
            who = Somebody(kind, roles, "X", both.organisation_id, both.person_id)
            _, page, _ = await desk.get(who, "/v1/threads?limit=200")
            listed = [(UUID(t["order_id"]), t["unread"]) for t in page["items"]]
            _, named, _ = await desk.get(who, f"/v1/unread?{query}")
            single = {UUID(o["order_id"]): o["unread"] for o in named["orders"]}
            by_order = {o: sum(n for listed_order, n in listed if listed_order == o) for o, _ in listed}
            assert by_order == single, (kind, roles)
            assert named["total"] == sum(by_order.values()), (kind, roles)
