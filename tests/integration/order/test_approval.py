"""Supplier page: the supplier sees nothing of an order that waits for approval, and nothing is sold twice meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import pytest

from contracts.envelope import Received
from contracts.inbound import PaymentSettled
from contracts.money import Money
from services.order.actions.inbound import payments_settled
from shared.ids import new_id
from tests.integration.order.conftest import MakeMarket
from tests.integration.order.market import Market, Reply, Somebody

FIGURES = ("version", "on_hand", "reserved", "available")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PRICE = {"amount": "25.00", "currency": "EUR"}


@pytest.fixture
async def supplier(make_market: MakeMarket) -> Market:
    market = await make_market(lifecycle="supplier", currency="EUR")
    market.buyer.limit = Money(amount="10.00", currency="EUR")
    return market


async def waiting(market: Market, listing: Any, quantity: str) -> Any:
    reply = await market.buy(listing, quantity)
    (order,) = reply.json["orders"]
    assert order["phase"] == "approval"
    return order


async def stock(market: Market, listing: Any, who: Somebody) -> tuple[Any, ...]:
    """on_hand, reserved and available, as somebody sees them alone and in the list."""
    alone = (await market.call("GET", f"/v1/listings/{listing['listing_id']}", who)).json
    (listed,) = (await market.call("GET", "/v1/listings", who)).json["items"]
    assert [alone[k] for k in FIGURES if k in alone] == [listed[k] for k in FIGURES if k in listed]
    return alone.get("on_hand"), alone.get("reserved"), alone["available"]


async def sell(market: Market, listing: Any, quantity: str) -> Reply:
    """The supplier hands in an order of its own."""
    body = market.order() | {"lines": [{"listing_id": listing["listing_id"], "quantity": quantity}]}
    return await market.call("POST", "/v1/orders", market.seller, body)


async def test_what_waits_is_held_unseen_until_it_is_approved(supplier: Market) -> None:
    listing = await supplier.listing(price=PRICE, available="5")
    order = await waiting(supplier, listing, "3")
    purchaser = Somebody(supplier.shop, ("buyer",), "Pia Purchaser")
    assert await stock(supplier, listing, supplier.seller) == ("5", "0", "5")
    assert await stock(supplier, listing, purchaser) == (None, None, "5"), "nor do others of its house"
    assert await stock(supplier, listing, supplier.approver) == (None, None, "2")
    assert await stock(supplier, listing, supplier.operator) == ("5", "3", "2")
    assert (await supplier.buy(listing, "3", supplier.approver)).code == "out_of_stock"
    await supplier.done(order, "approve", supplier.approver)
    assert await stock(supplier, listing, supplier.seller) == ("5", "3", "2")
    for action, who in (("accept", supplier.seller), ("complete", supplier.buyer)):
        await supplier.done(order, action, who)
    assert await stock(supplier, listing, supplier.operator) == ("2", "0", "2")


@pytest.mark.parametrize("action", ["reject_approval", "abandon"])
async def test_what_is_not_approved_is_let_go_of_once(supplier: Market, action: str) -> None:
    listing = await supplier.listing(price=PRICE, available="5")
    other = (await supplier.buy(listing, "1", supplier.approver)).json["orders"][0]
    order = await waiting(supplier, listing, "3")
    await supplier.done(order, action, supplier.buyer if action == "abandon" else supplier.approver)
    for who in (supplier.seller, supplier.operator):
        assert await stock(supplier, listing, who) == ("5", "1", "4")
    await supplier.done(other, "decline", supplier.seller)
    assert await stock(supplier, listing, supplier.seller) == ("5", "0", "5")


@pytest.mark.parametrize("action", ["reject_approval", "abandon"])
async def test_money_for_what_was_never_approved_goes_back(supplier: Market, action: str) -> None:
    """The payment comes when the order has ended: the operator gives it back, and the supplier never hears of it."""
    listing = await supplier.listing(price=PRICE, available="5")
    order = await waiting(supplier, listing, "1")
    await supplier.done(order, action, supplier.buyer if action == "abandon" else supplier.approver)
    assert (await supplier.act(order, "refund", supplier.operator)).status == 409, "nothing was paid"

    async def settle(kind: Literal["paid", "refund_done", "chargeback"], amount: str) -> None:
        event = PaymentSettled(
            marketplace_id=supplier.id, payment_id=f"pay-{kind}", kind=kind, settled_at=NOW,
            amount=Money(amount=amount, currency="EUR"), order_id=UUID(order["order_id"]),
        )  # fmt: skip
        async with supplier.runtime.worker_db.transaction() as tx:
            await payments_settled(supplier.runtime, tx, [Received(new_id(), "/test", NOW, "", event)])

    await settle("paid", "25.00")
    allowed = [a["name"] for a in (await supplier.get(order, supplier.operator))["allowed_actions"]]
    assert "refund" in allowed
    for who in (supplier.buyer, supplier.seller):
        assert (await supplier.act(order, "refund", who)).status in (403, 404)
    await settle("chargeback", "25.00")
    seen = await supplier.get(order, supplier.operator)
    assert (seen["issue"], [i["kind"] for i in seen["issues"]], seen["payout_held"]) == ("open", ["chargeback"], True)
    await supplier.done(order, "refund", supplier.operator, {"settled": False})
    await settle("refund_done", "25.00")
    seen = await supplier.get(order, supplier.operator)
    assert (seen["status"], seen["money"], seen["phase"]) == (order_end(action), "refunded", "canceled")
    assert (await supplier.call("GET", f"/v1/orders/{order['order_id']}", supplier.seller)).status == 404


def order_end(action: str) -> str:
    return {"reject_approval": "approval_rejected", "abandon": "abandoned"}[action]


async def test_a_supplier_sells_what_it_sees_and_approval_finds_what_is_left(supplier: Market) -> None:
    """Else a refusal would tell the supplier that somebody waits; it is whoever approves that is told."""
    listing = await supplier.listing(price=PRICE, available="5")
    three, one = await waiting(supplier, listing, "3"), await waiting(supplier, listing, "1")
    assert (await sell(supplier, listing, "6")).code == "out_of_stock"
    assert (await sell(supplier, listing, "4")).status == 201
    refused = await supplier.act(three, "approve", supplier.approver)
    assert (refused.status, refused.code) == (409, "out_of_stock")
    assert listing["sku"] in refused.json["detail"]
    assert (await supplier.get(three, supplier.buyer))["phase"] == "approval"
    await supplier.done(one, "approve", supplier.approver)
    assert await stock(supplier, listing, supplier.seller) == ("5", "5", "0")
    await supplier.done(three, "reject_approval", supplier.approver)
    assert await stock(supplier, listing, supplier.operator) == ("5", "5", "0")


async def test_what_a_supplier_counts_anew_is_what_approval_goes_by(supplier: Market) -> None:
    listing = await supplier.listing(price=PRICE, available="5")
    order = await waiting(supplier, listing, "3")
    body = {"sku": listing["sku"], "name": "x", "price": PRICE, "on_hand": "2"}
    path = f"/v1/listings/{listing['listing_id']}"
    changed = await supplier.call("PUT", path, supplier.seller, body)
    assert (changed.json["available"], changed.json["reserved"]) == ("2", "0")
    assert (await supplier.act(order, "approve", supplier.approver)).code == "out_of_stock"
    assert (await supplier.call("PUT", path, supplier.seller, body | {"on_hand": "3"})).status == 200
    await supplier.done(order, "approve", supplier.approver)
    assert await stock(supplier, listing, supplier.seller) == ("3", "3", "0")


async def test_automatic_acceptance_tells_nobody_of_what_waits(supplier: Market) -> None:
    reply = await supplier.call(
        "PUT", "/v1/channels/shop", supplier.operator, {"auto_accept": True, "buffer": "1", "lifecycle": "lengow"}
    )
    assert reply.status in (200, 201), reply.raw
    listing = await supplier.listing(price=PRICE, available="5")
    await waiting(supplier, listing, "3")
    lines = [{"listing_id": listing["listing_id"], "quantity": "5"}]
    body = supplier.order(external_id="X-1", channel="shop") | {"lines": lines}
    order = await supplier.place(body)
    seen = await supplier.get(order, supplier.seller)
    assert seen["status"] == "waiting_acceptance"
    assert "5 ordered, 5 available less a buffer of 1" in seen["notes"][0]["text"]


async def test_the_limit_is_for_what_a_person_buys(supplier: Market) -> None:
    """Who brings in what somebody else has bought approves nothing, and would not see it."""
    supplier.seller.limit = Money(amount="0.00", currency="EUR")
    order = await supplier.place(who=supplier.seller)
    assert (order["status"], "approval" in order) == ("pending", False)
