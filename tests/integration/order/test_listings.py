"""Listings are found by parts of number and name, in any case, without accents, and only one marketplace's own."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.integration.order.conftest import MakeMarket
from tests.integration.order.market import Market, Somebody

NAMED = (
    ("OAK-10", "Oak table"), ("OAK-20", "Oak chair"), ("PINE-10", "Pine TABLE"), ("X_1%", "Lamp 100% linen"),
    ("Å-7", "Ørsted lampe"),
)  # fmt: skip


async def _offered(market: Market, **given: Any) -> None:
    for sku, name in NAMED:
        body = {"sku": sku, "name": name, "price": {"amount": "10.00", "currency": "USD"}, "available": "5", **given}
        reply = await market.call("POST", "/v1/listings", market.seller, body)
        assert reply.status == 201, reply.raw


async def _found(market: Market, words: str, who: Somebody | None = None, more: str = "") -> list[str]:
    found: list[str] = []
    cursor = ""
    while True:
        query = f"/v1/listings?q={quote(words)}&limit=1{more}{cursor}"
        page = (await market.call("GET", query, who or market.buyer)).json
        found += [x["sku"] for x in page["items"]]
        if not page["next_cursor"]:
            return found
        cursor = f"&cursor={page['next_cursor']}"


async def test_listings_are_found_by_parts_of_number_and_name(market: Market, make_market: MakeMarket) -> None:
    await _offered(market)
    await _offered(await make_market())
    for words, skus in (
        ("oak", ["OAK-10", "OAK-20"]),
        ("k-1", ["OAK-10"]),
        ("table", ["OAK-10", "PINE-10"]),
        ("TAB pine", ["PINE-10"]),
        ("table oak 10", ["OAK-10"]),
        ("100%", ["X_1%"]),
        ("x_1", ["X_1%"]),
        ("ørsted", ["Å-7"]),
        ("orsted", ["Å-7"]),
        ("A-7 O\u0308RSTED", ["Å-7"]),
        ("a_l", []),
        ("oak'; --", []),
        ("oak pine", []),
    ):
        assert await _found(market, words) == skus, words
    both = await market.call("GET", "/v1/listings?q=oak&sku=OAK-10", market.buyer)
    assert (both.status, both.code) == (422, "bad_search")
    assert len(await _found(market, "   ")) >= len(NAMED), "no words are no search"


async def test_what_is_not_on_sale_is_found_by_whoever_keeps_it(make_market: MakeMarket) -> None:
    market = await make_market()
    await _offered(market, active=False)
    assert await _found(market, "oak") == []
    assert await _found(market, "oak", market.seller, "&inactive=true") == ["OAK-10", "OAK-20"]
    assert await _found(market, "oak", market.seller2, "&inactive=true") == []
    assert await _found(market, "oak", market.operator, "&inactive=true&seller=shop") == ["OAK-10", "OAK-20"]
    assert await _found(market, "oak", market.operator, "&inactive=true&seller=other-shop") == []


async def test_codes_are_as_a_scanner_reads_them(market: Market) -> None:
    body = {"sku": "QR", "name": "Chair", "price": {"amount": "1.00", "currency": "USD"}, "tracked": True}
    listing = (
        await market.call("POST", "/v1/listings", market.seller, body | {"units": [" A-1", "A-1", "A-2\n"]})
    ).json
    assert listing["on_hand"] == "2"
    units = (await market.call("GET", f"/v1/listings/{listing['listing_id']}/units", market.seller)).json["items"]
    assert [u["code"] for u in units] == ["A-1", "A-2"]
    for code in (" ", "A\u0007", "A\u202e1"):
        path = f"/v1/listings/{listing['listing_id']}/units"
        refused = await market.call("POST", path, market.seller, {"codes": [code]})
        assert (refused.status, refused.code, refused.json["errors"][0]["field"]) == (422, "bad_listing", "codes"), code
