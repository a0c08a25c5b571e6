"""Signing in, staying so, and forms that come from elsewhere."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace

import pytest
from starlette.responses import Response
from yarl import URL

from deploy.embedded.process import free_port
from services.console.app import service as console
from services.console.sealing import Sealer
from services.console.session import Cookies, Session
from shared.ids import new_id
from shared.process import running
from tests.integration.console.browser import Browser
from tests.integration.console.conftest import OPERATOR, PASSWORD, Town, console_settings, key_ring
from tests.waiting import until

SELLER = "seller@storefront.example"


async def test_signing_in_leads_to_the_page_that_was_asked_for(town: Town, order_id: str) -> None:
    async with Browser(town.console) as browser:
        asked = await browser.get(f"/orders/{order_id}?thread=seller_operator")
        assert asked.path.startswith("/sign-in?next=")
        page = await browser.send(asked, "/sign-in", email=SELLER, password=PASSWORD)
        assert page.path == f"/orders/{order_id}?thread=seller_operator"
        # who is signed in is not asked again
        assert (await browser.get("/sign-in?next=/inbox")).path == "/inbox"


async def test_a_wrong_password_says_so_and_keeps_the_address(town: Town) -> None:
    async with Browser(town.console) as browser:
        page = await browser.sign_in(SELLER, "not the password")
        assert page.status == 401
        assert "password is not right" in page.alert
        assert page.tree.xpath("//input[@name='email']/@value") == [SELLER]
        assert "not the password" not in page.raw.decode()
        assert (await browser.get("/orders")).path.startswith("/sign-in")


@pytest.mark.parametrize("wanted", ["//evil.example", "/\\evil.example", "https://evil.example", "/sign-out", "/a\nb"])
async def test_no_link_leads_through_the_sign_in_to_another_site(town: Town, wanted: str) -> None:
    async with Browser(town.console) as browser:
        page = await browser.get("/sign-in", params={"next": wanted})
        signed_in = await browser.send(page, "/sign-in", email=SELLER, password=PASSWORD, next=wanted)
        assert signed_in.path == "/orders"


async def test_cookies_show_nothing_and_are_out_of_reach_of_scripts(town: Town) -> None:
    async with Browser(town.console) as browser:
        page = await browser.get("/sign-in")
        answer = await browser.send(page, "/sign-in", email=SELLER, password=PASSWORD, follow=False)
        session = [c for c in answer.headers.getall("set-cookie") if c.startswith("ordertrail_session")]  # type: ignore[attr-defined]  # an error here means no answer
        assert len(session) >= 1
        for cookie in session:
            assert "HttpOnly" in cookie
            assert "SameSite=lax" in cookie
        # the head of every access token, and what its claims begin with; three letters alone may come by chance
        await town.call(SELLER, "GET", "identity", "/v1/me")
        head, claims, _ = town.tokens[SELLER].split(".")
        for cookie in browser.http.cookie_jar:
            assert head not in cookie.value
            assert claims[:12] not in cookie.value
            assert not any(part.startswith("eyJ") for part in re.split(r"[^A-Za-z0-9_-]", cookie.value))
            assert "seller" not in cookie.value


async def test_a_copy_of_the_cookie_does_not_outlive_signing_out(town: Town) -> None:
    ring = key_ring()
    settings = console_settings(town.urls, http_port=free_port(), console_session_keys=ring)
    url = f"http://127.0.0.1:{settings.http_port}"
    async with running(console(settings), roles={"api"}), Browser(url) as browser, Browser(url) as copy:
        page = await browser.sign_in(SELLER, PASSWORD)
        copy.http.cookie_jar.update_cookies({c.key: c.value for c in browser.http.cookie_jar}, URL(url))
        out = await browser.send(page, "/sign-out")
        assert (out.path, out.notice) == ("/sign-in", "You are signed out.")
        assert (await browser.get("/orders")).path.startswith("/sign-in")

        async def turned_away() -> bool:
            return (await copy.get("/orders")).path.startswith("/sign-in")

        await until(turned_away, what="the other services know of it")


async def test_an_office_behind_one_address_is_counted_by_person(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERTRAIL_HTTP_ANONYMOUS_PER_SECOND", "0.01")
    monkeypatch.setenv("ORDERTRAIL_HTTP_ANONYMOUS_BURST", "4")
    settings = console_settings(town.urls, http_port=free_port())
    url = f"http://127.0.0.1:{settings.http_port}"
    async with running(console(settings), roles={"api"}), Browser(url) as browser, Browser(url) as nobody:
        await browser.sign_in(SELLER, PASSWORD)
        assert [(await browser.get("/live")).status for _ in range(6)] == [200] * 6
        assert 429 in [(await nobody.get("/sign-in")).status for _ in range(6)]
        assert (await browser.get("/live")).status == 200


async def _hired(town: Town) -> tuple[str, str]:
    """Address and id of a new colleague of the seller's."""
    _, me = await town.call(SELLER, "GET", "identity", "/v1/me")
    email = f"person-{new_id().hex[-12:]}@storefront.example"
    body = {"email": email, "name": "Ed Ex", "roles": ["seller"], "password": PASSWORD,
            "organisation_id": me["organisation"]["organisation_id"]}  # fmt: skip
    _, made = await town.call(OPERATOR, "POST", "identity", "/v1/members", body)
    return email, str(made["person_id"])


