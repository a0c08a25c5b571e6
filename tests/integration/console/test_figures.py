"""Figures in the console: reports, what they say by seller, as files, and a seller's balance."""

from __future__ import annotations

import csv
import io

from tests.integration.console.browser import Browser, Page
from tests.integration.console.conftest import OPERATOR, PASSWORD, SELLER, Town
from tests.waiting import until


async def test_reports_add_up_and_the_chart_has_its_table(town: Town, seller: Browser, order_id: str) -> None:
    async def reported() -> bool:
        page = await seller.get("/reports")
        return bool(page.texts("//table//tfoot"))

    await until(reported, what="the order is in the figures")
    page = await seller.get("/reports")
    head = page.texts("//div[@class='scroll']//thead//th")
    rows = [dict(zip(head, r, strict=True)) for r in _rows(page, "tbody")]
    [total] = [dict(zip(head, r, strict=True)) for r in _rows(page, "tfoot")]
    assert sum(int(r["Orders"]) for r in rows) == int(total["Orders"]) > 0
    assert len(page.tree.xpath("//figure//*[local-name()='svg']//*[local-name()='rect']")) >= 2
    assert page.tree.xpath("//figure//*[local-name()='svg']/@aria-labelledby")
    turned = await seller.get("/reports?from=2026-02-01&to=2026-01-01")
    assert (turned.status, "Turn" in turned.alert) == (422, True)


def _rows(page: Page, part: str) -> list[list[str]]:
    return [
        [" ".join(c.text_content().split()) for c in row.xpath("./th|./td")]
        for row in page.tree.xpath(f"//div[@class='scroll']//{part}/tr")
    ]


async def test_the_operator_sees_sellers_and_channels_and_takes_the_figures_along(town: Town, order_id: str) -> None:
    async with Browser(town.console) as owner:
        await owner.sign_in("operator@storefront.example", PASSWORD)

        async def reported() -> bool:
            return bool((await owner.get("/reports")).texts("//section[@aria-labelledby='by-seller']//tbody/tr"))

        await until(reported, what="the order is in the figures by seller")
        page = await owner.get("/reports")
        [name] = page.texts("//section[@aria-labelledby='by-seller']//tbody/tr/th")
        assert name == "Storefront Market Seller One"
        [by_seller] = [a for a in page.links() if a.startswith("/reports/sellers.csv")]
        [by_day] = [a for a in page.links() if a.startswith("/reports/orders.csv")]
        sellers = list(csv.DictReader(io.StringIO((await owner.get(by_seller)).raw.decode("utf-8-sig"))))
        assert [r["seller"] for r in sellers] == [name]
        taken = await owner.get(by_day)
        assert taken.headers["content-disposition"].startswith('attachment; filename="orders-')
        days = list(csv.DictReader(io.StringIO(taken.raw.decode("utf-8-sig"))))
        assert {r["currency"] for r in days} == {"USD"}
        assert sum(int(r["orders"]) for r in days) > 0
        assert sum(float(r["gross"]) for r in days) > 0
        assert (await owner.get("/reports/orders.csv?from=nonsense")).status == 422
        assert (await owner.get("/reports/people.csv")).status == 404
        for table in ("orders", "summary", "rates", "sellers"):
            for kind, begins in (("xlsx", b"PK"), ("parquet", b"PAR1")):
                [address] = [a for a in page.links() if a.startswith(f"/reports/{table}.{kind}?")]
                file = await owner.get(address)
                assert (file.status, file.raw[: len(begins)]) == (200, begins)
        [alone] = [a for a in page.links() if a.startswith("?") and "seller=" in a]
        of_one = await owner.get("/reports" + alone)
        assert f"Figures of {name} alone" in of_one.text()
        [taken_of_one] = [a for a in of_one.links() if a.startswith("/reports/orders.csv")]
        assert f"seller={sellers[0]['seller_id']}" in taken_of_one


async def test_a_seller_sees_its_balance_and_the_operator_any_sellers_and_a_buyer_none(
    town: Town, seller: Browser, buyer: Browser, order_id: str
) -> None:
    path = f"/v1/orders/{order_id}/actions/record_payment"
    paid = {"params": {"amount": {"amount": "20.00", "currency": "USD"}}}
    status, answer = await town.call("operator@storefront.example", "POST", "order", path, paid)
    assert status == 200, answer
    _, told = await town.call("seller@storefront.example", "GET", "order", "/v1/balance")
    [row] = told["items"]
    page = await seller.get("/balance")
    shown = dict(zip(page.texts("//dl//dt"), map(str, page.tree.xpath("//dl//dd/text()")), strict=True))
    assert {n.lower(): v for n, v in shown.items()} == {
        n: f"US${float(row[n]['amount']):,.2f}" for n in ("available", "pending", "held", "balance")
    }
    excess = {"params": {"amount": {"amount": "3.00", "currency": "USD"}}}
    status, order = await town.call("operator@storefront.example", "POST", "order", path, excess)
    assert status == 200, order
    _, told = await town.call("seller@storefront.example", "GET", "order", "/v1/balance")
    page = await seller.get("/balance")
    [number] = page.texts("//section[@aria-labelledby='held']//tbody//th/a")
    assert (number, page.texts("//section[@aria-labelledby='held']//td[@data-label='Held for']")) == (
        order["number"], ["Paid too much"]
    )  # fmt: skip
    amount = float(told["items"][0]["held"]["amount"])
    assert page.texts("//section[@aria-labelledby='held']//td[@data-label='Held']") == [f"US${amount:,.2f}"]
    async with Browser(town.console) as owner:
        await owner.sign_in("operator@storefront.example", PASSWORD)
        assert (await owner.get("/balance")).heading == "Balance"
        [link] = [a for a in (await owner.get(f"/orders/{order_id}")).links() if a.startswith("/balance?")]
        assert (await owner.get(link)).heading == f"Balance of {told['seller']['name']}"
        nobody = await owner.get("/balance?seller=nobody-of-this-name")
        assert (nobody.status, "nobody-of-this-name" in nobody.alert) == (422, True)
    assert "/balance" not in (await buyer.get("/orders")).links()
    assert (await buyer.get("/balance")).status == 403
    # another's is not told apart from one that is not there
    assert (await seller.get("/balance?seller=nobody-of-this-name")).status == 404


async def test_the_dashboard_tells_what_waits_and_leads_there(town: Town, seller: Browser, order_id: str) -> None:
    number = (await town.order(SELLER, order_id))["number"]
    async with Browser(town.console) as operator, Browser(town.console) as buyer:
        await operator.sign_in(OPERATOR, PASSWORD)
        for somebody in (seller, operator):
            page = await somebody.get("/dashboard")
            waits = dict(zip(page.texts("//dl[1]//dt"), page.texts("//dl[1]//dd"), strict=True))
            assert int(waits["New"].rstrip("+")) >= 1
            assert number in page.texts("//tbody//th")
            assert {"/orders?phase=pending", f"/orders/{order_id}", "/reports"} <= {*page.links()}
        assert "Ended, with money held" in waits, "the operator's"
        await buyer.sign_in("buyer@storefront.example", PASSWORD)
        assert (await buyer.get("/dashboard")).path == "/orders"
        assert "/dashboard" not in (await buyer.get("/orders")).links()
