"""The owner mediates: replacements, exchanges, cancellation requests, and what they do to stock and money."""

from __future__ import annotations

from typing import Any

from tests.integration.order.market import Market


async def _sent(market: Market, listing: Any, quantity: str = "2") -> Any:
    (order,) = (await market.buy(listing, quantity)).json["orders"]
    await market.done(order, "record_payment", market.operator)
    await market.done(order, "process", market.seller)
    return await market.done(order, "ship", market.seller, {"carrier": "DHL"})


async def _stock(market: Market, listing: Any) -> tuple[str, str]:
    seen = (await market.call("GET", f"/v1/listings/{listing['listing_id']}", market.seller)).json
    return seen["on_hand"], seen["reserved"]


async def test_what_was_lost_is_sent_again_free_of_charge_and_linked(market: Market) -> None:
    listing = await market.listing(available="5")
    order = await _sent(market, listing)
    refused = await market.act(order, "reship", market.operator)
    assert (refused.status, refused.code) == (409, "has_issue")
    told = await market.done(order, "report_problem", market.buyer, {"reason_code": "lost_in_transit"})
    assert told["issue"] == "open"
    # it is not on sale any more, and still replaced
    body = {"sku": listing["sku"], "name": "x", "price": listing["price"], "available": "3", "active": False}
    assert (await market.call("PUT", f"/v1/listings/{listing['listing_id']}", market.seller, body)).status == 200
    assert (await market.act(order, "reship", market.seller)).status == 403
    mended = await market.done(order, "reship", market.operator, {"note": "sorry"})
    (made,) = mended["placed"]
    assert (mended["issue"], mended["payout_held"], mended["status"]) == ("resolved", False, "shipped")
    assert mended["issues"][0]["resolution"] == "reship: sorry"
    entries = (await market.call("GET", f"/v1/orders/{order['order_id']}/timeline", market.buyer)).json["items"]
    assert entries[-1]["details"]["placed"] == [made], "the order says what was sent in its place"
    topic, event = (await market.events(order))[-1]
    assert (topic, event["change"]["details"]["placed"]) == ("order.disputed", [made])
    again = await market.get(made, market.buyer)
    assert (again["replaces_order_id"], again["status"], again["money"]) == (order["order_id"], "pending", "paid")
    assert (again["totals"]["total"]["amount"], again["lines"][0]["ordered"]) == ("0.00", "2")
    assert again["customer"] == order["customer"]
    assert await _stock(market, listing) == ("3", "2")
    assert (await market.act(order, "reship", market.operator)).status == 409
    topics = [t for t, _ in await market.events(made)]
    assert topics == ["order.created"]


async def test_what_comes_of_an_order_is_its_buyers_whatever_the_channels_default(market: Market) -> None:
    config = {"default_buyer": str(market.other_outlet.organisation_id)}
    assert (await market.call("PUT", "/v1/channels/web", market.operator, config)).status == 200
    order = await market.place(market.order(channel="web", external_id="W-1"))
    assert order["buyer"]["name"] == "Outlet"
    await market.done(order, "process", market.seller)
    await market.done(order, "ship", market.seller)
    await market.done(order, "report_problem", market.buyer_admin, {"reason_code": "lost_in_transit"})
    (made,) = (await market.done(order, "reship", market.operator))["placed"]
    assert (await market.get(made, market.buyer_admin))["buyer"]["name"] == "Outlet"
    assert (await market.call("GET", f"/v1/orders/{made['order_id']}", market.buyer2)).status == 404


async def test_a_replacement_that_is_not_in_stock_changes_nothing(market: Market) -> None:
    listing = await market.listing(available="2")
    order = await _sent(market, listing)
    order = await market.done(order, "report_problem", market.buyer, {"reason_code": "lost_in_transit"})
    refused = await market.act(order, "reship", market.operator)
    assert (refused.status, refused.code) == (409, "out_of_stock")
    seen = await market.get(order, market.operator)
    assert (seen["sequence"], seen["issue"]) == (order["sequence"], "open")


async def test_what_is_exchanged_comes_back_to_the_shelf(market: Market) -> None:
    listing = await market.listing(available="5")
    order = await _sent(market, listing)
    order = await market.done(order, "report_problem", market.buyer, {"reason_code": "not_as_described"})
    part = [{"line_id": order["lines"][0]["line_id"], "quantity": "1"}]
    mended = await market.done(order, "exchange", market.operator, {"lines": part})
    assert (await market.get(mended["placed"][0], market.operator))["lines"][0]["ordered"] == "1"
    await market.done(order, "record_return", market.seller, {"lines": part})
    assert await _stock(market, listing) == ("4", "1")
    too_many = await market.act(order, "record_return", market.seller, {"lines": [part[0] | {"quantity": "2"}]})
    assert too_many.status == 422


async def test_a_problem_is_settled_by_the_refund_that_answers_it(market: Market) -> None:
    order = await _sent(market, await market.listing(available="5"))
    order = await market.done(order, "report_problem", market.buyer, {"reason_code": "not_as_described"})
    issue_id = order["issues"][0]["issue_id"]
    params = {"amount": {"amount": "10.00", "currency": "USD"}, "issue_id": issue_id}
    refunded = await market.done(order, "refund", market.operator, params)
    assert (refunded["issue"], refunded["issues"][0]["resolution"]) == ("resolved", "refund")
    topics = [t for t, _ in await market.events(order)]
    assert topics[-2:] == ["order.refunded", "order.disputed"]


async def test_a_cancellation_is_asked_for_and_decided_once(market: Market) -> None:
    listing = await market.listing(available="5")
    (order,) = (await market.buy(listing, "2")).json["orders"]
    denied = await market.act(order, "cancel", market.seller)
    assert (denied.status, "request a cancellation" in denied.json["detail"]) == (403, True)
    asked = await market.done(order, "request_cancellation", market.buyer, {"note": "wrong size"})
    assert (asked["status"], asked["issue"], asked["issues"][0]["state"]) == ("pending", "none", "open")
    twice = await market.act(order, "request_cancellation", market.seller)
    assert (twice.status, twice.code) == (409, "no_active_issue")
    declined = await market.done(order, "decline_cancellation", market.operator, {"note": "packed"})
    assert declined["issues"][0]["state"] == "declined"
    await market.done(order, "request_cancellation", market.seller)
    assert (await market.act(order, "approve_cancellation", market.seller)).status == 403
    approved = await market.done(order, "approve_cancellation", market.operator)
    assert (approved["status"], approved["issues"][1]["resolution"]) == ("canceled", "approved")
    assert await _stock(market, listing) == ("5", "0")
    assert [t for t, _ in await market.events(order)].count("order.canceled") == 1
