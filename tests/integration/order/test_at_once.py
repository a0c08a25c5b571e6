"""Many at once: nothing is sold twice, no change is lost, numbers have no doubles."""

from __future__ import annotations

import asyncio

from tests.integration.order.conftest import MakeMarket
from tests.integration.order.market import Market, Reply, Somebody


async def test_the_last_item_goes_to_one_of_64_buyers(market: Market) -> None:
    listing = await market.listing(available="1")
    buyers = [Somebody(market.outlet, ("buyer",), f"Buyer {n}") for n in range(64)]
    replies = await asyncio.gather(*(market.buy(listing, "1", who) for who in buyers))
    assert sorted(r.status for r in replies) == [201] + [409] * 63
    assert {r.code for r in replies if r.status == 409} == {"out_of_stock"}
    ((on_hand, reserved),) = await market.rows(
        "SELECT on_hand, reserved FROM listing WHERE marketplace_id = $1", market.id
    )
    assert (on_hand, reserved) == (1, 1)
    assert len(await market.rows("SELECT 1 FROM orders WHERE marketplace_id = $1", market.id)) == 1
    assert len(await market.rows("SELECT 1 FROM outbox WHERE marketplace_id = $1", market.id)) == 1


async def test_orders_of_the_same_two_listings_do_not_lock_each_other_out(market: Market) -> None:
    a, b = [await market.listing(available="40") for _ in range(2)]

    def body(*listings: dict[str, str]) -> dict[str, object]:
        lines = [{"listing_id": x["listing_id"], "quantity": "1"} for x in listings]
        return {"currency": "USD", "customer": {"name": "J"}, "lines": lines}

    bodies = [body(a, b) if n % 2 else body(b, a) for n in range(40)]
    replies = await asyncio.gather(*(market.call("POST", "/v1/orders", market.buyer, x) for x in bodies))
    assert {r.status for r in replies} == {201}
    numbers = [o["number"] for r in replies for o in r.json["orders"]]
    assert len(set(numbers)) == 40


async def test_of_two_who_act_at_once_one_wins(market: Market) -> None:
    for _ in range(5):
        order = await market.place()
        replies = await asyncio.gather(
            *(market.act(order, "process", who) for who in (market.seller, market.admin, market.member)),
            market.act(order, "cancel", market.operator),
        )
        won = [r for r in replies if r.status == 200]
        lost = [r for r in replies if r.status != 200]
        # processing may still be followed by the operator's cancellation; what was canceled is not processed
        assert 1 <= len(won) <= 2
        assert {r.status for r in lost} == {409}
        assert all(r.json["current"]["sequence"] >= 2 for r in lost)
        sequences = [e["sequence"] for _, e in await market.events(order)]
        assert sequences == list(range(1, len(won) + 2))


async def test_with_if_match_exactly_one_of_many_wins(market: Market) -> None:
    order = await market.place()
    replies = await asyncio.gather(
        *(
            market.act(order, "add_note", market.seller, {"text": f"note {n}"}, headers={"if-match": '"1"'})
            for n in range(8)
        )
    )
    assert sorted(r.status for r in replies) == [200] + [412] * 7
    assert len((await market.get(order, market.seller))["notes"]) == 1


async def test_the_same_action_with_the_same_key_happens_once(market: Market) -> None:
    order = await market.place()
    replies = await asyncio.gather(
        *(market.act(order, "add_note", market.seller, {"text": "once"}, key="note-1") for _ in range(8))
    )
    assert {r.status for r in replies} <= {200, 409}
    assert len({r.raw for r in replies if r.status == 200}) == 1
    assert len((await market.get(order, market.seller))["notes"]) == 1


async def test_units_go_to_one_order_only(market: Market) -> None:
    listing = await market.listing(tracked=True, available=None, units=["QR-1", "QR-2"])
    orders = []
    for _ in range(2):
        (order,) = (await market.buy(listing, "1")).json["orders"]
        orders.append(await market.done(order, "process", market.seller))
    units = (await market.call("GET", f"/v1/listings/{listing['listing_id']}/units", market.seller)).json["items"]
    wanted = units[0]["id"]
    replies = await asyncio.gather(
        *(
            market.act(
                o, "select_units", market.seller,
                {"units": [{"line_id": o["lines"][0]["line_id"], "unit_ids": [wanted]}]},
            )
            for o in orders
        )
    )  # fmt: skip
    assert sorted(r.status for r in replies)[0] == 200
    assert sorted(r.status for r in replies)[1] in (409, 422)
    taken = await market.rows("SELECT order_id FROM listing_unit WHERE id = $1", wanted)
    assert str(taken[0]["order_id"]) in {o["order_id"] for o in orders}


async def test_a_listing_is_not_sold_below_zero_by_edits_and_orders_together(market: Market) -> None:
    listing = await market.listing(available="5")
    body = {"sku": listing["sku"], "name": "x", "price": listing["price"], "available": "5"}

    async def edit() -> int:
        reply = await market.call("PUT", f"/v1/listings/{listing['listing_id']}", market.seller, body)
        return reply.status

    replies = await asyncio.gather(*(market.buy(listing, "1") for _ in range(12)), *(edit() for _ in range(6)))
    placed = [r for r in replies if isinstance(r, Reply) and r.status == 201]
    assert len(placed) == 5
    ((reserved,),) = await market.rows("SELECT reserved FROM listing WHERE marketplace_id = $1", market.id)
    assert reserved == 5


async def test_no_more_is_accepted_by_itself_than_the_buffer_leaves(make_market: MakeMarket) -> None:
    market = await make_market(lifecycle="lengow")
    listing = await market.listing(available="10")
    config = {"auto_accept": True, "buffer": "5", "default_seller": str(market.shop.organisation_id)}
    assert (await market.call("PUT", "/v1/channels/zalando", market.operator, config)).status == 200
    line = {"sku": listing["sku"], "quantity": "1", "unit_price": {"amount": "25.00", "currency": "USD"}}
    bodies = [market.order(lines=[line], channel="zalando", external_id=f"z-{n}") for n in range(24)]
    replies = await asyncio.gather(*(market.call("POST", "/v1/orders", market.operator, x) for x in bodies))
    assert {r.status for r in replies} == {201}
    found = [r.json["orders"][0]["status"] for r in replies]
    assert (found.count("awaiting_shipment"), found.count("waiting_acceptance")) == (5, 19)


async def test_64_refunds_at_once_never_give_back_more_than_was_paid(market: Market) -> None:
    order = await market.place(market.order("10.00", paid=True))
    body = {"amount": {"amount": "3.00", "currency": "USD"}}
    replies = await asyncio.gather(
        *(market.call("POST", f"/v1/orders/{order['order_id']}/refunds", market.operator, body) for _ in range(64))
    )
    assert sorted(r.status for r in replies) == [201] * 6 + [409] * 58
    assert {r.code for r in replies if r.status == 409} == {"refund_exceeds_paid"}
    assert all(r.json["current"]["sequence"] == 7 for r in replies if r.status == 409)
    seen = await market.done(order, "refund", market.operator)
    assert (seen["totals"]["refunded"]["amount"], seen["money"]) == ("20.00", "refunded")
    assert seen["commission"]["reversed"] == seen["commission"]["amount"]
    assert [e["sequence"] for _, e in await market.events(order)] == list(range(1, 9))
