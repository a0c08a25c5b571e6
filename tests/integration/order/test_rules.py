"""Listings, channels, lifecycles: what sellers and operators set, and how orders follow it."""

from __future__ import annotations

import asyncio
from typing import Any

from contracts.money import Money
from services.order import workflow
from tests.integration.order.conftest import MakeMarket
from tests.integration.order.market import Market


async def test_a_listing_is_kept_by_its_seller(market: Market) -> None:
    listing = await market.listing(available="5", kg_per_unit="1.25", material="oak", delivery_mode="pickup")
    path = f"/v1/listings/{listing['listing_id']}"
    price = {"amount": "30.00", "currency": "USD"}
    body = {"sku": listing["sku"], "name": "New name", "price": price, "available": "7"}
    assert (await market.call("PUT", path, market.seller2, body)).status == 404
    assert (await market.call("PUT", path, market.buyer, body)).status == 404
    late = await market.call("PUT", path, market.seller, body, headers={"if-match": '"9"'})
    assert late.status == 412
    changed = await market.call("PUT", path, market.seller, body, headers={"if-match": '"1"'})
    assert (changed.status, changed.json["name"], changed.json["version"]) == (200, "New name", 2)
    again = await market.call("POST", "/v1/listings", market.seller, body)
    assert (again.status, again.code) == (409, "sku_taken")
    other = await market.call("POST", "/v1/listings", market.seller2, body)
    assert other.status == 201
    assert (await market.call("POST", "/v1/listings", market.buyer, body)).status == 403
    seen = (await market.call("GET", path, market.buyer)).json
    assert "reserved" not in seen
    listed = (await market.call("GET", f"/v1/listings?sku={listing['sku']}", market.buyer)).json["items"]
    ours = [x["seller_name"] for x in listed if x["listing_id"] == listing["listing_id"]]
    assert len(ours[0]) > 0
    assert {listing["seller_name"], changed.json["seller_name"], seen["seller_name"], *ours} == set(ours)


async def test_the_stock_that_is_stated_includes_what_is_reserved(market: Market) -> None:
    listing = await market.listing(available="10")
    assert (await market.buy(listing, "2")).status == 201
    path = f"/v1/listings/{listing['listing_id']}"
    body = {"sku": listing["sku"], "name": "N", "price": listing["price"]}
    for stated in ({"on_hand": "10"}, {"available": "10"}, {"available": "10.0", "on_hand": "10"}):
        seen = (await market.call("PUT", path, market.seller, body | stated)).json
        assert (seen["on_hand"], seen["reserved"], seen["available"]) == ("10", "2", "8")
    both = await market.call("PUT", path, market.seller, body | {"available": "8", "on_hand": "10"})
    assert both.status == 422
    assert "another stock than available says" in both.json["detail"]


async def test_a_stock_is_changed_from_the_one_that_was_read(market: Market) -> None:
    """Orders move stock without a new version of the listing: what was read before is not written over it."""
    listing = await market.listing(available="10")
    (order,) = (await market.buy(listing, "2")).json["orders"]
    for action in ("process", "ship"):
        await market.done(order, action, market.seller)
    path = f"/v1/listings/{listing['listing_id']}"
    body = {"sku": listing["sku"], "name": "N", "price": listing["price"], "on_hand_read": "10"}
    moved = await market.call("PUT", path, market.seller, body | {"on_hand": "11"})
    assert (moved.status, moved.code) == (409, "stock_moved")
    assert "it was 10 and is 8 now" in moved.json["detail"]
    untouched = await market.call("PUT", path, market.seller, body | {"on_hand": "10"})
    assert (untouched.status, untouched.json["on_hand"]) == (200, "8")
    counted = await market.call("PUT", path, market.seller, body | {"on_hand": "11", "on_hand_read": "8"})
    assert (counted.status, counted.json["on_hand"]) == (200, "11")
    new = await market.call("POST", "/v1/listings", market.seller, body | {"sku": "L-NEW"})
    assert (new.status, "on_hand_read" in new.json["detail"]) == (422, True)


async def test_what_is_off_sale_cannot_be_ordered(market: Market) -> None:
    listing = await market.listing()
    body = {"sku": listing["sku"], "name": "x", "price": listing["price"], "active": False}
    await market.call("PUT", f"/v1/listings/{listing['listing_id']}", market.seller, body)
    assert (await market.buy(listing)).status == 422
    assert (await market.call("GET", f"/v1/listings/{listing['listing_id']}", market.buyer)).status == 404
    assert (await market.call("GET", "/v1/listings", market.buyer)).json["items"] == []
    mine = await market.call("GET", "/v1/listings?inactive=true", market.seller)
    assert len(mine.json["items"]) == 1


