"""Messages: the threads of all orders, and writing and marking in one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from services.console.errors import Refused, ServiceDown
from services.console.language import tr
from services.console.page import Page, form
from services.console.pages.order import THREADS, Draft
from services.console.pages.order import page as order_page
from services.console.reading import read
from services.console.schemas import Threads
from services.console.visit import Visit

PAGE_SIZE: Final = 25
SHOWN: Final = ("all", "unread", "awaiting")


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
    order_id, kind = visit.id("order_id"), _kind(visit)
    text = visit.posted.one("text")
    on_behalf = bool(visit.posted.one("on_behalf")) and kind == "buyer_seller"
    if not text:
        return await order_page(
            visit, status=422, draft=Draft(problem=tr("Write something first."), on_behalf=on_behalf)
        )
    body: dict[str, Any] = {"text": text, "kind": kind}
    if on_behalf:
        body["on_behalf_of"] = "seller"
    try:
        answer = await visit.send("POST", "messaging", f"/v1/orders/{order_id}/messages", body, key=visit.form_key)
    except Refused as e:
        if e.status in (403, 404):
            raise
        if e.code == "idempotency_in_flight":
            return _back(visit, tr("Your message is being sent already: the form was sent twice."))
        return await order_page(visit, status=422, draft=Draft(text, _why(e), on_behalf))
    # who answers has read what was on the page
    await _read_up_to(visit, int(answer.body.get("seq", 0)), kind)
    return _back(visit, tr("Your message was sent."))


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
    form("/orders/{order_id:uuid}/messages", post, home="/orders/{order_id}"),
    form("/orders/{order_id:uuid}/messages/read", mark_read, home="/orders/{order_id}"),
)
