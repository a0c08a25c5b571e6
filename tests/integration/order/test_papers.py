"""Files of an order: uploads, print view, packing slip, evidence."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import aiohttp
import pypdf
import pytest
from babel.dates import format_date
from lxml import html

from contracts.envelope import Received
from contracts.messaging import AttachedFile, MessagePosted
from contracts.order import Actor
from deploy.texts import PACKAGES, read
from services.order.actions import attaching
from services.order.actions.attaching import settle_uploads
from services.order.actions.knowing import messages_posted
from services.order.api.documents import UPLOADS_AT_ONCE
from shared.ids import new_id
from tests.images import PDF, pdf
from tests.integration.order.market import Market, Reply, Somebody

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
# A few bytes that become 14 GB in whatever shows them.
HUGE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x06\x00\x00\x00"


async def _upload(
    market: Market, order: Any, who: Somebody, content: bytes = PNG, kind: str = "image", name: str = "a.png",
    **given: Any,
) -> Reply:  # fmt: skip
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("file", content, filename=name, content_type="application/octet-stream")
    form.add_field("kind", kind)
    return await market.call("POST", f"/v1/orders/{order['order_id']}/documents", who, data=form, **given)


async def _shipped(market: Market) -> Any:
    order = await market.place()
    await market.done(order, "process", market.seller)
    return await market.done(order, "ship", market.seller, {"carrier": "DHL", "tracking_number": "1Z9"})


async def test_a_file_is_uploaded_attached_and_read_by_everybody(market: Market) -> None:
    order = await _shipped(market)
    image = (await _upload(market, order, market.seller)).json
    path = f"/v1/orders/{order['order_id']}/documents/{image['document_id']}"
    assert (await market.call("GET", path, market.buyer_admin)).status == 404
    assert (await market.call("GET", path, market.seller)).raw == PNG
    invoice = (await _upload(market, order, market.seller, PDF, "invoice", "i.pdf")).json
    done = await market.done(
        order, "complete", market.seller,
        {"note": "thanks", "images": [image["document_id"]], "invoice": invoice["document_id"]},
    )  # fmt: skip
    assert {d["kind"] for d in done["documents"]} == {"image", "invoice"}
    got = await market.call("GET", path, market.buyer_admin)
    assert (got.status, got.raw, got.headers["Content-Type"]) == (200, PNG, "image/png")
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert got.headers["X-Content-Type-Options"] == "nosniff"


async def test_what_is_no_image_or_too_large_is_refused(market: Market) -> None:
    order = await market.place()
    for content, kind, status in (
        (b"<svg onload=alert(1)>", "image", 415),
        (b"<html>", "invoice", 415),
        (PDF, "image", 415),
        (PDF[:-10], "invoice", 422),
        (pdf(b"<< /S /JavaScript /JS (app.alert\\(1\\)) >>"), "invoice", 422),
        (b"", "image", 422),
        (b"", "invoice", 422),
        (HEIC, "image", 415),
        (HUGE, "image", 422),
        (HUGE, "invoice", 422),
        (PNG + b"\x00" * 5_000_000, "image", 413),
    ):
        assert (await _upload(market, order, market.seller, content, kind)).status == status
    told = [(await _upload(market, order, market.seller, content)).json["detail"] for content in (b"", HEIC, HUGE)]
    for said, detail in zip(("is empty", "save it as JPEG", "60000 x 60000 pixels"), told, strict=True):
        assert said in detail
    cut = (await _upload(market, order, market.seller, PDF[:-10], "invoice")).json
    assert (cut["code"], cut["errors"][0]["field"]) == ("unreadable_file", "file")
    assert "its end is missing. Save it again" in cut["detail"]
    assert (await _upload(market, order, market.seller2)).status == 404
    assert await market.rows("SELECT 1 FROM document WHERE marketplace_id = $1", market.id) == []


async def test_only_some_uploads_are_held_in_memory_at_once(market: Market) -> None:
    order = await market.place()
    over, begun = asyncio.Event(), [asyncio.Event() for _ in range(UPLOADS_AT_ONCE)]

    async def slow(started: asyncio.Event) -> AsyncIterator[bytes]:
        yield b"--"
        started.set()
        await over.wait()
        yield b"--"

    headers = {
        "authorization": f"Bearer {market.token(market.seller)}", "content-type": "multipart/form-data; boundary=x"
    }  # fmt: skip
    url = f"{market.url}/v1/orders/{order['order_id']}/documents"
    slowly = [asyncio.create_task(market.http.post(url, data=slow(b), headers=headers)) for b in begun]
    try:
        await asyncio.gather(*(b.wait() for b in begun))
        async with asyncio.timeout(30):
            while (refused := await _upload(market, order, market.seller)).status != 503:
                pass
        assert (refused.code, refused.headers["Retry-After"]) == ("uploads_full", "1")
    finally:
        over.set()
    assert {a.status for a in await asyncio.gather(*slowly)} == {400}
    assert (await _upload(market, order, market.seller)).status == 201


async def test_uploads_that_no_action_attached_are_forgotten_and_the_others_stay(market: Market) -> None:
    order = await _shipped(market)
    path = f"/v1/orders/{order['order_id']}/documents"
    attached, loose, young = [(await _upload(market, order, market.seller)).json["document_id"] for _ in range(3)]
    await market.done(order, "complete", market.seller, {"images": [attached]})
    async with market.runtime.worker_db.transaction() as tx:
        aged = "UPDATE document SET added_at = added_at - interval '3 days' WHERE id = ANY ($1)"
        await tx.execute(aged, [UUID(attached), UUID(loose)])
    assert await settle_uploads(market.runtime) == 2
    assert await settle_uploads(market.runtime) == 0
    read = {d: (await market.call("GET", f"{path}/{d}", market.seller)).status for d in (attached, loose, young)}
    assert read == {attached: 200, loose: 404, young: 200}


async def test_an_order_that_is_being_changed_keeps_its_uploads(market: Market) -> None:
    order = await _shipped(market)
    loose = (await _upload(market, order, market.seller)).json["document_id"]
    async with market.runtime.worker_db.transaction() as tx:
        await tx.execute("UPDATE document SET added_at = added_at - interval '3 days' WHERE id = $1", UUID(loose))
    async with market.runtime.worker_db.transaction() as tx:
        await tx.execute("SELECT FROM orders WHERE id = $1 FOR UPDATE", UUID(order["order_id"]))
        assert await settle_uploads(market.runtime) == 0
    assert await settle_uploads(market.runtime) == 1


async def test_one_side_does_not_use_up_the_uploads_of_the_other(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attaching, "MOST_UPLOADS", 1)
    order = await market.place()
    assert (await _upload(market, order, market.seller)).status == 201
    refused = await _upload(market, order, market.seller)
    assert (refused.status, refused.code) == (409, "too_many_documents")
    assert (await _upload(market, order, market.buyer_admin)).status == 201


async def test_file_names_lead_nowhere(market: Market) -> None:
    order = await market.place()
    for name, kept in (("../../etc/passwd", "passwd"), ("..", "file"), ("C:\\x\\y.png", "y.png")):
        assert (await _upload(market, order, market.seller, name=name)).json["file_name"] == kept


async def test_somebody_elses_upload_cannot_be_attached_to_another_order(market: Market) -> None:
    one, other = await _shipped(market), await _shipped(market)
    image = (await _upload(market, one, market.seller)).json
    refused = await market.act(other, "complete", market.seller, {"images": [image["document_id"]]})
    assert (refused.status, refused.code) == (422, "bad_params")


async def test_an_upload_is_its_sides_until_it_is_attached(market: Market) -> None:
    order = await _shipped(market)
    draft = (await _upload(market, order, market.seller)).json["document_id"]
    params = {"reason_code": "late", "images": [draft]}
    refused = await market.act(order, "report_problem", market.buyer_admin, params)
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "images.0")
    assert (await market.act(order, "report_problem", market.admin, params)).status == 200


async def test_the_packing_slip_has_what_goes_into_the_parcel_and_no_prices(market: Market) -> None:
    body = market.order("10.00", "7.77")
    body["customer"] |= {
        "shipping_address": {"name": "Zoë Żółć", "line1": "Главная 1", "city": "東京", "country": "JP"}
    }
    body["lines"][0]["name"] = "<b>Brown & sauce</b>"
    order = await market.place(body)
    await market.done(order, "process", market.seller)
    reply = await market.call("GET", f"/v1/orders/{order['order_id']}/packing-slip.pdf", market.seller)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/pdf")
    text = _slip_text(reply)
    for expected in (order["number"], "Zoë Żółć", "Главная 1", "<b>Brown & sauce</b>", "SKU-1", "Shop"):
        assert expected in text, expected
    assert "7.77" not in text
    denied = await market.call("GET", f"/v1/orders/{order['order_id']}/packing-slip.pdf", market.buyer_admin)
    assert denied.status == 403


async def test_the_print_view_escapes_and_loads_nothing(market: Market) -> None:
    order = await market.place(market.order(customer={"name": "<img src=x onerror=alert(1)>"}))
    reply = await market.call("GET", f"/v1/orders/{order['order_id']}/print", market.seller)
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert b"<img" not in reply.raw
    assert b"&lt;img src=x" in reply.raw
    assert order["number"].encode() in reply.raw


def _slip_text(reply: Reply) -> str:
    return "".join(p.extract_text() for p in pypdf.PdfReader(io.BytesIO(reply.raw)).pages)


@pytest.mark.parametrize(("asked", "zone"), [({"time_zone": "Asia/Tokyo"}, "Asia/Tokyo"), ({}, "Europe/Oslo")])
async def test_papers_give_times_where_the_reader_is(market: Market, asked: dict[str, str], zone: str) -> None:
    """In the zone that is asked for; in the outlet's (Oslo) where none is."""
    order = await _shipped(market)
    reply = await market.call("GET", f"/v1/orders/{order['order_id']}/print", market.seller, params=asked)
    page = reply.raw.decode()
    placed = datetime.fromisoformat(order["placed_at"]).astimezone(ZoneInfo(zone))
    assert f"placed {_day(placed)}, {placed:%H:%M}" in page
    assert f"Times are those of {zone}." in page
    assert "UTC" not in page
    entries = (await market.call("GET", f"/v1/orders/{order['order_id']}/timeline", market.seller)).json["items"]
    for entry in entries:
        at = datetime.fromisoformat(entry["at"]).astimezone(ZoneInfo(zone))
        assert f"<dt>{_day(at)}, {at:%H:%M}</dt><dd>{entry['label']}" in page
    slip = await market.call("GET", f"/v1/orders/{order['order_id']}/packing-slip.pdf", market.seller, params=asked)
    assert f"Placed {_day(placed)}" in _slip_text(slip)


