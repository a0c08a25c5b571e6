"""A seller's balance: what was paid, less what went back and the owner's share, to the cent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.integration.order.conftest import MakeMarket
from tests.integration.order.market import Market


async def _balance(market: Market, query: str = "") -> Any:
    reply = await market.call("GET", f"/v1/balance{query}", market.operator if query else market.seller)
    assert reply.status == 200, reply.raw
    return reply.json


def _amounts(found: Any) -> dict[str, str]:
    (row,) = found["items"]
    return {k: v["amount"] for k, v in row.items() if isinstance(v, dict)}


async def test_a_balance_is_pending_then_available_and_held_by_an_open_issue(market: Market) -> None:
    assert (await _balance(market))["items"] == []
    order = await market.place(market.order("10.00", paid=True))
    await market.place(market.order("33.33"))  # nothing paid yet
    expected = {"paid": "20.00", "refunded": "0.00", "commission": "2.00", "balance": "18.00"}
    nothing = {"pending": "0.00", "held": "0.00", "available": "0.00"}
    assert _amounts(await _balance(market)) == nothing | expected | {"pending": "18.00"}
    for action in ("process", "ship", "complete"):
        order = await market.done(order, action, market.seller)
    assert _amounts(await _balance(market)) == nothing | expected | {"available": "18.00"}
    await market.done(order, "chargeback", market.operator)
    assert _amounts(await _balance(market)) == nothing | expected | {"held": "18.00"}
    await market.done(order, "close_chargeback", market.operator, {"resolution": "lost"})
    back = {"amount": {"amount": "5.00", "currency": "USD"}}
    order = await market.done(order, "refund", market.operator, back | {"settled": False})
    assert _amounts(await _balance(market)) == nothing | expected | {"held": "18.00"}
    await market.done(order, "refund_done", market.operator)
    after = {"paid": "20.00", "refunded": "5.00", "commission": "1.50", "balance": "13.50", "available": "13.50"}
    assert _amounts(await _balance(market)) == nothing | after
    assert _amounts(await _balance(market, "?seller=shop")) == nothing | after


async def test_what_was_paid_too_much_is_held_until_it_goes_back(market: Market) -> None:
    order = await market.place(market.order("10.00"))
    await market.done(order, "record_payment", market.operator, {"amount": {"amount": "27.00", "currency": "USD"}})
    for action in ("process", "ship", "complete"):
        order = await market.done(order, action, market.seller)
    seen = _amounts(await _balance(market))
    assert (seen["available"], seen["held"], seen["balance"]) == ("18.00", "7.00", "25.00")
    for amount, available, held in (("5.00", "18.00", "2.00"), ("4.00", "16.20", "0.00")):
        await market.done(order, "refund", market.operator, {"amount": {"amount": amount, "currency": "USD"}})
        seen = _amounts(await _balance(market))
        assert (seen["available"], seen["held"]) == (available, held)


async def test_what_was_paid_for_a_canceled_order_is_held_until_it_goes_back(market: Market) -> None:
    order = await market.place(market.order("10.00", paid=True))
    order = await market.done(order, "cancel", market.operator)
    seen = _amounts(await _balance(market))
    assert (seen["pending"], seen["held"], seen["balance"]) == ("0.00", "20.00", "20.00")
    assert seen["commission"] == "0.00", "nothing is sold, so the owner earns nothing"
    await market.done(order, "refund", market.operator)
    assert _amounts(await _balance(market))["balance"] == "0.00"


async def test_what_is_rejected_carries_no_commission(make_market: MakeMarket) -> None:
    """marketpush page: per line; commission is frozen at placing and goes back for what is not sold."""
    market = await make_market(lifecycle="marketpush", currency="GBP")
    order = await market.place(market.order("10.00", "30.00"))
    rejected = {"lines": [{"line_id": order["lines"][1]["line_id"]}]}
    await market.done(order, "reject", market.seller, rejected)
    order = await market.done(order, "accept", market.seller)
    assert _share(order) == ("8.00", "6.00")
    assert _share((await market.events(order))[-1][1]["order"]) == ("8.00", "6.00")
    order = await market.done(order, "record_payment", market.operator)
    assert order["totals"]["paid"]["amount"] == "20.00"
    seen = _amounts(await _balance(market))
    assert (seen["commission"], seen["pending"], seen["held"]) == ("2.00", "18.00", "0.00")
    half = {"amount": {"amount": "10.00", "currency": "GBP"}}
    order = await market.done(order, "refund", market.operator, half)
    assert _share(order) == ("8.00", "7.00")
    assert _amounts(await _balance(market))["balance"] == "9.00"


async def test_what_was_paid_for_a_rejected_line_is_held_until_it_goes_back(make_market: MakeMarket) -> None:
    market = await make_market(lifecycle="marketpush", currency="GBP")
    order = await market.place(market.order("10.00", "30.00", paid=True))
    line = order["lines"][1]["line_id"]
    await market.done(order, "reject", market.seller, {"lines": [{"line_id": line}]})
    order = await market.done(order, "accept", market.seller)
    seen = _amounts(await _balance(market))
    assert (seen["commission"], seen["pending"], seen["held"]) == ("2.00", "18.00", "60.00")
    order = await market.done(order, "refund", market.operator, {"line_id": line})
    assert _share(order) == ("8.00", "6.00"), "what went back by rejecting does not go back again by refunding"
    seen = _amounts(await _balance(market))
    assert (seen["commission"], seen["pending"], seen["held"]) == ("2.00", "18.00", "0.00")
    card = (await market.call("GET", "/v1/orders", market.seller)).json["items"][0]
    assert (card["commission"]["amount"], "excess" in card) == ("2.00", False)


async def test_a_refund_of_what_is_sold_is_not_of_what_was_paid_for_the_rest(make_market: MakeMarket) -> None:
    market = await make_market(lifecycle="marketpush", currency="GBP")
    order = await market.place(market.order("10.00", "30.00", paid=True))
    sold, unsold = (line["line_id"] for line in order["lines"])
    await market.done(order, "reject", market.seller, {"lines": [{"line_id": unsold}]})
    order = await market.done(order, "accept", market.seller)
    part = {"amount": {"amount": "5.00", "currency": "GBP"}}
    order = await market.done(order, "refund", market.operator, part | {"line_id": sold})
    seen = _amounts(await _balance(market))
    assert (_share(order), seen["commission"], seen["pending"], seen["held"]) == (
        ("8.00", "6.50"), "1.50", "13.50", "60.00"
    )  # fmt: skip
    order = await market.done(order, "refund", market.operator, part)
    assert _share(order) == ("8.00", "6.50"), "what was paid for the rejected line goes back first"
    order = await market.done(order, "refund", market.operator)
    assert _share(order) == ("8.00", "8.00")
    assert _amounts(await _balance(market))["balance"] == "0.00"


def _share(order: Any) -> tuple[str, str]:
    return order["commission"]["amount"]["amount"], order["commission"]["reversed"]["amount"]


async def test_each_currency_and_each_seller_has_its_own(market: Market) -> None:
    await market.place(market.order("10.00", paid=True))
    yen = market.order(paid=True) | {"currency": "JPY"}
    yen["lines"][0]["unit_price"] = {"amount": "500", "currency": "JPY"}
    await market.place(yen)
    other = market.order("7.00", paid=True)
    other["lines"][0]["seller"] = "other-shop"
    await market.place(other)
    found = await _balance(market)
    assert [(r["currency"], r["orders"], r["balance"]["amount"]) for r in found["items"]] == [
        ("JPY", 1, "900"), ("USD", 1, "18.00")
    ]  # fmt: skip
    assert found["seller"] == {"organisation_id": str(market.shop.organisation_id), "name": "Shop"}
    assert _amounts(await _balance(market, "?seller=other-shop"))["balance"] == "14.00"


async def test_the_orders_whose_money_is_held_are_what_the_balance_holds(market: Market) -> None:
    """However much was paid or given back: partly, too much, for what ended, disputed or on its way back."""

    async def paid(amount: str) -> Any:
        order = await market.place(market.order("10.00"))
        return await market.done(order, "record_payment", market.operator, {"amount": _usd(amount)})

    expected: list[tuple[str, str, list[str]]] = []

    async def holds(order: Any, amount: str, *reasons: str) -> None:
        expected.insert(0, (order["number"], amount, list(reasons)))

    partly = await paid("5.00")
    await market.done(partly, "cancel", market.operator)
    await holds(partly, "5.00", "canceled")
    returned = await paid("20.00")
    await market.done(returned, "cancel", market.operator)
    await market.done(returned, "refund", market.operator, {"amount": _usd("12.00")})
    await holds(returned, "8.00", "canceled")
    disputed = await paid("20.00")
    await market.done(disputed, "chargeback", market.operator)
    await holds(disputed, "18.00", "issue")
    pending = await paid("20.00")
    await market.done(pending, "refund", market.operator, {"amount": _usd("5.00"), "settled": False})
    await holds(pending, "18.00", "refunding")
    await holds(await paid("27.00"), "7.00", "excess")
    await paid("20.00")
    gone = await paid("20.00")
    await market.done(gone, "cancel", market.operator)
    await market.done(gone, "refund", market.operator)

    found: list[Any] = []
    cursor = ""
    while True:
        page = (await market.call("GET", f"/v1/balance/held?limit=2{cursor}", market.seller)).json
        found += page["items"]
        if not page["next_cursor"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [(o["number"], o["held"]["amount"], o["held_for"]) for o in found] == expected
    assert sum(Decimal(o["held"]["amount"]) for o in found) == Decimal(_amounts(await _balance(market))["held"])
    theirs = await market.call("GET", "/v1/balance/held?seller=other-shop", market.operator)
    assert theirs.json == {"items": [], "next_cursor": None}
    assert "commission" in found[0]


def _usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


async def test_nobody_sees_anothers_balance(market: Market) -> None:
    for who, query, status in (
        (market.buyer, "", 403), (market.seller, "?seller=other-shop", 404), (market.operator, "?seller=outlet", 404),
        (market.operator, "", 422),
    ):  # fmt: skip
        for path in ("", "/held"):
            assert (await market.call("GET", f"/v1/balance{path}{query}", who)).status == status, (who.name, query)
