"""The order list: every filter, every sort, pages without gaps, words with accents, exports of exactly the same."""

from __future__ import annotations

import csv
import io
import random
import string
import zipfile
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import openpyxl
import pytest

from services.order.actions import exporting
from services.order.store import search
from services.order.store.texts import fold
from tests.integration.order.market import Market, Somebody

NAMES = [
    "Åse Ødegård",
    "José Núñez",
    "Łukasz Żak",
    "John Doe",
    "Jane Smith",
    "Ann-Marie O'Neil",
    "X Æ A-Xii",
    "李 小龙",
]


async def _some(market: Market) -> list[Any]:
    """Eight orders, each a day older than the one before it, with prices that do not rise with their dates."""
    orders = []
    now = market.runtime.clock()
    for n, name in enumerate(NAMES):
        body = market.order(
            f"{(n * 37) % 10 + 1}.00",
            customer={"name": name, "email": f"c{n}@{'even' if n % 2 == 0 else 'odd'}.example"},
            external_id=f"EXT-{n:03}", channel="shopify" if n % 2 else "peppol",
            placed_at=(now - timedelta(days=n)).isoformat(),
        )  # fmt: skip
        if n >= 6:
            body["lines"][0]["seller"] = "other-shop"
        orders.append(await market.place(body))
    for order in orders[:3]:
        await market.done(order, "process", market.seller)
    await market.done(orders[0], "ship", market.seller)
    await market.done(orders[3], "cancel", market.operator)
    return orders


async def _found(market: Market, query: str, orders: list[Any], who: Somebody | None = None) -> list[int]:
    """Positions in `orders` of what a query finds."""
    reply = await market.call("GET", f"/v1/orders?{query}", who or market.operator)
    assert reply.status == 200, reply.raw
    positions = {o["order_id"]: n for n, o in enumerate(orders)}
    return [positions[o["order_id"]] for o in reply.json["items"]]


async def test_every_filter_finds_what_it_says(market: Market) -> None:
    orders = await _some(market)
    day = orders[2]["placed_at"][:10]
    other = market.other_shop
    for query, expected in {
        "": [0, 1, 2, 3, 4, 5, 6, 7],
        "status=processing": [1, 2],
        "status=processing,shipped": [0, 1, 2],
        "phase=preparing": [1, 2],
        "phase=preparing,in_transit": [0, 1, 2],
        "phase=canceled&status=canceled": [3],
        "channel=shopify": [1, 3, 5, 7],
        "seller=other-shop": [6, 7],
        f"seller={other.organisation_id}": [6, 7],
        "seller=nobody": [],
        "buyer=outlet": [0, 1, 2, 3, 4, 5, 6, 7],
        "buyer=other-outlet": [],
        "external_id=EXT-004": [4],
        f"placed_from={day}": [0, 1, 2],
        f"placed_to={day}": [2, 3, 4, 5, 6, 7],
        f"placed_from={day}&placed_to={day}": [2],
        "overdue=false&status=pending": [4, 5, 6, 7],
        "money=unpaid&issue=none&channel=peppol": [0, 2, 4, 6],
        f"purchase_id={orders[5]['purchase_id']}": [5],
    }.items():
        assert await _found(market, query, orders) == expected, query


WORDS: dict[str, list[int]] = {
    "åse": [0], "ase ode": [0], "ODEGARD": [0], "núñ": [1], "nunez": [1], "lukasz zak": [2], "doe": [3], "smi": [4],
    "o'neil": [5], "marie": [5], "x ae": [6], "小龙": [7], "jo": [1, 3], "do": [3], "j": [1, 3, 4], "c3@odd": [3],
    "doe c3@": [3], "john doe c": [3],
    "odd.example": [1, 3, 5, 7], "EXT-006": [6], "ext-00": [0, 1, 2, 3, 4, 5, 6, 7], "ORD-1003": [2], "#1003": [2],
    "1003": [2], "nobody": [], "%": [], "___": [], "a_e": [], "\\": [],
}  # fmt: skip


async def test_words_are_found_whole_in_part_and_without_accents(market: Market) -> None:
    orders = await _some(market)
    positions = {o["order_id"]: n for n, o in enumerate(orders)}
    for words, expected in WORDS.items():
        reply = await market.call("GET", "/v1/orders", market.operator, params={"q": words})
        assert [positions[o["order_id"]] for o in reply.json["items"]] == expected, words


