"""Placing over HTTP: what an order becomes, that it becomes one only, and who may say what about it."""

from __future__ import annotations

import asyncio

from tests.integration.order.market import Market, Somebody, organisation


async def test_an_order_is_placed_and_told_of(market: Market) -> None:
    order = await market.place(market.order("10.00", "2.50"))
    assert order["status"] == "pending"
    assert order["totals"]["total"] == {"amount": "25.00", "currency": "USD"}
    assert order["number"] == "ORD-1001"
    assert (order["buyer"]["name"], order["seller"]["name"]) == ("Outlet", "Shop")
    ((topic, event),) = await market.events(order)
    assert topic == "order.created"
    assert event["sequence"] == 1
    assert event["order"]["totals"]["total"]["amount"] == "25.00"


async def test_several_sellers_make_one_purchase_of_several_orders(market: Market) -> None:
    body = market.order("10.00", "1.00", "5.00")
    body["lines"][1]["seller"] = "other-shop"
    body |= {"shipping": {"amount": "1.00", "currency": "USD"}, "total": {"amount": "33.01", "currency": "USD"}}
    reply = await market.call("POST", "/v1/orders", market.operator, body)
    assert reply.status == 201
    first, second = reply.json["orders"]
    assert {o["purchase_id"] for o in (first, second)} == {reply.json["purchase_id"]}
    assert [o["seller"]["name"] for o in (first, second)] == ["Shop", "Other-Shop"]
    assert [o["number"] for o in (first, second)] == ["ORD-1001", "ORD-1002"]
    totals = [o["totals"]["total"]["amount"] for o in (first, second)]
    assert sum(float(t) for t in totals) == 33.01
    assert "adjustment" in reply.json["warnings"][0]


async def test_the_same_key_and_body_give_the_same_answer(market: Market) -> None:
    first = await market.call("POST", "/v1/orders", market.operator, market.order(), key="k-1")
    again = await market.call("POST", "/v1/orders", market.operator, market.order(), key="k-1")
    assert (first.status, again.status) == (201, 201)
    assert again.raw == first.raw
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await market.call("POST", "/v1/orders", market.operator, market.order("11.00"), key="k-1")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert len(await market.rows("SELECT 1 FROM orders WHERE marketplace_id = $1", market.id)) == 1


async def test_the_same_key_at_once_places_one_order(market: Market) -> None:
    replies = await asyncio.gather(
        *(market.call("POST", "/v1/orders", market.operator, market.order(), key="k-2") for _ in range(16))
    )
    assert {r.status for r in replies} <= {201, 409}
    assert {r.code for r in replies if r.status == 409} <= {"idempotency_in_flight"}
    assert len({r.raw for r in replies if r.status == 201}) == 1
    assert len(await market.rows("SELECT 1 FROM orders WHERE marketplace_id = $1", market.id)) == 1


async def test_a_key_is_answered_alike_even_when_the_listing_has_sold_out_since(market: Market) -> None:
    listing = await market.listing(available="1")
    first = await market.buy(listing, key="k-3")
    assert first.status == 201
    assert (await market.buy(listing, key="k-4")).code == "out_of_stock"
    again = await market.buy(listing, key="k-3")
    assert (again.status, again.raw) == (201, first.raw)


async def test_an_external_id_is_one_order(market: Market) -> None:
    body = market.order(external_id="A-1", channel="shopify")
    first = await market.call("POST", "/v1/orders", market.operator, body)
    again = await market.call("POST", "/v1/orders", market.operator, body)
    assert (first.status, again.status) == (201, 200)
    assert again.json["orders"][0]["order_id"] == first.json["orders"][0]["order_id"]
    elsewhere = await market.call("POST", "/v1/orders", market.operator, body | {"channel": "peppol"})
    assert elsewhere.status == 201


async def test_an_external_id_with_other_content_is_a_conflict(market: Market) -> None:
    first = await market.place(market.order("10.00", external_id="A-1", channel="shopify"))
    other = await market.call(
        "POST", "/v1/orders", market.operator, market.order("10.01", external_id="A-1", channel="shopify")
    )
    assert (other.status, other.code) == (409, "external_id_conflict")
    assert other.json["order_ids"] == [first["order_id"]]
    assert (await market.get(first, market.operator))["sequence"] == 1


async def test_an_external_id_at_once_is_one_order(market: Market) -> None:
    body = market.order(external_id="A-2", channel="shopify")
    replies = await asyncio.gather(*(market.call("POST", "/v1/orders", market.operator, body) for _ in range(12)))
    assert sorted(r.status for r in replies) == [200] * 11 + [201]
    assert len({r.json["orders"][0]["order_id"] for r in replies}) == 1


async def test_amounts_count_by_value_not_by_how_they_are_written(market: Market) -> None:
    body = market.order("10.00", external_id="A-3", channel="shopify")
    await market.place(body)
    body["lines"][0]["quantity"] = "2.0"
    body["lines"][0]["unit_price"]["amount"] = "10.0"
    again = await market.call("POST", "/v1/orders", market.operator, body)
    assert again.status == 200


async def test_another_sellers_external_id_is_not_told_apart(market: Market) -> None:
    body = market.order(external_id="A-4", channel="shopify")
    await market.place(body)
    reply = await market.call("POST", "/v1/orders", market.seller2, body)
    assert (reply.status, reply.code) == (409, "external_id_taken")


async def test_a_buyer_orders_from_a_listing_at_its_price(market: Market) -> None:
    listing = await market.listing(price={"amount": "25.00", "currency": "USD"}, available="10")
    reply = await market.buy(listing, "3")
    assert reply.status == 201
    (order,) = reply.json["orders"]
    assert order["totals"]["total"]["amount"] == "75.00"
    assert order["buyer"]["person_id"] == str(market.buyer.person_id)
    assert "commission" not in order
    seen = await market.call("GET", f"/v1/listings/{listing['listing_id']}", market.seller)
    assert (seen.json["available"], seen.json["reserved"], seen.json["on_hand"]) == ("7", "3", "10")


