"""The inbox: what a person was told, unread first to the eye, read and archived by a click."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from services.console.language import tr
from services.console.page import Page, form
from services.console.reading import read
from services.console.schemas import Feed
from services.console.visit import Visit

PAGE_SIZE: Final = 25
STATES: Final = ("all", "unread", "archived")


async def show(visit: Visit) -> Response:
    state, cursor = _state(visit.asked("show")), visit.asked("cursor", 2_000)
    params = [("state", state), ("limit", str(PAGE_SIZE)), ("cursor", cursor)]
    found = read(Feed, "notification", await visit.get("notification", "/v1/notifications", params))
    following = "?" + urlencode({"show": state, "cursor": found.next_cursor}) if found.next_cursor else ""
    return await visit.page("inbox.html", feed=found.items, shown=state, following=following, paged=bool(cursor))


async def mark_read(visit: Visit) -> Response:
    return await _mark(visit, "read", tr("Marked as read."))


async def archive(visit: Visit) -> Response:
    return await _mark(visit, "archive", tr("Moved to the archive."))


async def _mark(visit: Visit, what: str, said: str) -> Response:
    path = f"/v1/notifications/{visit.id('notification_id')}/{what}"
    await visit.send("POST", "notification", path, key=visit.form_key)
    visit.say(said)
    return _back(visit)


async def read_all(visit: Visit) -> Response:
    await visit.send("POST", "notification", "/v1/notifications/read-all", {}, key=visit.form_key)
    visit.say(tr("Everything is marked as read."))
    return _back(visit)


def _state(given: str) -> str:
    return given if given in STATES else "all"


def _back(visit: Visit) -> Response:
    state = _state(visit.posted.one("show"))
    return visit.go("/inbox" if state == "all" else f"/inbox?show={state}")


PAGES: Final[Sequence[Page]] = (
    Page("/inbox", show),
    form("/inbox/read-all", read_all, home="/inbox"),
    form("/inbox/{notification_id:uuid}/read", mark_read, home="/inbox"),
    form("/inbox/{notification_id:uuid}/archive", archive, home="/inbox"),
)
