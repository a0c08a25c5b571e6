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


async def test_what_is_paid_out_is_the_refund_of_that_amount(market: Market) -> None:
    order = await market.place(market.order("30.00", paid=True))
    for amount in ("30.00", "10.00", "20.00"):
        params = {"amount": {"amount": amount, "currency": "USD"}, "settled": False}
        order = await market.done(order, "refund", market.operator, params)
    first, _, third = (r["refund_id"] for r in order["refunds"])
    ids = {"order_id": UUID(order["order_id"]), "kind": "refund_done"}

    async def states() -> list[str]:
        return [r["state"] for r in (await market.get(order, market.operator))["refunds"]]

    for amount, named in (("12.00", None), ("10.00", first)):
        with pytest.raises(Conflict, match=f"{amount} USD was paid out, and 30.00"):
            await _settle(market, **ids, amount=_usd(amount), refund_id=named and UUID(named))
    await _settle(market, **ids, amount=_usd("10.00"))
    assert await states() == ["pending", "done", "pending"]
    # two that are paid out at once
    await _settle(market, **ids, amount=_usd("50.00"), payment_id="pay-2")
    assert await states() == ["done", "done", "done"]
    assert (await _totals(market, order))[1] == "refunded"
    await _settle(market, **ids, amount=_usd("20.00"), refund_id=UUID(third), payment_id="pay-3")
    with pytest.raises(Conflict, match="no refund is pending"):
        await _settle(market, **ids, amount=_usd("20.00"), payment_id="pay-4")


async def test_a_refund_that_is_named_is_of_one_of_the_purchases_orders(market: Market) -> None:
    body = market.order("10.00", "30.00", external_id="M-2", channel="shopify", paid=True)
    body["lines"][1]["seller"] = "other-shop"
    orders = (await market.call("POST", "/v1/orders", market.operator, body)).json["orders"]
    refunds = []
    for order in orders:
        done = await market.done(order, "refund", market.operator, {"settled": False})
        refunds.append(UUID(done["refunds"][0]["refund_id"]))
    ids = {"channel": "shopify", "external_id": "M-2", "kind": "refund_done"}
    await _settle(market, **ids, refund_id=refunds[1], amount=_usd("60.00"))
    assert [(await _totals(market, o))[1] for o in orders] == ["refunding", "refunded"]
    with pytest.raises(ValueError, match="none of its orders has"):
        await _settle(market, **ids, refund_id=new_id(), amount=_usd("20.00"))
    await _settle(market, **ids, amount=_usd("20.00"))
    assert (await _totals(market, orders[0]))[1] == "refunded"


async def test_a_refund_under_a_known_external_id_is_the_same_one_or_a_conflict(market: Market) -> None:
    order = await market.place(market.order("10.00", paid=True))
    path = f"/v1/orders/{order['order_id']}/refunds"
    body = {"external_id": "R-1", "amount": {"amount": "5.00", "currency": "USD"}}
    assert (await market.call("POST", path, market.operator, body)).status == 201
    for same in (body, {"external_id": "R-1", "amount": {"amount": "5", "currency": "USD"}}, {"external_id": "R-1"}):
        assert (await market.call("POST", path, market.operator, same)).status == 200
    line = order["lines"][0]["line_id"]
    for other in ({"amount": {"amount": "7.00", "currency": "USD"}}, {"line_id": line}):
        refused = await market.call("POST", path, market.operator, body | other)
        assert (refused.status, refused.code) == (409, "external_id_conflict"), refused.raw
        assert "5.00 USD" in refused.json["detail"]
    assert (await market.get(order, market.operator))["totals"]["refunded"]["amount"] == "5.00"


async def test_a_payment_in_another_currency_or_of_nothing_changes_nothing(market: Market) -> None:
    order = await market.place(market.order("10.00"))
    ids = {"order_id": UUID(order["order_id"])}
    with pytest.raises(ValueError, match="is in EUR, not USD"):
        await _settle(market, **ids, amount=Money(amount="20.00", currency="EUR"))
    for amount in ("-20.00", "0.00"):
        with pytest.raises(ValueError, match="must be above zero"):
            await _settle(market, **ids, amount=_usd(amount))
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