def _day(at: datetime, locale: str = "en_GB") -> str:
    return str(format_date(at, "medium", locale=locale))


def _said(page: str) -> set[str]:
    """Every text between the tags of a page, and the parts between dots in the middle of a line."""
    tree = html.document_fromstring(page)
    texts = [t for e in tree.iter() if e.tag != "style" for t in (e.text, e.tail) if t]
    return {part.strip() for t in texts for part in t.split("\u00b7")}


async def test_papers_are_in_the_language_that_is_asked_for(market: Market) -> None:
    """No text of ours is left in English where it has a translation, and amounts and days are written as there."""
    order = await _shipped(market)
    await market.done(order, "add_note", market.seller, {"text": "Hei"})
    [path] = next(p for p in PACKAGES if p.name == "services.order").catalogues()
    known = {str(m.id) for m in read(path) if m.id and m.id != m.string and "%(" not in str(m.id)}
    for asked, language in (("nb-NO,nb;q=0.9,en;q=0.8", "nb"), ("no", "nb"), ("fr, *", "en"), ("x" * 600, "en")):
        headers = {"accept-language": asked}
        papers = [
            await market.call("GET", f"/v1/orders/{order['order_id']}/{paper}", market.seller, headers=headers)
            for paper in ("print", "packing-slip.pdf")
        ]
        assert [(p.status, p.headers["Content-Language"]) for p in papers] == [(200, language)] * 2
        page, slip = papers[0].raw.decode(), _slip_text(papers[1])
        placed = datetime.fromisoformat(order["placed_at"]).astimezone(ZoneInfo("Europe/Oslo"))
        assert html.document_fromstring(page).get("lang") == language
        english = known & (_said(page) | {line.strip() for line in slip.splitlines()})
        if language == "en":
            assert {"Customer", "Packing slip", "Order placed"} <= english
            assert f"Placed {_day(placed)}" in slip
        else:
            assert english == set()
            for said in ("Kunde", "Tidslinje", f"lagt inn {_day(placed, 'nb')}", "20,00", "Tidene er i Europe/Oslo."):
                assert said in page, said
            assert f"Lagt inn {_day(placed, 'nb')}" in slip


