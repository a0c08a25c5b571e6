"""Nobody sees another marketplace's or another party's anything: by policy, and by the database behind it."""

from __future__ import annotations

from uuid import UUID

import pytest

from shared.ids import new_id
from shared.postgres.database import connect
from tests.integration.order.conftest import MakeMarket
from tests.integration.order.market import Market, Somebody
from tests.stack import StackDatabase

ABSENT = "00000000-0000-7000-8000-000000000000"


async def test_foreign_and_absent_orders_look_the_same(market: Market, make_market: MakeMarket) -> None:
    order = await market.place()
    elsewhere = await make_market()
    paths = [
        ("GET", ""), ("GET", "/timeline"), ("GET", "/print"), ("GET", "/packing-slip.pdf"), ("GET", "/evidence"),
        ("GET", f"/documents/{ABSENT}"), ("POST", "/actions/process"), ("POST", "/refunds"),
    ]  # fmt: skip
    foreigners = [
        (market, market.seller2), (market, market.buyer2), (market, market.colleague),
        (elsewhere, elsewhere.operator), (elsewhere, elsewhere.seller),
    ]  # fmt: skip
    for there, who in foreigners:
        for method, tail in paths:
            body: dict[str, object] | None = {} if method == "POST" else None
            foreign = await there.call(method, f"/v1/orders/{order['order_id']}{tail}", who, body)
            absent = await there.call(method, f"/v1/orders/{ABSENT}{tail}", who, body)
            assert foreign.status == 404, (who.name, method, tail)
            assert foreign.raw == absent.raw
    assert (await market.get(order, market.operator))["sequence"] == 1


async def test_lists_and_exports_hold_only_what_is_the_callers(market: Market, make_market: MakeMarket) -> None:
    mine = await market.place()
    other = market.order(buyer="other-outlet")
    other["lines"][0]["seller"] = "other-shop"
    theirs = await market.place(other)
    elsewhere = await make_market()
    await elsewhere.place()

    async def seen(who: object, there: Market = market) -> set[str]:
        reply = await there.call("GET", "/v1/orders", who)  # type: ignore[arg-type]  # a name or a person
        return {o["order_id"] for o in reply.json["items"]}

    assert await seen(market.operator) == {mine["order_id"], theirs["order_id"]}
    assert await seen(market.seller) == {mine["order_id"]}
    assert await seen(market.seller2) == {theirs["order_id"]}
    assert await seen(market.buyer_admin) == {mine["order_id"]}
    assert await seen(market.buyer) == set()
    assert theirs["order_id"] not in await seen(elsewhere.operator, elsewhere)
    export = await market.call("GET", "/v1/orders/export", market.seller)
    assert mine["number"] in export.raw.decode()
    assert theirs["number"] not in export.raw.decode()


async def test_a_seller_neither_sees_nor_hears_of_an_order_in_approval(make_market: MakeMarket) -> None:
    from contracts.money import Money

    market = await make_market(lifecycle="supplier", currency="EUR")
    market.buyer.limit = Money(amount="10.00", currency="EUR")
    listing = await market.listing(price={"amount": "25.00", "currency": "EUR"})
    reply = await market.buy(listing, "1")
    (order,) = reply.json["orders"]
    assert order["phase"] == "approval"
    ((topic, event),) = await market.events(order)
    assert (topic, event["audience"]) == ("order.updated", ["buyer"])
    path = f"/v1/orders/{order['order_id']}"
    for who in (market.seller, market.admin, market.seller2):
        assert (await market.call("GET", path, who)).status == 404
        assert (await market.call("GET", "/v1/orders", who)).json["items"] == []
        assert (await market.call("POST", f"{path}/actions/accept", who, {})).status == 404
        assert order["number"] not in (await market.call("GET", "/v1/orders/export", who)).raw.decode()
    await market.done(order, "approve", market.approver)
    seen = await market.get(order, market.seller)
    assert "approval" not in seen
    timeline = (await market.call("GET", f"{path}/timeline", market.seller)).json["items"]
    assert [e["to_phase"] for e in timeline] == ["pending"]
    assert [t for t, _ in await market.events(order)] == ["order.updated", "order.created"]