async def _edited(town: Town, person_id: str, **changes: object) -> None:
    _, shown = await town.call(OPERATOR, "GET", "identity", f"/v1/members/{person_id}")
    body = {"name": shown["name"], "roles": shown["roles"], **changes}
    await town.call(OPERATOR, "PUT", "identity", f"/v1/members/{person_id}", body)


async def test_other_rights_hold_on_the_next_page_and_who_was_deactivated_is_signed_out(town: Town) -> None:
    email, person_id = await _hired(town)
    async with Browser(town.console) as browser:
        first = await browser.sign_in(email, PASSWORD)
        assert "/people" not in first.links()
        await _edited(town, person_id, roles=["seller", "admin"])

        async def manages() -> bool:
            page = await browser.get("/orders")
            assert page.path == "/orders", "nobody is signed out by it"
            return "/people" in page.links()

        await until(manages, what="the new rights hold")
        await _edited(town, person_id, active=False)

        async def turned_away() -> bool:
            return (await browser.get("/orders")).path.startswith("/sign-in")

        await until(turned_away, what="the person is signed out")


async def test_forms_from_elsewhere_are_refused(town: Town, order_id: str) -> None:
    """Another site, another person's page, no token at all: nothing happens, and the page says what to do."""
    async with Browser(town.console) as browser, Browser(town.console) as other:
        await browser.sign_in(SELLER, PASSWORD)
        page = await browser.get(f"/orders/{order_id}")
        form = page.form("/actions/process")
        await other.sign_in("buyer@storefront.example", PASSWORD)
        foreign_token = (await other.get("/orders")).form("/sign-out").pairs[0][1]
        tries = {
            "no token": (form.filled({"csrf": None}), {}),
            "another's token": (form.filled({"csrf": foreign_token}), {}),
            "another site": (form.filled({}), {"Sec-Fetch-Site": "cross-site"}),
            "another origin": (form.filled({}), {"Origin": "https://evil.example"}),
        }
        for name, (pairs, headers) in tries.items():
            refused = await browser.post(form.action, pairs, headers=headers)
            assert refused.status == 403, name
            assert f"/orders/{order_id}/actions/process" in refused.links(), name
        assert (await town.order(SELLER, order_id))["status"] == "pending"
        own = {"Origin": town.console, "Sec-Fetch-Site": "same-origin"}
        assert (await browser.post(form.action, form.filled({}), headers=own)).path == f"/orders/{order_id}"


