"""What only a browser with a script engine shows: a page that stays open, and buttons as people press them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.integration.console.chromium import DEADLINE_MS, visiting
from tests.integration.console.conftest import BUYER, SELLER, Annex, Town
from tests.integration.webhook.receiver import receiving
from tests.waiting import until

# How often a page that is open asks for its numbers, and how long it waits at most after failures.
EVERY_MS, LONGEST_MS = 20_000, 300_000
COUNT: Final = "document.querySelector('nav [data-count=messages] .count')?.firstChild.textContent ?? '0'"
EPOCH: Final = "1970-01-01T00:00:00Z"


async def unread(town: Town, email: str) -> int:
    return int((await town.call(email, "GET", "messaging", "/v1/unread"))[1]["total"])


async def write(town: Town, order_id: str, sender: str, reader: str) -> int:
    """A message; how many are unread by then."""
    before = await unread(town, reader)
    path = f"/v1/orders/{order_id}/messages"
    status, answer = await town.call(sender, "POST", "messaging", path, {"text": "When does it come?"})
    assert status == 201, answer
    await until(lambda: _more(town, reader, before), what="the message is counted")
    return await unread(town, reader)


async def _more(town: Town, email: str, than: int) -> bool:
    return await unread(town, email) > than


async def passing(page: Page, milliseconds: int, seen: Callable[[], Awaitable[bool]], what: str) -> None:
    """Let the page's time pass until something is seen on it: it may be asking just now, and wait anew afterwards."""

    async def looked() -> bool:
        await page.clock.run_for(milliseconds)
        return await seen()

    await until(looked, what=what)


def count(page: Page) -> Callable[[], Awaitable[str]]:
    """What stands beside "Messages"."""

    async def shown() -> str:
        # in one step: the script may take it away at any moment
        return str(await page.evaluate(COUNT))

    return shown


async def test_an_open_page_learns_of_a_message_and_of_its_being_read(
    town: Town, browser: Browser, order_id: str
) -> None:
    await town.talkable(BUYER, order_id)
    async with visiting(browser, town, SELLER) as page:
        await page.evaluate("window.same = true")
        shown = count(page)
        assert await shown() == str(await unread(town, SELLER))
        await expect(page.locator("#live")).to_be_hidden()
        now = await write(town, order_id, BUYER, SELLER)

        async def counted() -> bool:
            return await shown() == str(now)

        await passing(page, EVERY_MS, counted, "the number has grown")
        said = page.locator("#live")
        await expect(said).to_be_visible()
        await expect(said).to_contain_text(f"Messages: {now} unread.")
        # read elsewhere: the number goes, and so does the news
        path = f"/v1/orders/{order_id}/read"
        status, answer = await town.call(SELLER, "POST", "messaging", path, {"up_to_seq": 1})
        assert status < 300, answer
        await until(lambda: _fewer(town, SELLER, now), what="it is counted as read")

        async def gone() -> bool:
            return await shown() == str(now - 1)

        await passing(page, EVERY_MS, gone, "the number has shrunk")
        await expect(said).not_to_contain_text("Messages:")
        assert await page.evaluate("window.same"), "the page was not loaded again"


async def test_an_open_page_says_its_news_in_its_own_language(town: Town, browser: Browser, order_id: str) -> None:
    await town.talkable(BUYER, order_id)
    async with visiting(browser, town, SELLER, locale="nb-NO") as page:
        now = await write(town, order_id, BUYER, SELLER)
        said = page.locator("#live")
        await passing(page, EVERY_MS, said.is_visible, "the page says that something has come")
        await expect(said).to_contain_text(re.compile(rf"Meldinger: {now} uleste?\."))
        await expect(said.get_by_role("link", name="Vis meldinger")).to_be_visible()
        beside = page.locator("nav [data-count=messages] .unseen")
        await expect(beside).to_have_text(re.compile("uleste?"))
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="Taster")).to_be_visible()


async def _fewer(town: Town, email: str, than: int) -> bool:
    return await unread(town, email) < than


async def test_the_list_that_is_open_offers_to_be_loaded_again(town: Town, browser: Browser, order_id: str) -> None:
    await town.talkable(BUYER, order_id)
    async with visiting(browser, town, SELLER, "/messages") as page:
        now = await write(town, order_id, BUYER, SELLER)
        again = page.locator("#live").get_by_role("link", name="Load the page again")
        await passing(page, EVERY_MS, again.is_visible, "the page offers to be loaded again")
        await again.click()
        await expect(page.locator("#live")).to_be_hidden()
        await expect(page.locator("main").get_by_text("When does it come?").first).to_be_visible()
        assert await count(page)() == str(now)


