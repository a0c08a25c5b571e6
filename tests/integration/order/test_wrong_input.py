"""Wrong input gets the right 4xx and a problem document, and changes nothing."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from tests.integration.order.conftest import MakeMarket
from tests.integration.order.market import Market, Reply

Change = dict[str, Any]


def _line(**given: Any) -> Change:
    line = {
        "sku": "A", "name": "Thing", "quantity": "1", "seller": "shop",
        "unit_price": {"amount": "10.00", "currency": "USD"},
    }  # fmt: skip
    return {"lines": [line | given]}


BODIES: dict[str, tuple[Change, int, str]] = {
    "unknown field": ({"colour": "red"}, 422, "invalid_request"),
    "unknown field in a line": (_line(weight=3), 422, "invalid_request"),
    "no lines": ({"lines": []}, 422, "invalid_request"),
    "too many lines": ({"lines": [_line()["lines"][0]] * 501}, 422, "invalid_request"),
    "negative quantity": (_line(quantity="-1"), 422, "invalid_request"),
    "zero quantity": (_line(quantity="0"), 422, "invalid_request"),
    "quantity that is text": (_line(quantity="two"), 422, "invalid_request"),
    "quantity with too many decimals": (_line(quantity="1.0000001"), 422, "invalid_request"),
    "negative price": (_line(unit_price={"amount": "-1.00", "currency": "USD"}), 422, "bad_order"),
    "price finer than a cent": (_line(unit_price={"amount": "1.001", "currency": "USD"}), 422, "invalid_request"),
    "price without currency": (_line(unit_price={"amount": "1.00"}), 422, "invalid_request"),
    "price that is a number": (_line(unit_price={"amount": 1.0, "currency": "USD"}), 422, "invalid_request"),
    "line in another currency": (_line(unit_price={"amount": "1.00", "currency": "EUR"}), 422, "bad_order"),
    "shipping in another currency": ({"shipping": {"amount": "1.00", "currency": "EUR"}}, 422, "bad_order"),
    "currency that is none": ({"currency": "XXZ"}, 422, "bad_order"),
    "currency in lower case": ({"currency": "usd"}, 422, "invalid_request"),
    "huge amount": (_line(unit_price={"amount": "999999999999999.00", "currency": "USD"}), 422, "invalid_request"),
    "huge sum": (
        _line(quantity="999999999", unit_price={"amount": "9999999999999", "currency": "USD"}), 422, "bad_order"
    ),
    "discount beyond the sum": ({"discount": {"amount": "20.01", "currency": "USD"}}, 422, "bad_order"),
    "negative shipping": ({"shipping": {"amount": "-1.00", "currency": "USD"}}, 422, "bad_order"),
    "e-mail that is none": ({"customer": {"name": "J", "email": "j at x"}}, 422, "invalid_request"),
    "customer without a name": ({"customer": {"name": ""}}, 422, "invalid_request"),
    "unknown seller": (_line(seller="nobody"), 422, "bad_order"),
    "unknown listing": (_line(listing_id="01a20000-0000-7000-8000-000000000000"), 422, "bad_order"),
    "listing id that is none": (_line(listing_id="7"), 422, "invalid_request"),
    "unknown lifecycle": ({"lifecycle": "no-such"}, 422, "unknown_lifecycle"),
    "channel status without external id": ({"external_status": "fulfilled"}, 422, "bad_order"),
    "time without offset": ({"placed_at": "2026-01-01T00:00:00", "external_id": "t"}, 422, "bad_order"),
    "time that is none": ({"placed_at": "yesterday"}, 422, "invalid_request"),
    "time before any shop": ({"placed_at": "0001-01-01T00:00:00+23:00", "external_id": "t"}, 422, "invalid_request"),
    "time after the last": ({"placed_at": "9999-12-31T23:59:59-23:00", "external_id": "t"}, 422, "invalid_request"),
    "tax rate above one": (_line(tax_rate="1.5"), 422, "invalid_request"),
}  # fmt: skip

RAW: dict[str, tuple[bytes, int, str]] = {
    "not JSON": (b"{", 400, "malformed_json"),
    "not UTF-8": (b'{"currency": "\xff"}', 400, "malformed_json"),
    "duplicate key": (b'{"currency": "USD", "currency": "EUR"}', 422, "duplicate_key"),
    "NaN": (b'{"lines": [{"quantity": NaN}]}', 400, "malformed_json"),
    "Infinity": (b'{"lines": [{"quantity": Infinity}]}', 400, "malformed_json"),
    "too deep": (b'{"a":' * 40 + b"1" + b"}" * 40, 422, "nested_too_deeply"),
    "too large": (b'{"note": "' + b"x" * 1_100_000 + b'"}', 413, "body_too_large"),
    "a list": (b"[]", 422, "invalid_request"),
    "nothing": (b"", 422, "invalid_request"),
    "lone surrogate": (b'{"note": "\\ud800"}', 400, "malformed_json"),
    "NUL": (b'{"note": "a\\u0000b"}', 422, "nul_character"),
}


async def _unchanged(market: Market) -> None:
    for table in ("orders", "outbox", "timeline", "idempotency", "listing"):
        assert await market.rows(f"SELECT 1 FROM {table} WHERE marketplace_id = $1", market.id) == [], table


def _is_problem(reply: Reply) -> None:
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "code", "detail"} <= reply.json.keys()
    assert reply.json["status"] == reply.status


@pytest.mark.parametrize("what", BODIES)
async def test_a_wrong_order_is_refused(market: Market, what: str) -> None:
    change, status, code = BODIES[what]
    reply = await market.call("POST", "/v1/orders", market.operator, market.order() | change, key="k")
    assert (reply.status, reply.code) == (status, code), reply.raw
    _is_problem(reply)
    await _unchanged(market)


async def test_one_mistake_is_told_once_and_in_plain_words(market: Market) -> None:
    bad = market.order() | _line(quantity="0") | {"currency": "EUR"}
    bad["lines"][0]["unit_price"] = {"amount": "1.001", "currency": "EUR"}
    many = market.order() | {"lines": _line()["lines"] * 501}
    for body, fields, message in (
        (bad, ["lines.0.quantity", "lines.0.unit_price"], "1.001 has more decimals than EUR has (2)"),
        (many, ["lines"], "has too many items: at most 500 are taken"),
        (market.order(lines=[]), ["lines"], "has too few items: at least 1 is needed"),
    ):
        reply = await market.call("POST", "/v1/orders", market.operator, body)
        assert [e["field"] for e in reply.json["errors"]] == fields
        assert reply.json["errors"][-1]["message"] == message


@pytest.mark.parametrize("what", RAW)
async def test_a_body_that_is_no_order_is_refused(market: Market, what: str) -> None:
    raw, status, code = RAW[what]
    reply = await market.call("POST", "/v1/orders", market.operator, raw)
    assert (reply.status, reply.code) == (status, code), reply.raw
    _is_problem(reply)
    await _unchanged(market)


async def test_tokens_that_are_missing_old_or_foreign_are_refused(market: Market) -> None:
    body = market.order()
    none = await market.call("POST", "/v1/orders", None, body)
    assert (none.status, none.code) == (401, "not_signed_in")
    old = market.issuer.bearer(marketplace_id=market.id, roles=("operator",), kind="operator", exp=int(time.time()) - 5)
    assert (await market.call("POST", "/v1/orders", None, body, headers=old)).status == 401
    other = market.issuer.bearer(marketplace_id=market.id, iss="http://elsewhere.example")
    assert (await market.call("POST", "/v1/orders", None, body, headers=other)).status == 401
    await _unchanged(market)


async def test_a_foreign_marketplaces_listing_and_seller_are_unknown(market: Market, make_market: MakeMarket) -> None:
    elsewhere = await make_market()
    listing = await elsewhere.listing()
    reply = await market.buy(listing)
    assert (reply.status, reply.code) == (422, "bad_order")
    foreign = market.order()
    foreign["lines"][0]["seller"] = str(elsewhere.shop.organisation_id)
    assert (await market.call("POST", "/v1/orders", market.operator, foreign)).status == 422
    assert await market.rows("SELECT 1 FROM orders WHERE marketplace_id = $1", market.id) == []


@pytest.mark.parametrize(
    "query",
    [
        "status=pend'ing", "phase=nowhere", "limit=0", "limit=201", "limit=x", "cursor=abc", "sort=colour",
        "placed_from=yesterday", "placed_to=2026-01-01T00:00:00", "overdue=perhaps", "purchase_id=7", "money=lots",
        "status=" + ",".join(f"s{n}" for n in range(11)), "view=half",
    ],
)  # fmt: skip
async def test_a_wrong_filter_is_refused(market: Market, query: str) -> None:
    reply = await market.call("GET", f"/v1/orders?{query}", market.operator)
    assert reply.status in (400, 422), reply.raw
    _is_problem(reply)


async def test_a_wrong_action_is_refused(market: Market) -> None:
    order = await market.place(market.order(paid=True))
    path = f"/v1/orders/{order['order_id']}"
    for tail, body, status in (
        ("/actions/process", {"params": {}, "more": 1}, 422),
        ("/actions/process", {"params": []}, 422),
        ("/actions/ship", {"params": {"lines": "all"}}, 403),
        ("/actions/report_problem", {"params": {}}, 403),
        ("/actions/" + "x" * 60, {}, 404),
        ("/refunds", {"amount": {"amount": "1.00", "currency": "EUR"}}, 422),
        ("/refunds", {"amount": {"amount": "-1.00", "currency": "USD"}}, 422),
        ("/refunds", {"quantity": "1"}, 422),
        ("/issues", {"kind": "grudge"}, 422),
        ("/issues/01a20000-0000-7000-8000-000000000000/close", {}, 404),
        ("/issues/01a20000-0000-7000-8000-000000000000/eat", {}, 404),
    ):
        reply = await market.call("POST", path + tail, market.operator, body)
        assert reply.status == status, (tail, body, reply.raw)
        _is_problem(reply)
    assert (await market.get(order, market.operator))["sequence"] == 1


async def test_a_key_that_is_no_key_is_refused(market: Market) -> None:
    for key in ("", "x" * 256, "schl\u00fcssel"):
        reply = await market.call("POST", "/v1/orders", market.operator, market.order(), key=key)
        assert (reply.status, reply.code) == (400, "invalid_idempotency_key")
    await _unchanged(market)


async def test_hostile_texts_are_kept_as_they_are_and_run_nowhere(market: Market) -> None:
    hostile = "<script>alert(1)</script> '; DROP TABLE orders; -- {{7*7}} ${x} =cmd|' /C calc'!A0 \u202egnp.exe"
    body = market.order(
        customer={"name": hostile, "email": "a@b.example"}, note=hostile, attributes={hostile[:100]: hostile}
    )
    body["lines"][0] |= {"name": hostile, "sku": hostile[:100]}
    order = await market.place(body)
    assert order["customer"]["name"] == hostile
    page = (await market.call("GET", f"/v1/orders/{order['order_id']}/print", market.operator)).raw
    assert b"<script>alert" not in page
    found = await market.call("GET", "/v1/orders", market.operator, params={"q": "'; DROP TABLE orders; --"})
    assert [o["order_id"] for o in found.json["items"]] == [order["order_id"]]
    assert orjson.loads(orjson.dumps(order))["lines"][0]["name"] == hostile


async def test_what_can_be_placed_can_be_ended_and_what_cannot_is_refused(make_market: MakeMarket) -> None:
    """The whole order travels in every event, which Kafka takes up to a size."""
    market = await make_market(lifecycle="marketpush")

    def large(characters: int) -> Change:
        return market.order(lines=[_line(name="\U0001f600" * characters)["lines"][0]] * 500)

    refused = await market.call("POST", "/v1/orders", market.operator, large(420))
    assert (refused.status, refused.code) == (422, "order_too_large")
    await _unchanged(market)
    order = await market.place(large(288))
    await market.done(order, "accept", market.seller)
    notes = [await market.act(order, "add_note", market.seller, {"text": "\U0001f600" * 2000}) for _ in range(5)]
    assert (notes[-1].status, notes[-1].code) == (409, "order_too_large")
    await market.done(order, "ship", market.seller)
    assert (await market.done(order, "cancel", market.seller))["status"] == "canceled"
