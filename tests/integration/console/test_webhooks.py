"""Webhook endpoints on the console: whose events go to them, sending again, and how it went."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest

from tests.integration.console.browser import Browser, Page, checked, value
from tests.integration.console.conftest import ADDRESS, HOSTILE, PASSWORD, SELLER, Made, Town, deleted, made
from tests.integration.webhook.receiver import receiving
from tests.integration.webhook.receiver import status as answering
from tests.waiting import until

ORGANISATION = str(UUID(int=7))


async def kept(town: Town, endpoint: Made) -> Any:
    return (await town.call(SELLER, "GET", "webhook", f"/v1/endpoints/{endpoint.endpoint_id}"))[1]


async def test_filters_are_refused_at_their_field_and_everything_else_is_kept(town: Town, seller: Browser) -> None:
    given = {
        "url": ADDRESS, "which": "some", "event_type": ["order.updated"], "channels": "web, shop, web",
        "seller": [ORGANISATION, "nobody"], "actions": "ship", "phase": ["pending", "in_transit"],
    }  # fmt: skip
    both = await seller.fill(await seller.get("/webhooks/new"), "/webhooks/new", {**given, "which": "all"})
    assert both.texts("//p[@id='event_types-error']")[0].startswith("All events are chosen, and single ones as well")
    wrong = await seller.fill(await seller.get("/webhooks/new"), "/webhooks/new", given)
    assert wrong.status == 422
    [said] = wrong.texts("//p[@id='sellers-error']")
    assert said.startswith("Entry 2: ")
    assert said in wrong.alert
    [field] = wrong.tree.xpath("//fieldset[.//input[@name='seller']]")
    assert field.get("aria-describedby") == "sellers-error"
    assert {name: value(wrong, name) for name in ("url", "channels", "actions")} == {
        name: given[name] for name in ("url", "channels", "actions")
    }
    for name in ("event_type", "seller", "phase"):
        assert checked(wrong, name) == given[name]
    done = await seller.fill(wrong, "/webhooks/new", {"seller": ORGANISATION})
    assert done.heading == "The endpoint is made"
    [page] = {a for a in done.links() if a.startswith("/webhooks/") and a != "/webhooks/new"}
    found = Made(page.rpartition("/")[2])
    assert (await kept(town, found))["filter"] == {
        "channels": ["web", "shop"], "sellers": [ORGANISATION], "actions": ["ship"],
        "phases": ["pending", "in_transit"],
    }  # fmt: skip
    facts = (await seller.get(page)).texts("//section[@aria-labelledby='facts']//dd")
    assert {"web, shop", ORGANISATION, "ship", "Pending, On its way"} <= set(facts)
    await deleted(town, found)


async def test_an_endpoint_is_changed_and_filters_are_taken_off_again(
    town: Town, seller: Browser, endpoint: Made
) -> None:
    change = f"{endpoint.page}/change"
    form = await seller.get(change)
    given = {"channels": "web", "phase": ["completed"], "description": "Only done"}
    saved = await seller.fill(form, "/change", given)
    assert (saved.path, saved.notice.partition(".")[0]) == (endpoint.page, "Saved")
    now = await kept(town, endpoint)
    assert (now["filter"]["channels"], now["filter"]["phases"], now["url"]) == (["web"], ["completed"], ADDRESS)
    # a page from before: what was saved meanwhile is not written over
    stale = await seller.fill(form, "/change", {"channels": "shop"})
    assert (stale.status, value(stale, "channels"), "changed elsewhere" in stale.alert) == (409, "web", True)
    wrong = await seller.fill(stale, "/change", {"url": "http://10.1.2.3/", "channels": "shop"})
    assert (wrong.status, value(wrong, "channels"), checked(wrong, "phase")) == (422, "shop", ["completed"])
    assert "10.1.2.3" in " ".join(wrong.texts("//p[@id='url-error']"))
    off = await seller.fill(await seller.get(change), "/change", {"channels": "", "phase": None})
    assert off.status == 200
    assert not any((await kept(town, endpoint))["filter"].values())


def typed(page: Page, name: str) -> str:
    [found] = page.tree.xpath("//textarea[@name=$name]", name=name)
    return str(found.text or "").strip()


async def test_how_events_are_sent_is_chosen_on_the_form(town: Town, seller: Browser) -> None:
    given = {
        "url": ADDRESS, "format": "cloudevents_binary", "ordered": None, "http_signature": "yes", "rate_limit": "2,5",
        "retries": "5, 60 3600", "timeout": "0.5", "headers": "X-Shop: north\n\nAuthorization: Basic a:b==",
    }  # fmt: skip
    form = await seller.get("/webhooks/new")
    assert checked(form, "ordered") == ["yes"]
    wrong = await seller.fill(
        form, "/webhooks/new", {**given, "rate_limit": "fast", "retries": "soon", "headers": "X-Shop north"}
    )
    assert wrong.status == 422
    assert {str(i) for i in wrong.tree.xpath("//p[@class='wrong']/@id")} == {
        "rate_limit-error", "retries-error", "headers-error",
    }  # fmt: skip
    # what only the service knows is said at its field too
    wrong = await seller.fill(wrong, "/webhooks/new", {**given, "timeout": "90", "retries": "5, 9999999"})
    assert wrong.texts("//p[@id='retries-error']")[0].startswith("Entry 2: ")
    assert wrong.texts("//p[@id='timeout-error']")
    assert (typed(wrong, "headers"), checked(wrong, "ordered")) == (given["headers"], [])
    done = await seller.fill(wrong, "/webhooks/new", {"timeout": "0.5", "retries": given["retries"]})
    assert done.heading == "The endpoint is made"
    [page] = {a for a in done.links() if a.startswith("/webhooks/") and a != "/webhooks/new"}
    found = Made(page.rpartition("/")[2])
    now = await kept(town, found)
    names = ("format", "ordered", "http_signature", "rate_limit", "retry_schedule", "timeout_ms", "header_names")
    assert [now[n] for n in names] == [
        "cloudevents_binary", False, True, 2.5, [5, 60, 3600], 500, ["x-shop", "authorization"],
    ]  # fmt: skip
    change = await seller.get(f"{page}/change")
    assert [value(change, n) for n in ("rate_limit", "retries", "timeout")] == ["2.5", "5, 60, 3600", "0.5"]
    assert typed(change, "headers") == ""
    await seller.fill(change, "/change", {"rate_limit": "", "retries": "0", "ordered": "yes"})
    now = await kept(town, found)
    assert [now[n] for n in names] == ["cloudevents_binary", True, True, None, [], 500, ["x-shop", "authorization"]]
    await seller.fill(await seller.get(f"{page}/change"), "/change", {"no_headers": "yes"})
    assert (await kept(town, found))["header_names"] == []
    await deleted(town, found)


async def test_what_events_are_signed_with_is_chosen_on_the_form(town: Town, seller: Browser) -> None:
    form = await seller.get("/webhooks/new")
    assert form.tree.xpath("//select[@name='signature']/option/@value") == ["hmac", "ed25519", "both"]
    wrong = await seller.fill(form, "/webhooks/new", {"url": ADDRESS, "signature": "wax"})
    assert (wrong.status, len(wrong.texts("//p[@id='signature-error']"))) == (422, 1)
    wrong = await seller.fill(form, "/webhooks/new", {"url": "http://10.1.2.3/", "signature": "both"})
    assert wrong.tree.xpath("//select[@name='signature']/option[@selected]/@value") == ["both"], "what was chosen stays"
    done = await seller.fill(wrong, "/webhooks/new", {"url": ADDRESS})
    secret, public = done.texts("//code[@class='secret']")
    assert (secret[:6], public[:5]) == ("whsec_", "whpk_")
    again = await seller.fill(wrong, "/webhooks/new", {"url": ADDRESS})
    assert again.texts("//code[@class='secret']") == [secret, public], "sent twice, made once"
    [page] = {a for a in done.links() if a.startswith("/webhooks/") and a != "/webhooks/new"}
    found = Made(page.rpartition("/")[2])
    pair = await seller.fill(await seller.get(f"{page}/change"), "/change", {"signature": "ed25519"})
    assert ((await kept(town, found))["signature"], public in pair.text()) == ("ed25519", True)
    assert "New secret" not in pair.texts("//summary"), "what is not used is not made anew"
    # the kind stays: nothing that only who may see secrets may change
    await seller.fill(await seller.get(f"{page}/change"), "/change", {"description": "Ours"})
    newer = await seller.fill(await seller.get(page), "/secret", {"kind": "ed25519"})
    assert newer.notice.startswith("A new key pair signs from now on")
    live = [k["public_key"] for k in (await kept(town, found))["keys"] if k["kind"] == "ed25519"]
    assert (len(live), public in live) == (2, True)
    await deleted(town, found)
    only = await seller.fill(form, "/webhooks/new", {"url": ADDRESS, "signature": "ed25519"})
    assert [c[:5] for c in only.texts("//code[@class='secret']")] == ["whpk_"]
    [page] = {a for a in only.links() if a.startswith("/webhooks/") and a != "/webhooks/new"}
    found = Made(page.rpartition("/")[2])
    # a shared secret is made for the change: it is shown now or never
    told = await seller.fill(await seller.get(f"{page}/change"), "/change", {"signature": "both"})
    assert [c.partition("_")[0] for c in told.texts("//code[@class='secret']")] == ["whsec", "whpk"]
    await deleted(town, found)


async def test_an_operator_sees_no_values_of_others_addresses_and_changes_nothing(
    town: Town, seller: Browser, mug: str
) -> None:
    found = await made(town, url=f"{ADDRESS}?key=s3cret-of-theirs")
    await town.place("buyer@storefront.example", mug, "USD")

    async def sent() -> Any:
        path = f"/v1/endpoints/{found.endpoint_id}/deliveries"
        return (await town.call(SELLER, "GET", "webhook", path))[1]["items"]

    [delivery, *_] = await until(sent, what="an event goes to the endpoint")
    trail = f"/orders/{delivery['order_id']}/trail"
    assert "s3cret-of-theirs" in (await seller.get(found.page)).heading
    async with Browser(town.console) as operator:
        await operator.sign_in("operator@storefront.example", PASSWORD)
        for path in ("/webhooks", found.page, f"{found.page}/replays", f"{found.page}/change", trail):
            page = await operator.get(path)
            assert (page.status, "s3cret-of-theirs" in page.raw.decode()) == (200, False), path
            assert f"{ADDRESS}?key=***" in page.raw.decode(), path
        theirs = await operator.get(found.page)
        assert "Storefront Market Seller One" in theirs.text("section[@aria-labelledby='facts']"), "whose it is"
        assert not [f for f in theirs.forms() if f.action.endswith(("/secret", "/delete"))]
        assert f"{found.page}/change" not in theirs.links()
        changed = await operator.fill(await operator.get(f"{found.page}/change"), "/change", {"description": "Mine"})
        assert changed.status == 404
    assert ((await kept(town, found))["url"], (await kept(town, found))["description"]) == (
        f"{ADDRESS}?key=s3cret-of-theirs", "",
    )  # fmt: skip
    await deleted(town, found)


def offered(page: Page) -> dict[str, str]:
    """The sellers that there are to choose from: names by id."""
    boxes = page.tree.xpath("//li[input[@name='seller']]")
    return {str(b.xpath("input/@value")[0]): " ".join(b.text_content().split()) for b in boxes}


async def _seller_of(town: Town, order_id: str) -> tuple[str, str]:
    """The seller's id and name, once the order is in the lists."""
    shown = await town.order("buyer@storefront.example", order_id)
    return shown["seller"]["organisation_id"], shown["seller"]["name"]


