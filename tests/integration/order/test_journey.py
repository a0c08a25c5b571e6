"""A storefront order from basket to doorstep, over HTTP, by everybody who has a part in it."""

from __future__ import annotations

from tests.integration.order.market import Market


async def test_an_order_is_followed_from_placing_to_completion(market: Market) -> None:
    listing = await market.listing(available="5")
    (order,) = (await market.buy(listing, "2")).json["orders"]

    assert [a["name"] for a in order["allowed_actions"]] == ["request_cancellation", "report_problem", "add_note"]
    order = await market.done(order, "process", market.seller)
    assert order["status"] == "processing"
    shipped = await market.done(
        order, "ship", market.seller,
        {"carrier": "DHL", "tracking_number": "1Z", "tracking_url": "https://dhl.example/1Z"},
    )  # fmt: skip
    assert (shipped["status"], shipped["parcels"][0]["carrier"]) == ("shipped", "DHL")
    done = await market.done(order, "complete", market.seller)
    assert (done["status"], done["phase"]) == ("completed", "completed")

    events = await market.events(order)
    assert [t for t, _ in events] == ["order.created", "order.updated", "order.updated", "order.completed"]
    assert [e["sequence"] for _, e in events] == [1, 2, 3, 4]
    seen = await market.call("GET", f"/v1/listings/{listing['listing_id']}", market.seller)
    assert (seen.json["on_hand"], seen.json["reserved"]) == ("3", "0")

    timeline = (await market.call("GET", f"/v1/orders/{order['order_id']}/timeline", market.buyer)).json["items"]
    assert [e["action"] for e in timeline] == ["place", "process", "ship", "complete"]
    assert [e["actor"]["name"] for e in timeline] == ["Bea Buyer", "Sam Seller", "Sam Seller", "Sam Seller"]
    assert [e["event_id"] for e in timeline] == [e["event_id"] for e in timeline if e["event_id"]]


async def test_wrong_roles_and_states_change_nothing(market: Market) -> None:
    order = await market.place()
    denied = await market.act(order, "process", market.buyer_admin)
    assert (denied.status, denied.code) == (403, "not_allowed")
    early = await market.act(order, "complete", market.seller)
    assert (early.status, early.code) == (409, "wrong_state")
    assert early.json["current"]["status"] == "pending"
    assert early.json["etag"] == '"1"'
    unknown = await market.act(order, "explode", market.seller)
    assert (unknown.status, unknown.code) == (404, "unknown_action")
    odd = await market.act(order, "process", market.seller, {"carrier": "x"})
    assert (odd.status, odd.code) == (422, "bad_params")
    assert odd.json["errors"][0]["field"] == "carrier"
    assert (await market.get(order, market.seller))["sequence"] == 1
    assert len(await market.events(order)) == 1


async def test_cancelling_gives_the_stock_back(market: Market) -> None:
    listing = await market.listing(available="5")
    (order,) = (await market.buy(listing, "2")).json["orders"]
    await market.done(order, "request_cancellation", market.buyer, {"note": "wrong size"})
    await market.done(order, "approve_cancellation", market.operator)
    seen = await market.call("GET", f"/v1/listings/{listing['listing_id']}", market.seller)
    assert (seen.json["on_hand"], seen.json["reserved"], seen.json["available"]) == ("5", "0", "5")
    topic, event = (await market.events(order))[-1]
    assert topic == "order.canceled"
    assert event["returned"][0]["quantity"] == "2"


async def test_refunds_by_amount_and_line_until_nothing_is_left(market: Market) -> None:
    order = await market.place(market.order("10.00", "5.00", paid=True))
    path = f"/v1/orders/{order['order_id']}/refunds"
    part = await market.call("POST", path, market.operator, {"amount": {"amount": "4.00", "currency": "USD"}})
    assert (part.status, part.json["money"]) == (201, "partially_refunded")
    assert part.json["commission"]["reversed"]["amount"] == "0.40"
    line = part.json["lines"][1]["line_id"]
    by_line = await market.call("POST", path, market.operator, {"line_id": line, "quantity": "1"})
    assert by_line.json["totals"]["refunded"]["amount"] == "9.00"
    much = await market.call("POST", path, market.operator, {"amount": {"amount": "99.00", "currency": "USD"}})
    assert (much.status, much.code) == (409, "refund_exceeds_paid")
    rest = await market.call("POST", path, market.operator, {})
    assert (rest.json["money"], rest.json["status_label"]) == ("refunded", "Refunded")
    assert (await market.call("POST", path, market.seller, {})).status == 403