async def test_addresses_that_take_forms_only_lead_back_to_their_page(town: Town, order_id: str) -> None:
    async with Browser(town.console) as browser:
        await browser.sign_in(SELLER, PASSWORD)
        assert (await browser.get(f"/orders/{order_id}/messages")).path == f"/orders/{order_id}"
        assert (await browser.get("/inbox/read-all")).path == "/inbox"


async def test_pages_opened_at_once_share_one_renewal_of_the_tokens(town: Town) -> None:
    """A refresh token used twice ends the whole session: five pages at once must not do that."""
    ring = key_ring()
    settings = console_settings(town.urls, http_port=free_port(), console_session_keys=ring)
    cookies = Cookies(Sealer.parse(ring.get_secret_value()), secure=False)
    url = f"http://127.0.0.1:{settings.http_port}"
    async with running(console(settings), roles={"api"}), Browser(url) as browser:
        await browser.sign_in(SELLER, PASSWORD)
        aged = _aged(cookies, browser)
        pages = await asyncio.gather(*(browser.get("/settings/notifications") for _ in range(5)))
        assert [p.path for p in pages] == ["/settings/notifications"] * 5
        # a browser that never got the new cookie comes again with the old one
        browser.http.cookie_jar.clear()
        browser.http.cookie_jar.update_cookies(aged)
        assert (await browser.get("/inbox")).path == "/inbox"
        renewed = cookies.session({c.key: c.value for c in browser.http.cookie_jar}, time.time())
        assert renewed is not None
        assert renewed.access_until > time.time() + 60


def _aged(cookies: Cookies, browser: Browser) -> dict[str, str]:
    """Put the browser's session so that its access token has just ended; the cookies that say so."""
    kept = {c.key: c.value for c in browser.http.cookie_jar}
    session = cookies.session(kept, time.time())
    assert isinstance(session, Session)
    response = Response()
    cookies.keep(response, replace(session, access_until=int(time.time())), kept, time.time())
    aged = {}
    for header in response.headers.getlist("set-cookie"):
        name, _, value = header.partition(";")[0].partition("=")
        aged[name] = value
    browser.http.cookie_jar.clear()
    browser.http.cookie_jar.update_cookies(aged)
    return aged


async def test_an_operator_acts_as_a_seller_under_both_names_and_the_seller_sees_it(town: Town, order_id: str) -> None:
    """Marketpush page: the operator emulates the seller's account and accepts orders on their behalf."""
    async with Browser(town.console) as operator, Browser(town.console) as seller:
        await operator.sign_in("operator@storefront.example", PASSWORD)
        await seller.sign_in(SELLER, PASSWORD)
        people = await operator.get("/people")
        _, me = await town.call(SELLER, "GET", "identity", "/v1/me")
        ending = f"/people/{me['person']['person_id']}/log-in-as"
        before = await operator.get(f"/orders/{order_id}")
        short = await operator.send(people, ending, reason="PTO")
        assert (short.status, short.tree.xpath("//input[@name='reason'][@aria-invalid]/@value")) == (422, ["PTO"])
        inside = await operator.send(short, ending, reason="Sam is on leave & asked for it")
        assert inside.path == "/orders"
        assert "You are logged in as Sam Seller" in inside.text()
        # a page of before sends nothing in the other's name
        assert (await operator.fill(before, "/actions/record_payment", {})).status == 403
        done = await operator.send(await operator.get(f"/orders/{order_id}"), "/actions/process")
        assert "Start processing: done" in done.notice
        entry = done.texts("//ol[@class='timeline']/li")[-1]
        assert "Olga Operator (seller) as Sam Seller, because: Sam is on leave & asked for it" in entry
        assert not [f for f in (await operator.get("/people")).forms() if f.action.endswith("/log-in-as")]
        back = await operator.send(done, "/people/return")
        assert (back.path, back.notice) == ("/people", "You are no longer logged in as Sam Seller.")
        assert "You are logged in as" not in (await operator.get("/orders")).text()

        async def known() -> bool:
            return (await seller.get("/settings/notifications")).status == 200

        await until(known, what="the notification service knows the person")
        settings = (await seller.get("/settings/notifications")).text()
        assert "Who was logged in as you Olga Operator" in settings
        assert "Sam is on leave & asked for it" in settings


