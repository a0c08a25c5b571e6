"""Messages and their files, the inbox, the numbers beside the menu, and what somebody wants to hear of."""

from __future__ import annotations

import json

from tests.images import PDF, image
from tests.integration.console.browser import Browser
from tests.integration.console.conftest import BUYER, PASSWORD, SELLER, Town
from tests.waiting import until


async def test_messages_go_both_ways_and_are_counted(
    town: Town, seller: Browser, buyer: Browser, order_id: str
) -> None:
    await town.talkable(SELLER, order_id)
    page = await seller.get(f"/orders/{order_id}")
    empty = await seller.send(page, "/messages", text=" \n ")
    assert (empty.status, "Write something first, or attach a file." in empty.text()) == (422, True)
    sent = await seller.send(page, "/messages", text="Hello\n\nIt leaves today.")
    assert (sent.path, sent.notice) == (f"/orders/{order_id}", "Your message was sent.")
    # sent twice is written once
    await seller.send(page, "/messages", text="Hello\n\nIt leaves today.")

    async def unread() -> str:
        listed = await buyer.get("/orders")
        return " ".join(listed.texts(f"//a[@href='/orders/{order_id}#messages']"))

    assert await until(unread) == "1 unread"
    theirs = await buyer.get(f"/orders/{order_id}")
    assert theirs.texts("//ol[@class='talk']/li//p[@class='text']") == ["Hello It leaves today."]
    assert "Hello\n\nIt leaves today." in theirs.raw.decode()
    assert "1 unread" in " ".join(theirs.texts("//nav[@aria-label='Main']//a"))
    read = await buyer.send(theirs, "/messages/read")
    assert read.notice == "Marked as read."
    assert "unread" not in " ".join(t for t in read.texts("//nav[@aria-label='Main']//a") if "Messages" in t)
    answered = await buyer.send(read, "/messages", text="Thank you")
    assert len(answered.texts("//ol[@class='talk']/li")) == 2
    assert answered.texts("//a[@href='#messages']") == ["Messages (2)"], "loopfront page: the total on the order page"
    assert "Awaiting your reply" in (await seller.get("/messages")).text()


async def test_files_go_along_with_a_message_and_stay_uploaded_where_it_comes_back(
    town: Town, seller: Browser, buyer: Browser, order_id: str
) -> None:
    await town.talkable(SELLER, order_id)
    photo = ("før & etter.png", "image/png", image())
    page = await seller.get(f"/orders/{order_id}")
    back = await seller.send(page, "/messages", text="", files=[photo, ("a.svg", "image/svg+xml", b"<svg/>")])
    assert back.status == 422
    assert back.texts("//p[@id='files-error']") == ["“a.svg”: Only JPEG, PNG and WebP images and PDFs are taken."]
    assert "files-error" in back.tree.xpath("//input[@id='files']/@aria-describedby")[0]
    assert "før & etter.png is uploaded and goes along" in back.text()
    many = await seller.send(back, "/messages", files=[photo] * 5)
    assert "at most 5 files" in many.texts("//p[@id='files-error']")[0]
    sent = await seller.send(many, "/messages", files=[("receipt.pdf", "application/pdf", PDF)])
    assert sent.notice == "Your message was sent."
    assert sent.texts("//ul[@class='files']/li//a") == ["før & etter.png", "receipt.pdf"]

    async def theirs() -> list[str]:
        return (await buyer.get(f"/orders/{order_id}")).texts("//ul[@class='files']/li//a")

    # the marketplace hides contact details, which a name may hold
    assert await until(theirs) == ["image-1.png", "document-2.pdf"]
    page = await buyer.get(f"/orders/{order_id}")
    [small] = page.tree.xpath("//ul[@class='files']//img/@src")
    file, paper = page.tree.xpath("//ul[@class='files']//a/@href")
    assert (await buyer.get(small)).headers["content-type"] == "image/jpeg"
    whole = await buyer.get(file)
    assert whole.headers["content-type"] == "image/png"
    assert whole.headers["content-disposition"] == "attachment; filename*=UTF-8''image-1.png"
    assert "sandbox" in whole.headers["content-security-policy"]
    assert (await buyer.get(paper)).raw == PDF
    assert "image-1.png, document-2.pdf" in (await buyer.get("/messages")).text()
    async with Browser(town.console) as stranger:
        await stranger.sign_in("buyer@supplier.example", PASSWORD)
        assert (await stranger.get(file)).status == 404


