"""Orders from a file on the console: what became of each, nothing taken twice, and for operators alone."""

from __future__ import annotations

from tests.integration.console.browser import Browser
from tests.integration.console.conftest import OPERATOR, PASSWORD, Town

HEAD = "external_id,currency,customer_name,sku,name,quantity,unit_price\n"
FILE = HEAD + "W-1,USD,Åse Berg,JAR,Jar,2,14.50\nW-2,USD,Jo,JAR,Jar,two,14.50\n,USD,Jo,JAR,Jar,1,14.50\n"


def upload(content: str, name: str = "web.csv") -> tuple[str, str, bytes]:
    return name, "text/csv", content.encode()


async def test_each_order_of_a_file_is_told_of_and_taken_once(town: Town, seller: Browser, order_id: str) -> None:
    everybody = (await town.call(OPERATOR, "GET", "identity", "/v1/organisations"))[1]["items"]
    ids = {o["kind"]: str(o["organisation_id"]) for o in everybody}
    async with Browser(town.console) as operator:
        form = await operator.sign_in(OPERATOR, PASSWORD, "/orders/import")
        assert "/orders/import" in (await operator.get("/orders")).links()
        given = {"file": upload(FILE), "buyer": ids["buyer"], "seller": ids["seller"]}
        first = await operator.fill(form, "/orders/import", given)
        assert first.status == 200
        assert "1 order was taken. 0 were there already. 2 were refused." in first.alert
        refused, also, taken = first.texts("//tbody/tr")
        assert "row 4" in refused
        assert "external_id is empty" in refused
        assert "row 3: quantity is 'two'" in also
        assert taken.startswith("W-1")
        assert "Taken" in taken
        order = next(link for link in first.links() if link.startswith("/orders/") and link.count("-") == 4)
        assert "Åse Berg" in (await operator.get(order)).text()
        again = await operator.fill(first, "/orders/import", given)
        assert "0 orders were taken. 1 was there already. 2 were refused." in again.alert
        # what is wrong with the file as a whole stands beside its field, and the choices are kept
        for content, why in (
            ("%PDF-1.4", "this is a PDF"),
            ("", "the file is empty"),
            (HEAD + "".join(f"X-{n},USD,Jo,JAR,Jar,1,1\n" for n in range(501)), "more than 500 orders"),
        ):
            wrong = await operator.fill(form, "/orders/import", given | {"file": upload(content)})
            assert wrong.status == 422
            assert why in wrong.texts("//p[@id='file-error']")[0]
            assert dict(wrong.form("/orders/import").pairs)["buyer"] == ids["buyer"]
        assert "Choose a file." in (await operator.fill(form, "/orders/import", {"buyer": ""})).alert
        only = await operator.fill(form, "/orders/import", {"file": upload(HEAD)})
        assert "There is no order in" in only.alert
    assert (await seller.get("/orders/import")).status == 404