async def test_people_are_offered_to_those_who_look_after_them(town: Town) -> None:
    async with Browser(town.console) as admin, Browser(town.console) as buyer:
        await admin.sign_in("buyer-admin@storefront.example", PASSWORD)
        await buyer.sign_in("buyer@storefront.example", PASSWORD)
        page = await admin.get("/people")
        assert "/people" in page.links()
        assert "buyer@storefront.example" in page.text()
        assert SELLER not in page.text()
        assert [f for f in page.forms() if f.action.endswith("/log-in-as")]
        theirs = await buyer.get("/people")
        assert "/people" not in theirs.links()
        assert not [f for f in theirs.forms() if f.action.endswith("/log-in-as")]
        form = next(f for f in page.forms() if f.action.endswith("/log-in-as"))
        csrf = dict(theirs.form("/sign-out").pairs)["csrf"]
        refused = await buyer.post(form.action, form.filled({"csrf": csrf, "reason": "I would like to"}))
        assert refused.status in (403, 404)
        assert "You are logged in as" not in (await buyer.get("/orders")).text()


async def test_an_admin_adds_somebody_who_comes_in_with_the_invitation(town: Town) -> None:
    email = "newcomer@storefront.example"
    async with Browser(town.console) as admin, Browser(town.console) as newcomer:
        await admin.sign_in("buyer-admin@storefront.example", PASSWORD)
        form = await admin.get("/people/new")
        given = {"name": "Nora Newcomer", "email": email, "role": ["buyer"], "limit": "12,50"}
        wrong = await admin.fill(form, "/people/new", given | {"role": ["operator"]})
        assert wrong.status in (403, 422)
        assert wrong.alert
        assert wrong.tree.xpath("//input[@id='name']/@value") == ["Nora Newcomer"]
        nonsense = await admin.fill(form, "/people/new", given | {"limit": "a lot", "key": "k2"})
        assert nonsense.status == 422
        assert "an amount such as" in nonsense.alert
        made = await admin.fill(wrong, "/people/new", given)
        [token] = made.texts("//code[@class='secret']")
        # the form sent twice is one person, and the same invitation
        again = await admin.fill(wrong, "/people/new", given)
        assert again.texts("//code[@class='secret']") == [token]

        door = await newcomer.get("/welcome")
        short = await newcomer.send(door, "/welcome", token=token, password="short")
        assert short.status == 422
        assert (
            await newcomer.send(door, "/welcome", token="inv_wrong", password="a long enough password")
        ).status == 400
        inside = await newcomer.send(door, "/welcome", token=token, password="a long enough password")
        assert (inside.path, inside.notice) == ("/orders", "Your password is set, and you are signed in.")
        assert (await newcomer.send(door, "/welcome", token=token, password="a long enough password")).status in (
            400,
            403,
        )

        [address] = (await admin.get("/people")).tree.xpath(f"//li[contains(., '{email}')]//a/@href")
        person = await admin.get(address)
        assert person.tree.xpath("//input[@id='limit']/@value") == ["12.50"]
        assert person.tree.xpath("//input[@name='role'][@checked]/@value") == ["buyer"]
        saved = await admin.fill(person, address, {"role": ["buyer", "approver"], "limit": "", "active": None})
        assert (saved.path, saved.notice) == ("/people", "Nora Newcomer is saved.")
        stale = await admin.fill(person, address, {"name": "Somebody Else"})
        assert "changed elsewhere" in stale.notice
        assert stale.tree.xpath("//input[@id='name']/@value") == ["Nora Newcomer"]
        assert not stale.tree.xpath("//input[@id='active'][@checked]")
        assert not [f for f in stale.forms() if f.action.endswith("/invitation")]
        async with Browser(town.console) as buyer:
            await buyer.sign_in("buyer@storefront.example", PASSWORD)
            refused = await buyer.fill(await buyer.get(address), address, {"name": "Mine"})
            assert refused.status == 403
