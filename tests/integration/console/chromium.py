"""A browser with a script engine: the Chromium of this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.integration.console.conftest import PASSWORD, Town

# For what never comes: a busy machine may need many times what a quiet one does.
DEADLINE_MS = 60_000
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

expect.set_options(timeout=DEADLINE_MS)


def chromium() -> str | None:
    """The browser of this machine, or the one that the variable names."""
    return os.environ.get("ORDERTRAIL_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@asynccontextmanager
async def launched(path: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        # who runs as root, as containers do, has no other sandbox to be in; what is looked at is our own
        started = await playwright.chromium.launch(
            executable_path=path, chromium_sandbox=False, args=["--disable-dev-shm-usage"], timeout=DEADLINE_MS
        )
        yield started
        await started.close()


@asynccontextmanager
async def visiting(
    browser: Browser, town: Town, email: str, path: str = "/orders", locale: str | None = None
) -> AsyncIterator[Page]:
    """A page of somebody who has just signed in, in a browser of that language; its clock is the test's."""
    context = await browser.new_context(base_url=town.console, locale=locale)
    page = await context.new_page()
    await page.clock.install()
    await sign_in(page, email, path)
    yield page
    await context.close()


async def sign_in(page: Page, email: str, path: str = "/orders") -> None:
    """Sign in on the way to `path`."""
    page.set_default_timeout(DEADLINE_MS)
    await page.goto(path)
    await page.locator("#email").fill(email)
    await page.locator("#password").fill(PASSWORD)
    await page.locator("main button.primary").click()
    await expect(page.locator("header nav")).to_be_visible()