async def test_notes_of_one_side_stay_on_that_side(market: Market) -> None:
    order = await market.place()
    await market.done(order, "add_note", market.seller, {"text": "watch this buyer", "audience": "own_side"})
    assert "notes" in await market.get(order, market.seller)
    for who in (market.buyer_admin, market.operator):
        assert "watch" not in (await market.call("GET", f"/v1/orders/{order['order_id']}", who)).raw.decode()
        assert "watch" not in (await market.call("GET", f"/v1/orders/{order['order_id']}/print", who)).raw.decode()
    topic, event = (await market.events(order))[-1]
    assert (topic, event["audience"]) == ("order.updated", ["seller"])


async def test_api_keys_do_what_their_scopes_say(market: Market) -> None:
    order = await market.place()
    key = Somebody(market.shop, ("seller",), "Shop's key", is_key=True, claims={"scopes": ["orders:read"]})
    assert (await market.call("GET", f"/v1/orders/{order['order_id']}", key)).status == 200
    refused = await market.act(order, "process", key)
    assert (refused.status, refused.code) == (403, "scope_missing")
    key.claims = {"scopes": ["orders:*"]}
    assert (await market.act(order, "process", key)).status == 200


async def test_stock_and_channels_are_not_for_keys_of_another_purpose(market: Market) -> None:
    listing = f"/v1/listings/{(await market.listing())['listing_id']}"
    assert (await market.call("PUT", "/v1/channels/shop", market.operator, {})).status == 200
    key = Somebody(market.shop, ("seller",), "Shop's key", is_key=True)
    for scopes, status in ((["reports:read", "messages:*"], 403), (["listings:read"], 200), (["orders:read"], 200)):
        key.claims = {"scopes": scopes}
        for path in ("/v1/listings", listing, f"{listing}/units", "/v1/channels", "/v1/channels/shop"):
            answer = await market.call("GET", path, key)
            assert answer.status == status, (path, scopes)
            assert status == 200 or answer.code == "scope_missing"


async def test_every_table_is_under_row_level_security(module_database: StackDatabase) -> None:
    conn = await connect(module_database.admin_dsn, name="test")
    try:
        rows = await conn.fetch(
            "SELECT relname, relrowsecurity AND relforcerowsecurity AS held FROM pg_class"
            " WHERE relnamespace = 'orders'::regnamespace AND relkind = 'r' AND relname <> 'schema_migration'"
        )
        assert [r["relname"] for r in rows if not r["held"]] == []
        owned = await conn.fetch(
            "SELECT c.relname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner"
            " WHERE relnamespace = 'orders'::regnamespace AND r.rolname LIKE 'ordertrail_order%'"
            " AND r.rolname <> 'ordertrail_order_owner'"
        )
        assert owned == []
    finally:
        await conn.close()


async def test_the_service_role_sees_its_tenant_only(market: Market, make_market: MakeMarket) -> None:
    order = await market.place()
    elsewhere = await make_market()
    tables = await market.rows(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'marketplace_id'"
        " WHERE c.relnamespace = 'orders'::regnamespace AND c.relkind = 'r'"
    )
    async with market.runtime.db.tenant(elsewhere.id) as tx:
        for row in tables:
            found = await tx.fetch(f"SELECT 1 FROM {row['relname']} WHERE marketplace_id = $1", market.id)
            assert found == [], row["relname"]
        assert await tx.fetch("SELECT orders_containing($1, 10)", "john") == []
        with pytest.raises(Exception, match="another marketplace"):
            await tx.fetch("SELECT next_order_number($1)", market.id)
    async with market.runtime.db.tenant(elsewhere.id) as tx:
        with pytest.raises(Exception, match="row-level security"):
            await tx.execute(
                "INSERT INTO relocation (marketplace_id, id, order_id, line_id, quantity, unit_ids, organisation_id,"
                " moved_at) VALUES ($1, $2, $3, $2, 1, '{}', $2, now())",
                market.id, new_id(), UUID(order["order_id"]),
            )  # fmt: skip


async def test_without_a_tenant_the_service_role_sees_nothing(module_database: StackDatabase, market: Market) -> None:
    await market.place()
    conn = await connect(module_database.app_dsn("order"), name="test")
    try:
        assert await conn.fetchval("SELECT count(*) FROM orders") == 0
        assert await conn.fetchval("SELECT count(*) FROM timeline") == 0
    finally:
        await conn.close()