async def test_listings_have_pages_by_sku(market: Market) -> None:
    for n in range(5):
        await market.listing(sku=f"S-{n}")
    seen, cursor = [], ""
    while True:
        page = (await market.call("GET", f"/v1/listings?limit=2{cursor}", market.buyer)).json
        seen += [x["sku"] for x in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [f"S-{n}" for n in range(5)]


async def test_units_are_picked_sent_and_moved_to_the_buyers_place(make_market: MakeMarket) -> None:
    market = await make_market(lifecycle="loopfront", currency="NOK")
    listing = await market.listing(tracked=True, available=None, units=["QR-1", "QR-2", "QR-3"], delivery_mode="pickup",
                                   location="Shop cellar", kg_per_unit="4")  # fmt: skip
    (order,) = (await market.buy(listing, "2")).json["orders"]
    line = order["lines"][0]["line_id"]
    await market.done(order, "accept", market.seller)
    units = (await market.call("GET", f"/v1/listings/{listing['listing_id']}/units", market.seller)).json["items"]
    ids = [u["unit_id"] for u in units]
    assert ids == [u["id"] for u in units]
    early = await market.act(order, "mark_ready", market.seller)
    assert early.status == 409
    await market.done(order, "select_units", market.seller, {"units": [{"line_id": line, "unit_ids": ids[:1]}]})
    assert (await market.act(order, "mark_ready", market.seller)).status == 409
    for wrong, said in (
        (["QR-9"], "none has the id or the code 'QR-9'"), ([ids[0], "QR-1"], "names a unit twice"), ([""], "none has"),
        (["QR-1", "QR-2", "QR-3"], "3 units are named; 2 are wanted"),
    ):  # fmt: skip
        refused = await market.act(
            order, "select_units", market.seller, {"units": [{"line_id": line, "unit_ids": wrong}]}
        )
        assert (refused.status, said in refused.json["detail"]) == (422, True), refused.raw
    # by what is read from the thing itself, or by its id
    scanned = {"units": [{"line_id": line, "unit_ids": ["QR-2\n", ids[2]]}]}
    picked = await market.done(order, "select_units", market.seller, scanned)
    assert [u["code"] for u in picked["lines"][0]["units"] if u["state"] == "selected"] == ["QR-2", "QR-3"]
    (other,) = (await market.buy(listing, "1")).json["orders"]
    await market.done(other, "accept", market.seller)
    taken = {"units": [{"line_id": other["lines"][0]["line_id"], "unit_ids": ["QR-3"]}]}
    assert "not a free unit" in (await market.act(other, "select_units", market.seller, taken)).json["detail"]
    ready = await market.done(order, "mark_ready", market.seller)
    assert ready["status"] == "awaiting_pickup"
    done = await market.done(order, "confirm", market.seller)
    assert done["status"] == "received"
    units = (await market.call("GET", f"/v1/listings/{listing['listing_id']}/units", market.seller)).json["items"]
    by_code = {u["code"]: u for u in units}
    assert [by_code[c]["location"] for c in ("QR-1", "QR-2", "QR-3")] == ["Shop cellar", "outlet yard", "outlet yard"]
    assert by_code["QR-2"]["organisation_id"] == str(market.outlet.organisation_id)
    moved = await market.rows("SELECT quantity, location FROM relocation WHERE order_id = $1", order["order_id"])
    assert [(r["quantity"], r["location"]) for r in moved] == [(2, "outlet yard")]


async def test_what_is_promised_while_stock_is_not_counted_is_so_when_it_is_again(market: Market) -> None:
    listing = await market.listing(available="10")
    path = f"/v1/listings/{listing['listing_id']}"
    body = {"sku": listing["sku"], "name": "x", "price": listing["price"]}
    before = (await market.buy(listing, "3")).json["orders"][0]
    assert (await market.call("PUT", path, market.seller, body)).json["available"] is None
    meanwhile = (await market.buy(listing, "4")).json["orders"][0]
    for order in (before, meanwhile):
        await market.done(order, "process", market.seller)
    await market.done(before, "ship", market.seller)
    seen = (await market.call("PUT", path, market.seller, body | {"on_hand": "7"})).json
    assert (seen["on_hand"], seen["reserved"], seen["available"]) == ("7", "4", "3")
    await market.done(meanwhile, "cancel", market.operator)
    seen = (await market.call("GET", path, market.seller)).json
    assert (seen["on_hand"], seen["reserved"], seen["available"]) == ("7", "0", "7")


async def test_canceled_units_are_free_again(make_market: MakeMarket) -> None:
    market = await make_market(lifecycle="loopfront", currency="NOK")
    listing = await market.listing(tracked=True, available=None, units=["QR-1"])
    (order,) = (await market.buy(listing, "1")).json["orders"]
    assert (await market.buy(listing, "1")).code == "out_of_stock"
    await market.done(order, "accept", market.seller)
    units = (await market.call("GET", f"/v1/listings/{listing['listing_id']}/units", market.seller)).json["items"]
    picked = {"units": [{"line_id": order["lines"][0]["line_id"], "unit_ids": [units[0]["id"]]}]}
    await market.done(order, "select_units", market.seller, picked)
    await market.done(order, "cancel", market.admin)
    ((state, owner),) = await market.rows("SELECT state, order_id FROM listing_unit WHERE id = $1", units[0]["id"])
    assert (state, owner) == ("free", None)
    assert (await market.buy(listing, "1")).status == 201


async def test_units_count_as_stock(market: Market) -> None:
    listing = await market.listing(tracked=True, available=None, units=["A"])
    path = f"/v1/listings/{listing['listing_id']}/units"
    added = await market.call("POST", path, market.seller, {"codes": ["A", "B", "C"]}, key="u-1")
    assert (added.status, added.json["on_hand"]) == (201, "3")
    again = await market.call("POST", path, market.seller, {"codes": ["A", "B", "C"]}, key="u-1")
    assert again.raw == added.raw
    assert (await market.call("POST", path, market.seller2, {"codes": ["X"]})).status == 404


async def test_a_channel_accepts_by_itself_as_far_as_the_stock_goes(make_market: MakeMarket) -> None:
    market = await make_market(lifecycle="lengow", currency="EUR")
    listing = await market.listing(sku="SKU-1", available="5", price={"amount": "1.00", "currency": "EUR"})
    config = {"auto_accept": True, "buffer": "2", "contact": "agent@zalando.example", "can_refund": True}
    assert (await market.call("PUT", "/v1/channels/zalando", market.operator, config)).status == 200

    async def placed(number: int) -> Any:
        body = market.order("10.00", channel="zalando", external_id=f"Z-{number}")
        return await market.place(body)

    first = await placed(1)
    assert first["status"] == "awaiting_shipment"
    assert first["lines"][0]["listing_id"] == listing["listing_id"]
    second = await placed(2)
    assert second["status"] == "waiting_acceptance"
    note = (await market.get(second, market.seller))["notes"][0]
    assert "buffer" in note["text"]
    third = await placed(3)
    assert third["status"] == "waiting_acceptance"
    seen = (await market.call("GET", f"/v1/listings/{listing['listing_id']}", market.seller)).json
    assert (seen["on_hand"], seen["reserved"], seen["available"]) == ("5", "6", "0")
    denied = await market.act(first, "cancel", market.seller)
    assert denied.status == 403
    assert "agent@zalando.example" in denied.json["detail"]
    accepted = await market.call(
        "POST", "/v1/orders/bulk", market.seller,
        {"action": "accept", "order_ids": [second["order_id"], third["order_id"]]},
    )  # fmt: skip
    assert accepted.json["done"] == 2


async def test_a_channels_order_may_jump_and_its_raw_status_is_kept(make_market: MakeMarket) -> None:
    market = await make_market(lifecycle="lengow", currency="EUR")
    config = {"statuses": {"on_its_way": "shipped"}}
    await market.call("PUT", "/v1/channels/zalando", market.operator, config)
    body = market.order("10.00", channel="zalando", external_id="Z-1", external_status="paid_up")
    order = await market.place(body)
    again = await market.call("POST", "/v1/orders", market.operator, body | {"external_status": "on_its_way"})
    assert again.status == 200
    (now,) = again.json["orders"]
    assert (now["status"], now["external_status"]) == ("shipped", "on_its_way")
    inferred = {t["status"]: t["inferred"] for t in now["status_times"]}
    assert inferred["shipped"] is False
    assert inferred["accepted"] is True
    back = await market.call("POST", "/v1/orders", market.operator, body | {"external_status": "waiting_acceptance"})
    assert back.status == 200
    assert back.json["orders"][0]["status"] == "shipped"
    assert back.json["warnings"]
    timeline = (await market.call("GET", f"/v1/orders/{order['order_id']}/timeline", market.seller)).json["items"]
    assert {e["actor"]["kind"] for e in timeline if e["action"] == "channel_update"} <= {"channel"}


async def test_a_new_order_starts_where_its_channel_says_it_is(make_market: MakeMarket) -> None:
    market = await make_market(lifecycle="lengow", currency="EUR")
    order = await market.place(
        market.order("10.00", channel="zalando", external_id="Z-9", external_status="shipped", paid=True)
    )
    assert order["status"] == "shipped"
    topics = [t for t, _ in await market.events(order)]
    assert topics[0] == "order.created"
    assert [e["sequence"] for _, e in await market.events(order)] == list(range(1, len(topics) + 1))


async def test_channels_are_set_up_by_operators_with_parties_that_exist(market: Market) -> None:
    denied = await market.call("PUT", "/v1/channels/x", market.admin, {})
    assert (denied.status, denied.code) == (403, "operators_only")
    wrong = await market.call(
        "PUT", "/v1/channels/x", market.operator,
        {"default_seller": str(market.outlet.organisation_id), "lifecycle": "none", "statuses": {"a": "b"}},
    )  # fmt: skip
    assert (wrong.status, {e["field"] for e in wrong.json["errors"]}) == (422, {"default_seller", "lifecycle"})
    states = await market.call(
        "PUT", "/v1/channels/x", market.operator, {"lifecycle": "lengow", "statuses": {"a": "nowhere"}}
    )
    assert states.json["errors"][0]["field"] == "statuses.a"
    good = await market.call("PUT", "/v1/channels/x", market.operator, {"commission_rate": "0.2", "title": "X"})
    assert (good.status, good.headers["ETag"]) == (200, '"1"')
    late = await market.call("PUT", "/v1/channels/x", market.operator, {}, headers={"if-match": '"7"'})
    assert late.status == 412
    seen = (await market.call("GET", "/v1/channels", market.seller)).json["items"]
    assert [(c["name"], "commission_rate" in c) for c in seen] == [("x", False)]


async def test_own_lifecycles_are_linted_versioned_and_running_orders_stay(market: Market) -> None:
    text = workflow.builtin_text("storefront")
    before = await market.place()
    changed = text.replace('label = "Pending / New"', 'label = "Brand new"\nlabels = { buyer = "The shop knows" }')
    denied = await market.call("POST", "/v1/lifecycles", market.admin, {"text": changed})
    assert denied.status == 403
    added = await market.call("POST", "/v1/lifecycles", market.operator, {"text": changed})
    assert (added.status, added.json["version"]) == (201, 2)
    same = await market.call("POST", "/v1/lifecycles", market.operator, {"text": changed})
    assert (same.status, same.json["version"]) == (200, 2)
    after = await market.place()
    assert (before["lifecycle"]["version"], after["lifecycle"]["version"]) == (1, 2)
    assert (await market.get(before, market.operator))["status_label"] == "Pending / New"
    assert (await market.get(after, market.operator))["status_label"] == "Brand new"
    assert (await market.get(after, market.buyer_admin))["shown"]["label"] == "The shop knows", "a label per audience"
    for who, label in ((market.buyer_admin, "The shop knows"), (market.seller, "Brand new")):
        late = await market.act(after, "process", who, headers={"if-match": '"9"'})
        assert (late.status, late.json["current"]["status_label"]) == (412, label), "also where somebody came too late"
    listed = (await market.call("GET", "/v1/lifecycles", market.operator)).json["items"]
    assert {x["name"]: x["version"] for x in listed} == {
        "loopfront": 1, "storefront": 2, "marketpush": 1, "lengow": 1, "supplier": 1
    }  # fmt: skip
    old = (await market.call("GET", "/v1/lifecycles/storefront?version=1", market.seller)).json
    assert old["text"] == text
    assert {"on": "order", "code": "refunded", "label": "Refunded", "tone": "neutral", "mark": None} in old["display"]
    assert old["deadlines"] == {"acknowledge": "Begin processing", "ship": "Ship the order", "evidence": "Evidence"}
    assert (await market.call("GET", "/v1/lifecycles/storefront?version=9", market.seller)).status == 404


async def test_a_lifecycle_that_does_not_hold_together_is_refused_with_every_finding(market: Market) -> None:
    text = workflow.builtin_text("storefront").replace('to = "completed"', 'to = "compleeted"')
    refused = await market.call("POST", "/v1/lifecycles", market.operator, {"text": text})
    assert (refused.status, refused.code) == (422, "bad_lifecycle")
    assert all(f["line"] and f["message"] and f["remedy"] for f in refused.json["findings"])
    assert (await market.call("POST", "/v1/lifecycles", market.operator, {"text": "x = ["})).status == 422
    assert await market.rows("SELECT 1 FROM lifecycle WHERE marketplace_id = $1", market.id) == []


async def test_reordering_makes_a_new_order_at_todays_prices_with_the_limit_checked(make_market: MakeMarket) -> None:
    market = await make_market(lifecycle="supplier", currency="EUR")
    listing = await market.listing(price={"amount": "10.00", "currency": "EUR"}, available="50")
    (order,) = (await market.buy(listing, "2")).json["orders"]
    assert order["status"] == "pending"
    assert order["shown"] == {"code": "pending", "label": "Pending", "tone": "info", "mark": None}
    body = {"sku": listing["sku"], "name": "x", "price": {"amount": "15.00", "currency": "EUR"}, "available": "50"}
    await market.call("PUT", f"/v1/listings/{listing['listing_id']}", market.seller, body)
    await market.done(order, "accept", market.seller)
    await market.done(order, "complete", market.buyer)
    market.buyer.limit = Money(amount="25.00", currency="EUR")
    again = await market.done(order, "reorder", market.buyer)
    assert again["sequence"] == 3
    (placed,) = again["placed"]
    new = await market.get(placed, market.buyer)
    assert (new["totals"]["total"]["amount"], new["status"], new["reordered_from_id"]) == (
        "30.00", "needs_approval", order["order_id"]
    )  # fmt: skip
    assert new["buyer"]["person_id"] == str(market.buyer.person_id)
    await market.done(order, "dispute", market.buyer, {"note": "mouldy"})
    settled = await market.done(order, "resolve", market.buyer)
    assert (settled["shown"]["code"], settled["shown"]["mark"]) == ("completed_after_dispute", "red")
    body |= {"active": False, "name": "Old mugs"}
    await market.call("PUT", f"/v1/listings/{listing['listing_id']}", market.seller, body)
    refused = await market.act(order, "reorder", market.buyer)
    assert (refused.status, f"Old mugs ({listing['sku']}) is not on sale" in refused.json["detail"]) == (422, True)


async def test_reordering_with_one_key_makes_one_order(make_market: MakeMarket) -> None:
    market = await make_market(lifecycle="supplier", currency="EUR")
    listing = await market.listing(price={"amount": "10.00", "currency": "EUR"}, available="50")
    (order,) = (await market.buy(listing, "2")).json["orders"]
    await market.done(order, "accept", market.seller)
    await market.done(order, "complete", market.buyer)
    replies = await asyncio.gather(*(market.act(order, "reorder", market.buyer, key="again") for _ in range(6)))
    assert {r.status for r in replies} <= {200, 409}
    assert len(await market.rows("SELECT 1 FROM orders WHERE marketplace_id = $1", market.id)) == 2


async def test_a_limit_of_zero_always_needs_approval_and_no_limit_never_does(make_market: MakeMarket) -> None:
    market = await make_market(lifecycle="supplier", currency="EUR")
    listing = await market.listing(price={"amount": "10.00", "currency": "EUR"}, available="50")
    expected = {None: "pending", "0.00": "needs_approval", "10.00": "pending", "9.99": "needs_approval"}
    for limit, status in expected.items():
        market.buyer.limit = Money(amount=limit, currency="EUR") if limit else None
        (order,) = (await market.buy(listing, "1")).json["orders"]
        assert order["status"] == status, limit


async def test_marketpush_accepts_and_rejects_by_line(make_market: MakeMarket) -> None:
    market = await make_market(lifecycle="marketpush", currency="GBP")
    listing = await market.listing(available="9", price={"amount": "5.00", "currency": "GBP"})
    other = await market.listing(available="9", price={"amount": "3.00", "currency": "GBP"})
    body = {
        "currency": "GBP", "customer": {"name": "Jo"},
        "lines": [{"listing_id": x["listing_id"], "quantity": "2"} for x in (listing, other)],
    }  # fmt: skip
    (order,) = (await market.call("POST", "/v1/orders", market.buyer, body)).json["orders"]
    first, second = (line["line_id"] for line in order["lines"])
    rejected = await market.done(order, "reject", market.seller, {"lines": [{"line_id": second}]})
    assert rejected["status"] == "pending"
    accepted = await market.done(order, "accept", market.seller, {"lines": [{"line_id": first}]})
    assert accepted["status"] == "awaiting_fulfillment"
    assert [x["status"] for x in accepted["lines"]] == ["awaiting_fulfillment", "rejected"]
    seen = (await market.call("GET", f"/v1/listings/{other['listing_id']}", market.seller)).json
    assert (seen["available"], seen["reserved"]) == ("9", "0")