@pytest.mark.parametrize("who", ["operator", "buyer-admin"])
async def test_sellers_are_chosen_by_name(town: Town, order_id: str, who: str) -> None:
    seller_id, name = await _seller_of(town, order_id)
    email = f"{who}@storefront.example"
    async with Browser(town.console) as browser:
        await browser.sign_in(email, PASSWORD)
        form = await browser.get("/webhooks/new")
        assert offered(form)[seller_id] == name
        done = await browser.fill(form, "/webhooks/new", {"url": ADDRESS, "seller": seller_id})
        assert done.heading == "The endpoint is made"
        [page] = {a for a in done.links() if a.startswith("/webhooks/") and a != "/webhooks/new"}
        assert name in (await browser.get(page)).texts("//section[@aria-labelledby='facts']//dd")
        change = await browser.get(f"{page}/change")
        assert checked(change, "seller") == [seller_id]
        # one that nobody here knows by name stays what it is, and can be taken off
        path = f"/v1/endpoints/{page.rpartition('/')[2]}"
        body = {"filter": {"sellers": [seller_id, ORGANISATION]}}
        assert (await town.call(email, "PATCH", "webhook", path, body))[0] == 200
        change = await browser.get(f"{page}/change")
        assert (sorted(checked(change, "seller")), offered(change)[ORGANISATION]) == (
            sorted([seller_id, ORGANISATION]), ORGANISATION,
        )  # fmt: skip
        saved = await browser.fill(change, "/change", {"seller": seller_id})
        assert saved.notice.startswith("Saved")
        kept_now = (await town.call(email, "GET", "webhook", path))[1]
        assert kept_now["filter"]["sellers"] == [seller_id]
        assert (await town.call(email, "DELETE", "webhook", path))[0] == 204


