"""WCAG 2.2 AA as far as a program can tell: axe finds nothing on any page, in either colours, at either width."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page

from tests.integration.console.browser import Browser
from tests.integration.console.chromium import sign_in
from tests.integration.console.conftest import BUYER, OPERATOR, PASSWORD, SELLER, Annex, Town
from tests.integration.console.walking import kind_of, starts, unvisited, walked

TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
# Only what is wrong is brought over; there are no frames, and nothing plays.
OPTIONS: Final = {"runOnly": TAGS, "resultTypes": ["violations"], "iframes": False, "preload": False}
Look = Literal["light, wide", "dark, narrow"]
OTHER: Final[Mapping[Look, Look]] = {"light, wide": "dark, narrow", "dark, narrow": "light, wide"}
# Who reads in which language, and what their pages look like. Pages that only one of them has are looked at both ways.
PEOPLE: Final[Mapping[str, tuple[str, Look]]] = {
    OPERATOR: ("en-GB", "light, wide"), SELLER: ("nb-NO", "dark, narrow"), BUYER: ("en-GB", "dark, narrow"),
}  # fmt: skip
# What is folded away is part of the page too.
UNFOLD: Final = "document.querySelectorAll('details').forEach((d) => { d.open = true; })"
FAULTS: Final = """
document.querySelector("main").innerHTML +=
  '<p style="color: #888; background: #777">Hardly read</p><input><a href="/" style="font-size: 1px">x</a>'
"""


@asynccontextmanager
async def reading(browser: Chromium, town: Town | Annex, locale: str) -> AsyncIterator[Page]:
    """A page that has axe at hand."""
    # the policy of the print view keeps every script out, also this one
    context = await browser.new_context(base_url=town.console, locale=locale, bypass_csp=True)
    await context.add_init_script(AXE_SCRIPT)
    yield await context.new_page()
    await context.close()


async def violations(page: Page, look: Look) -> dict[str, list[str]]:
    """What axe finds on the page that is shown: places by rule."""
    width, height = (1280, 900) if look == "light, wide" else (390, 800)
    await page.set_viewport_size({"width": width, "height": height})
    await page.emulate_media(color_scheme="light" if look == "light, wide" else "dark")
    await page.evaluate(UNFOLD)
    found: Any = await page.evaluate("(options) => axe.run(document, options)", OPTIONS)
    return {
        f"{v['id']} on {page.url}, {look}": [f"{n['target']}: {n['failureSummary']}" for n in v["nodes"]]
        for v in found["violations"]
    }


async def paths_of(town: Town, email: str, order_id: str) -> dict[str, str]:
    """An address of each kind of page that somebody has."""
    async with Browser(town.console) as plain:
        await plain.sign_in(email, PASSWORD)
        pages = await walked(plain, starts(email, order_id))
    found: dict[str, str] = {}
    for path in (*(page.path for page in pages.values()), f"/orders/{order_id}/print"):
        found.setdefault(kind_of(path), path)
    return found


async def test_axe_finds_nothing_on_any_page(town: Town, browser: Chromium, filled: str) -> None:
    paths = {email: await paths_of(town, email, filled) for email in PEOPLE}
    looked = {(kind, PEOPLE[email][1]) for email, own in paths.items() for kind in own}
    found: dict[str, list[str]] = {}
    for email, (locale, look) in PEOPLE.items():
        async with reading(browser, town, locale) as page:
            await page.goto("/sign-in")
            found |= await violations(page, look)
            await sign_in(page, email)
            for kind, path in paths[email].items():
                await page.goto(path)
                found |= await violations(page, look)
                if (kind, OTHER[look]) not in looked:
                    found |= await violations(page, OTHER[look])
    assert found == {}
    assert unvisited(path for own in paths.values() for path in own.values()) <= {"/", "/sign-in", "/live"}


async def test_axe_finds_nothing_on_a_form_that_came_back(town: Town, browser: Chromium) -> None:
    async with reading(browser, town, "nb-NO") as page:
        await sign_in(page, SELLER)
        await page.goto("/listings/new")
        await page.locator("[name=price]").fill("much")
        await page.locator("main form button.primary").evaluate("(b) => { b.form.noValidate = true; b.click(); }")
        await page.locator("[aria-invalid=true]").first.wait_for()
        assert await violations(page, "light, wide") == {}


async def test_axe_finds_nothing_where_there_is_an_outside_provider(annex: Annex, browser: Chromium) -> None:
    _, person_id = await annex.person()
    async with reading(browser, annex, "en-GB") as page:
        await page.goto("/sign-in?refused=unknown")
        assert await violations(page, "light, wide") == {}
        assert await violations(page, "dark, narrow") == {}
        await sign_in(page, "buyer-admin@storefront.example", f"/people/{person_id}")
        assert await violations(page, "light, wide") == {}


async def test_axe_would_find_something(town: Town, browser: Chromium) -> None:
    async with reading(browser, town, "en-GB") as page:
        await page.goto("/sign-in")
        await page.evaluate(FAULTS)
        for look in OTHER:
            rules = {rule.partition(" ")[0] for rule in await violations(page, look)}
            assert {"color-contrast", "label"} <= rules