async def test_a_zone_that_is_none_is_refused(market: Market) -> None:
    order = await market.place(market.order())
    for paper in ("print", "packing-slip.pdf"):
        path = f"/v1/orders/{order['order_id']}/{paper}"
        reply = await market.call("GET", path, market.seller, params={"time_zone": "../etc/passwd"})
        assert (reply.status, reply.json["errors"][0]["field"]) == (422, "time_zone")


async def _told(market: Market, order: Any, kind: Any, audience: Any, text: str) -> None:
    """As the messaging service tells it; told twice, it is kept once."""
    posted = MessagePosted(
        marketplace_id=market.id, order_id=order["order_id"], order_number=order["number"], thread_id=new_id(),
        thread_kind=kind, message_id=new_id(), seq=1, posted_at=market.runtime.clock(),
        sender=Actor(kind="person", name="Somebody"), sender_side="seller",
        buyer_organisation_id=market.outlet.organisation_id, seller_organisation_id=market.shop.organisation_id,
        audience=audience, preview=text, attachment_count=1,
        attachments=(AttachedFile(attachment_id=new_id(), file_name="lid.jpg", media_type="image/jpeg", bytes=9,
                                  sha256="ab" * 32),),
    )  # fmt: skip
    for _ in range(2):
        async with market.runtime.worker_db.transaction() as tx:
            await messages_posted(tx, [Received(new_id(), "/test", market.runtime.clock(), "", posted)])


