"""Messages: the threads of all orders, and writing and marking in one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from services.console.calls import File
from services.console.errors import Refused, ServiceDown
from services.console.language import tr
from services.console.page import Page, form
from services.console.pages.order import THREADS, Draft, Uploaded
from services.console.pages.order import page as order_page
from services.console.reading import read
from services.console.schemas import Threads
from services.console.uploads import room
from services.console.visit import Visit

PAGE_SIZE: Final = 25
SHOWN: Final = ("all", "unread", "awaiting")
# As messaging takes them.
MOST_FILES: Final = 5
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def show(visit: Visit) -> Response:
    shown = visit.asked("show") if visit.asked("show") in SHOWN else "all"
    cursor = visit.asked("cursor", 2_000)
    params = [
        ("limit", str(PAGE_SIZE)),
        ("cursor", cursor),
        ("unread", "true" if shown == "unread" else ""),
        ("awaiting", "true" if shown == "awaiting" else ""),
    ]
    found = read(Threads, "messaging", await visit.get("messaging", "/v1/threads", params))
    following = "?" + urlencode({"show": shown, "cursor": found.next_cursor}) if found.next_cursor else ""
    return await visit.page(
        "messages.html", threads=found.items, shown=shown, following=following, paged=bool(cursor)
    )  # fmt: skip


async def post(visit: Visit) -> Response:
    with room(visit):
        return await _post(visit)


async def _post(visit: Visit) -> Response:
    kind, text, kept = _kind(visit), visit.posted.one("text"), _kept(visit)
    files = visit.posted.files.get("files", ())
    draft = Draft(text, on_behalf=bool(visit.posted.one("on_behalf")) and kind == "buyer_seller", kept=kept)
    if not text and not files and not kept:
        return await _again(visit, replace(draft, problem=tr("Write something first, or attach a file.")))
    if len(files) + len(kept) > MOST_FILES:
        problem = tr(
            "A message takes at most %(most)s files. Choose fewer, and send the others after it.", most=MOST_FILES
        )
        return await _again(visit, replace(draft, file_problem=problem, lost=[f.name for f in files]))
    for n, file in enumerate(files):
        try:
            draft = replace(draft, kept=[*draft.kept, await _uploaded(visit, kind, n, file)])
        except Refused as e:
            if e.status in (403, 404):
                raise
            wrong = f"“{file.name[:80]}”: {_why(e)}"
            return await _again(visit, replace(draft, file_problem=wrong, lost=[f.name for f in files[n + 1 :]]))
    return await _sent(visit, draft)


async def _uploaded(visit: Visit, kind: str, number: int, file: File) -> Uploaded:
    path, key = f"/v1/orders/{visit.id('order_id')}/attachments", f"{visit.form_key}-{number}"
    upload = visit.console.services.upload
    answer = await upload("messaging", path, visit.token, file, key=key, fields={"kind": kind})
    return Uploaded(str(answer.body["attachment_id"]), str(answer.body["file_name"]))


async def _sent(visit: Visit, draft: Draft) -> Response:
    """Post the message with its files; those stay uploaded where it comes back."""
    kind = _kind(visit)
    body: dict[str, Any] = {"text": draft.text, "kind": kind, "attachment_ids": [k.attachment_id for k in draft.kept]}
    if draft.on_behalf:
        body["on_behalf_of"] = "seller"
    try:
        path = f"/v1/orders/{visit.id('order_id')}/messages"
        answer = await visit.send("POST", "messaging", path, body, key=visit.form_key)
    except Refused as e:
        if e.status in (403, 404):
            raise
        if e.code == "idempotency_in_flight":
            return _back(visit, tr("Your message is being sent already: the form was sent twice."))
        if e.code == "attachment_not_found":
            lost = [k.name for k in draft.kept]
            return await _again(visit, replace(draft, file_problem=e.detail, kept=(), lost=lost))
        if "attachment_ids" in e.fields:
            return await _again(visit, replace(draft, file_problem=_why(e)))
        return await _again(visit, replace(draft, problem=_why(e)))
    # who answers has read what was on the page
    await _read_up_to(visit, int(answer.body.get("seq", 0)), kind)
    return _back(visit, tr("Your message was sent."))


async def _again(visit: Visit, draft: Draft) -> Response:
    return await order_page(visit, status=422, draft=draft)


def _kept(visit: Visit) -> list[Uploaded]:
    """Files that an earlier sending of the form has uploaded, and that are still to go with the message."""
    found = []
    for told in visit.posted.many("kept")[: 2 * MOST_FILES]:
        attachment_id, _, name = told.partition(" ")
        if _ID.fullmatch(attachment_id):
            found.append(Uploaded(attachment_id, name[:120]))
    return found


def _why(error: Refused) -> str:
    return " ".join(error.fields.values()) or error.detail


async def mark_read(visit: Visit) -> Response:
    seq = visit.posted.one("seq")
    await _read_up_to(visit, int(seq) if seq.isascii() and seq.isdigit() and len(seq) < 16 else 0, _kind(visit))
    return _back(visit, tr("Marked as read."))


async def _read_up_to(visit: Visit, seq: int, kind: str) -> None:
    """Not worth failing for: what stays unread is shown as such."""
    try:
        await visit.send(
            "POST", "messaging", f"/v1/orders/{visit.id('order_id')}/read", {"up_to_seq": seq, "kind": kind}
        )  # fmt: skip
    except (Refused, ServiceDown):
        return


def _kind(visit: Visit) -> str:
    given = visit.posted.one("kind")
    return given if given in THREADS else THREADS[0]


def _back(visit: Visit, said: str) -> Response:
    visit.say(said)
    kind = _kind(visit)
    thread = f"?thread={kind}" if kind != THREADS[0] else ""
    return visit.go(f"/orders/{visit.id('order_id')}{thread}#messages")


PAGES: Final[Sequence[Page]] = (
    Page("/messages", show),
    form("/orders/{order_id:uuid}/messages", post, home="/orders/{order_id}", files=True),
    form("/orders/{order_id:uuid}/messages/read", mark_read, home="/orders/{order_id}"),
)
