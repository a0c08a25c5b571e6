"""Signing in by an outside provider, as a person goes through it: the way there, the way back, and every refusal."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from aiohttp import web
from starlette.responses import Response

from services.console.outside import Pending
from services.console.sealing import Sealer
from services.console.session import Cookies
from tests.integration.console.browser import Browser, Page
from tests.integration.console.conftest import PASSWORD, Annex, Town, annexed

NORWEGIAN = {"accept-language": "nb"}


@pytest.fixture
async def browser(annex: Annex) -> AsyncIterator[Browser]:
    async with Browser(annex.console) as browser:
        yield browser


async def there(browser: Browser, wanted: str = "/inbox") -> str:
    """The address of the provider's page to which the button on the sign-in page leads."""
    page = await browser.get("/sign-in", params={"next": wanted})
    [link] = page.tree.xpath("//a[@id='outside']/@href")
    return (await browser.get(link)).url


async def through(annex: Annex, browser: Browser, subject: str, wanted: str = "/inbox") -> Page:
    return await browser.get(annex.provider.consent(await there(browser, wanted), subject))


def kept(browser: Browser) -> set[str]:
    return {c.key for c in browser.http.cookie_jar}


async def test_the_button_leads_there_and_back_to_the_page_that_was_asked_for(annex: Annex, browser: Browser) -> None:
    email, _ = await annex.person()
    asked = await browser.get("/orders?q=mug")
    [link] = asked.tree.xpath("//a[@id='outside']")
    assert link.text == "Sign in with Contoso & Co"
    assert asked.form("/sign-in"), "and the password is another way"
    address = (await browser.get(link.get("href"))).url
    sent = parse_qs(urlsplit(address).query)
    assert sent["redirect_uri"] == [f"{annex.console}/sign-in/callback"]
    for cookie in browser.http.cookie_jar:
        assert not [value for name in ("state", "nonce") for value in sent[name] if value in cookie.value]
    assert "ordertrail_pending" in kept(browser)
    page = await browser.get(annex.provider.consent(address, annex.provider.account(email)))
    assert (page.path, page.status) == ("/orders?q=mug", 200)
    assert "ordertrail_pending" not in kept(browser)
    assert "Pat Person" in page.text("header")
    # the other services take the session as any other
    for path in ("/inbox", "/messages", "/settings/notifications"):
        assert (await browser.get(path)).path == path
    assert (await browser.get("/sign-in/outside?next=/inbox")).path == "/inbox", "who is signed in is not asked again"
    leaving = await browser.send(page, "/sign-out")
    assert "Contoso & Co is asked to sign you out too" in leaving.text()
    [link], [going] = (
        leaving.tree.xpath("//a[@id='farewell']/@href"),
        leaving.tree.xpath("//meta[@http-equiv]/@content"),
    )
    assert going == f"0; url={link}"
    out = await browser.get(link)
    assert (out.path, out.notice) == ("/sign-in", "You are signed out.")
    assert len(annex.provider.ended) == 1
    assert (await browser.get("/orders")).path.startswith("/sign-in")


@pytest.mark.parametrize("wanted", ["https://evil.example", "/sign-in/callback"])
async def test_the_way_back_leads_to_no_other_site(annex: Annex, browser: Browser, wanted: str) -> None:
    email, _ = await annex.person()
    await browser.get("/sign-in/outside", params={"next": wanted}, allow_redirects=False)
    assert (await through(annex, browser, annex.provider.account(email), wanted)).path == "/orders"


async def refusing(status: int) -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"error": "invalid_client"}, status=status)

    return answer


def told(page: Page, status: int, words: str) -> None:
    """The sign-in page says why, at an address that holds nothing of the protocol, and the way is open to go again."""
    assert page.status == status
    assert words in page.alert
    assert set(parse_qs(urlsplit(page.url).query)) == {"refused", "next"}
    assert page.tree.xpath("//a[@id='outside']/@href") == ["/sign-in/outside?next=%2Finbox"]


async def test_who_does_not_come_in_is_told_why_and_what_to_do(annex: Annex, browser: Browser) -> None:
    provider, (email, person_id) = annex.provider, await annex.person()
    told(await through(annex, browser, provider.account("nobody@contoso.example")), 403, "nobody here has the e-mail")
    told(await through(annex, browser, provider.account(email, verified=False)), 403, "Have it confirmed there")
    provider.claims = {"nonce": "n" * 43}
    told(await through(annex, browser, provider.account(email)), 403, "does not prove who you are")
    provider.claims = {}
    for status, words in ((503, "Contoso & Co does not answer right now"), (401, "do not fit together")):
        provider.instead["/token"] = await refusing(status)
        told(await through(annex, browser, provider.account(email)), 503, words)
    provider.instead.clear()
    mine = provider.account(email)
    assert (await through(annex, browser, mine)).path == "/inbox"
    async with Browser(annex.console, NORWEGIAN) as another:
        page = await through(annex, another, provider.account(email))
        told(page, 403, "Du logger inn her med en annen konto hos Contoso & Co.")
    admin = "buyer-admin@storefront.example"
    body = {"name": "Pat Person", "roles": ["buyer"], "active": False}
    path = f"/v1/members/{person_id}"
    assert (await annex.town.call(admin, "PUT", "identity", path, body, **{"if-match": "*"}))[0] == 200
    async with Browser(annex.console) as another:
        told(await through(annex, another, mine), 403, "You may not sign in here any more")