async def test_a_page_goes_on_asking_after_failures(town: Town, browser: Browser, order_id: str) -> None:
    await town.talkable(BUYER, order_id)
    async with visiting(browser, town, SELLER) as page:
        failed: list[str] = []
        await page.route("**/live", lambda route: _fail(failed, route))

        async def twice() -> bool:
            return len(failed) >= 2

        await passing(page, LONGEST_MS, twice, "it has asked again after a failure")
        now = await write(town, order_id, BUYER, SELLER)
        await page.unroute("**/live")
        shown = count(page)

        async def counted() -> bool:
            return await shown() == str(now)

        await passing(page, LONGEST_MS, counted, "the number is there once it can be asked for")


async def _fail(failed: list[str], route: Route) -> None:
    failed.append(route.request.url)
    await route.abort()


async def test_who_is_signed_out_elsewhere_is_asked_for_no_more(town: Town, browser: Browser) -> None:
    async with visiting(browser, town, SELLER) as page:
        asked: list[str] = []
        page.on("request", lambda r: asked.append(r.url) if r.url.endswith("/live") else None)
        await page.context.clear_cookies()

        async def once() -> bool:
            return bool(asked)

        await passing(page, EVERY_MS, once, "it has asked")
        await expect(page.locator("#live")).to_be_hidden()


@asynccontextmanager
async def held_back(town: Town) -> AsyncIterator[None]:
    """What is received meanwhile is sent again only afterwards: replays stop before the oldest open transaction."""
    connection = await asyncpg.connect(town.admin_dsn)
    try:
        async with connection.transaction():
            await connection.fetchval("SELECT pg_current_xact_id()")
            yield
    finally:
        await connection.close()


async def _replays(town: Town, endpoint_id: str) -> Any:
    """The endpoint's replays, newest first."""
    return (await town.call(SELLER, "GET", "webhook", f"/v1/replays?endpoint_id={endpoint_id}"))[1]["items"]


async def test_a_replay_that_runs_is_stopped(town: Town, browser: Browser, mug: str) -> None:
    async with receiving() as receiver:
        body = {"url": receiver.url, "event_types": ["order.created"]}
        endpoint_id = (await town.call(SELLER, "POST", "webhook", "/v1/endpoints", body))[1]["endpoint_id"]
        async with held_back(town), visiting(browser, town, SELLER, f"/webhooks/{endpoint_id}") as page:
            order_id = await town.place(BUYER, mug, "USD")
            number = (await town.order(SELLER, order_id))["number"]

            def arrived() -> int:
                return sum(hit.order_id == order_id for hit in receiver.hits)

            await until(arrived, what="the order's event has arrived")
            await page.get_by_text("A range, or what is missing of it").click()
            again = page.get_by_role("region", name="Send again")
            await again.get_by_label("Everything", exact=True).check()
            await again.get_by_label("Order", exact=False).fill(number)
            await again.get_by_role("button", name="Send again").click()
            row = page.locator("main tbody tr")
            await expect(row).to_contain_text("Being queued")
            await row.get_by_role("button", name="Stop").click()
            await expect(page.locator("main .notice")).to_contain_text("Stopped before anything was queued.")
            await expect(row).to_contain_text("Stopped")
            await expect(page.get_by_role("button", name="Stop")).to_have_count(0)
        # asked for later, and so queued later: what was stopped would have gone first
        more = {"endpoint_id": endpoint_id, "scope": "all", "order_id": order_id, "received_from": EPOCH}
        assert (await town.call(SELLER, "POST", "webhook", "/v1/replays", more))[0] == 202

        async def done() -> bool:
            return bool((await _replays(town, endpoint_id))[0]["status"] == "done")

        await until(done, what="the later one is queued")
        await until(lambda: arrived() >= 2, what="it has arrived again")
        assert [(r["status"], r["queued"]) for r in await _replays(town, endpoint_id)] == [("done", 1), ("canceled", 0)]
        assert arrived() == 2
        await town.call(SELLER, "DELETE", "webhook", f"/v1/endpoints/{endpoint_id}")


# Controls that reach into the edge of their card, or beyond the page; what scrolls by itself may be wider.
STICKING_OUT: Final = """
[...document.querySelectorAll("main input:not([type=hidden]), main select, main textarea, main .button, main button")]
  .filter((e) => e.offsetParent && !e.closest(".scroll, .scrolled"))
  .filter((e) => {
    const around = e.closest(".card, main");
    const room = around.getBoundingClientRect().right - parseFloat(getComputedStyle(around).paddingRight);
    return e.getBoundingClientRect().right > room + 1;
  })
  .map((e) => e.outerHTML.slice(0, 100))
  .concat(document.documentElement.scrollWidth > document.documentElement.clientWidth ? ["the page itself"] : [])
"""