async def test_wildcards_of_a_program_stay_when_something_else_is_changed(town: Town, seller: Browser) -> None:
    found = await made(town, event_types=["order.*"])
    await seller.fill(await seller.get(f"{found.page}/change"), "/change", {"description": "Orders"})
    now = await kept(town, found)
    assert (now["event_types"], now["description"]) == (["order.*"], "Orders")
    await deleted(town, found)


async def test_others_neither_see_nor_change_an_endpoint(town: Town, seller: Browser, endpoint: Made) -> None:
    form = (await seller.get(f"{endpoint.page}/change")).form("/change")
    async with Browser(town.console) as buyer:
        signed_in = await buyer.sign_in("buyer@storefront.example", PASSWORD)
        token = dict(signed_in.form("/sign-out").pairs)["csrf"]
        assert (await buyer.get(f"{endpoint.page}/change")).status == 403
        sent = await buyer.post(form.action, form.filled({"csrf": token, "channels": "web"}))
        assert sent.status == 403
    # the token belongs to the session
    assert (await seller.post(form.action, form.filled({"csrf": "x", "channels": "web"}))).status == 403
    assert (await kept(town, endpoint))["filter"]["channels"] is None


async def test_a_webhook_endpoint_is_made_tested_and_deleted(town: Town, seller: Browser) -> None:
    async with receiving() as receiver:
        form = await seller.get("/webhooks/new")
        given = {"url": receiver.url, "description": HOSTILE, "which": "some", "event_type": ["order.created"]}
        wrong = await seller.fill(form, "/webhooks/new", {**given, "url": "http://10.1.2.3/"})
        assert (wrong.status, "10.1.2.3" in wrong.alert) == (422, True)
        made = await seller.fill(wrong, "/webhooks/new", given)
        [secret] = made.texts("//code[@class='secret']")
        assert secret.startswith("whsec_")
        assert secret not in wrong.raw.decode()
        # sent twice: one endpoint, and its secret is still on the page that the person sees
        twice = await seller.fill(wrong, "/webhooks/new", given)
        assert twice.texts("//code[@class='secret']") == [secret]
        listed = await seller.get("/webhooks")
        [address] = {a for a in listed.links() if re.fullmatch(r"/webhooks/[0-9a-f-]{36}", a)}
        endpoint = await seller.get(address)
        assert secret not in endpoint.raw.decode()
        tested = await seller.send(endpoint, "/test", type="order.created")

        async def delivered() -> bool:
            return "Delivered" in (await seller.get(tested.path)).heading

        await until(delivered, what="the test event has arrived")
        for verb, said in (("pause", "Paused"), ("resume", "Resumed"), ("disable", "Disabled"), ("enable", "Enabled")):
            page = await seller.get(address)
            [action] = {f.action for f in page.forms() if dict(f.pairs).get("verb") == verb}
            switched = await seller.post(
                action, next(f for f in page.forms() if dict(f.pairs).get("verb") == verb).pairs
            )
            assert switched.notice.startswith(said), verb
        gone = await seller.send(await seller.get(address), "/delete", sure="yes")
        assert (gone.path, gone.notice) == ("/webhooks", "The endpoint is deleted.")


