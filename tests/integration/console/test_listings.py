"""Listings in the console: made, changed, counted and found by those who sell them, and by nobody else."""

from __future__ import annotations

import pytest

from services.console.pages import listings
from tests.integration.console.browser import Browser, Page
from tests.integration.console.conftest import PASSWORD, Town

SELLER = "seller@storefront.example"
GOOD = {"sku": "JUG", "name": "Green jug", "price": "12,50", "stock": "10"}


def fields(page: Page) -> dict[str, str]:
    return dict(page.form(page.path).pairs)


def facts(page: Page) -> dict[str, str]:
    return dict(zip(page.texts("//dl/dt"), page.texts("//dl/dd"), strict=True))


async def test_a_listing_is_made_and_what_is_wrong_stands_beside_its_field(
    town: Town, seller: Browser, mug: str
) -> None:
    assert "/listings" in (await seller.get("/orders")).links()
    form = await seller.get("/listings/new")
    assert fields(form)["currency"] == "USD", "the marketplace's"
    for typed, field, said in (
        ({"price": "lots"}, "price", "Enter an amount such as 12.50."),
        ({"price": "-1"}, "price", "Enter an amount"),
        ({"price": "1.234"}, "price", "more decimals than USD has"),
        ({"currency": "ZZZ"}, "price", "'ZZZ' is not an ISO 4217 currency code"),
        ({"stock": "ten"}, "stock", "Enter a quantity"),
        ({"stock": "", "units": "A-1"}, "units", "tick the box"),
        ({"tracked": "yes", "units": "A-1"}, "stock", "leave the stock empty"),
        ({"name": "x" * 501}, "name", "500 characters"),
        ({"kg_per_unit": "heavy"}, "kg_per_unit", "Enter a quantity"),
        ({"sku": "MUG"}, "sku", "lists the SKU 'MUG' already"),
    ):
        wrong = await seller.fill(form, "/listings/new", GOOD | typed)
        assert wrong.status in (409, 422), typed
        [beside] = wrong.texts(f"//p[@id='{field}-error']")
        assert said in beside, typed
        [above] = wrong.texts(f"//*[@role='alert']//li[a/@href='#{field}']")
        assert above.endswith(f": {beside}"), "it says of which field, and leads there"
        assert (GOOD | typed).items() <= fields(wrong).items(), "what was typed is kept"
    made = await seller.fill(wrong, "/listings/new", GOOD | {"delivery_mode": "pickup", "active": None})
    assert (made.status, made.notice) == (200, "Green jug is kept, and not on sale yet.")
    kept = (await town.call(SELLER, "GET", "order", "/v1" + made.path))[1]
    assert (kept["price"], kept["on_hand"]) == ({"amount": "12.50", "currency": "USD"}, "10")
    assert (kept["active"], kept["delivery_mode"], kept["location"]) == (False, "pickup", None)
    again = await seller.fill(wrong, "/listings/new", GOOD | {"delivery_mode": "pickup", "active": None})
    assert again.path == made.path, "sent twice, made once"
    found = await seller.get("/listings?q=green+ju")
    assert found.texts("//tbody/tr/th/a") == ["Green jug"]
    assert "Not on sale" in found.texts("//tbody/tr/td")
    assert "No listing fits" in (await seller.get("/listings?q=NOTHING")).text()


async def test_a_change_is_made_on_what_is_seen_and_orders_keep_what_they_took(
    town: Town, seller: Browser, order_id: str
) -> None:
    listing = await town.listing(SELLER, "BOWL", "USD", available="10")
    path = f"/listings/{listing}"
    before = await seller.get(path)
    mine = await town.place("buyer@storefront.example", listing, "USD", "3")
    reserved = facts(await seller.get(path))
    assert (reserved["Stock"], reserved["Reserved"][:1], reserved["Available"]) == ("10", "3", "7")
    for action in ("process", "ship"):
        status, told = await town.call(SELLER, "POST", "order", f"/v1/orders/{mine}/actions/{action}", {})
        assert status == 200, told
    # another stock, decided on one that is gone: what it is now, and what else was typed
    moved = await seller.fill(before, path, {"stock": "12", "price": "11.00"})
    assert (moved.status, "it was 10 and is 7 now" in moved.alert) == (409, True), moved.alert
    assert (fields(moved)["stock"], fields(moved)["price"]) == ("7", "11.00")
    priced = await seller.fill(before, path, {"price": "11.00"})
    assert (priced.notice, facts(priced)["Stock"]) == ("The BOWL is saved.", "7"), "the stock was not touched"
    stale = await seller.fill(moved, path, {"stock": "8", "name": "Late", "active": None})
    assert stale.status == 409
    assert stale.texts("//*[@role='alert']//li") == [
        listings.CHANGED, "Name: you entered Late", "Stock: you entered 8", "On sale: you entered no",
    ]  # fmt: skip
    assert (fields(stale)["name"], fields(stale)["stock"]) == ("The BOWL", "7")
    last = await seller.fill(stale, path, {"stock": "8"})
    assert (facts(last)["Stock"], facts(last)["Available"]) == ("8", "8")
    uncounted = await seller.fill(last, path, {"stock": ""})
    assert facts(uncounted)["Stock"].startswith("Not counted")