async def test_the_evidence_bundle_is_complete_and_its_hashes_hold(market: Market) -> None:
    order = await _shipped(market)
    image = (await _upload(market, order, market.seller, name="proof.png")).json
    await market.done(order, "complete", market.seller, {"images": [image["document_id"]]})
    await market.done(order, "add_note", market.seller, {"text": "signed for by Bo: grüße"})
    await _told(market, order, "buyer_seller", ("buyer", "seller", "operator"), "Where is it?")
    await _told(market, order, "seller_operator", ("seller", "operator"), "The customer is difficult.")
    reply = await market.call("GET", f"/v1/orders/{order['order_id']}/evidence", market.operator)
    bundle = zipfile.ZipFile(io.BytesIO(reply.raw))
    names = set(bundle.namelist())
    assert names == {
        "README.txt", "order.json", "timeline.json", "tracking.json", "messages.json", "notes.json", "issues.json",
        "documents/01-proof.png", "SHA256SUMS",
    }  # fmt: skip
    for line in bundle.read("SHA256SUMS").decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(bundle.read(name)).hexdigest() == digest
    assert json.loads(bundle.read("tracking.json"))[0]["tracking_number"] == "1Z9"
    timeline = json.loads(bundle.read("timeline.json"))
    assert [e["action"] for e in timeline][-1] == "add_note"
    for entry in timeline:
        before, after = entry.pop("hash_before"), entry.pop("hash")
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert hashlib.sha256(bytes.fromhex(before) + text).hexdigest() == after
    messages = json.loads(bundle.read("messages.json"))
    assert [(m["preview"], m["sender"]["name"]) for m in messages] == [
        ("Where is it?", "Somebody"), ("The customer is difficult.", "Somebody")
    ]  # fmt: skip
    [file] = messages[0]["attachments"]
    assert (file["file_name"], file["media_type"], file["sha256"]) == ("lid.jpg", "image/jpeg", "ab" * 32)
    assert bundle.read("documents/01-proof.png") == PNG
    assert (await market.call("GET", f"/v1/orders/{order['order_id']}/evidence", market.buyer_admin)).status == 403


@pytest.mark.parametrize("name", ["loopfront", "storefront", "marketpush", "lengow", "supplier"])
async def test_diagrams_are_drawn(market: Market, name: str) -> None:
    reply = await market.call("GET", f"/v1/lifecycles/{name}/diagram.svg", market.seller)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "image/svg+xml")
    assert b"<script" not in reply.raw
