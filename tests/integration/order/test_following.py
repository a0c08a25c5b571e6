"""What channels say of their orders is followed into the ten statuses, with the channel's own words kept."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.order.conftest import MakeMarket
from tests.integration.order.market import Market

STATUSES = {"ReimbursementPending": "refunding", "Reimbursed": "refunded"}


async def _market(make_market: MakeMarket, **channel: Any) -> Market:
    market = await make_market(lifecycle="lengow", currency="EUR")
    config = {"lifecycle": "lengow", "statuses": STATUSES, "can_refund": True} | channel
    reply = await market.call("PUT", "/v1/channels/zalando", market.operator, config)
    assert reply.status == 200, reply.raw
    return market


async def _said(market: Market, body: Any, status: str) -> Any:
    reply = await market.call("POST", "/v1/orders", market.operator, body | {"external_status": status})
    assert reply.status in (200, 201), reply.raw
    (order,) = reply.json["orders"]
    return order | {"warnings": reply.json["warnings"]}


@pytest.mark.parametrize("raw", ["cancelled", "Canceled", "CANCELLED"])
async def test_what_the_channel_cancels_was_not_refused_by_the_seller(make_market: MakeMarket, raw: str) -> None:
    market = await _market(make_market)
    body = market.order("10.00", channel="zalando", external_id="Z-1")
    await market.place(body)
    order = await _said(market, body, raw)
    assert (order["status"], order["cancel_kind"], order["external_status"]) == ("canceled", "canceled", raw)
    topics = [t for t, _ in await market.events(order)]
    assert topics.count("order.created") == topics.count("order.canceled") == 1


async def test_a_status_that_goes_on_by_itself_is_followed_without_a_word(make_market: MakeMarket) -> None:
    """Page: any new order appears in "New", and then advances by itself."""
    market = await _market(make_market)
    body = market.order("10.00", channel="zalando", external_id="Z-1")
    order = await _said(market, body, "New")
    assert (order["status"], order["external_status"], order["warnings"]) == ("waiting_acceptance", "New", [])
    order = await _said(market, body, "accepted")
    assert (order["status"], order["warnings"]) == ("awaiting_shipment", [])
    order = await _said(market, body, "ACCEPTED")
    assert (order["external_status"], order["warnings"]) == ("ACCEPTED", [])
    (warning,) = (await _said(market, body, "new"))["warnings"]
    assert "cannot go on to new" in warning


@pytest.mark.parametrize(
    ("raw", "status"), [("declined", "refused"), ("dispatched", "shipped"), ("Delivered", "closed")]
)
async def test_words_that_channels_use_are_known(make_market: MakeMarket, raw: str, status: str) -> None:
    market = await _market(make_market)
    body = market.order("10.00", channel="zalando", external_id="Z-1")
    await market.place(body)
    assert (await _said(market, body, raw))["status"] == status


async def test_a_channel_that_refunds_is_followed_to_refunding_and_refunded(make_market: MakeMarket) -> None:
    market = await _market(make_market)
    body = market.order("10.00", channel="zalando", external_id="Z-1", paid=True)
    await market.place(body)
    order = await _said(market, body, "ReimbursementPending")
    assert (order["status"], order["status_label"], order["money"]) == ("canceled", "Refunding", "refunding")
    order = await _said(market, body, "Reimbursed")
    assert (order["status_label"], order["money"], order["external_status"]) == ("Refunded", "refunded", "Reimbursed")
    assert [t["status"] for t in order["status_times"]][-2:] == ["refunding", "refunded"]
    again = await _said(market, body, "Reimbursed")
    assert (again["sequence"], again["warnings"]) == (order["sequence"], [])
    events = await market.events(order)
    assert [e["sequence"] for _, e in events] == list(range(1, len(events) + 1))
    assert [t for t, _ in events].count("order.refunded") == 2
    for query in ("status=refunded", "money=refunded"):
        listed = await market.call("GET", f"/v1/orders?{query}", market.seller)
        assert [o["order_id"] for o in listed.json["items"]] == [order["order_id"]]


async def test_an_order_that_arrives_refunded_is_so_at_once(make_market: MakeMarket) -> None:
    market = await _market(make_market)
    body = market.order("10.00", channel="zalando", external_id="Z-1", paid=True)
    order = await _said(market, body, "refunded")
    assert (order["status"], order["status_label"], order["totals"]["refunded"]["amount"]) == (
        "canceled", "Refunded", "20.00"
    )  # fmt: skip


async def test_a_refund_that_cannot_be_followed_is_told_and_the_words_are_kept(make_market: MakeMarket) -> None:
    market = await _market(make_market)
    body = market.order("10.00", channel="zalando", external_id="Z-1")
    await market.place(body)
    order = await _said(market, body, "Reimbursed")
    assert (order["status"], order["external_status"], order["money"]) == ("canceled", "Reimbursed", "unpaid")
    assert "nothing has been paid" in order["warnings"][0]


async def test_refunds_of_a_channel_are_asked_for_by_the_refund_address_too(make_market: MakeMarket) -> None:
    market = await _market(make_market)
    body = market.order("10.00", channel="zalando", external_id="Z-1", paid=True)
    order = await market.place(body)
    path = f"/v1/orders/{order['order_id']}/refunds"
    early = await market.call("POST", path, market.seller, {})
    assert (early.status, early.code) == (409, "wrong_state")
    await market.done(order, "refuse", market.seller)
    asked = await market.call("POST", path, market.seller, {"reason": "sold out"})
    assert (asked.status, asked.json["status_label"]) == (201, "Refunding")
    part = {"amount": {"amount": "1.00", "currency": "EUR"}}
    assert (await market.call("POST", path, market.seller, part)).status in (409, 422)
    done = await market.done(order, "refund_done", market.operator)
    assert done["status_label"] == "Refunded"


@pytest.mark.parametrize(
    ("lifecycle", "who", "status", "kind"),
    [
        ("storefront", "operator", "canceled", "canceled"), ("loopfront", "seller", "canceled", "canceled"),
        ("marketpush", "operator", "canceled", "canceled"), ("marketpush", "seller", "canceled", "canceled"),
        ("supplier", "seller", "declined", "rejected"),
    ],
)  # fmt: skip
async def test_an_order_that_was_canceled_at_its_source_arrives_canceled(
    make_market: MakeMarket, lifecycle: str, who: str, status: str, kind: str
) -> None:
    """In lifecycles that follow no channel, whoever hands it in ends it: it must not wait to be fulfilled."""
    market = await make_market(lifecycle=lifecycle)
    listing = await market.listing(available="5")
    body = market.order(channel="shop", external_id="S-1", external_status="cancelled")
    body["lines"][0]["listing_id"] = listing["listing_id"]
    someone = getattr(market, who)
    order = await market.place(body, someone)
    assert (order["status"], order["cancel_kind"], order["external_status"]) == (status, kind, "cancelled")
    events = await market.events(order)
    assert [t for t, _ in events] == ["order.created", "order.canceled"]
    assert [e["sequence"] for _, e in events] == [1, 2]
    assert events[-1][1]["change"]["actor"]["name"] == someone.name
    kept = await market.call("GET", f"/v1/listings/{listing['listing_id']}", market.seller)
    assert kept.json["available"] == "5"
    again = await market.call("POST", "/v1/orders", someone, body)
    assert (again.status, again.json["warnings"], again.json["orders"][0]["sequence"]) == (200, [], 2)


@pytest.mark.parametrize(
    ("lifecycle", "who", "could"),
    [("storefront", "seller", "operator"), ("loopfront", "operator", "seller"), ("supplier", "operator", "seller")],
)
async def test_a_canceled_order_that_its_submitter_may_not_end_is_refused(
    make_market: MakeMarket, lifecycle: str, who: str, could: str
) -> None:
    market = await make_market(lifecycle=lifecycle)
    body = market.order(channel="shop", external_id="S-1", external_status="Cancelled")
    reply = await market.call("POST", "/v1/orders", getattr(market, who), body)
    assert (reply.status, reply.code) == (409, "canceled_at_source")
    assert could in reply.json["detail"]
    assert await market.rows("SELECT 1 FROM orders WHERE marketplace_id = $1", market.id) == []


async def test_a_channel_without_a_lifecycle_of_its_own_maps_to_states_that_there_are(make_market: MakeMarket) -> None:
    market = await make_market(lifecycle="storefront")
    wrong = await market.call("PUT", "/v1/channels/web", market.operator, {"statuses": {"SENT": "shiped"}})
    assert (wrong.status, [e["field"] for e in wrong.json["errors"]]) == (422, ["statuses.SENT"])
    for state in ("shipped", "awaiting_shipment", "refunding"):
        told = await market.call("PUT", "/v1/channels/web", market.operator, {"statuses": {"SENT": state}})
        assert told.status == 200, told.raw
