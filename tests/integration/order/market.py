"""A marketplace with its people, talked to over real HTTP: every test of the order service has one of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aiohttp
import orjson

from contracts.envelope import Received
from contracts.identity import Marketplace, Member, MemberChanged, Organisation
from contracts.money import Money
from services.order.actions.knowing import members_changed
from shared.ids import new_id
from shared.process import Runtime
from tests.issuer import TokenIssuer


@dataclass
class Somebody:
    """A person in an organisation, as a token names them."""

    organisation: Organisation
    roles: tuple[str, ...]
    name: str
    person_id: UUID = field(default_factory=new_id)
    limit: Money | None = None
    claims: dict[str, Any] = field(default_factory=dict)
    is_key: bool = False


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.raw)

    @property
    def code(self) -> str:
        """The stable code of a problem; the status where it is none."""
        return str(self.json.get("code", self.status)) if self.raw[:1] == b"{" else str(self.status)


def organisation(slug: str, kind: Any, **given: Any) -> Organisation:
    fields: dict[str, Any] = {
        "organisation_id": new_id(), "slug": slug, "name": slug.title(), "kind": kind, "time_zone": "Europe/Oslo",
        "location": f"{slug} yard",
    }  # fmt: skip
    return Organisation(**(fields | given))


class Market:
    """`place`, `act`, `get` and `call` speak for somebody; rows can be looked at through `runtime.worker_db`."""

    def __init__(
        self, url: str, http: aiohttp.ClientSession, issuer: TokenIssuer, runtime: Runtime, **given: Any
    ) -> None:
        self.url, self.http, self.issuer, self.runtime = url, http, issuer, runtime
        self.id: UUID = given.get("marketplace_id") or new_id()
        self.currency: str = given.get("currency", "USD")
        self.lifecycle: str = given.get("lifecycle", "storefront")
        self.settings: dict[str, str] = given.get("settings", {})
        self.shop = organisation("shop", "seller", commission_rate="0.1", external_ids=("0192:987654325",))
        self.other_shop = organisation("other-shop", "seller")
        self.outlet = organisation("outlet", "buyer", external_ids=("0088:7300010000001",))
        self.other_outlet = organisation("other-outlet", "buyer")
        self.owner = organisation("owner", "operator")
        self.seller = Somebody(self.shop, ("seller",), "Sam Seller")
        self.seller2 = Somebody(self.other_shop, ("seller",), "Sue Second")
        self.admin = Somebody(self.shop, ("admin",), "Ada Admin")
        self.member = Somebody(self.shop, ("member",), "Max Member")
        self.buyer = Somebody(self.outlet, ("buyer",), "Bea Buyer")
        self.colleague = Somebody(self.outlet, ("buyer",), "Cy Colleague")
        self.approver = Somebody(self.outlet, ("approver", "buyer"), "Ann Approver")
        self.buyer_admin = Somebody(self.outlet, ("admin",), "Bo Admin")
        self.buyer2 = Somebody(self.other_outlet, ("buyer",), "Ben Second")
        self.operator = Somebody(self.owner, ("operator",), "Olga Operator")

    def everybody(self) -> list[Somebody]:
        return [v for v in vars(self).values() if isinstance(v, Somebody)]

    async def open(self) -> Market:
        """Tell the order service of the marketplace, as identity would."""
        events = [self.member_changed(p, version) for version, p in enumerate(self.everybody(), 1)]
        async with self.runtime.worker_db.transaction() as tx:
            await members_changed(tx, [Received(new_id(), "/test", datetime.now(UTC), "", e) for e in events])
        return self

    def member_changed(self, p: Somebody, version: int = 1) -> MemberChanged:
        return MemberChanged(
            marketplace_id=self.id,
            version=version,
            marketplace=Marketplace(
                marketplace_id=self.id, slug="test", name="Test", currency=self.currency, time_zone="UTC",
                lifecycle=self.lifecycle, settings=self.settings,
            ),
            organisation=p.organisation,
            member=Member(
                person_id=p.person_id, email=f"{p.name.split()[0].lower()}@test.example", name=p.name,
                roles=p.roles,
                purchasing_limit=p.limit,
            ),
        )  # fmt: skip

    def token(self, who: Somebody) -> str:
        org = who.organisation
        claims: dict[str, Any] = {"api_key_id" if who.is_key else "person_id": who.person_id, **who.claims}
        if who.limit:
            claims["limit"] = who.limit.model_dump()
        return self.issuer.token(
            marketplace_id=self.id, organisation_id=org.organisation_id, roles=who.roles, kind=org.kind,
            org_name=org.name, name=who.name, **claims,
        )  # fmt: skip

    async def call(
        self, method: str, path: str, who: Somebody | None, json: Any = None, *, key: str | None = None, **given: Any
    ) -> Reply:
        """One request. `json` may be bytes, to send them as they are."""
        headers = dict(given.pop("headers", {}))
        if who is not None:
            headers["authorization"] = f"Bearer {self.token(who)}"
        if key is not None:
            headers["idempotency-key"] = key
        data = given.pop("data", None)
        if json is not None:
            headers.setdefault("content-type", "application/json")
            data = json if isinstance(json, bytes) else orjson.dumps(json)
        async with self.http.request(method, self.url + path, headers=headers, data=data, **given) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    def order(self, *prices: str, **given: Any) -> dict[str, Any]:
        """An order of free lines as a channel states it: one line of two pieces per price."""
        lines = [
            {"sku": f"SKU-{n}", "name": f"Thing {n}", "quantity": "2", "seller": "shop",
             "unit_price": {"amount": price, "currency": self.currency}}
            for n, price in enumerate(prices or ("10.00",), 1)
        ]  # fmt: skip
        fields = {
            "currency": self.currency, "buyer": "outlet", "lines": lines,
            "customer": {"name": "John Doe", "email": "john@doe.example"},
        }  # fmt: skip
        return fields | given

    async def place(self, body: dict[str, Any] | None = None, who: Somebody | None = None, **given: Any) -> Any:
        """Place (by the operator unless said otherwise) and return the one order that it became."""
        reply = await self.call("POST", "/v1/orders", who or self.operator, body or self.order(), **given)
        assert reply.status == 201, reply.raw
        (order,) = reply.json["orders"]
        return order

    async def listing(self, who: Somebody | None = None, **given: Any) -> Any:
        body = {
            "sku": f"L-{str(new_id())[-8:]}", "name": "A listed thing",
            "price": {"amount": "25.00", "currency": self.currency}, "available": "10",
        } | given  # fmt: skip
        reply = await self.call("POST", "/v1/listings", who or self.seller, body)
        assert reply.status == 201, reply.raw
        return reply.json

    async def buy(self, listing: Any, quantity: str = "1", who: Somebody | None = None, **given: Any) -> Reply:
        body = {
            "currency": self.currency, "customer": {"name": "John Doe"},
            "lines": [{"listing_id": listing["listing_id"], "quantity": quantity}],
        }  # fmt: skip
        return await self.call("POST", "/v1/orders", who or self.buyer, body, **given)

    async def act(self, order: Any, action: str, who: Somebody, params: Any = None, **given: Any) -> Reply:
        body = {"params": params or {}}
        return await self.call("POST", f"/v1/orders/{order['order_id']}/actions/{action}", who, body, **given)

    async def done(self, order: Any, action: str, who: Somebody, params: Any = None) -> Any:
        reply = await self.act(order, action, who, params)
        assert reply.status == 200, reply.raw
        return reply.json

    async def get(self, order: Any, who: Somebody) -> Any:
        reply = await self.call("GET", f"/v1/orders/{order['order_id']}", who)
        assert reply.status == 200, reply.raw
        return reply.json

    async def rows(self, sql: str, *args: Any) -> Sequence[Any]:
        async with self.runtime.worker_db.transaction() as tx:
            return await tx.fetch(sql, *args)

    async def events(self, order: Any) -> list[tuple[str, Any]]:
        """(topic, event) of an order as the outbox holds them, in order; the relay does not run here."""
        found = await self.rows("SELECT topic, value FROM outbox WHERE key = $1 ORDER BY seq", order["order_id"])
        return [(r["topic"], orjson.loads(r["value"])) for r in found]