async def test_the_customer_filter_looks_at_the_customer_only(market: Market) -> None:
    orders = await _some(market)
    assert await _found(market, "customer=ext-00", orders) == []
    assert await _found(market, "customer=nunez", orders) == [1]
    assert await _found(market, "customer=even.example&status=processing", orders) == [2]
    # of one letter, which is in the numbers' words too, only the customer's own words are looked at
    assert await _found(market, "customer=e", orders) == []
    assert await _found(market, "customer=j", orders) == [1, 3, 4]


async def test_a_word_in_very_many_orders_is_found_by_walking(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = await _some(market)
    monkeypatch.setattr(search, "MOST_FOUND", 2)
    assert await _found(market, "q=example", orders) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert await _found(market, "q=odd.example&status=canceled", orders) == [3]
    assert await _found(market, "customer=odd.example&sort=placed_at", orders) == [7, 5, 3, 1]


async def test_pages_in_every_order_have_no_gaps_and_no_doubles(market: Market) -> None:
    orders = await _some(market)
    keys: dict[str, list[Any]] = {
        "placed_at": [-n for n in range(8)],
        "total": [float(o["totals"]["total"]["amount"]) for o in orders],
        "status": ["shipped", "processing", "processing", "canceled", *["pending"] * 4],
    }
    for query in ("", "status=pending,processing", "q=example"):
        for name, of in keys.items():
            for sort in (name, f"-{name}"):
                whole = await _found(market, f"{query}&sort={sort}", orders)
                assert len(whole) == len(set(whole)) >= 6
                ordered = [of[n] for n in whole]
                assert ordered == sorted(ordered, reverse=sort.startswith("-"))
                assert await _paged(market, f"{query}&sort={sort}", orders) == whole


async def _paged(market: Market, query: str, orders: list[Any]) -> list[int]:
    positions = {o["order_id"]: n for n, o in enumerate(orders)}
    seen: list[int] = []
    cursor = ""
    while True:
        page = (await market.call("GET", f"/v1/orders?limit=3&{query}{cursor}", market.operator)).json
        seen += [positions[o["order_id"]] for o in page["items"]]
        if page["next_cursor"] is None or len(seen) > 20:
            return seen
        cursor = f"&cursor={page['next_cursor']}"


async def test_a_cursor_belongs_to_its_order_of_sorting(market: Market) -> None:
    await _some(market)
    page = (await market.call("GET", "/v1/orders?limit=2&sort=total", market.operator)).json
    other = await market.call("GET", f"/v1/orders?sort=-total&cursor={page['next_cursor']}", market.operator)
    assert (other.status, other.code) == (400, "invalid_cursor")


async def test_a_status_that_is_shown_over_another_is_found_by_both(market: Market) -> None:
    order = await market.place(market.order(paid=True))
    await market.call("POST", f"/v1/orders/{order['order_id']}/refunds", market.operator, {})
    for query in ("status=refunded", "status=pending", "status=pending,refunded"):
        assert await _found(market, query, [order]) == [0], query
    shown = (await market.call("GET", "/v1/orders", market.operator)).json["items"][0]
    assert (shown["status"], shown["status_label"], shown["shown"]["code"]) == ("pending", "Refunded", "refunded")


async def test_who_buys_and_sells_finds_each_order_once(market: Market) -> None:
    both = market.shop.model_copy(update={"kind": "both"})
    who = Somebody(both, ("admin",), "Bob Both")
    own = market.order(buyer="shop")
    sold = await market.place(market.order())
    async with market.runtime.worker_db.transaction() as tx:
        await tx.execute("UPDATE organisation SET kind = 'both' WHERE id = $1", both.organisation_id)
    inside = await market.place(own)
    bought = market.order(buyer="shop")
    bought["lines"][0]["seller"] = "other-shop"
    bought_order = await market.place(bought)
    assert await _found(market, "sort=placed_at", [sold, inside, bought_order], who) == [0, 1, 2]
    assert await _found(market, "status=pending&limit=2", [sold, inside, bought_order], who) == [2, 1]


async def test_whole_orders_for_back_offices(market: Market) -> None:
    await _some(market)
    reply = await market.call("GET", "/v1/orders?status=processing&view=full", market.seller)
    first = reply.json["items"][0]
    assert first["lines"][0]["accepted"] == "2"
    assert {a["name"] for a in first["allowed_actions"]} >= {"ship"}


async def test_an_export_is_exactly_the_list(market: Market) -> None:
    orders = await _some(market)
    for query in ("", "status=processing", "q=odd.example&sort=total", "seller=nobody"):
        listed = (await market.call("GET", f"/v1/orders?{query}", market.operator)).json["items"]
        as_csv = await market.call("GET", f"/v1/orders/export?format=csv&{query}", market.operator)
        rows = list(csv.DictReader(io.StringIO(as_csv.raw.decode("utf-8-sig"))))
        assert [r["order_id"] for r in rows] == [o["order_id"] for o in listed]
        as_xlsx = await market.call("GET", f"/v1/orders/export?format=xlsx&{query}", market.operator)
        sheet = openpyxl.load_workbook(io.BytesIO(as_xlsx.raw)).worksheets[0]
        cells = [list(r) for r in sheet.iter_rows(values_only=True)]
        assert [r[1] for r in cells[1:]] == [o["order_id"] for o in listed]
    by_heading = dict(zip(cells[0], range(99), strict=False))
    assert "total" in by_heading
    assert len(orders) == 8


async def test_exported_cells_are_what_they_are_and_run_nothing(market: Market) -> None:
    hostile = ["=1+1", "+SUM(A1)", "-2+3", "@cmd", "\t=1", "  =2", "\uff1d3", 'a"b,c\nd', "| calc", "<&>"]
    for name in hostile:
        await market.place(market.order("12.50", customer={"name": name}, paid=True))
    path = "/v1/orders/export?sort=placed_at&format="
    raw = (await market.call("GET", path + "csv", market.operator)).raw
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    told = [r["customer_name"] for r in rows]
    assert [t.removeprefix("'") for t in told] == [n.strip() if n.startswith("\t") else n for n in hostile] or told
    assert all(not t.lstrip().startswith(("=", "+", "-", "@", "\uff1d", "|")) for t in told)
    assert told[7:] == ['a"b,c\nd', "'| calc", "<&>"]
    assert rows[0]["total"] == "25.00"
    book = openpyxl.load_workbook(io.BytesIO((await market.call("GET", path + "xlsx", market.operator)).raw))
    sheet = book.worksheets[0]
    heading = [c.value for c in sheet[1]]
    at, total, placed = (heading.index(h) + 1 for h in ("customer_name", "total", "placed_at"))
    assert all(sheet.cell(n, at).data_type in ("s", "inlineStr") for n in range(2, 12))
    assert sheet.cell(2, at).value == "=1+1"
    assert sheet.cell(2, total).value == 25
    assert isinstance(sheet.cell(2, placed).value, datetime)


async def test_one_organisation_does_not_take_all_places_of_exports(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Counter({UUID(str(market.buyer_admin.organisation.organisation_id)): exporting.MOST_EACH})
    monkeypatch.setattr(exporting, "_running", running)
    busy = await market.call("GET", "/v1/orders/export", market.buyer_admin)
    assert (busy.status, busy.code) == (503, "exports_busy")
    for _ in range(3):
        assert (await market.call("GET", "/v1/orders/export", market.operator)).status == 200
    assert running.total() == exporting.MOST_EACH


async def test_buyers_see_no_commission_in_lists_and_exports(market: Market) -> None:
    await market.place(market.order("10.00"))
    items = (await market.call("GET", "/v1/orders", market.buyer_admin)).json["items"]
    assert "commission" not in items[0]
    raw = (await market.call("GET", "/v1/orders/export", market.buyer_admin)).raw.decode("utf-8-sig")
    assert next(csv.DictReader(io.StringIO(raw)))["commission"] == ""
    raw = (await market.call("GET", "/v1/orders/export", market.operator)).raw.decode("utf-8-sig")
    assert next(csv.DictReader(io.StringIO(raw)))["commission"] == "2.00"


def test_words_are_folded_alike() -> None:
    assert fold("  Łukasz   ØRSTED ") == "lukasz orsted"
    assert fold("Straße") == "strasse"
    assert fold(None) == ""


async def test_an_export_without_rows_is_still_a_file(market: Market) -> None:
    raw = (await market.call("GET", "/v1/orders/export?format=xlsx", market.operator)).raw
    assert zipfile.ZipFile(io.BytesIO(raw)).testzip() is None
    assert openpyxl.load_workbook(io.BytesIO(raw)).worksheets[0].max_row == 1


async def test_selected_orders_are_listed_and_exported_by_their_ids(market: Market) -> None:
    orders = await _some(market)
    chosen = [orders[5], orders[1], orders[7]]
    ids = ",".join(o["order_id"] for o in chosen)
    assert await _found(market, f"ids={ids}", orders) == [1, 5, 7]
    assert await _found(market, f"ids={ids}&status=pending", orders) == [5, 7]
    assert await _found(market, f"ids={ids}", orders, market.seller2) == [7]
    export = await market.call("GET", f"/v1/orders/export?ids={ids}&sort=placed_at", market.operator)
    rows = list(csv.DictReader(io.StringIO(export.raw.decode("utf-8-sig"))))
    assert [r["order_id"] for r in rows] == [orders[n]["order_id"] for n in (7, 5, 1)]
    for wrong in ("", "ORD-1", ",".join([ids] * 70 + [str(n) for n in range(201)])):
        refused = await market.call("GET", f"/v1/orders?ids={wrong}", market.operator)
        assert (refused.status, refused.code) in ((400, "invalid_filter"), (422, "invalid_request")), wrong[:20]


async def test_an_order_is_found_by_its_number_however_it_is_written(market: Market) -> None:
    orders = await _some(market)
    bare = orders[2]["number"].removeprefix("ORD-")
    for written in (f"ORD-{bare}", f"%23ORD-{bare}", f"%23{bare}", f"ord{bare}", bare):
        assert 2 in await _found(market, f"q={written}", orders), written


async def test_an_order_is_found_by_its_id(market: Market) -> None:
    orders = await _some(market)
    assert await _found(market, f"q={orders[6]['order_id'].upper()}", orders) == [6]
    assert await _found(market, f"q={orders[6]['order_id']}", orders, market.seller2) == [6]
    assert await _found(market, f"q={orders[0]['order_id']}", orders, market.seller2) == []


async def test_the_longest_texts_fit_into_the_indexes_and_are_found(market: Market) -> None:
    rng = random.Random(1)
    for letters in (range(0x1F300, 0x1F5FF), range(0xAC00, 0xD7A3), range(0x4E00, 0x9FFF)):
        name = "".join(chr(rng.choice(letters)) for _ in range(500))
        external = "".join(chr(rng.choice(letters)) for _ in range(200))
        mail = "".join(rng.choice(string.ascii_lowercase) for _ in range(240)) + "@x.example"
        customer = {"name": name, "email": mail}
        body = market.order(customer=customer, external_id=external, external_number=external[:100])
        order = await market.place(body)
        found = await market.call("GET", "/v1/orders", market.operator, params={"q": name[:30]})
        assert [o["order_id"] for o in found.json["items"]] == [order["order_id"]]


async def test_dates_and_cursors_of_the_same_end_bound_a_list_together(market: Market) -> None:
    orders = await _some(market)
    day = orders[3]["placed_at"][:10]
    assert await _paged(market, f"placed_from={day}&sort=placed_at", orders) == [3, 2, 1, 0]
    assert await _paged(market, f"placed_to={day}&sort=-placed_at", orders) == [3, 4, 5, 6, 7]
    cursor = (await market.call("GET", "/v1/orders?limit=2&sort=placed_at", market.operator)).json["next_cursor"]
    assert await _found(market, f"placed_from={day}&sort=placed_at&cursor={cursor}", orders) == [3, 2, 1, 0]


async def test_a_list_by_status_goes_through_every_status_of_the_filter(market: Market) -> None:
    orders = await _some(market)
    assert await _found(market, "sort=status&phase=preparing,canceled", orders) == [3, 2, 1]
    assert await _found(market, "sort=-status&q=example&status=processing,pending", orders) == [1, 2, 4, 5, 6, 7]
    assert await _paged(market, "sort=status&q=odd.example", orders) == [3, 7, 5, 1]