async def test_a_refund_with_an_external_id_is_booked_once(market: Market) -> None:
    order = await market.place(market.order("10.00", paid=True))
    path = f"/v1/orders/{order['order_id']}/refunds"
    body = {"amount": {"amount": "4.00", "currency": "USD"}, "external_id": "R-1"}
    assert [(await market.call("POST", path, market.operator, body)).status for _ in range(3)] == [201, 200, 200]
    assert (await market.get(order, market.operator))["totals"]["refunded"]["amount"] == "4.00"


async def test_a_problem_is_settled_by_a_replacement(market: Market) -> None:
    listing = await market.listing(available="5")
    (order,) = (await market.buy(listing, "2")).json["orders"]
    await market.done(order, "process", market.seller)
    await market.done(order, "ship", market.seller)
    reported = await market.call(
        "POST", f"/v1/orders/{order['order_id']}/issues", market.buyer,
        {"kind": "problem", "params": {"reason_code": "lost_in_transit"}},
    )  # fmt: skip
    assert (reported.status, reported.json["issue"]) == (201, "open")
    assert (await market.get(order, market.seller))["payout_held"] is True
    reship = await market.done(order, "reship", market.operator)
    (placed,) = reship["placed"]
    replacement = await market.get(placed, market.buyer)
    assert replacement["replaces_order_id"] == order["order_id"]
    assert replacement["totals"]["total"]["amount"] == "0.00"
    assert reship["issue"] == "resolved"


async def test_issues_are_settled_by_the_action_of_their_kind(market: Market) -> None:
    order = await market.place()
    path = f"/v1/orders/{order['order_id']}/issues"
    opened = await market.call("POST", path, market.seller, {"kind": "problem", "params": {"reason_code": "late"}})
    issue = opened.json["issues"][0]["issue_id"]
    closed = await market.call("POST", f"{path}/{issue}/close", market.operator, {"params": {"note": "ok"}})
    assert (closed.status, closed.json["issues"][0]["state"]) == (200, "closed")
    none = await market.call("POST", path, market.buyer_admin, {"kind": "dispute"})
    assert (none.status, none.code) == (409, "issue_kind_unknown")


async def test_several_orders_are_acted_on_with_one_result_each(market: Market) -> None:
    orders = [await market.place() for _ in range(3)]
    await market.done(orders[1], "process", market.seller)
    ids = [o["order_id"] for o in orders] + ["00000000-0000-7000-8000-000000000000"]
    body = {"action": "process", "order_ids": ids}
    reply = await market.call("POST", "/v1/orders/bulk", market.seller, body, key="bulk-1")
    assert reply.status == 200, reply.raw
    assert [r["status"] for r in reply.json["results"]] == [200, 409, 200, 404]
    late = reply.json["results"][1]["problem"]
    assert (late["code"], late["current"]["status"], late["etag"]) == ("wrong_state", "processing", '"2"')
    again = await market.call("POST", "/v1/orders/bulk", market.seller, body, key="bulk-1")
    assert again.raw == reply.raw
    assert (reply.json["done"], reply.json["refused"]) == (2, 2)


async def test_logged_in_as_somebody_both_names_are_on_the_timeline(market: Market) -> None:
    order = await market.place()
    act = {"sub": str(market.operator.person_id), "name": "Olga Operator", "reason": "on leave, asked by phone"}
    market.seller.claims = {"act": act}
    done = await market.done(order, "process", market.seller)
    market.seller.claims = {}
    assert done["status"] == "processing"
    timeline = (await market.call("GET", f"/v1/orders/{order['order_id']}/timeline", market.seller)).json["items"]
    entry = timeline[-1]
    assert (entry["actor"]["name"], entry["actor"]["on_behalf_of_name"]) == ("Olga Operator", "Sam Seller")
    assert entry["acting_reason"] == "on leave, asked by phone"


async def test_an_etag_keeps_a_change_from_being_lost(market: Market) -> None:
    order = await market.place()
    got = await market.call("GET", f"/v1/orders/{order['order_id']}", market.seller)
    assert got.headers["ETag"] == '"1"'
    await market.done(order, "process", market.seller)
    late = await market.act(order, "ship", market.admin, headers={"if-match": '"1"'})
    assert (late.status, late.json["current"]["status"], late.json["etag"]) == (412, "processing", '"2"')
    right = await market.act(order, "ship", market.admin, headers={"if-match": '"2"'})
    assert right.status == 200
    same = await market.call("GET", f"/v1/orders/{order['order_id']}", market.seller, headers={"if-none-match": '"3"'})
    assert (same.status, same.raw) == (304, b"")
