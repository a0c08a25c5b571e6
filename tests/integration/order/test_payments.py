"""Settlements as payment services tell them: each is booked once, whatever it is told under; money stays exact."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from contracts.envelope import Received
from contracts.inbound import PaymentSettled
from contracts.money import Money
from services.order.actions import inbound
from shared.errors import Conflict
from shared.ids import new_id
from tests.integration.order.market import Market

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def _usd(amount: str) -> Money:
    return Money(amount=amount, currency="USD")


async def _settle(market: Market, **given: Any) -> None:
    """The event under an id of its own, as one that was sent anew has."""
    fields: dict[str, Any] = {"marketplace_id": market.id, "payment_id": "pay-1", "kind": "paid", "settled_at": NOW}
    async with market.runtime.worker_db.transaction() as tx:
        event = PaymentSettled(**(fields | given))
        await inbound.payments_settled(market.runtime, tx, [Received(new_id(), "/test", NOW, "", event)])


async def _totals(market: Market, order: Any) -> tuple[str, str]:
    seen = await market.get(order, market.operator)
    return seen["totals"]["paid"]["amount"], seen["money"]


async def test_a_payment_that_is_told_again_under_another_event_is_booked_once(market: Market) -> None:
    order = await market.place(market.order("10.00"))
    ids = {"order_id": UUID(order["order_id"])}
    await _settle(market, **ids, amount=_usd("20.00"))
    await _settle(market, **ids, amount=_usd("20.00"), settled_at=NOW.replace(hour=11))
    assert await _totals(market, order) == ("20.00", "paid")
    with pytest.raises(ValueError, match="booked already, for another amount"):
        await _settle(market, **ids, amount=_usd("5.00"))
    other = await market.place(market.order("10.00"))
    with pytest.raises(ValueError, match="other orders"):
        await _settle(market, order_id=UUID(other["order_id"]), amount=_usd("20.00"))
    assert await _totals(market, other) == ("0.00", "unpaid")
    await _settle(market, **ids, payment_id="pay-2", amount=_usd("1.00"))
    assert await _totals(market, order) == ("21.00", "paid")


async def test_a_payment_of_a_purchase_is_divided_over_its_orders_once(market: Market) -> None:
    body = market.order("10.00", "30.00", external_id="M-1", channel="shopify")
    body["lines"][1]["seller"] = "other-shop"
    orders = (await market.call("POST", "/v1/orders", market.operator, body)).json["orders"]
    for hour in (10, 11):
        await _settle(
            market, channel="shopify", external_id="M-1", amount=_usd("80.00"), settled_at=NOW.replace(hour=hour)
        )
    assert [await _totals(market, o) for o in orders] == [("20.00", "paid"), ("60.00", "paid")]


async def test_a_chargeback_that_is_told_again_opens_no_second_one(market: Market) -> None:
    order = await market.place(market.order("10.00", paid=True))
    for _ in range(2):
        await _settle(market, order_id=UUID(order["order_id"]), kind="chargeback", amount=_usd("20.00"))
    seen = await market.get(order, market.operator)
    assert [(i["kind"], i["state"]) for i in seen["issues"]] == [("chargeback", "open")]
    assert seen["payout_held"] is True


async def test_a_refund_that_is_reported_twice_is_done_once_and_the_other_one_stays_pending(market: Market) -> None:
    order = await market.place(market.order("10.00", paid=True))
    for amount in ("5.00", "5.00"):
        params = {"amount": {"amount": amount, "currency": "USD"}, "settled": False}
        order = await market.done(order, "refund", market.operator, params)
    ids = {"order_id": UUID(order["order_id"]), "kind": "refund_done", "amount": _usd("5.00")}
    for _ in range(2):
        await _settle(market, **ids)
    seen = await market.get(order, market.operator)
    assert [r["state"] for r in seen["refunds"]] == ["done", "pending"]
    await _settle(market, **ids, settled_at=NOW.replace(hour=12))
    seen = await market.get(order, market.operator)
    assert ([r["state"] for r in seen["refunds"]], seen["money"]) == (["done", "done"], "partially_refunded")


async def test_a_payment_in_another_currency_or_of_nothing_changes_nothing(market: Market) -> None:
    order = await market.place(market.order("10.00"))
    ids = {"order_id": UUID(order["order_id"])}
    with pytest.raises(ValueError, match="is in EUR, not USD"):
        await _settle(market, **ids, amount=Money(amount="20.00", currency="EUR"))
    with pytest.raises(Conflict, match="more than zero"):
        await _settle(market, **ids, amount=_usd("-20.00"))
    await _settle(market, **ids, amount=_usd("20.00"))
    assert await _totals(market, order) == ("20.00", "paid")


async def test_what_was_paid_too_much_goes_back_without_touching_the_commission(market: Market) -> None:
    order = await market.place(market.order("10.00"))
    await _settle(market, order_id=UUID(order["order_id"]), amount=_usd("30.00"))

    async def refunded(amount: str) -> tuple[str, str]:
        seen = await market.done(order, "refund", market.operator, {"amount": _usd(amount).model_dump()})
        return seen["commission"]["reversed"]["amount"], seen["money"]

    assert await refunded("10.00") == ("0.00", "partially_refunded")
    assert await refunded("5.00") == ("0.50", "partially_refunded")
    assert await refunded("15.00") == ("2.00", "refunded")


async def test_a_buyer_reads_nothing_of_the_owners_share(market: Market) -> None:
    order = await market.place(market.order("10.00", paid=True))
    await market.done(order, "refund", market.operator, {"amount": _usd("5.00").model_dump()})
    seller, buyer = await market.get(order, market.seller), await market.get(order, market.buyer_admin)
    assert seller["refunds"][0]["commission_reversed"]["amount"] == "0.50"
    assert "commission" not in buyer
    assert "commission_reversed" not in buyer["refunds"][0]
    listed = await market.call("GET", "/v1/orders?view=full", market.buyer_admin)
    assert b"commission" not in listed.raw