async def test_a_buyer_states_no_prices(market: Market) -> None:
    listing = await market.listing()
    line = {"listing_id": listing["listing_id"], "quantity": "1"}
    for more in (
        {"lines": [line | {"unit_price": {"amount": "0.01", "currency": "USD"}}]},
        {"lines": [line | {"net": {"amount": "0.01", "currency": "USD"}}]},
        {"total": {"amount": "0.01", "currency": "USD"}},
        {"discount": {"amount": "24.00", "currency": "USD"}},
        {"paid": True},
        {"external_id": "mine", "channel": "shopify"},
        {"lifecycle": "supplier"},
    ):
        body = {"currency": "USD", "customer": {"name": "J"}, "lines": [line]} | more
        reply = await market.call("POST", "/v1/orders", market.buyer, body)
        assert (reply.status, reply.code) == (422, "bad_order"), more
        assert reply.json["errors"]


async def test_a_seller_brings_in_its_own_orders_only(market: Market) -> None:
    mine = await market.call("POST", "/v1/orders", market.seller, market.order())
    assert mine.status == 201
    theirs = market.order()
    theirs["lines"][0]["seller"] = "other-shop"
    assert (await market.call("POST", "/v1/orders", market.seller, theirs)).status == 422


async def test_parties_that_are_unknown_are_refused_or_stood_in_for(market: Market) -> None:
    body = market.order(buyer="nobody-here")
    refused = await market.call("POST", "/v1/orders", market.operator, body)
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "buyer")

    config = {
        "default_buyer": str(market.other_outlet.organisation_id),
        "default_seller": str(market.other_shop.organisation_id),
    }
    put = await market.call("PUT", "/v1/channels/peppol", market.operator, config)
    assert put.status == 200, put.raw
    body = market.order(buyer="0088:999", channel="peppol", external_id="x/y/1")
    body["lines"][0]["seller"] = "0192:111"
    order = await market.place(body)
    assert order["buyer"]["name"] == "Other-Outlet"
    assert order["seller"]["name"] == "Other-Shop"
    assert order["attributes"] == {"buyer party": "0088:999", "seller party": "0192:111"}


async def test_whoever_buys_buys_for_its_own_organisation(market: Market) -> None:
    config = {"default_buyer": str(market.other_outlet.organisation_id)}
    assert (await market.call("PUT", "/v1/channels/direct", market.operator, config)).status == 200
    (bought,) = (await market.buy(await market.listing())).json["orders"]
    assert (bought["buyer"]["name"], bought["buyer"]["person_name"]) == ("Outlet", "Bea Buyer")


async def test_whoever_buys_for_an_organisation_that_is_not_known_yet_comes_again(market: Market) -> None:
    fresh = Somebody(organisation("fresh", "buyer"), ("buyer",), "Fay Fresh")
    early = await market.buy(await market.listing(), who=fresh)
    assert (early.status, early.code) == (503, "organisation_unknown")
    assert await market.rows("SELECT 1 FROM orders WHERE marketplace_id = $1", market.id) == []


async def test_parties_are_found_by_their_external_ids(market: Market) -> None:
    body = market.order(buyer="0088:7300010000001", channel="peppol", external_id="x/y/2")
    body["lines"][0]["seller"] = "0192:987654325"
    order = await market.place(body)
    assert (order["buyer"]["name"], order["seller"]["name"]) == ("Outlet", "Shop")


async def test_commission_is_the_sellers_and_the_channels_goes_first(market: Market) -> None:
    order = await market.place(market.order("10.00"))
    assert order["commission"]["amount"]["amount"] == "2.00"
    await market.call("PUT", "/v1/channels/cheap", market.operator, {"commission_rate": "0.05"})
    order = await market.place(market.order("10.00", channel="cheap", external_id="c-1"))
    assert order["commission"]["amount"]["amount"] == "1.00"


async def test_fractional_quantities_are_exact(market: Market) -> None:
    body = market.order()
    body["lines"] = [
        {"sku": "K", "name": "Apples", "quantity": "2.5", "unit_code": "KGM", "seller": "shop",
         "unit_price": {"amount": "1.99", "currency": "USD"}}
    ]  # fmt: skip
    order = await market.place(body)
    assert (order["lines"][0]["ordered"], order["lines"][0]["net"]["amount"]) == ("2.5", "4.98")


async def test_other_currencies_have_their_own_minor_units(market: Market) -> None:
    body = market.order()
    body["currency"] = "JPY"
    body["lines"] = [
        {
            "sku": "Y",
            "name": "Tea",
            "quantity": "3",
            "seller": "shop",
            "unit_price": {"amount": "120", "currency": "JPY"},
        }
    ]
    order = await market.place(body)
    assert order["totals"]["total"] == {"amount": "360", "currency": "JPY"}


async def test_a_stated_tax_that_the_lines_contradict_is_told(market: Market) -> None:
    body = market.order(tax={"amount": "1.00", "currency": "USD"})
    silent = (await market.call("POST", "/v1/orders", market.operator, body)).json
    assert (silent["orders"][0]["totals"]["tax"]["amount"], silent["warnings"]) == ("1.00", [])
    body["lines"][0]["tax"] = {"amount": "2.00", "currency": "USD"}
    stated = (await market.call("POST", "/v1/orders", market.operator, body)).json
    assert stated["orders"][0]["totals"]["tax"]["amount"] == "2.00"
    assert stated["warnings"] == ["the stated tax 1.00 USD is not kept: the lines state 2.00"]
