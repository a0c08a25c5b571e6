"""`ordertrail import` against the running order service: the real command, real files, a real report."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.order.market import Market, Somebody
from tests.unit.cli.samples import shopify, ubl, ubl_line, ubl_sums

SAMPLES = "ORDERTRAIL_TEST_SAMPLES"


@dataclass
class Report:
    code: int
    text: str
    error: str

    @property
    def orders(self) -> list[Any]:
        return list(json.loads(self.text)["orders"])

    @property
    def results(self) -> list[str]:
        return [o["result"] for o in self.orders]


async def _import(
    market: Market,
    *args: str | Path,
    who: Somebody | None = None,
    as_json: bool = True,
    stdin: bytes = b"",
    token: str | None = None,
) -> Report:
    """Run the command as somebody with a token."""
    token = token or market.token(who or market.operator)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", "import", *map(str, args), *(["--json"] if as_json else []),
        env={**os.environ, "ORDERTRAIL_TOKEN": token, "ORDERTRAIL_ORDER_URL": market.url, "COLUMNS": "200"},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(stdin), 120)
    return Report(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
async def shop(market: Market) -> Market:
    """A marketplace whose channels know who buys and sells."""
    parties = {
        "default_buyer": str(market.outlet.organisation_id),
        "default_seller": str(market.shop.organisation_id),
    }
    for channel in ("shopify", "peppol", "csv"):
        assert (await market.call("PUT", f"/v1/channels/{channel}", market.operator, parties)).status == 200
    return market


def _file(folder: Path, name: str, content: Any) -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return file


async def test_two_kinds_of_file_are_taken_once(shop: Market, tmp_path: Path) -> None:
    files = [
        _file(tmp_path, "order.json", {"order": shopify()}),
        _file(tmp_path, "one.xml", ubl(sums=ubl_sums("10.00", "50.00"))),
        _file(tmp_path, "two.xml", ubl(seller="7300010000001", sums=ubl_sums("10.00", "50.00"))),
    ]
    first = await _import(shop, *files)
    assert (first.code, first.results) == (0, ["taken"] * 3)
    again = await _import(shop, *files)
    assert (again.code, again.results) == (0, ["already there"] * 3)
    assert [o["order_ids"] for o in again.orders] == [o["order_ids"] for o in first.orders]
    orders = [await shop.get({"order_id": o["order_ids"][0]}, shop.operator) for o in first.orders]
    assert [o["totals"]["total"]["amount"] for o in orders] == ["49.00", "50.00", "50.00"]
    assert [o["currency"] for o in orders] == ["USD", "EUR", "EUR"]
    assert [o["money"] for o in orders] == ["paid", "unpaid", "unpaid"]
    # known parties are found by their ids; the others have the channel's stand-ins, and their names are kept
    assert [o["buyer"]["name"] for o in orders] == ["Outlet"] * 3
    assert [o["seller"]["name"] for o in orders] == ["Shop"] * 3
    assert orders[2]["attributes"]["seller party"] == "Harbour Supply (0192:7300010000001)"
    assert orders[1]["customer"]["name"] == "City Clinic"


async def test_the_same_id_with_other_content_is_a_conflict(shop: Market, tmp_path: Path) -> None:
    await _import(shop, _file(tmp_path, "a.xml", ubl()))
    other = await _import(shop, _file(tmp_path, "b.xml", ubl(ubl_line(quantity="11", amount=""))))
    assert (other.code, other.results) == (1, ["refused"])
    assert "other content" in other.orders[0]["detail"]
    within = await _import(
        shop, _file(tmp_path, "c.json", [shopify(id=7), shopify(id=7, total_price="50.00"), shopify(id=7)])
    )
    assert within.results == ["taken", "refused", "already there"]


async def test_a_contradicting_total_is_kept_and_told(shop: Market, tmp_path: Path) -> None:
    report = await _import(shop, _file(tmp_path, "o.json", {"order": shopify(total_price="29.00")}))
    (told,) = report.orders[0]["warnings"]
    assert "29.00 USD is kept" in told
    assert "-20.00" in told
    order = await shop.get({"order_id": report.orders[0]["order_ids"][0]}, shop.operator)
    assert order["totals"]["adjustment"]["amount"] == "-20.00"
    assert order["totals"]["total"]["amount"] == "29.00"


async def test_what_is_refused_says_why_and_the_rest_goes_on(shop: Market, tmp_path: Path) -> None:
    response = ubl().replace(b"<Order ", b"<OrderResponse ").replace(b"</Order>", b"</OrderResponse>")
    files = [
        _file(tmp_path, "response.xml", response.replace(b"Order-2", b"OrderResponse-2")),
        _file(tmp_path, "bomb.xml", ubl().replace(b"?>", b'?><!DOCTYPE Order [<!ENTITY a "b">]>', 1)),
        _file(tmp_path, "broken.json", b"{"),
        tmp_path / "missing.json",
        _file(tmp_path, "some.json", [shopify(id=1), shopify(id=2, test=True), shopify(id=3, currency="ZZZ"),
                                      shopify(id=4, cancelled_at="2026-01-12T00:00:00Z")]),
    ]  # fmt: skip
    report = await _import(shop, *files)
    assert report.code == 1
    assert [(o["file"], o["result"]) for o in report.orders] == [
        ("response.xml", "refused"), ("bomb.xml", "refused"), ("broken.json", "refused"), ("missing.json", "refused"),
        ("some.json", "taken"), ("some.json", "refused"), ("some.json", "refused"), ("some.json", "refused"),
    ]  # fmt: skip
    reasons = [o["detail"] for o in report.orders]
    for part, reason in zip(("OrderResponse", "DTD", "JSON", "No such file"), reasons, strict=False):
        assert part in reason
    assert "--with-test" in reasons[5]
    assert "ZZZ" in reasons[6]
    assert "canceled at its source" in reasons[7]
    assert len(await shop.rows("SELECT 1 FROM orders WHERE marketplace_id = $1", shop.id)) == 1


async def test_an_order_that_is_canceled_at_its_source_later_is_followed_or_told(shop: Market, tmp_path: Path) -> None:
    await _import(shop, _file(tmp_path, "o.json", {"order": shopify()}))
    later = {"order": shopify(cancelled_at="2026-01-12T00:00:00Z")}
    report = await _import(shop, _file(tmp_path, "o.json", later))
    assert report.results == ["already there"]
    assert "does not follow" in " ".join(report.orders[0]["warnings"])


async def test_an_order_that_is_canceled_already_is_taken_as_such_when_asked_for(shop: Market, tmp_path: Path) -> None:
    refunds = [{"id": 7, "transactions": [{"kind": "refund", "status": "success", "amount": "49.00"}]}]
    canceled = shopify(cancelled_at="2026-01-12T00:00:00Z", financial_status="refunded", refunds=refunds)
    file = _file(tmp_path, "o.json", {"order": canceled})
    refused = await _import(shop, file, "--with-canceled", who=shop.admin)
    assert refused.results == ["refused"]
    assert "canceled at its source (cancelled)" in refused.orders[0]["detail"]
    assert (await _import(shop, file)).results == ["refused"]
    for result in ("taken", "already there"):
        report = await _import(shop, file, "--with-canceled")
        assert (report.code, report.results) == (0, [result])
    order = await shop.get({"order_id": report.orders[0]["order_ids"][0]}, shop.operator)
    assert (order["phase"], order["status_label"], order["external_status"]) == ("canceled", "Refunded", "cancelled")


async def test_a_payment_that_came_in_meanwhile_is_recorded(shop: Market, tmp_path: Path) -> None:
    await _import(shop, _file(tmp_path, "o.json", {"order": shopify(financial_status="authorized")}))
    ((money,),) = await shop.rows("SELECT money FROM orders WHERE marketplace_id = $1", shop.id)
    assert money == "unpaid"
    report = await _import(shop, _file(tmp_path, "o.json", {"order": shopify(financial_status="paid")}))
    assert report.results == ["already there"]
    ((money,),) = await shop.rows("SELECT money FROM orders WHERE marketplace_id = $1", shop.id)
    assert money == "paid"


async def test_refunds_of_the_source_are_booked_once(shop: Market, tmp_path: Path) -> None:
    refunds = [
        {"id": 7, "transactions": [{"kind": "refund", "status": "success", "amount": "12.50"}]},
        {"id": 8, "transactions": [{"kind": "refund", "status": "success", "amount": "16.50"}],
         "refund_line_items": [{"line_item_id": 1, "quantity": 1, "subtotal": 15.0, "total_tax": "1.50"}]},
    ]  # fmt: skip
    file = _file(tmp_path, "o.json", {"order": shopify(refunds=refunds, financial_status="partially_refunded")})
    for _ in range(3):
        report = await _import(shop, file)
        assert report.code == 0
    order = await shop.get({"order_id": report.orders[0]["order_ids"][0]}, shop.operator)
    assert order["totals"]["refunded"]["amount"] == "29.00"
    assert [x["refunded"]["amount"] for x in order["lines"]] == ["16.50", "0.00"]


async def test_whoever_sells_imports_for_itself_and_a_channel_without_parties_says_what_to_do(
    market: Market, tmp_path: Path
) -> None:
    file = _file(tmp_path, "o.json", {"order": shopify()})
    refused = await _import(market, file)
    assert (refused.code, refused.results) == (1, ["refused"])
    assert "default_seller" in refused.orders[0]["detail"]
    own = await _import(market, file, who=market.admin)
    assert own.results == ["taken"]
    named = await _import(market, file, "--channel", "second-shop", "--seller", "shop", "--buyer", "outlet")
    assert named.results == ["taken"]


async def test_many_orders_of_one_file(shop: Market, tmp_path: Path) -> None:
    rows = [f"C-{n},USD,Jo,S{n},Thing,1,{n}.00" for n in range(1, 121)]
    text = "\n".join(["external_id,currency,customer_name,sku,name,quantity,unit_price", *rows])
    report = await _import(shop, _file(tmp_path, "o.csv", text.encode()))
    assert (report.code, json.loads(report.text)["summary"]["taken"]) == (0, 120)
    assert [o["external_id"] for o in report.orders] == [f"C-{n}" for n in range(1, 121)]


async def test_the_report_for_people_names_every_order(shop: Market, tmp_path: Path) -> None:
    file = _file(tmp_path, "o.json", [shopify(id=1), shopify(id=2, name="#2 [red]", test=True)])
    report = await _import(shop, file, as_json=False)
    assert report.code == 1
    for part in ("o.json", "#9999", "taken", "#2 [red]", "refused", "ORD-1001", "1 taken, 0 already there, 1 refused"):
        assert part in report.text


async def test_nobody_who_cannot_sign_in_imports(market: Market, tmp_path: Path) -> None:
    file = _file(tmp_path, "o.json", {"order": shopify()})
    market.operator.claims = {"exp": 1}
    expired = await _import(market, file)
    assert (expired.code, expired.text) == (2, "")
    assert "does not take this token" in expired.error
    assert "expired" in expired.error
    market.operator.claims = {}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", "import", str(file),
        env={**os.environ, "ORDERTRAIL_TOKEN": "x", "ORDERTRAIL_ORDER_URL": "http://127.0.0.1:9"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 2
    assert b"does not answer" in err


async def test_a_folder_and_standard_input_are_taken_once(shop: Market, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    _file(tmp_path, "in/a.jsonl", b"\n".join(json.dumps(shopify(id=n)).encode() for n in range(1, 4)))
    _file(tmp_path, "b.xml", ubl())
    first = await _import(shop, tmp_path, "-", stdin=json.dumps([shopify(id=9)]).encode())
    assert (first.code, first.results) == (0, ["taken"] * 5)
    assert [o["file"] for o in first.orders] == ["b.xml", *["in/a.jsonl"] * 3, "(standard input)"]
    again = await _import(shop, tmp_path, "-", stdin=b"{")
    assert (again.code, again.results) == (1, ["already there"] * 4 + ["refused"])
    both = await _import(shop, "-", "--password-stdin")
    assert (both.code, both.text) == (2, "")
    assert "standard input cannot give both" in both.error


def _samples() -> list[Path]:
    return sorted(f for f in Path(os.environ[SAMPLES]).rglob("*") if f.suffix in (".json", ".xml", ".csv"))


@pytest.mark.skipif(SAMPLES not in os.environ, reason=f"{SAMPLES} names no folder of foreign order files")
async def test_foreign_samples_are_taken_once_or_refused_with_a_reason(shop: Market) -> None:
    files = _samples()
    assert files
    first = await _import(shop, *files)
    assert all(o["order_ids"] or o["detail"] for o in first.orders)
    again = await _import(shop, *files)
    assert again.results == ["already there" if r == "taken" else r for r in first.results]
    assert [o["order_ids"] for o in again.orders] == [o["order_ids"] for o in first.orders]
