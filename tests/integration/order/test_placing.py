"""Placing over HTTP."""

from __future__ import annotations

from tests.integration.order.market import Market


async def test_an_order_is_placed_and_told_of(market: Market) -> None:
    order = await market.place(market.order("10.00", "2.50"))
    assert order["status"] == "pending"
    assert order["totals"]["total"] == {"amount": "25.00", "currency": "USD"}
    assert order["number"] == "ORD-1001"
    ((topic, event),) = await market.events(order)
    assert topic == "order.created"
    assert event["sequence"] == 1
    assert event["order"]["totals"]["total"]["amount"] == "25.00"
