"""Sending again: a range of what an endpoint was to get, or only what is missing of it, and how far that has come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.responses import Response

from services.console.errors import Refused
from services.console.page import Page, form
from services.console.posted import Posted
from services.console.reading import read
from services.console.rendering import plural
from services.console.schemas import Endpoint, Replay, Replays
from services.console.visit import Visit

PAGE_SIZE: Final = 25
SCOPES: Final[Mapping[str, str]] = {"missing": "Only what never arrived", "all": "Everything"}
STATES: Final[Mapping[str, str]] = {"running": "Being queued", "done": "Queued", "canceled": "Stopped"}
# The service's names of the fields; what it says of the range as a whole stands at its end.
_FIELD_OF: Final[Mapping[str, str]] = {"received_from": "from", "received_to": "to", "body": "to"}


@dataclass(frozen=True, slots=True)
class Range:
    """The form's fields as a browser writes them: times without an offset, to the minute."""

    scope: str
    first: str
    last: str = ""

    @classmethod
    def usual(cls, now: float, zone: ZoneInfo) -> Range:
        """What is missing of the last day."""
        since = datetime.fromtimestamp(now, zone) - timedelta(days=1)
        return cls("missing", since.strftime("%Y-%m-%dT%H:%M"))

    @classmethod
    def posted(cls, p: Posted) -> Range:
        scope = p.one("scope") if p.one("scope") in SCOPES else "missing"
        return cls(scope, p.one("from")[:40], p.one("to")[:40])

    def read(self, zone: ZoneInfo, now: float) -> tuple[dict[str, Any], dict[str, str]]:
        """What the service is asked for, and what is wrong by field. Times are in `zone`."""
        wrong: dict[str, str] = {}
        found: dict[str, datetime] = {}
        for name, text in (("from", self.first), ("to", self.last)):
            if not text and name == "to":
                continue
            try:
                at = datetime.fromisoformat(text)
            except ValueError:
                wrong[name] = "Enter a date and time such as 2026-01-31 12:00."
                continue
            found[name] = at if at.tzinfo else at.replace(tzinfo=zone)
        if "from" in found and found["from"] >= datetime.fromtimestamp(now, UTC):
            wrong["from"] = "Choose a time that has passed."
        elif "from" in found and "to" in found and found["to"] <= found["from"]:
            wrong["to"] = "Choose a time after the first one."
        body = {"scope": self.scope, **{f"received_{name}": at.isoformat() for name, at in found.items()}}
        return body, wrong


async def show(visit: Visit) -> Response:
    return await _page(visit, Range.usual(visit.now, visit.zone))


async def create(visit: Visit) -> Response:
    wanted = Range.posted(visit.posted)
    body, wrong = wanted.read(visit.zone, visit.now)
    if wrong:
        return await _page(visit, wanted, wrong)
    endpoint_id = str(visit.id("endpoint_id"))
    try:
        answer = await visit.send(
            "POST", "webhook", "/v1/replays", {"endpoint_id": endpoint_id, **body}, key=visit.form_key
        )  # fmt: skip
    except Refused as e:
        if e.status not in (400, 409, 422):
            raise
        wrong = {_FIELD_OF.get(name, ""): text for name, text in e.fields.items()}
        return await _page(visit, wanted, wrong or {"": e.detail})
    visit.say(said(read(Replay, "webhook", answer)))
    return visit.go(f"/webhooks/{endpoint_id}/replays")


def said(replay: Replay) -> str:
    """How many are queued, as the service knows it right now."""
    queued = plural(replay.queued, "event is", "events are")
    if replay.status == "done":
        return f"{queued} queued and sent again, in order."
    return f"It has begun: {queued} queued so far. Load this page again to see how many there are in the end."


async def cancel(visit: Visit) -> Response:
    path = f"/v1/replays/{visit.id('replay_id')}/cancel"
    replay = read(Replay, "webhook", await visit.send("POST", "webhook", path))
    if replay.status == "canceled":
        visit.say(f"Stopped. {plural(replay.queued, 'event was', 'events were')} queued before, and sent.")
    else:
        visit.say("Nothing was stopped: everything was queued already.")
    return visit.go(f"/webhooks/{visit.id('endpoint_id')}/replays")


async def _page(visit: Visit, wanted: Range, errors: Mapping[str, str] | None = None) -> Response:
    endpoint_id = visit.id("endpoint_id")
    params = [("endpoint_id", endpoint_id), ("limit", PAGE_SIZE), ("cursor", visit.asked("cursor", 2_000))]
    answer, listed = await asyncio.gather(
        visit.get("webhook", f"/v1/endpoints/{endpoint_id}"), visit.get("webhook", "/v1/replays", params)
    )  # fmt: skip
    found = read(Replays, "webhook", listed)
    return await visit.page(
        "replays.html",
        422 if errors else 200,
        endpoint=read(Endpoint, "webhook", answer),
        replays=found.items,
        following="?" + urlencode({"cursor": found.next_cursor}) if found.next_cursor else "",
        paged=bool(visit.asked("cursor")),
        states=STATES,
        scopes=SCOPES,
        replay=wanted,
        errors=errors or {},
    )


_HOME: Final = "/webhooks/{endpoint_id}/replays"
_REPLAYS: Final = "/webhooks/{endpoint_id:uuid}/replays"
PAGES: Final[Sequence[Page]] = (
    Page(_REPLAYS, show),
    form(_REPLAYS, create, home=_HOME),
    form(_REPLAYS + "/{replay_id:uuid}/cancel", cancel, home=_HOME),
)
