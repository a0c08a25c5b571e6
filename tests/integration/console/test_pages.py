"""The trail and the print view; what is shown where something is missing; every page as such."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from deploy.embedded.process import free_port
from services.console.addresses import PAGES
from services.console.app import service as console
from shared.process import running
from tests.integration.console.browser import Browser
from tests.integration.console.conftest import BUYER, HOSTILE, PASSWORD, SELLER, SERVICES, Town, console_settings
from tests.integration.webhook.receiver import receiving
from tests.waiting import until


async def _has_settings(browser: Browser) -> bool:
    return (await browser.get("/settings/notifications")).status == 200


async def test_the_trail_shows_what_each_event_led_to_and_whether_it_arrived(
    town: Town, seller: Browser, buyer: Browser, mug: str
) -> None:
    """Product, row 24: who did what, which event it caused, what went out of it, and whether it arrived."""
    me = "seller@storefront.example"
    async with receiving() as receiver:
        body = {"url": receiver.url, "event_types": ["*"]}
        status, endpoint = await town.call(me, "POST", "webhook", "/v1/endpoints", body)
        assert status == 201, endpoint
        order_id = await town.place("buyer@storefront.example", mug, "USD")
        path = f"/orders/{order_id}/trail"
        await seller.send(await seller.get(f"/orders/{order_id}"), "/actions/process")
        await town.talkable(me, order_id)
        said = {"text": "On its way soon."}
        assert (await town.call(me, "POST", "messaging", f"/v1/orders/{order_id}/messages", said))[0] == 201

        async def complete() -> bool:
            went = (await seller.get(path)).texts("//ul[@class='went']/li")
            hooks = [w for w in went if w.startswith(f"Webhook: {receiver.url} Delivered")]
            return len(hooks) == 3 and any(w.startswith("E-mail: Sam Seller") for w in went)

        await until(complete, what="three events are delivered, and the seller was told of the order")
        page = await seller.get(path)
        assert page.texts("//ol[@class='timeline']/li/p[1]") == [
            "Order placed", "Start processing Pending / New → Processing", "Message posted"
        ]  # fmt: skip
        assert page.texts("//ol[@class='timeline']/li//code") == ["order.created", "order.updated", "message.posted"]
        assert "Bea Buyer (buyer)" in page.text()
        # who wrote it is told of nothing, and yet it is there
        assert page.texts("//li[.//code='message.posted']/p[2]")[0].endswith("Sam Seller (seller), message.posted")
        assert [a for a in page.links() if a.startswith("/webhooks/deliveries/")]

        async def told() -> bool:
            return "E-mail: Bea Buyer" in (await buyer.get(path)).text()

        await until(told, what="the buyer was told")

        async def written_to() -> bool:
            [by] = (await buyer.get(path)).texts("//ol[@class='timeline']/li[.//code='message.posted']/p[2]") or [""]
            return "Sam Seller (seller), message.posted" in by

        await until(written_to, what="the buyer was told of the message, and the trail says who wrote it")
        theirs = (await buyer.get(path)).text()
        assert "Sam Seller (seller)" in theirs  # who began is told; what went to the other side is not
        assert "Webhook" not in theirs
        assert "Inbox: Sam Seller" not in theirs
        assert (await seller.get(path.replace(order_id[:8], "00000000"))).status == 404
        await town.call(me, "DELETE", "webhook", f"/v1/endpoints/{endpoint['endpoint_id']}")


async def test_an_order_is_printed_without_anything_that_runs(seller: Browser, order_id: str) -> None:
    page = await seller.get(f"/orders/{order_id}")
    assert f"/orders/{order_id}/print" in page.links()
    printed = await seller.get(f"/orders/{order_id}/print")
    assert (printed.status, "The MUG" in printed.text("body")) == (200, True)
    policy = printed.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy


async def test_who_may_not_is_told_why_and_by_whom_it_can_be_changed(buyer: Browser) -> None:
    page = await buyer.get("/webhooks")
    assert page.status == 403
    assert "the role buyer" in page.text()
    assert "/webhooks" not in [a for a in (await buyer.get("/orders")).links() if a == "/webhooks"]


async def test_services_that_are_down_take_only_their_part_of_a_page(town: Town, order_id: str) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    down = {"messaging": dead, "notification": dead, "reporting": dead}
    settings = console_settings({**town.urls, **down}, http_port=free_port())
    async with running(console(settings), roles={"api"}), Browser(f"http://127.0.0.1:{settings.http_port}") as browser:
        orders = await browser.sign_in(SELLER, PASSWORD)
        assert orders.heading == "Orders"
        order = await browser.get(f"/orders/{order_id}")
        assert order.status == 200
        assert "Messages cannot be shown right now" in order.text()
        for path, part in (("/reports", "Reports"), ("/inbox", "Notifications"), ("/messages", "Messages")):
            page = await browser.get(path)
            assert (page.status, page.heading) == (503, f"{part} cannot be reached right now")
            assert path in page.links()
            assert "retry-after" in page.headers


async def test_what_was_sent_to_a_service_that_is_down_can_be_sent_again_without_harm(
    town: Town, seller: Browser, order_id: str
) -> None:
    """The page that says so has the same form with the same key."""
    dead = f"http://127.0.0.1:{free_port()}"
    settings = console_settings({**town.urls, "order": dead}, http_port=free_port())
    async with running(console(settings), roles={"api"}), Browser(f"http://127.0.0.1:{settings.http_port}") as browser:
        await browser.sign_in(SELLER, PASSWORD, "/settings/notifications")
        form = (await seller.get(f"/orders/{order_id}")).form("/actions/add_note")
        token = (await browser.get("/settings/notifications")).form("/sign-out").pairs[0][1]
        page = await browser.post(form.action, form.filled({"csrf": token, "p.text": HOSTILE}))
        assert page.status == 503
        again = dict(page.form("/actions/add_note").pairs)
        assert (again["key"], again["p.text"]) == (dict(form.pairs)["key"], HOSTILE)


async def test_hostile_text_stays_text_on_every_page(town: Town, seller: Browser, mug: str) -> None:
    order_id = await town.place(
        BUYER, mug, "USD",
        customer={"name": HOSTILE[:60], "phone": HOSTILE[:30],
                  "shipping_address": {"name": HOSTILE, "line1": HOSTILE, "city": HOSTILE, "country": "US"}},
        attributes={HOSTILE[:40]: HOSTILE},
    )  # fmt: skip
    await town.talkable(SELLER, order_id)
    page = await seller.get(f"/orders/{order_id}")
    await seller.send(page, "/messages", text=HOSTILE)
    await seller.fill(await seller.get(f"/orders/{order_id}"), "/actions/add_note", {"p.text": HOSTILE})
    for path in (
        f"/orders/{order_id}",
        "/orders?q=%3Cscript%3E%22%27",
        "/messages",
        "/inbox",
        "/orders?status=%22%3E%3Cb",
    ):
        shown = await seller.get(path)
        assert not shown.tree.xpath("//script[not(@src)] | //script[text()] | //img[@src='x'] | //*[@onerror]"), path
        assert "49" not in shown.texts("//*[contains(text(), '7*7')]"), path
    order = await seller.get(f"/orders/{order_id}")
    assert HOSTILE in order.tree.xpath("//ol[@class='talk']//p[@class='text']/text()")


PATHS = [
    "/sign-in", "/orders", "/orders/new", "/inbox", "/messages", "/reports", "/balance", "/webhooks", "/webhooks/new",
    "/lifecycles", "/lifecycles/supplier", "/channels", "/listings", "/listings/new",
    "/settings/notifications", "/people", "/people/new", "/welcome", "/nothing", "/orders/not-an-id",
]  # fmt: skip


async def test_every_page_is_ours_alone_and_can_be_used_without_a_mouse(
    town: Town, seller: Browser, order_id: str
) -> None:
    await until(lambda: _has_settings(seller), what="the notification service knows the person")
    known = _known_addresses()
    own = (f"/orders/{order_id}", f"/orders/{order_id}/trail", f"/orders/{order_id}/actions/add_note")
    for path in (*PATHS, *own):
        page = await seller.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy, path
        assert page.headers["cache-control"] == "no-store", path
        tree = page.tree
        assert not tree.xpath("//script[text()] | //*[@style] | //style | //iframe"), path
        assert [s.rpartition("/")[2] for s in tree.xpath("//script/@src")] == ["live.js", "keys.js"], path
        assert not tree.xpath("//@*[starts-with(name(), 'on')]"), path
        assert len(tree.xpath("//h1")) == 1, path
        assert len(tree.xpath("//main")) == 1, path
        assert tree.xpath("/html/@lang") == ["en"], path
        ids = tree.xpath("//@id")
        assert len(ids) == len(set(ids)), path
        for control in tree.xpath("//input[not(@type='hidden')] | //select | //textarea"):
            named = control.get("aria-label") or tree.xpath("//label[@for=$id]", id=control.get("id", ""))
            assert named, (path, control.get("name"))
        for address in [*page.links(), *tree.xpath("//link/@href | //*/@src | //form/@action")]:
            parts = urlsplit(address)
            assert not parts.netloc, (path, address)
            assert not parts.path or any(k.fullmatch(parts.path) for k in known), (path, address)


def _known_addresses() -> list[re.Pattern[str]]:
    places = [re.sub(r"\{[a-z_]+(:uuid)?\}", "[A-Za-z0-9_.-]+", p.path.replace(".", r"\.")) for p in PAGES]
    return [re.compile(p) for p in (*places, r"/static/[0-9a-f]{12}/[a-z.]+")]


async def test_static_files_may_be_kept_for_ever_under_their_own_address(seller: Browser) -> None:
    page = await seller.get("/orders")
    [address] = page.tree.xpath("//link[@rel='stylesheet']/@href")
    sheet = await seller.get(address)
    assert (sheet.status, "immutable" in sheet.headers["cache-control"]) == (200, True)
    other = await seller.get(re.sub(r"[0-9a-f]{12}", "0" * 12, address))
    assert (other.status, other.headers["cache-control"]) == (200, "no-cache")
    assert (await seller.get("/static/0/settings.py")).status == 404


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 400),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * 300_000, 413),
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % i for i in range(6_000)), 400),
        ("multipart/form-data; boundary=x", b"--x--", 400),
        ("application/x-www-form-urlencoded", b"csrf=%FF%FE%00&text=a", 403),
    ],
)
async def test_forms_that_are_none_get_a_page_that_says_so(
    seller: Browser, content_type: str, body: bytes, status: int
) -> None:
    url = f"{seller.base}/inbox/read-all"
    async with seller.http.post(url, data=body, headers={"content-type": content_type}) as answer:
        assert answer.status == status
        assert answer.content_type == "text/html"
        assert "/inbox" in await answer.text()


async def test_what_was_typed_is_kept_and_what_is_wrong_stands_beside_its_field(town: Town, seller: Browser) -> None:
    home = "/settings/notifications"
    given = {"quiet": "yes", "quiet_start": "", "quiet_end": "06:30", "digest": "daily", "time_zone": "Asia/Tokyo"}
    wrong = await seller.fill(await seller.get(home), home, {**given, "email.messages": None})
    assert wrong.status == 422
    assert wrong.texts("//p[@id='quiet_hours-error']") == ["Say from when until when the quiet hours are."]
    assert wrong.tree.xpath("//input[@name='quiet_end']/@value") == ["06:30"]
    for name in ("digest", "time_zone"):
        assert wrong.tree.xpath("//select[@name=$n]/option[@selected]/@value", n=name) == [given[name]]
    assert wrong.tree.xpath("//input[@name='quiet'][@checked]")
    days = await seller.get("/reports?from=2026-02-30&to=2026-03-01")
    assert (days.status, len(days.texts("//p[@id='from-error']"))) == (422, 1)
    assert days.tree.xpath("//input[@name='to']/@value") == ["2026-03-01"]
    async with Browser(town.console) as operator:
        await operator.sign_in("operator@storefront.example", PASSWORD)
        form = await operator.get("/people/new")
        nobody = {"name": "Nora", "email": "seller@storefront.example", "limit": "-5"}
        wrong = await operator.fill(form, "/people/new", nobody)
        assert (len(wrong.texts("//p[@id='limit-error']")), len(wrong.texts("//p[@id='roles-error']"))) == (1, 1)
        [place] = form.tree.xpath("//select[@name='organisation']/option[.='Storefront Market Seller One']/@value")
        more = {"role": "seller", "limit": "", "organisation": place}
        taken = await operator.fill(wrong, "/people/new", more)
        assert (taken.status, len(taken.texts("//p[@id='email-error']"))) == (409, 1)
        assert taken.tree.xpath("//input[@name='name']/@value") == ["Nora"]


async def test_every_service_says_what_its_api_takes(town: Town) -> None:
    for service in SERVICES:
        async with town.http.get(f"{town.urls[service]}/openapi.json") as answer:
            assert answer.status == 200, service
            assert (await answer.json())["paths"], service
        async with town.http.get(f"{town.urls[service]}/docs") as answer:
            assert answer.status == 200, service
