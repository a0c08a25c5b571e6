"""Sending again on the console: a range, what is missing of it, and what it is narrowed to."""

from __future__ import annotations

from typing import Any

from tests.integration.console.browser import Browser, Page, checked, value
from tests.integration.console.conftest import SELLER, Made, Town, deleted, made
from tests.integration.webhook.receiver import receiving
from tests.waiting import until


async def _received(town: Town, order_id: str) -> None:
    """Wait until the webhook service has the order's first event."""

    async def known() -> bool:
        status, found = await town.call(SELLER, "GET", "webhook", f"/v1/deliveries?order_id={order_id}")
        return status == 200 and bool(found["items"])

    await until(known, what="the order's event is in the log")


async def _replayed(town: Town, endpoint: Made) -> Any:
    """The endpoint's newest replay, once everything of it is queued."""

    async def done() -> Any:
        path = f"/v1/replays?endpoint_id={endpoint.endpoint_id}"
        newest = (await town.call(SELLER, "GET", "webhook", path))[1]["items"][0]
        return newest if newest["status"] == "done" else None

    return await until(done, what="the replay is queued")


def _row(page: Page) -> list[str]:
    """What is said of the newest replay: its state, and how many are queued and were looked at."""
    return page.texts("//table//tbody/tr[1]/td")[-3:]


async def test_a_range_is_sent_again_and_only_what_is_missing_of_it(
    town: Town, seller: Browser, endpoint: Made, order_id: str
) -> None:
    await _received(town, order_id)
    async with receiving() as receiver:
        late = await made(town, url=receiver.url, event_types=["order.created"])

        def times() -> int:
            return sum(hit.order_id == order_id for hit in receiver.hits)

        asked = await seller.send(await seller.get(late.page), "/replays")
        assert asked.path == f"{late.page}/replays"
        assert "queued" in asked.notice
        first = await _replayed(town, late)
        assert (first["scope"], first["queued"] >= 1) == ("missing", True)
        await until(lambda: times() >= 1, what="what was missing has arrived")
        page = await seller.get(f"{late.page}/replays")
        assert _row(page) == ["Queued", f"{first['queued']:,}", f"{first['examined']:,}"]
        # the same form sent twice asks once
        once = page.form("/replays").filled({"scope": "all"})
        for _ in range(2):
            assert (await seller.post(page.form("/replays").action, once)).status == 200
        second = await _replayed(town, late)
        assert (second["scope"], second["queued"] >= 1) == ("all", True)
        await until(lambda: times() >= 2, what="everything has arrived again")
        assert len((await seller.get(f"{late.page}/replays")).texts("//table//tbody/tr")) == 2
        await deleted(town, late)


async def test_a_range_that_is_none_is_refused_at_its_field(town: Town, seller: Browser, endpoint: Made) -> None:
    form = await seller.get(endpoint.page)
    for given, field in (
        ({"from": "", "scope": "all"}, "from"),
        ({"from": "yesterday", "scope": "all"}, "from"),
        ({"from": "2099-01-01T00:00", "scope": "all"}, "from"),
        ({"from": "2026-01-02T00:00", "to": "2026-01-01T00:00", "scope": "all"}, "to"),
    ):
        page = await seller.fill(form, "/replays", given)
        [said] = page.texts(f"//p[@id='{field}-error']")
        assert (page.status, said in page.alert, checked(page, "scope")) == (422, True, ["all"]), given
        assert value(page, "from") == given["from"]
    path = f"/v1/replays?endpoint_id={endpoint.endpoint_id}"
    assert (await town.call(SELLER, "GET", "webhook", path))[1]["items"] == []
    # disabled meanwhile: the service's own words
    await town.call(SELLER, "POST", "webhook", f"/v1/endpoints/{endpoint.endpoint_id}/disable")
    late = await seller.send(form, "/replays")
    assert (late.status, "disabled" in late.alert) == (422, True)
    assert not [f for f in (await seller.get(endpoint.page)).forms() if f.action.endswith("/replays")]


async def test_what_is_sent_again_is_narrowed_to_events_and_one_order(
    town: Town, seller: Browser, endpoint: Made, order_id: str, mug: str
) -> None:
    other = await town.place("buyer@storefront.example", mug, "USD")
    number = (await town.order(SELLER, order_id))["number"]
    for known in (order_id, other):
        await _received(town, known)
    async with receiving() as receiver:
        late = await made(town, url=receiver.url, event_types=["order.*"])
        form = await seller.get(late.page)
        boxes = form.tree.xpath("//form[contains(@action, '/replays')]//input[@name='event_type']/@value")
        assert "order.created" in boxes
        assert all(str(b).startswith("order.") for b in boxes), "only what the endpoint takes"
        given = {"scope": "all", "event_type": ["order.created"], "order": number.lower()}
        asked = await seller.fill(form, "/replays", given)
        assert asked.status == 200
        done = await _replayed(town, late)
        assert (done["event_types"], done["order_id"], done["queued"]) == (["order.created"], order_id, 1)

        def arrived() -> list[str]:
            return [str(hit.json["type"]) for hit in receiver.hits if hit.order_id in (order_id, other)]

        await until(arrived, what="the order's event has arrived")
        assert arrived() == ["order.created"]
        page = await seller.get(f"{late.page}/replays")
        [what] = page.texts("//td[@data-label='What']")
        assert what == f"Everythingorder.createdof order {number}"
        # what nobody here knows is said at its field, and nothing that was typed is lost
        wrong = await seller.fill(form, "/replays", {**given, "order": "ORD-0"})
        [said] = wrong.texts("//p[@id='order-error']")
        assert (wrong.status, said in wrong.alert, value(wrong, "order")) == (422, True, "ORD-0")
        assert (checked(wrong, "event_type"), checked(wrong, "scope")) == (["order.created"], ["all"])
        # back in the browser, and sent with something else in it: what was asked for first is not done again
        again = await seller.fill(form, "/replays", {**given, "order": ""})
        assert (again.status, "sent before" in again.alert) == (422, True)
        assert len((await seller.get(f"{late.page}/replays")).texts("//table//tbody/tr")) == 1
        # the endpoint takes other events meanwhile: the service's own words
        path = f"/v1/endpoints/{late.endpoint_id}"
        await town.call(SELLER, "PATCH", "webhook", path, {"event_types": ["message.*"]})
        wrong = await seller.fill(wrong, "/replays", {**given, "order": ""})
        assert (wrong.status, "message.*" in wrong.alert) == (422, True)
        await deleted(town, late)