async def test_success_and_time_to_answer_are_charts_and_a_table(town: Town, seller: Browser) -> None:
    async with receiving() as receiver:
        found = await made(town, url=receiver.url, event_types=["order.created"])
        assert "Nothing was sent in this period." in (await seller.get(found.page)).text()
        await seller.send(await seller.get(found.page), "/test", type="order.created")

        async def counted() -> Any:
            path = f"/v1/endpoints/{found.endpoint_id}/stats"
            total = (await town.call(SELLER, "GET", "webhook", path))[1]["total"]
            return total["succeeded"]

        await until(counted, what="the attempt is in the figures")
        for span, slot in (("", "Hour"), ("?span=week", "Day"), ("?span=month", "Day"), ("?span=year", "Hour")):
            page = await seller.get(f"{found.page}{span}")
            table = "//section[@aria-labelledby='pace']//table"
            assert page.texts(f"{table}//th[@scope='col']")[0] == slot
            assert page.texts(f"{table}/tbody/tr/td")[2] == "100.0 %"
            [chart] = page.tree.xpath("//*[local-name()='svg'][@aria-labelledby='chart-succeeded']")
            assert chart.get("role") == "img"
            assert chart.xpath(".//*[local-name()='title']")
            assert not page.tree.xpath("//*[@style] | //script[text()]")
        await deleted(town, found)