@pytest.mark.parametrize("locale", ["en-GB", "nb-NO"])
@pytest.mark.parametrize(
    ("email", "paths"),
    [
        (BUYER, ("/orders/new", "/settings/notifications")),
        (SELLER, ("/listings", "/listings/new", "/orders?q=nothing", "/webhooks/new", "/lifecycles/lengow")),
        ("operator@storefront.example", ("/listings", "/channels", "/channels/web", "/reports", "/people/new")),
    ],
    ids=["buyer", "seller", "operator"],
)
async def test_nothing_sticks_out_at_the_width_of_a_phone(
    town: Town, browser: Browser, mug: str, email: str, paths: tuple[str, ...], locale: str
) -> None:
    async with visiting(browser, town, email, locale=locale) as page:
        await page.set_viewport_size({"width": 390, "height": 800})
        for path in paths:
            await page.goto(path)
            await page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
            assert await page.evaluate(STICKING_OUT) == [], path


async def test_enter_in_a_field_looks_around_and_orders_nothing(
    town: Town, browser: Browser, mug: str, order_id: str
) -> None:
    """A browser presses a form's first button for Enter: whoever types quantities has not ordered by that."""
    async with visiting(browser, town, BUYER, "/orders/new") as page:
        quantity = page.get_by_label("Quantity of The MUG")
        await quantity.fill("3")
        async with page.expect_response(lambda r: r.request.method == "POST") as sent:
            await quantity.press("Enter")
        answer = await sent.value
        assert (answer.status, answer.url.rpartition("/orders")[2]) == (200, "/new")
        await expect(page.get_by_role("alert")).to_have_count(0)
        await expect(quantity).to_have_value("3")
        await page.get_by_role("button", name="Order", exact=True).click()
        await expect(page.get_by_role("status").filter(has_text="Ordered: ORD-")).to_be_visible()


async def test_single_keys_lead_to_the_search_and_along_the_rows_and_can_be_turned_off(
    browser: Browser, town: Town
) -> None:
    async with visiting(browser, town, SELLER) as page:
        rows = page.locator("table.list tbody th a")
        await page.keyboard.press("j")
        await expect(rows.first).to_be_focused()
        await page.keyboard.press("j")
        await page.keyboard.press("k")
        await page.keyboard.press("k")
        await expect(rows.first).to_be_focused()
        await page.keyboard.press("/")
        search = page.get_by_role("searchbox", name="Search")
        await expect(search).to_be_focused()
        await page.keyboard.type("j/k?")
        await expect(search).to_have_value("j/k?")
        await rows.first.focus()
        await page.keyboard.press("?")
        dialog = page.get_by_role("dialog", name="Keys")
        await expect(dialog).to_be_visible()
        await dialog.get_by_label("Single keys work in this browser").uncheck()
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await page.reload()
        await page.keyboard.press("j")
        await page.keyboard.press("?")
        await expect(dialog).to_be_hidden()
        await expect(rows.first).not_to_be_focused()
        await page.get_by_role("button", name="Keys").click()
        await dialog.get_by_label("Single keys work in this browser").check()
        await dialog.get_by_role("button", name="Close").click()
        await page.keyboard.press("k")
        await expect(rows.last).to_be_focused()


async def test_somebody_signs_in_by_the_outside_provider(annex: Annex, browser: Browser) -> None:
    """Through the policies of both pages: what leads to the provider is no form, and its answer finds the cookie."""
    email, _ = await annex.person()
    annex.provider.accounts.clear()
    annex.provider.account(email)
    context = await browser.new_context(base_url=annex.console)
    context.set_default_timeout(DEADLINE_MS)
    page = await context.new_page()
    await page.goto("/messages")
    await page.get_by_role("link", name="Sign in with Contoso & Co").click()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("alert")).to_contain_text("You did not go through with signing in at Contoso & Co.")
    await page.get_by_role("link", name="Sign in with Contoso & Co").click()
    await page.get_by_role("button", name=email).click()
    await expect(page.locator("header nav")).to_be_visible()
    assert page.url == f"{annex.console}/messages"
    await page.get_by_role("button", name="Sign out").click()
    # by way of the provider, which is another site
    await expect(page.get_by_role("status")).to_contain_text("You are signed out.")
    assert page.url == f"{annex.console}/sign-in"
    assert len(annex.provider.ended) == 1
    await context.close()