async def test_what_the_provider_refuses_is_told(annex: Annex, browser: Browser) -> None:
    for error, words in (("access_denied", "You did not go through with"), ("server_error", "did not let you go on")):
        state = parse_qs(urlsplit(await there(browser)).query)["state"][0]
        answer = urlencode({"error": error, "error_description": "<b>x</b>", "state": state})
        told(await browser.get(f"/sign-in/callback?{answer}"), 403, words)
    state = parse_qs(urlsplit(await there(browser)).query)["state"][0]
    told(await browser.get(f"/sign-in/callback?code=a&code=b&state={state}"), 403, "did not let you go on")
    # unknown reasons, and those that identity alone knows, are no page of their own
    assert (await browser.get("/sign-in?refused=<b>")).alert == ""


async def test_only_the_browser_that_began_can_end_it_once_and_in_time(annex: Annex, browser: Browser) -> None:
    email, _ = await annex.person()
    subject, stale = annex.provider.account(email), "Start again"
    address = await there(browser)
    back = annex.provider.consent(address, subject)
    async with Browser(annex.console) as another:
        page = await another.get(back)
        assert (page.status, stale in page.alert) == (403, True), "an address that was sent to somebody else"
        await there(another)
        page = await another.get(back)
        assert (page.status, stale in page.alert) == (403, True)
        assert "ordertrail_pending" in kept(another), "what they began themselves is not ended by it"
    begun = {c.key: c.value for c in browser.http.cookie_jar}
    assert (await browser.get(back)).path == "/inbox"
    await browser.send(await browser.get("/inbox"), "/sign-out")
    page = await browser.get(back)
    assert (page.status, stale in page.alert) == (403, True), "the same address again"
    browser.http.cookie_jar.update_cookies(begun)
    annex.provider.hits.clear()
    page = await browser.get(back)
    assert annex.provider.hits == ["/token"]
    assert (page.status, stale in page.alert) == (403, True), "and with the cookie of then: the code is spent"
    late = await there(browser)
    aged(annex, browser)
    page = await browser.get(annex.provider.consent(late, subject))
    assert (page.status, stale in page.alert) == (403, True), "too late"


def aged(annex: Annex, browser: Browser) -> None:
    """Put what the browser keeps so that its time is over."""
    cookies = Cookies(Sealer.parse(annex.ring.get_secret_value()), secure=False)
    pending = cookies.pending({c.key: c.value for c in browser.http.cookie_jar})
    assert isinstance(pending, Pending)
    response = Response()
    cookies.keep_pending(response, replace(pending, until=int(time.time()) - 1))
    name, _, value = response.headers["set-cookie"].partition(";")[0].partition("=")
    browser.http.cookie_jar.clear()
    browser.http.cookie_jar.update_cookies({name: value})


async def test_an_admin_lets_somebody_change_the_account(annex: Annex, browser: Browser) -> None:
    (email, person_id), provider = await annex.person(), annex.provider
    assert (await through(annex, browser, provider.account(email))).path == "/inbox"
    async with Browser(annex.console) as admin, Browser(annex.console) as another:
        await admin.sign_in("buyer-admin@storefront.example", PASSWORD)
        page = await admin.send(await admin.get(f"/people/{person_id}"), f"/people/{person_id}/outside")
        assert page.notice == "The next account with the e-mail address of Pat Person is theirs."
        assert (await through(annex, another, provider.account(email))).path == "/inbox"


async def test_where_the_provider_is_the_only_way_nobody_is_asked_for_a_password(town: Town) -> None:
    async with annexed(town, oidc_only=True) as annex, Browser(annex.console) as browser:
        page = await browser.get("/sign-in")
        assert [f for f in page.forms() if f.method == "post"] == []
        assert not {"/welcome"} & set(page.links())
        admin = "buyer-admin@storefront.example"
        assert (await through(annex, browser, annex.provider.account(admin), "/people/new")).path == "/people/new"
        form = await browser.get("/people/new")
        given = {"name": "Nora", "email": "nora@storefront.example", "role": ["buyer"]}
        made = await browser.fill(form, "/people/new", given)
        assert (made.path, made.notice) == ("/people", "Nora is added, and signs in with Contoso & Co.")
        async with Browser(annex.console) as nora:
            page = await through(annex, nora, annex.provider.account("Nora@Storefront.example"))
            assert "Nora" in page.text("header")