async def test_why_nothing_is_sent_stands_on_the_page(town: Town, seller: Browser) -> None:
    """Active, but the receiver has not agreed to CloudEvents; or it has asked for an hour's pause."""
    async with receiving(answering(405)) as refusing, receiving(answering(503, retry_after="3600")) as busy:
        asked = await made(town, url=refusing.url, format="cloudevents_binary", signature="both", rate_limit=7,
                           headers={"X-Tenant": "5ecret"})  # fmt: skip
        paused = await made(town, url=busy.url)
        code, _ = await town.call(SELLER, "POST", "webhook", f"/v1/endpoints/{paused.endpoint_id}/test", {})
        assert code == 202
        await until(lambda: _says(seller, asked, "has not agreed to take them (answered 405"))
        await until(lambda: _says(seller, paused, "Held back until"))
        page = await seller.get(asked.page)
        [facts] = page.texts("//section[@aria-labelledby='facts']")
        for said in (
            "CloudEvents, binary",
            "a shared secret (HMAC-SHA256) and a key pair (ed25519)",
            "At most",
            "7 a second",
            "x-tenant",
            "whpk_",
        ):
            assert said in facts
        assert "5ecret" not in page.text()
        for each in (asked, paused):
            await deleted(town, each)


async def _says(browser: Browser, endpoint: Made, said: str) -> bool:
    return said in (await browser.get(endpoint.page)).text()
