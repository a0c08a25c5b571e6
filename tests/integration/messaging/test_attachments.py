"""Files of messages: uploaded, posted, seen and fetched by those only who may read the thread, and never changed."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.messaging.actions import attaching
from services.messaging.api import UPLOADS_AT_ONCE
from services.messaging.attachments import MOST_WAITING, WAITING_HOURS
from services.messaging.settings import MOST_UPLOAD
from shared.ids import new_id
from tests.images import PDF, SECRET, exif, image, opened, pdf, stream
from tests.integration.messaging.conftest import Desk, Somebody
from tests.integration.messaging.test_messages import posted_events


async def shown(desk: Desk, who: Somebody, order_id: UUID, query: str = "") -> list[list[dict[str, Any]]]:
    """The attachments of each message of a thread, as somebody sees them."""
    status, page, _ = await desk.get(who, f"/v1/orders/{order_id}/messages?{query}")
    assert status == 200, page
    return [m["attachments"] for m in page["items"]]


async def test_a_photo_goes_from_the_buyer_to_the_seller_without_what_the_camera_knew(desk: Desk) -> None:
    order_id = await desk.order()
    photo = await desk.attach(desk.buyer, order_id, image("JPEG", exif=exif()), "crack in the lid.JPG")
    paper = await desk.attach(desk.buyer, order_id, PDF, "receipt.pdf")
    said = await desk.say(desk.buyer, order_id, "It came like this", attachment_ids=[photo, paper])
    assert [f["file_name"] for f in said["attachments"]] == ["crack in the lid.jpg", "receipt.pdf"]

    [[seen, receipt]] = await shown(desk, desk.seller, order_id)
    assert (seen["media_type"], seen["thumbnail"], receipt["thumbnail"]) == ("image/jpeg", True, False)
    path = f"/v1/orders/{order_id}/attachments/"
    status, content, headers = await desk.fetch(desk.seller, path + photo)
    assert (status, len(content), hashlib.sha256(content).hexdigest()) == (200, seen["bytes"], seen["sha256"])
    assert SECRET not in content
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''crack%20in%20the%20lid.jpg"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert opened((await desk.fetch(desk.seller, f"{path}{photo}?small=true"))[1]).format == "JPEG"
    assert (await desk.fetch(desk.seller, path + paper))[1] == PDF
    assert (await desk.fetch(desk.seller, f"{path}{paper}?small=true"))[0] == 404, "a PDF has no small picture"

    [event] = await posted_events(desk, order_id, 1)
    assert event.attachment_count == 2
    told = [(str(f.attachment_id), f.file_name, f.media_type, f.bytes, f.sha256) for f in event.attachments or ()]
    assert told == [tuple(f[n] for n in ("attachment_id", "file_name", "media_type", "bytes", "sha256"))
                    for f in (seen, receipt)]  # fmt: skip


async def test_a_message_may_be_files_alone_and_is_never_nothing(desk: Desk) -> None:
    order_id = await desk.order()
    path = f"/v1/orders/{order_id}/messages"
    for body in ({}, {"text": ""}, {"text": " \n "}, {"text": "", "attachment_ids": []}):
        status, problem, _ = await desk.post(desk.buyer, path, body)
        assert (status, problem["errors"][0]["field"]) == (422, "text"), body
    photo = await desk.attach(desk.buyer, order_id, image())
    said = await desk.say(desk.buyer, order_id, " ", attachment_ids=[photo])
    assert (said["text"], len(said["attachments"])) == ("", 1)
    [event] = await posted_events(desk, order_id, 1)
    assert (event.preview, event.attachment_count) == ("", 1)
    _, threads, _ = await desk.get(desk.seller, "/v1/threads?awaiting=true")
    assert threads["items"][0]["last_message"]["attachments"][0]["file_name"] == "photo.png"


async def test_what_is_anothers_looks_like_what_is_not_there(desk: Desk) -> None:
    order_id, absent = await desk.order(), await desk.order(order_id=new_id())
    photo = await desk.attach(desk.buyer, order_id, image())
    strangers: list[tuple[Somebody, dict[str, Any]]] = [
        (Somebody("seller", ("seller",), "Other seller"), {}),
        (desk.buyer.colleague("buyer"), {}),
        (desk.operator, {"marketplace_id": new_id()}),
    ]

    async def looks_absent(who: Somebody, claims: dict[str, Any]) -> None:
        seen = []
        for order, attachment in ((order_id, photo), (order_id, new_id()), (new_id(), photo), (absent, photo)):
            status, problem, _ = await desk.get(who, f"/v1/orders/{order}/attachments/{attachment}", **claims)
            assert status == 404
            seen.append({k: v for k, v in problem.items() if k != "instance"})
        assert all(s == seen[0] for s in seen)

    # not posted yet: the uploader's alone
    for who, claims in [*strangers, (desk.seller, {}), (desk.buyer.colleague("admin"), {}), (desk.operator, {})]:
        await looks_absent(who, claims)
    assert (await desk.fetch(desk.buyer, f"/v1/orders/{order_id}/attachments/{photo}"))[0] == 200
    await desk.say(desk.buyer, order_id, "here", attachment_ids=[photo])
    for who, claims in strangers:
        await looks_absent(who, claims)
        assert (await desk.upload(who, order_id, image(), **claims))[1]["code"] == "thread_not_found"
    for who in (desk.seller, desk.operator, desk.buyer.colleague("admin")):
        assert (await desk.fetch(who, f"/v1/orders/{order_id}/attachments/{photo}"))[0] == 200


async def test_what_sellers_and_operators_show_each_other_is_not_the_buyers(desk: Desk) -> None:
    order_id = await desk.order()
    photo = await desk.attach(desk.seller, order_id, image(), kind="seller_operator")
    status, problem, _ = await desk.post(
        desk.seller, f"/v1/orders/{order_id}/messages", {"text": "wrong thread", "attachment_ids": [photo]}
    )
    assert (status, problem["code"]) == (422, "attachment_not_found")
    await desk.say(desk.seller, order_id, "look", kind="seller_operator", attachment_ids=[photo])
    path = f"/v1/orders/{order_id}/attachments/{photo}"
    assert [(await desk.fetch(who, path))[0] for who in (desk.seller, desk.operator, desk.buyer)] == [200, 200, 404]
    assert (await desk.upload(desk.buyer, order_id, image(), kind="seller_operator"))[0] == 404


async def test_an_upload_is_kept_once_and_posted_once_by_its_uploader(desk: Desk) -> None:
    order_id = await desk.order()
    first = await desk.upload(desk.buyer, order_id, image(), key="u-1")
    again = await desk.upload(desk.buyer, order_id, image(), key="u-1")
    assert first[0] == again[0] == 201
    assert first[1] == again[1]
    assert again[2]["Idempotency-Replayed"] == "true"
    assert (await desk.upload(desk.buyer, order_id, image(size=(9, 9)), key="u-1"))[0] == 422
    photo, path = first[1]["attachment_id"], f"/v1/orders/{order_id}/messages"
    for who, ids in (
        (desk.buyer.colleague("admin"), [photo]), (desk.seller, [photo]), (desk.buyer, [photo, str(new_id())]),
    ):  # fmt: skip
        status, problem, _ = await desk.post(who, path, {"text": "mine", "attachment_ids": ids})
        assert (status, problem["code"]) == (422, "attachment_not_found")
    assert (await desk.post(desk.buyer, path, {"text": "x", "attachment_ids": [photo, photo]}))[0] == 422
    answers = await asyncio.gather(
        *(desk.post(desk.buyer, path, {"text": f"m{n}", "attachment_ids": [photo]}) for n in range(4))
    )
    assert sorted(a[0] for a in answers) == [201, 422, 422, 422]
    assert len(await shown(desk, desk.seller, order_id)) == 1


async def test_too_much_is_refused_with_what_would_be_taken(desk: Desk) -> None:
    order_id = await desk.order()
    for content, status, code in (
        (b"", 422, "empty_file"),
        (b"GIF89a" + bytes(20), 415, "unsupported_media_type"),
        (PDF + bytes(500_000), 413, "attachment_too_large"),
    ):
        answer = await desk.upload(desk.buyer, order_id, content)
        assert (answer[0], answer[1]["code"]) == (status, code)
    headers = desk.bearer(desk.buyer) | {"content-type": "multipart/form-data; boundary=x"}
    url = f"{desk.url}/v1/orders/{order_id}/attachments"
    async with desk.http.post(url, data=bytes(MOST_UPLOAD + 200_000), headers=headers, expect100=True) as unread:
        assert (await unread.json(content_type=None))["code"] == "body_too_large"
    large = [await desk.attach(desk.buyer, order_id, pdf(stream(bytes(400_000)))) for _ in range(3)]
    path = f"/v1/orders/{order_id}/messages"
    status, problem, _ = await desk.post(desk.buyer, path, {"text": "all", "attachment_ids": large})
    assert (status, problem["code"]) == (422, "attachments_too_large")
    assert "a message takes 0.9 MB" in problem["detail"]
    ids = [str(new_id()) for _ in range(6)]
    status, problem, _ = await desk.post(desk.buyer, path, {"text": "six", "attachment_ids": ids})
    assert (status, problem["errors"][0]["field"]) == (422, "attachment_ids")
    for _ in range(MOST_WAITING - len(large)):
        await desk.attach(desk.buyer, order_id, PDF)
    status, problem, _ = await desk.upload(desk.buyer, order_id, PDF)
    assert (status, problem["code"]) == (409, "too_many_attachments")


async def test_only_some_uploads_are_held_in_memory_at_once(desk: Desk) -> None:
    order_id = await desk.order()
    over = asyncio.Event()
    begun = [asyncio.Event() for _ in range(UPLOADS_AT_ONCE)]

    async def slow(started: asyncio.Event) -> AsyncIterator[bytes]:
        yield b"--"
        started.set()
        await over.wait()
        yield b"--"

    headers = desk.bearer(desk.buyer) | {"content-type": "multipart/form-data; boundary=x"}
    url = f"{desk.url}/v1/orders/{order_id}/attachments"
    slowly = [asyncio.create_task(desk.http.post(url, data=slow(b), headers=headers)) for b in begun]
    try:
        await asyncio.gather(*(b.wait() for b in begun))
        async with asyncio.timeout(30):
            while (refused := await desk.upload(desk.buyer, order_id, image()))[0] != 503:
                pass
        assert refused[1]["code"] == "uploads_full"
    finally:
        over.set()
    answers = await asyncio.gather(*slowly)
    assert {a.status for a in answers} == {400}
    assert (await desk.upload(desk.buyer, order_id, image()))[0] == 201


async def test_names_are_hidden_with_contact_details_and_kinds_are_the_marketplaces_choice(desk: Desk) -> None:
    await desk.settings(message_masking="email,phone", message_attachments="image")
    order_id = await desk.order()
    photo = await desk.attach(desk.buyer, order_id, image(), "call 91 23 45 67.png")
    await desk.say(desk.buyer, order_id, "see photo", attachment_ids=[photo])
    for who, name in ((desk.buyer, "call 91 23 45 67"), (desk.operator, "call 91 23 45 67"), (desk.seller, "image-1")):
        [[seen]] = await shown(desk, who, order_id)
        assert seen["file_name"] == f"{name}.png"
        _, _, headers = await desk.fetch(who, f"/v1/orders/{order_id}/attachments/{photo}")
        assert headers["Content-Disposition"].endswith(f"{name.replace(' ', '%20')}.png")
    [event] = await posted_events(desk, order_id, 1)
    assert [f.file_name for f in event.attachments or ()] == ["image-1.png"]
    status, problem, _ = await desk.upload(desk.buyer, order_id, PDF)
    assert (status, problem["code"]) == (422, "attachment_not_allowed")
    _, page, _ = await desk.get(desk.buyer, f"/v1/orders/{order_id}/messages")
    assert page["attachment_kinds"] == ["image"]


async def test_what_was_posted_is_changed_and_deleted_by_nobody(desk: Desk) -> None:
    order_id = await desk.order()
    posted, waiting = [UUID(await desk.attach(desk.buyer, order_id, image())) for _ in range(2)]
    await desk.say(desk.buyer, order_id, "here", attachment_ids=[str(posted)])
    async with desk.runtime.db.tenant(desk.marketplace_id) as tx:
        taken_back = "UPDATE attachment SET message_id = NULL, position = NULL WHERE attachment_id = $1"
        assert await tx.execute(taken_back, posted) == "UPDATE 0"
    for statement in ("UPDATE attachment SET content = ''", "DELETE FROM attachment"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with desk.runtime.db.tenant(desk.marketplace_id) as tx:
                await tx.execute(statement)
    async with desk.runtime.db.tenant(new_id()) as tx:
        assert await tx.fetchval("SELECT count(*) FROM attachment") == 0
    async with desk.runtime.worker_db.transaction() as tx:
        among = "FROM attachment WHERE attachment_id = ANY ($1::uuid[])"
        await tx.execute(f"DELETE {among}", [posted, waiting])
        left = await tx.fetch(f"SELECT attachment_id {among}", [posted, waiting])
    assert [r["attachment_id"] for r in left] == [posted]


async def test_uploads_that_nobody_posts_are_forgotten_and_what_was_posted_stays(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await desk.order()
    posted, waiting = [await desk.attach(desk.buyer, order_id, image()) for _ in range(2)]
    await desk.say(desk.buyer, order_id, "here", attachment_ids=[posted])
    while await attaching.forget_once(desk.runtime):
        pass
    path = f"/v1/orders/{order_id}/attachments/"
    assert (await desk.fetch(desk.buyer, path + waiting))[0] == 200, "its day is not over"
    clock = desk.runtime.clock
    monkeypatch.setattr(desk.runtime, "clock", lambda: clock() + timedelta(hours=WAITING_HOURS, minutes=1))
    while await attaching.forget_once(desk.runtime):
        pass
    monkeypatch.undo()
    assert [(await desk.fetch(desk.buyer, path + a))[0] for a in (posted, waiting)] == [200, 404]


async def test_random_bytes_after_a_signature_never_break_the_service(desk: Desk) -> None:
    order_id = await desk.order()
    for start in (b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"RIFF\xff\xff\xff\xffWEBPVP8X"):
        status, problem, _ = await desk.upload(desk.buyer, order_id, start + os.urandom(2_000))
        assert status == 422, problem
