"""Organisations that buy and sell: they state prices for what they sell, and buy from others as any buyer does."""

from __future__ import annotations

from typing import Any

from tests.integration.order.conftest import MakeMarket
from tests.integration.order.market import Market, Somebody, organisation


async def _market(make_market: MakeMarket) -> tuple[Market, Somebody]:
    market = await make_market(lifecycle="loopfront", currency="NOK")
    market.trader = Somebody(organisation("trader", "both"), ("member",), "Tess Trader")  # type: ignore[attr-defined]  # one more person than there usually are
    await market.open()
    return market, market.trader  # type: ignore[attr-defined]  # one more person than there usually are


async def test_who_buys_and_sells_states_no_price_for_what_others_sell(make_market: MakeMarket) -> None:
    market, trader = await _market(make_market)
    body: dict[str, Any] = market.order("0.01", buyer="trader", paid=True)
    refused = await market.call("POST", "/v1/orders", trader, body)
    assert refused.status == 422
    fields = {e["field"] for e in refused.json["errors"]}
    assert {"paid", "lines.0.unit_price"} <= fields
    listing = await market.listing()
    cheap = {"listing_id": listing["listing_id"], "quantity": "1", "unit_price": {"amount": "0.01", "currency": "NOK"}}
    refused = await market.call("POST", "/v1/orders", trader, body | {"paid": False, "lines": [cheap]})
    assert {e["field"] for e in refused.json["errors"]} == {"lines.0.unit_price"}
    mixed = body["lines"] + [body["lines"][0] | {"seller": "trader"}]
    assert (await market.call("POST", "/v1/orders", trader, body | {"lines": mixed})).status == 422
    (bought,) = (await market.buy(listing, "2", trader)).json["orders"]
    assert (bought["totals"]["total"]["amount"], bought["buyer"]["name"]) == ("50.00", "Trader")
    assert await market.rows("SELECT count(*) FROM orders WHERE marketplace_id = $1", market.id) == [(1,)]


async def test_who_buys_and_sells_brings_in_what_it_sells(make_market: MakeMarket) -> None:
    market, trader = await _market(make_market)
    body = market.order("7.00", buyer="outlet", paid=True, external_id="T-1", channel="fair")
    body["lines"][0]["seller"] = "trader"
    order = await market.place(body, trader)
    assert (order["seller"]["name"], order["money"], order["totals"]["total"]["amount"]) == ("Trader", "paid", "14.00")
    own = {k: v for k, v in body.items() if k not in ("buyer", "external_id", "channel")}
    internal = await market.place(own, trader)
    assert internal["buyer"]["organisation_id"] == internal["seller"]["organisation_id"]


async def test_only_the_seller_and_the_operator_say_how_far_a_channels_order_has_got(make_market: MakeMarket) -> None:
    market, trader = await _market(make_market)
    body = market.order("7.00", buyer="trader", external_id="T-2", channel="fair")
    order = await market.place(body)
    refused = await market.call("POST", "/v1/orders", trader, body | {"paid": True})
    assert (refused.status, refused.code) == (409, "external_id_taken")
    assert (await market.get(order, market.operator))["money"] == "unpaid"
    told = await market.call("POST", "/v1/orders", market.seller, body | {"paid": True})
    assert (told.status, told.json["orders"][0]["money"]) == (200, "paid")


async def test_where_it_goes_is_told_though_nobody_said(make_market: MakeMarket) -> None:
    market, trader = await _market(make_market)
    (order,) = (await market.buy(await market.listing(), "1", trader)).json["orders"]
    assert order["customer"]["shipping_address"] == {"name": "Trader", "line1": "trader yard"}
    channels = await market.place(market.order("7.00", external_id="T-3", channel="fair"))
    assert "shipping_address" not in channels["customer"]