async def test_the_seller_and_the_operator_have_a_thread_of_their_own(
    town: Town, seller: Browser, order_id: str
) -> None:
    await town.talkable(SELLER, order_id)
    page = await seller.get(f"/orders/{order_id}?thread=seller_operator")
    sent = await seller.send(page, "/messages", text="Only for the marketplace")
    assert sent.path == f"/orders/{order_id}?thread=seller_operator"
    async with Browser(town.console) as operator:
        await operator.sign_in("operator@storefront.example", PASSWORD)
        theirs = await operator.get(f"/orders/{order_id}?thread=seller_operator")
        assert "Only for the marketplace" in theirs.text()
        behalf = await operator.send(
            await operator.get(f"/orders/{order_id}"), "/messages", text="For them", on_behalf="yes"
        )
        assert "on behalf of the seller" in behalf.text()
    async with Browser(town.console) as buyer:
        await buyer.sign_in(BUYER, PASSWORD)
        assert "Only for the marketplace" not in (await buyer.get(f"/orders/{order_id}?thread=seller_operator")).text()


async def test_the_inbox_is_read_and_archived(town: Town, mug: str) -> None:
    # somebody to whom nothing else happens: news of another test's orders may come at any moment
    email = "buyer2@storefront.example"
    orders = {f"/orders/{await town.place(email, mug, 'USD')}" for _ in range(2)}
    async with Browser(town.console) as buyer:
        await buyer.sign_in(email, PASSWORD)
        await _read_and_archive(buyer, orders)


async def _read_and_archive(buyer: Browser, orders: set[str]) -> None:
    async def told() -> bool:
        page = await buyer.get("/inbox?show=unread")
        return orders <= set(page.links())

    await until(told, what="the orders' confirmations are in the inbox")
    page = await buyer.get("/inbox?show=unread")
    one = page.form("/read").action
    read = await buyer.send(page, one)
    assert (read.path, read.notice) == ("/inbox?show=unread", "Marked as read.")
    assert one not in [f.action for f in read.forms()]
    archived = await buyer.send(await buyer.get("/inbox"), "/archive")
    assert archived.notice == "Moved to the archive."
    assert len((await buyer.get("/inbox?show=archived")).texts("//ul[@class='feed']/li")) == 1
    done = await buyer.send(await buyer.get("/inbox"), "/inbox/read-all")
    assert done.notice == "Everything is marked as read."
    assert "unread" not in " ".join(t for t in done.texts("//nav[@aria-label='Main']//a") if "Inbox" in t)


async def test_an_open_page_learns_the_numbers_beside_the_menu(town: Town, buyer: Browser, order_id: str) -> None:
    """What the script asks for; the pages themselves need nothing of it."""

    async def ready() -> bool:
        return json.loads((await buyer.get("/live")).raw)["inbox"] is not None

    await until(ready, what="the notification service knows the person")
    await buyer.send(await buyer.get("/inbox"), "/inbox/read-all")
    await town.call("seller@storefront.example", "POST", "order", f"/v1/orders/{order_id}/actions/process", {})

    async def more() -> bool:
        return bool(json.loads((await buyer.get("/live")).raw)["inbox"])

    await until(more, what="the buyer is told that the order is being prepared")
    answer = await buyer.get("/live")
    assert set(json.loads(answer.raw)) == {"inbox", "messages"}
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/json", "no-store")
    page = await buyer.get("/inbox")
    assert page.tree.xpath("//nav//a/@data-count") == ["inbox", "messages"]
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'; connect-src 'self'" in policy
    async with Browser(town.console) as nobody:
        assert (await nobody.get("/live", allow_redirects=False)).status == 303


async def test_notification_settings_are_kept_and_required_ones_stay(town: Town, buyer: Browser, order_id: str) -> None:
    await until(lambda: _has_settings(buyer), what="the notification service knows the person")
    page = await buyer.get("/settings/notifications")
    saved = await buyer.fill(
        page, "/settings/notifications",
        {"email.order_progress": None, "quiet": "yes", "quiet_start": "21:30", "digest": "daily", "digest_at": "07:15",
         "time_zone": "Asia/Tokyo"},
    )  # fmt: skip
    assert saved.notice == "Your notification settings are saved."
    tree = saved.tree
    assert not tree.xpath("//input[@name='email.order_progress']/@checked")
    assert tree.xpath("//input[@name='in_app.order_progress']/@checked")
    assert tree.xpath("//input[@name='quiet_start']/@value") == ["21:30"]
    assert tree.xpath("//select[@name='time_zone']/option[@selected]/@value") == ["Asia/Tokyo"]
    assert "Always" in saved.text()
    # a page from before: somebody else's (or another window's) choice is not written over
    stale = await buyer.fill(page, "/settings/notifications", {"digest": "off"})
    assert (stale.status, "changed elsewhere" in stale.alert) == (409, True)
    for state in ("\x00", "a b", "x" * 500):
        assert (await buyer.fill(saved, "/settings/notifications", {"etag": state})).status == 400


async def _has_settings(browser: Browser) -> bool:
    return (await browser.get("/settings/notifications")).status == 200
