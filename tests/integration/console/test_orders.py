"""Orders in the console: found, opened, acted on, once, and never on a state that is gone."""

from __future__ import annotations

import asyncio
import csv
import io

import pytest

from services.console.pages import placing
from tests.images import PDF
from tests.integration.console.browser import Browser
from tests.integration.console.conftest import PASSWORD, Town

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64


async def test_filters_are_saved_as_a_view_found_again_and_removed(town: Town, seller: Browser, buyer: Browser) -> None:
    views = "//nav[@aria-label='Your views']//a"
    plain = await seller.get("/orders")
    assert (plain.texts(views), "/orders/views" in [f.action for f in plain.forms()]) == ([], False), "nothing to save"
    found = await seller.get("/orders?q=zebedee&phase=pending&sort=-total")
    for name, said in (("", "Enter a name"), ("x" * 61, "60 characters"), ("a\u200bb", "one line of printable text")):
        wrong = await seller.fill(found, "/orders/views", {"name": name})
        assert (wrong.status, said in wrong.texts("//p[@id='name-error']")[0]) == (422, True), name
        assert (wrong.tree.xpath("//input[@name='q']/@value"), dict(wrong.form("/views").pairs)["name"]) == (
            ["zebedee"], name,
        )  # fmt: skip
        assert wrong.tree.xpath("//details[@class='views'][@open]")
    saved = await seller.fill(wrong, "/orders/views", {"name": "Zebedee's <new>"})
    assert (saved.path, saved.notice) == (
        "/orders?q=zebedee&phase=pending&sort=-total", "Saved as “Zebedee's <new>”.",
    )  # fmt: skip
    assert saved.texts(f"{views}[@aria-current]") == ["Zebedee's <new>"]
    again = await seller.get("/orders")
    assert again.tree.xpath(f"{views}/@href") == ["/orders?q=zebedee&phase=pending&sort=-total"]
    assert (await buyer.get("/orders")).texts(views) == [], "one's own"
    removed = await seller.fill(again, "/remove", {})
    assert (removed.notice[:21], removed.texts(views)) == ("The view is removed. ", [])
    twice = await seller.fill(again, "/remove", {})
    assert (twice.status, twice.path) == (200, "/orders")


