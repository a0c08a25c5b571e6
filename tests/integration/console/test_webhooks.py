"""Webhook endpoints on the console: whose events go to them, sending again, and how it went."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from tests.integration.console.browser import Browser, Page
from tests.integration.console.conftest import PASSWORD, Town

SELLER = "seller@storefront.example"
ADDRESS = "http://127.0.0.1:9/hooks"
ORGANISATION = str(UUID(int=7))


@dataclass
class Made:
    """An endpoint made by a program, and its page's address."""

    endpoint_id: str

    @property
    def page(self) -> str:
        return f"/webhooks/{self.endpoint_id}"


async def made(town: Town, **more: Any) -> Made:
    body = {"url": ADDRESS, "event_types": ["*"], **more}
    status, endpoint = await town.call(SELLER, "POST", "webhook", "/v1/endpoints", body)
    assert status == 201, endpoint
    return Made(str(endpoint["endpoint_id"]))


async def deleted(town: Town, endpoint: Made) -> None:
    assert (await town.call(SELLER, "DELETE", "webhook", f"/v1/endpoints/{endpoint.endpoint_id}"))[0] == 204


async def kept(town: Town, endpoint: Made) -> Any:
    return (await town.call(SELLER, "GET", "webhook", f"/v1/endpoints/{endpoint.endpoint_id}"))[1]


def value(page: Page, name: str) -> str:
    [found] = page.tree.xpath("//input[@name=$name]/@value", name=name)
    return str(found)


def checked(page: Page, name: str) -> Sequence[str]:
    return [str(v) for v in page.tree.xpath("//input[@name=$name][@checked]/@value", name=name)]


@pytest.fixture
async def endpoint(town: Town) -> AsyncIterator[Made]:
    found = await made(town)
    yield found
    await deleted(town, found)


async def test_filters_are_refused_at_their_field_and_everything_else_is_kept(town: Town, seller: Browser) -> None:
    given = {
        "url": ADDRESS, "which": "some", "event_type": ["order.updated"], "channels": "web, shop, web",
        "sellers": f"{ORGANISATION}, nobody", "actions": "ship", "phase": ["pending", "in_transit"],
    }  # fmt: skip
    wrong = await seller.fill(await seller.get("/webhooks/new"), "/webhooks/new", given)
    assert wrong.status == 422
    [said] = wrong.texts("//p[@id='sellers-error']")
    assert said.startswith("Entry 2: ")
    assert said in wrong.alert
    [field] = wrong.tree.xpath("//input[@name='sellers']")
    assert (field.get("aria-invalid"), field.get("aria-describedby")) == ("true", "sellers-error sellers-hint")
    assert {name: value(wrong, name) for name in ("url", "channels", "sellers", "actions")} == {
        name: given[name] for name in ("url", "channels", "sellers", "actions")
    }
    assert (checked(wrong, "event_type"), checked(wrong, "phase")) == (["order.updated"], ["pending", "in_transit"])
    done = await seller.fill(wrong, "/webhooks/new", {"sellers": ORGANISATION})
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