async def test_pieces_with_codes_are_added_found_and_show_who_has_them(
    town: Town, seller: Browser, order_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"sku": "VIOLIN", "name": "Violin", "price": "900", "tracked": "yes", "units": "V-1\n\n V-2 \nV-1"}
    made = await seller.fill(await seller.get("/listings/new"), "/listings/new", given)
    assert made.texts("//tbody/tr/th") == ["V-1", "V-2"]
    assert facts(made)["Stock"] == "2"
    none = await seller.fill(made, "/units", {"units": " \n"})
    assert (none.status, none.texts("//p[@id='units-error']")) == (422, ["Enter at least one code."])
    long = await seller.fill(made, "/units", {"units": "V-3\n" + "x" * 101})
    assert (long.status, "Entry 2: " in long.alert) == (422, True), long.alert
    assert "V-3" in fields_of(long, "/units")["units"], "what was typed is kept"
    more = await seller.fill(long, "/units", {"units": "V-3\nV-2"})
    assert "added: 1." in more.notice
    assert (more.texts("//tbody/tr/th"), facts(more)["Stock"]) == (["V-1", "V-2", "V-3"], "3")
    assert (await seller.get(f"{made.path}?code=-3")).texts("//tbody/tr/th") == ["V-3"]
    monkeypatch.setattr(listings, "MOST_UNITS", 2)
    assert "These are the first 2 of 3" in (await seller.get(made.path)).text()
    stale = await seller.fill(made, made.path, {"name": "Late"})
    assert stale.texts("//*[@role='alert']/*") == ["Nothing was saved", f"{listings.CHANGED}Name: you entered Late"]
    saved = await seller.fill(stale, made.path, {"name": "Old violin"})
    assert (saved.heading, facts(saved)["Stock"]) == ("Old violin On sale", "3")


def fields_of(page: Page, ending: str) -> dict[str, str]:
    return dict(page.form(ending).pairs)


async def test_nobody_else_sees_or_changes_a_listing(town: Town, seller: Browser, buyer: Browser, mug: str) -> None:
    path = f"/listings/{mug}"
    assert "/listings" not in (await buyer.get("/orders")).links()
    token = (await buyer.get("/orders")).form("/sign-out").pairs[0][1]
    for address in ("/listings", "/listings/new", path):
        assert (await buyer.get(address)).status == 403, address
    for address in ("/listings/new", path, f"{path}/units"):
        assert (await buyer.post(address, [("csrf", token), ("name", "Mine")])).status == 403, address
    for email in ("seller2@storefront.example", "operator@supplier.example"):
        async with Browser(town.console) as other:
            page = await other.sign_in(email, PASSWORD, "/listings")
            assert path not in page.links(), email
            assert (await other.get(path)).status == 404, email
            pairs = [("csrf", page.form("/sign-out").pairs[0][1]), ("units", "X")]
            assert (await other.post(f"{path}/units", pairs)).status == 404, email
    assert fields(await seller.get(path))["name"] == "The MUG"


async def test_an_operator_keeps_everybodys_page_by_page(town: Town, mug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await town.listing(SELLER, "CUP", "USD", active=False)
    monkeypatch.setattr(listings, "PAGE_SIZE", 1)
    async with Browser(town.console) as operator:
        page = await operator.sign_in("operator@storefront.example", PASSWORD, "/listings")
        [one] = page.tree.xpath("//select[@name='seller']/option[.='Storefront Market Seller One']/@value")
        page = await operator.get(f"/listings?seller={one}")
        seen: list[str] = []
        while True:
            seen += page.texts("//tbody/tr/th/a")
            assert "Storefront Market Seller One" in page.texts("//tbody/tr/td")
            following = page.tree.xpath("//a[.='Next page']/@href")
            if not following:
                break
            page = await operator.get(f"/listings{following[0]}")
        assert {"The CUP", "The MUG"} <= set(seen)
        assert len(seen) == len(set(seen))
        assert (await operator.get("/listings?cursor=garbage")).status == 422
        form = await operator.get("/listings/new")
        wrong = await operator.fill(form, "/listings/new", GOOD | {"sku": "PLATE"})
        assert wrong.texts("//p[@id='seller-error']") == ["Say which seller it is of."]
        made = await operator.fill(wrong, "/listings/new", {"seller": one})
        assert facts(made)["Seller"] == "Storefront Market Seller One"