async def test_a_list_is_searched_filtered_sorted_and_exported_by_its_address(
    town: Town, seller: Browser, mug: str, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = await town.place(
        "buyer@storefront.example", mug, "USD", customer={"name": "Zebedee Unusual", "email": "z@example.org"}
    )
    await town.place("buyer@storefront.example", mug, "USD", "5")
    found = await seller.get("/orders?q=zebedee+unus&sort=-total")
    assert found.texts("//tbody/tr/th/a") == [(await town.order("seller@storefront.example", wanted))["number"]]
    assert "Zebedee Unusual" in found.texts("//tbody/tr/td")
    assert found.tree.xpath("//input[@name='q']/@value") == ["zebedee unus"]
    assert found.tree.xpath("//select[@name='sort']/option[@selected]/@value") == ["-total"]
    sheet = await seller.get("/orders/export.csv?q=zebedee+unus&sort=-total")
    assert sheet.headers["content-disposition"].startswith("attachment")
    assert len(list(csv.reader(io.StringIO(sheet.raw.decode("utf-8-sig"))))) == 2
    # a file is handed on by another task than the one that asked for it, which tracing must bear
    assert [r.getMessage() for r in caplog.records if r.name.startswith("opentelemetry")] == []
    none = await seller.get("/orders?phase=completed&overdue=true")
    assert none.heading.startswith("Orders")
    assert "No order fits" in none.text()
    desk = await seller.get("/orders?overdue=true")
    assert desk.texts("//div[@class='empty']/h2") == ["Nothing waits here"]
    assert (len(none.tree.xpath("//details[@open]")), len(desk.tree.xpath("//details[@open]"))) == (1, 0)
    wrong = await seller.get("/orders?phase=nonsense")
    assert (wrong.status, "nonsense" in wrong.alert) == (422, True)


async def test_pages_of_a_list_follow_each_other_without_gap(town: Town, seller: Browser, mug: str) -> None:
    for _ in range(27):
        await town.place("buyer@storefront.example", mug, "USD", "1")
    first = await seller.get("/orders?sort=placed_at")
    following = first.tree.xpath("//nav[@class='pager']/a[text()='Next page']/@href")[0]
    second = await seller.get(f"/orders{following}")
    shown = first.texts("//tbody/tr/th/a") + second.texts("//tbody/tr/th/a")
    numbers = [int(n.removeprefix("ORD-")) for n in shown]
    assert numbers == sorted(set(numbers))
    assert len(first.texts("//tbody/tr")) == 25
    assert "sort=placed_at" in following


async def test_several_orders_are_selected_decided_and_exported_together(town: Town, seller: Browser, mug: str) -> None:
    for n in range(3):
        await town.place("buyer@storefront.example", mug, "USD", customer={"name": f"Selina Selected {n}"})
    found = await seller.get("/orders?customer=selina+selected&sort=placed_at")
    ids = found.tree.xpath("//tbody//input[@name='order'][@form='selected']/@value")
    assert len(ids) == 3
    assert found.texts("//select[@id='status']/option")[-2:] == ["Cancelled", "Refunded"], "also what is shown over one"
    assert found.tree.xpath("//input[@name='customer']/@value") == ["selina selected"]
    assert found.texts("//form[@id='selected']//select/option") == ["Choose", "Start processing"]
    none = await seller.fill(found, "/orders/selected", {})
    assert none.notice == "No order is selected. Tick the orders first."
    done = await seller.fill(found, "/orders/selected", {"order": ids[:2], "action": "process"})
    assert (done.path, done.notice) == (found.path, "Done for 2 of 2 orders.")
    assert [(await town.order("seller@storefront.example", i))["status"] for i in ids] == [
        "processing", "processing", "pending"
    ]  # fmt: skip
    mixed = await seller.fill(done, "/orders/selected", {"order": ids, "action": "process"})
    numbers = [(await town.order("seller@storefront.example", i))["number"] for i in ids[:2]]
    why = f"Done for 1 of 3 orders. {', '.join(numbers)}: Start processing is not possible while the order is"
    assert mixed.notice.startswith(why)
    sheet = await seller.fill(mixed, "/orders/selected", {"order": ids[1:], "export": "csv"})
    rows = list(csv.DictReader(io.StringIO(sheet.raw.decode("utf-8-sig"))))
    assert {r["order_id"] for r in rows} == set(ids[1:])
    foreign = await seller.fill(mixed, "/orders/selected", {"order": ids[:1], "back": "//evil.example/", "action": ""})
    assert (foreign.path, foreign.notice) == ("/orders", "Choose what to do with the selected orders.")


async def test_the_owner_narrows_the_list_to_a_seller_and_a_channel(town: Town, mug: str) -> None:
    await town.place("buyer@storefront.example", mug, "USD")
    async with Browser(town.console) as operator:
        await operator.sign_in("operator@storefront.example", PASSWORD)
        shown = await operator.get("/orders?seller=storefront-seller&channel=direct")
        assert len(shown.texts("//tbody/tr")) >= 1
        # named otherwise than by its id, it stays what it is; by name there are all of them to choose from
        assert shown.tree.xpath("//select[@name='seller']/option[@selected]/@value") == ["storefront-seller"]
        [seller_id] = shown.tree.xpath("//select[@name='seller']/option[.='Storefront Market Seller One']/@value")
        chosen = await operator.get(f"/orders?seller={seller_id}")
        assert len(chosen.texts("//tbody/tr")) >= 1
        balance = await operator.get(f"/balance?seller={seller_id}")
        assert balance.heading == "Balance of Storefront Market Seller One"
        assert balance.texts("//select[@name='seller']/option[@selected]") == ["Storefront Market Seller One"]
        for query in ("seller=nobody", "channel=elsewhere"):
            assert "No order fits" in (await operator.get(f"/orders?{query}")).text()


async def test_an_order_shows_all_that_its_side_may_know(town: Town, seller: Browser, order_id: str) -> None:
    page = await seller.get(f"/orders/{order_id}")
    assert page.status == 200
    words = page.text()
    for expected in ("Cara Customer", "cara@example.org", "The MUG", "US$20.00", "Commission", "Order placed"):
        assert expected in words, expected
    assert page.texts("//ol[@class='stages']/li[@aria-current='step']//strong") == ["Pending / New"]
    async with Browser(town.console) as other:
        await other.sign_in("buyer@storefront.example", PASSWORD)
        theirs = await other.get(f"/orders/{order_id}")
        assert "Commission" not in theirs.text()
        assert not [f for f in theirs.forms() if f.action.endswith("/actions/process")]


async def test_a_double_click_acts_once(town: Town, seller: Browser, order_id: str) -> None:
    page = await seller.get(f"/orders/{order_id}")
    before = (await town.order("seller@storefront.example", order_id))["sequence"]
    both = await asyncio.gather(*(seller.send(page, "/actions/process") for _ in range(2)))
    assert {p.path for p in both} == {f"/orders/{order_id}"}
    after = await town.order("seller@storefront.example", order_id)
    assert (after["status"], after["sequence"]) == ("processing", before + 1)
    # the second click may also come when the first is long done
    late = await seller.send(page, "/actions/process")
    assert late.notice == "Start processing: done. The order is now: Processing."
    assert (await town.order("seller@storefront.example", order_id))["sequence"] == before + 1


async def test_a_stale_form_changes_nothing_and_says_what_is_now(town: Town, seller: Browser, order_id: str) -> None:
    stale = await seller.get(f"/orders/{order_id}")
    await seller.send(await seller.get(f"/orders/{order_id}"), "/actions/process")
    now = await town.order("seller@storefront.example", order_id)
    gone = await seller.send(stale, "/actions/process")
    assert (gone.status, gone.heading) == (409, "The order was changed meanwhile")
    assert "Processing" in gone.text()
    nonsense = await seller.fill(stale, "/actions/add_note", {"p.text": "Written", "etag": "\x00"})
    assert nonsense.status == 400
    kept = await seller.fill(stale, "/actions/add_note", {"p.text": "Written\non the old page"})
    assert kept.status == 409
    assert "changed meanwhile" in kept.alert
    assert await town.order("seller@storefront.example", order_id) == now
    # what was typed is still there, and goes through from this page
    again = await seller.fill(kept, "/actions/add_note", {})
    assert again.path == f"/orders/{order_id}"
    notes = (await town.order("seller@storefront.example", order_id))["notes"]
    assert [n["text"] for n in notes] == ["Written\non the old page"]


async def test_a_form_of_the_schema_ships_with_tracking_and_says_what_is_wrong(
    town: Town, seller: Browser, order_id: str
) -> None:
    page = await seller.send(await seller.get(f"/orders/{order_id}"), "/actions/process")
    line_id = (await town.order("seller@storefront.example", order_id))["lines"][0]["line_id"]
    wrong = await seller.fill(
        page, "/actions/ship", {"p.carrier": "UPS", "p.tracking_url": "javascript:alert(1)", f"p.lines.{line_id}": "9"}
    )
    assert wrong.status == 422
    assert "http or https" in wrong.alert
    assert wrong.tree.xpath("//input[@name='p.carrier']/@value") == ["UPS"]
    assert wrong.tree.xpath("//input[@name='p.tracking_url']/@aria-invalid") == ["true"]
    half = await seller.fill(
        wrong, "/actions/ship", {"p.tracking_url": "https://track.example/1", f"p.lines.{line_id}": "1,0"}
    )
    assert "Ship: done" in half.notice
    order = await town.order("seller@storefront.example", order_id)
    assert (order["status"], order["parcels"][0]["lines"][0]["quantity"]) == ("processing", "1")
    assert "https://track.example/1" in half.links()


async def test_a_refusal_of_an_order_that_did_not_move_says_why_beside_the_form(town: Town, order_id: str) -> None:
    async with Browser(town.console) as operator:
        await operator.sign_in("operator@storefront.example", PASSWORD)
        page = await operator.get(f"/orders/{order_id}")
        paid = await operator.fill(page, "/actions/record_payment", {"p.amount": "20,00"})
        assert "Record payment: done" in paid.notice
        refused = await operator.fill(paid, "/actions/refund", {"p.amount": "99.00", "p.reason": "Too much"})
        assert refused.status == 409
        assert "more than" in refused.alert
        assert "changed meanwhile" not in refused.text()
        done = await operator.fill(refused, "/actions/refund", {"p.amount": "5.00", "p.settled": "yes"})
        assert "Refund: done" in done.notice
        assert "Too much" in done.text()
        gone = await operator.get(f"/orders/{order_id}/actions/complete")
        assert (gone.status, gone.heading) == (409, "This is not possible now")


async def test_images_and_an_invoice_are_uploaded_and_attached(town: Town) -> None:
    listing = await town.listing("seller@supplier.example", "CRATE", "EUR")
    order_id = await town.place("buyer@supplier.example", listing, "EUR")
    async with Browser(town.console) as seller, Browser(town.console) as outlet:
        await seller.sign_in("seller@supplier.example", PASSWORD)
        await seller.fill(await seller.get(f"/orders/{order_id}"), "/actions/accept", {})
        await outlet.sign_in("buyer@supplier.example", PASSWORD)
        page = await outlet.get(f"/orders/{order_id}")
        images = [("før.png", "image/png", PNG), ("b.png", "image/png", PNG + b"b")]
        wrong = await outlet.fill(page, "/actions/complete", {"p.images": [("a.svg", "image/svg+xml", b"<svg/>")]})
        assert wrong.status == 422
        assert "Images: “a.svg”: Only PNG, JPEG" in wrong.alert, "which field, and which file"
        done = await outlet.fill(
            wrong, "/actions/complete",
            {"p.images": images, "p.invoice": ("i.pdf", "application/pdf", PDF), "p.note": "All there"},
        )  # fmt: skip
        assert "Complete the order: done" in done.notice
        documents = (await town.order("buyer@supplier.example", order_id))["documents"]
        assert sorted(d["file_name"] for d in documents) == ["b.png", "før.png", "i.pdf"]
        picture = await outlet.get(done.tree.xpath("//img/@src")[0])
        assert (picture.headers["content-type"], picture.raw[:8]) == ("image/png", PNG[:8])
        assert "sandbox" in picture.headers["content-security-policy"]
        assert len(done.tree.xpath("//section[@aria-labelledby='notes']//img")) == 2, "supplier page: under Note"
        assert "i.pdf" in done.text("section[@aria-labelledby='invoice']"), "supplier page: under Invoice"
        file = next(a for a in done.links() if "/documents/" in a)
        assert (await outlet.get(file)).headers["content-disposition"].startswith("attachment")
        await outlet.fill(done, "/actions/dispute", {"p.note": "Two are mouldy"})
        disputed = await outlet.get(f"/orders/{order_id}")
        assert disputed.tree.xpath("//h1/span/@class")[0] == "badge bad"
        await outlet.fill(disputed, "/actions/resolve", {"p.note": "Sent again by DHL"})
        marked = "//span[contains(@class, 'badge') and .//span[@class='dot red']]"
        for path in (f"/orders/{order_id}", "/orders?q=Cara"):
            page = await outlet.get(path)
            assert "Completed after dispute" in page.texts(marked), f"{path}: the label has a red circle"
        told = (await outlet.get(f"/orders/{order_id}")).text("ol[@class='timeline']")
        assert "3 files" in told
        assert "Accepted: The CRATE (2)" in told
        assert "Sent again by DHL" in told, "people's words stay as they are"


async def test_an_approval_is_seen_by_the_buyers_side_alone(town: Town) -> None:
    listing = await town.listing("seller@supplier.example", "PALLET", "EUR")
    order_id = await town.place("buyer@supplier.example", listing, "EUR", "100")
    async with Browser(town.console) as seller, Browser(town.console) as approver:
        await seller.sign_in("seller@supplier.example", PASSWORD)
        assert (await seller.get(f"/orders/{order_id}")).status == 404
        assert "To approve" not in (await seller.get("/orders")).texts("//nav[@aria-label='Lists of orders']//a")
        await approver.sign_in("approver@supplier.example", PASSWORD)
        desk = await approver.get((await approver.get("/orders")).tree.xpath("//a[.='To approve']/@href")[0])
        assert f"/orders/{order_id}" in desk.links()
        assert desk.texts("//nav[@aria-label='Lists of orders']//a[@aria-current]") == ["To approve"]
        page = await approver.get(f"/orders/{order_id}")
        assert page.texts("//ol[@class='stages']/li[1]//strong") == ["Needs Approval"]
        approved = await approver.fill(page, "/actions/approve", {"p.note": "Within the budget"})
        assert "Approve: done" in approved.notice
        seen = await seller.get(f"/orders/{order_id}")
        assert (seen.status, "Within the budget" in seen.text()) == (200, False)


# an order of theirs is there: the order service knows the buyer
@pytest.mark.usefixtures("order_id")
async def test_a_buyer_orders_from_what_is_on_sale(town: Town, buyer: Browser, seller: Browser) -> None:
    listing = await town.listing("seller@storefront.example", "VASE", "USD", available="5", name="Green vase")
    assert "/orders/new" in (await buyer.get("/orders")).links()
    assert "/orders/new" not in (await seller.get("/orders")).links(), "who only sells orders nothing"
    page = await buyer.get("/orders/new?q=VASE")
    assert page.texts("//tbody//th") == ["Green vaseVASE"]
    assert page.texts("//td[@data-label='Seller']") == ["Storefront Market Seller One"]
    quantity = f"q.{listing}"
    for typed, said in (
        ({quantity: ""}, "Enter how much of something is to be ordered."),
        ({quantity: "two"}, "“two” is no quantity"),
        ({quantity: "0"}, "Enter how much"),
        ({quantity: "9"}, "Not enough stock of VASE"),
        ({quantity: "1", "name": ""}, "Say for whom the order is."),
        ({quantity: "1", "email": "nobody"}, "Email: "),
    ):
        refused = await buyer.fill(page, "/orders/new", typed)
        assert (refused.status in (409, 422), said in refused.alert) == (True, True), (typed, refused.alert)
    wrong = await buyer.fill(page, "/orders/new", {quantity: "two", "note": "Ring twice", "city": "Oslo"})
    typed = dict(wrong.form("/orders/new").pairs)
    assert (typed[quantity], typed["note"], typed["city"]) == ("two", "Ring twice", "Oslo")
    done = await buyer.fill(wrong, "/orders/new", {quantity: "2", "name": "Cara", "line1": "Main street 1"})
    assert done.notice.startswith("Ordered: ORD-")
    order = await town.order("buyer@storefront.example", done.path.rpartition("/")[2])
    assert (order["customer"]["name"], order["lines"][0]["ordered"], order["status"]) == ("Cara", "2", "pending")
    assert order["customer"]["shipping_address"] == {"name": "Cara", "line1": "Main street 1", "city": "Oslo"}
    assert [n["text"] for n in order["notes"]] == ["Ring twice"]


# an order of theirs is there: the order service knows the buyer
@pytest.mark.usefixtures("order_id")
async def test_what_is_chosen_on_one_page_of_what_is_on_sale_goes_along_to_the_others(
    town: Town, buyer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [await town.listing("seller@storefront.example", f"ZZ-{n}", "USD", name=f"Tile {n}") for n in range(5)]
    monkeypatch.setattr(placing, "PAGE_SIZE", 2)
    found = await buyer.get("/orders/new?q=ZZ-2")
    page = await buyer.fill(found, "/orders/new", {f"q.{ids[2]}": "3", "note": "Ring", "show": "all"})
    # what was searched for is on none of these pages, and is still there, to be changed or taken out
    assert page.texts("//section[@aria-labelledby='chosen']//label") == ["Tile 2"]
    for number in (3, 4):
        page = await buyer.fill(page, "/orders/new", {"q": f"ZZ-{number}", "show": "search"})
        page = await buyer.fill(
            page, "/orders/new", {f"q.{ids[number]}": "two" if number == 3 else "1", "show": "first"}
        )
    assert dict(page.form("/orders/new").pairs)["note"] == "Ring"
    page = await buyer.fill(page, "/orders/new", {"q": "", "show": "search"})
    seen = []
    while True:
        seen += page.texts("//table//tbody//th")
        following = page.tree.xpath("//button[@name='show'][@value='next']")
        if not following:
            break
        page = await buyer.fill(page, "/orders/new", {"show": "next", "q": "not searched for"})
        assert len(seen) < 200, "the pages come to an end"
    assert [t for t in seen if "ZZ-" in t] == [f"Tile {n}ZZ-{n}" for n in range(5)]
    wrong = await buyer.fill(page, "/orders/new", {})
    assert wrong.alert == "Nothing is ordered yetTile 3: “two” is no quantity: enter numbers such as 2 or 2.5."
    assert wrong.tree.xpath("//input[@aria-invalid]/@name") == [f"q.{ids[3]}"]
    assert wrong.tree.xpath("//*[@role='alert']//a/@href") == [f"#q-{ids[3]}"], "it leads to its field"
    lost = await buyer.fill(wrong, "/orders/new", {"show": "next", "following": "garbage"})
    assert (lost.status, dict(lost.form("/orders/new").pairs)[f"q.{ids[4]}"]) == (422, "1")
    done = await buyer.fill(wrong, "/orders/new", {f"q.{ids[3]}": "", f"q.{ids[4]}": "2"})
    order = await town.order("buyer@storefront.example", done.path.rpartition("/")[2])
    assert {x["sku"]: x["ordered"] for x in order["lines"]} == {"ZZ-2": "3", "ZZ-4": "2"}
    assert [n["text"] for n in order["notes"]] == ["Ring"]


async def test_nothing_of_others_is_shown(town: Town, order_id: str) -> None:
    async with Browser(town.console) as stranger:
        await stranger.sign_in("operator@supplier.example", PASSWORD)
        foreign = await stranger.get(f"/orders/{order_id}")
        absent = await stranger.get("/orders/01890000-0000-7000-8000-000000000000")
        assert (foreign.status, absent.status) == (404, 404)
        assert foreign.text() == absent.text()
        page = await stranger.get("/orders")
        act = f"/orders/{order_id}/actions/cancel"
        tried = await stranger.post(act, [("csrf", page.form("/sign-out").pairs[0][1]), ("key", "k")])
        assert tried.status == 404
    assert (await town.order("seller@storefront.example", order_id))["status"] == "pending"
