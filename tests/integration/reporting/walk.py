"""Orders that do by chance whatever their lifecycle lets somebody do, over the order service's own API."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from contracts.envelope import Received
from contracts.inbound import PaymentSettled
from contracts.money import Money, exponent
from services.order.actions.inbound import payments_settled
from services.order.deadlines import fire_due
from shared.errors import Problem
from shared.ids import new_id
from tests.integration.order.market import Market, Somebody

# The night in which Oslo's clocks go forward lies within what the orders live through.
BEGIN = datetime(2026, 3, 28, 20, 0, tzinfo=UTC)
CURRENCIES = ("USD", "JPY", "BHD")
QUANTITIES = ("1", "2", "3", "2.5", "7")
SAID_BY_CHANNELS = ("shipped", "delivered", "cancelled", "refused", "refunding", "refunded", "closed", "whatever")
# what leads nowhere, or ends too soon, is chosen less often
SELDOM = frozenset({"add_note", "cancel", "abandon", "reject", "refuse", "decline", "reject_approval", "reorder"})


class Hands:
    """The order service's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        return self.now


class Walk:
    """A marketplace whose orders go by chance. `done` counts what was done, by action; refusals are not faults."""

    def __init__(self, market: Market, hands: Hands, seed: int) -> None:
        self.market, self.hands, self.chance = market, hands, random.Random(seed)
        self.bodies: dict[str, dict[str, Any]] = {}
        self.orders: list[str] = []
        self.listings: list[dict[str, Any]] = []
        self.done: Counter[str] = Counter()

    async def open(self) -> Walk:
        """Listings of reused goods, channels, and a buyer with a limit."""
        self.market.buyer.limit = Money.of(4_000, self.market.currency)
        await self.market.open()
        for kg, material in (("12.5", "Steel"), ("0.333", "wood"), ("4", "unobtainium")):
            self.listings.append(
                await self.market.listing(kg_per_unit=kg, material=material, available="500", delivery_mode="pickup")
            )
        channel = {"auto_accept": False, "can_refund": True, "contact": "help@shop.example"}
        assert (await self.market.call("PUT", "/v1/channels/shop", self.market.operator, channel)).status == 200
        return self

    async def place(self) -> None:
        """As the operator brings one in, with everything that a source may state, or as a buyer orders."""
        if self.chance.random() < 0.25:
            listing = self.chance.choice(self.listings)
            reply = await self.market.buy(listing, str(self.chance.randint(1, 4)), self.market.buyer)
        else:
            body = self._body()
            reply = await self.market.call("POST", "/v1/orders", self.market.operator, body)
            if reply.status == 201 and "external_id" in body:
                self.bodies |= {o["order_id"]: body for o in reply.json["orders"]}
        assert reply.status == 201, reply.raw
        self.orders += [o["order_id"] for o in reply.json["orders"]]

    def _body(self) -> dict[str, Any]:
        chance, currency = self.chance, self.chance.choice(CURRENCIES)

        def money(most: int) -> dict[str, str]:
            return Money.of(chance.randint(0, most), currency).model_dump()

        lines = [self._line(n, currency, money) for n in range(chance.randint(1, 3))]
        body: dict[str, Any] = {
            "currency": currency, "buyer": "outlet", "customer": {"name": "John Doe"}, "lines": lines,
            "placed_at": (self.hands.now - timedelta(hours=chance.choice([0, 0, 3, 60]))).isoformat(),
            "paid": chance.random() < 0.6,
        }  # fmt: skip
        for name, most in (("shipping", 900), ("discount", 300), ("total", 9_000)):
            if chance.random() < (0.1 if name == "total" else 0.4):
                body[name] = money(most)
        if "discount" in body and chance.random() < 0.5:
            lines[-1]["discount"] = body["discount"]
        if chance.random() < 0.5:
            body |= {"channel": "shop", "external_id": f"S-{new_id()}"}
        return body

    def _line(self, n: int, currency: str, money: Callable[[int], dict[str, str]]) -> dict[str, Any]:
        chance = self.chance
        # no cheaper than a discount may be
        price = Money.of(chance.randint(301, 20_000), currency).model_dump()
        line: dict[str, Any] = {"unit_price": price, "quantity": chance.choice(QUANTITIES)}
        if chance.random() < 0.6:
            line |= {"listing_id": chance.choice(self.listings)["listing_id"], "quantity": str(chance.randint(1, 5))}
        else:
            line |= {"sku": f"SKU-{n}", "name": "Thing", "seller": chance.choice(["shop", "shop", "other-shop"])}
        if chance.random() < 0.3:
            line["tax_rate"] = chance.choice(["0.25", "0.08", "0.055"])
        elif chance.random() < 0.3:
            line["tax"] = money(500)
        return line

    async def step(self) -> None:
        """Something that somebody may do, a payment service, a channel, or the clock."""
        self.hands.now += timedelta(minutes=self.chance.choice([0, 7, 50, 200, 1_500]))
        what = self.chance.random()
        if what < 0.08:
            self.done["clock"] += await fire_due(self.market.runtime)
        elif what < 0.22:
            await self._pay(await self._look(self.market.operator))
        elif what < 0.27 and self.bodies:
            await self._follow()
        else:
            await self._act()

    async def _look(self, who: Somebody) -> Any:
        order_id = self.chance.choice(self.orders)
        reply = await self.market.call("GET", f"/v1/orders/{order_id}", who)
        assert reply.status in (200, 404), reply.raw
        return reply.json if reply.status == 200 else None

    async def _act(self) -> None:
        who = self.chance.choice(self.market.everybody())
        order = await self._look(who)
        if order is None or not order["allowed_actions"]:
            return
        usual = [a for a in order["allowed_actions"] if a["name"] not in SELDOM]
        money = [a for a in usual if "refund" in a["name"]]
        usual = money if money and self.chance.random() < 0.4 else usual
        action = self.chance.choice(usual if usual and self.chance.random() < 0.8 else order["allowed_actions"])
        params = self._params(action["params"], order)
        reply = await self.market.act(order, action["name"], who, params)
        assert reply.status in (200, 201, 409, 422), reply.raw
        if reply.status < 300:
            self.done[action["name"]] += 1
            if made := reply.json.get("created"):
                self.orders.append(made["order_id"])

    def _params(self, schema: dict[str, Any], order: Any) -> dict[str, Any]:
        given = {}
        for name, spec in schema["properties"].items():
            if name in schema["required"] or self.chance.random() < 0.4:
                value = self._value(spec, order)
                if value is not None:
                    given[name] = value
        if "quantity" in given and "line_id" in schema["properties"]:
            # so much of a line is worth what it is
            given.pop("amount", None)
            given["line_id"] = self.chance.choice(order["lines"])["line_id"]
        return given

    def _value(self, spec: dict[str, Any], order: Any) -> Any:
        kind, chance = spec["x-type"], self.chance
        if "enum" in spec:
            return chance.choice(spec["enum"]) if spec["enum"] else None
        if kind == "lines":
            some = chance.sample(order["lines"], chance.randint(1, len(order["lines"])))
            return [
                {"line_id": x["line_id"]} | ({"quantity": str(chance.randint(1, 4))} if chance.random() < 0.6 else {})
                for x in some
            ]
        if kind == "money":
            return self._amount(order)
        fixed = {
            "text": "as agreed", "flag": chance.random() < 0.5, "quantity": chance.choice(QUANTITIES),
            "day": "tomorrow", "moment": (self.hands.now + timedelta(days=3)).isoformat(),
            "url": "https://track.example/1",
        }  # fmt: skip
        return fixed.get(kind)

    def _amount(self, order: Any) -> dict[str, str]:
        """Some part of what was paid and not given back, or of what is owed."""
        totals, currency = order["totals"], order["currency"]
        left = Decimal(totals["paid"]["amount"]) - Decimal(totals["refunded"]["amount"])
        most = int((left or Decimal(totals["total"]["amount"])).scaleb(exponent(currency)))
        return Money.of(max(1, most // self.chance.choice([1, 1, 2, 3, 7])), currency).model_dump()

    async def _pay(self, order: Any) -> None:
        """A payment service tells: money came in, a refund was paid out, or the bank took it back."""
        if order is None:
            return
        pending = [r for r in order["refunds"] if r["state"] == "pending"]
        kind = "refund_done" if pending else self.chance.choice(["paid", "paid", "paid", "chargeback"])
        event = PaymentSettled.model_validate(
            {
                "marketplace_id": self.market.id, "payment_id": str(new_id()), "order_id": order["order_id"],
                "kind": kind, "amount": pending[0]["amount"] if pending else self._amount(order),
                "settled_at": self.hands.now,
            }
        )  # fmt: skip
        received = Received(new_id(), "/test", self.hands.now, "", event)
        try:
            async with self.market.runtime.worker_db.transaction() as tx:
                await payments_settled(self.market.runtime, tx, [received])
        except Problem:
            return
        self.done[kind] += 1

    async def _follow(self) -> None:
        """The channel hands its order in again, further on."""
        order_id = self.chance.choice(sorted(self.bodies))
        body = self.bodies[order_id] | {"external_status": self.chance.choice(SAID_BY_CHANNELS)}
        reply = await self.market.call("POST", "/v1/orders", self.market.operator, body)
        assert reply.status in (200, 409, 422), reply.raw
        self.done["followed"] += reply.status == 200
