"""Lifecycles and channels in the console: looked at by everybody, changed by the operator."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.order import workflow
from tests.integration.console.browser import Browser
from tests.integration.console.conftest import PASSWORD, Town


@pytest.fixture
async def operator(town: Town) -> AsyncIterator[Browser]:
    async with Browser(town.console) as browser:
        await browser.sign_in("operator@supplier.example", PASSWORD)
        yield browser


async def test_a_lifecycle_is_shown_drawn_and_given_another_version(operator: Browser, seller: Browser) -> None:
    listed = await operator.get("/lifecycles")
    assert "/lifecycles" in (await operator.get("/orders")).links()
    assert "/lifecycles/loopfront" in listed.links()
    page = await operator.get("/lifecycles/loopfront")
    assert page.heading == "Loopfront version 1"
    assert "Awaiting pickup" in page.texts("//tbody//th")
    picture = await operator.get(page.tree.xpath("//main//img/@src")[0])
    assert (picture.status, picture.headers["content-type"], picture.raw[:4]) == (200, "image/svg+xml", b"<svg")
    text = workflow.builtin_text("loopfront")
    same = await operator.fill(page, "/lifecycles/loopfront", {})
    assert same.notice == "Version 1 of Loopfront was there already.", "what is sent as it stood is no other text"
    wrong = await operator.fill(page, "/lifecycles/loopfront", {"text": text.replace('to = "received"', 'to = "gone"')})
    assert (wrong.status, "Line " in wrong.alert, "'gone'" in wrong.alert) == (422, True, True)
    assert 'to = "gone"' in wrong.texts("//textarea[@id='text']")[0], "what was typed is kept"
    mended = await operator.fill(wrong, "/lifecycles/loopfront", {"text": text.replace('"Received"', '"Handed over"')})
    assert mended.notice.startswith("Version 2 of Loopfront is in force for new orders")
    assert "Handed over" in mended.texts("//tbody//th")
    assert "Handed over" not in (await operator.get("/lifecycles/loopfront?version=1")).texts("//tbody//th")
    theirs = await seller.get("/lifecycles/storefront")
    assert (theirs.status, theirs.tree.xpath("//textarea")) == (200, [])
    assert [(await operator.get(f"/lifecycles/{name}")).status for name in ("nothing", "No-Name!")] == [404, 404]


async def test_a_channel_is_set_up_with_what_is_kept_back_and_what_its_statuses_mean(
    town: Town, operator: Browser
) -> None:
    assert "/channels" in (await operator.get("/orders")).links()
    assert "small letters" in (await operator.get("/channels?name=No+Good")).alert
    page = await operator.get("/channels?name=zalando")
    assert (page.path, page.heading) == ("/channels/zalando", "Channel zalando")
    for typed, said in (
        ({"buffer": "some"}, "Enter a quantity"),
        ({"buffers": "MUG 5"}, "“MUG 5” is no line"),
        ({"lifecycle": "lengow", "statuses": "SENT = gone"}, "SENT: 'gone' is no state of lengow"),
    ):
        wrong = await operator.fill(page, "/channels/zalando", typed)
        assert (wrong.status, said in wrong.alert) == (422, True), wrong.alert
        assert all((name, text) in wrong.form("/channels/zalando").pairs for name, text in typed.items())
    given = {
        "title": "Zalando", "lifecycle": "lengow", "auto_accept": "yes", "buffer": "2", "buffers": "MUG = 5\nCUP = 1.5",
        "commission": "12,5", "contact": "help@zalando.example", "statuses": "SENT = shipped",
    }  # fmt: skip
    done = await operator.fill(page, "/channels/zalando", given)
    assert (done.path, "zalando is set up" in done.notice) == ("/channels", True)
    kept = (await town.call("operator@supplier.example", "GET", "order", "/v1/channels/zalando"))[1]
    assert (kept["auto_accept"], kept["buffer"], kept["buffers"]) == (True, "2", {"MUG": "5", "CUP": "1.5"})
    assert (kept["commission_rate"], kept["statuses"], kept["version"]) == ("0.125", {"SENT": "shipped"}, 1)
    again = await operator.get("/channels/zalando")
    assert {n: v for n, v in again.form("/channels/zalando").pairs if n in ("commission", "buffer")} == {
        "commission": "12.5", "buffer": "2"
    }  # fmt: skip
    stale = await operator.fill(page, "/channels/zalando", {"title": "Late"})
    assert (stale.status, "Somebody else has changed" in stale.alert) == (412, True)
    async with Browser(town.console) as merchant:
        await merchant.sign_in("seller@supplier.example", PASSWORD)
        theirs = await merchant.get("/channels/zalando")
        assert "help@zalando.example" in theirs.text()
        assert not [f for f in theirs.forms() if "/channels/" in f.action]
        assert (await merchant.get("/channels/nowhere")).status == 404


async def test_the_operator_sets_what_a_lifecycle_leaves_to_the_marketplace(town: Town, operator: Browser) -> None:
    """marketpush page: "Operator users can enable two order-specific settings"."""
    me = (await town.call("operator@supplier.example", "GET", "identity", "/v1/marketplaces"))[1]["items"][0]
    page = await operator.get("/lifecycles/marketpush")
    form = "/lifecycles/marketpush/settings"
    assert ("s.auto_close_days", "14") in page.form(form).pairs
    wrong = await operator.fill(page, form, {"s.auto_close_days": "9000"})
    assert (wrong.status, "auto_close_days is a whole number from 0 to 365" in wrong.alert) == (422, True), wrong.alert
    done = await operator.fill(page, form, {"s.operator_may_process": "yes"})
    assert done.notice.startswith("Set.")
    path = f"/v1/marketplaces/{me['marketplace_id']}"
    kept = (await town.call("operator@supplier.example", "GET", "identity", path))[1]
    assert kept["settings"] == me["settings"] | {"operator_may_process": "true"}, "nothing else is set by it"
    assert ("s.operator_may_process", "yes") in done.form(form).pairs
    stale = await operator.fill(page, form, {"s.auto_close_days": "3"})
    assert (stale.status, "Somebody else has changed" in stale.alert) == (412, True)
    off = await operator.fill(await operator.get("/lifecycles/marketpush"), form, {"s.operator_may_process": None})
    assert ("s.operator_may_process", "yes") not in off.form(form).pairs
