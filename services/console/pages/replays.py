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

from services.console.entered import Wrong, moment, placed
from services.console.errors import Refused
from services.console.language import N_, Texts, count, tr
from services.console.names import order_numbers, orders_called
from services.console.page import Page, form
from services.console.posted import Posted
from services.console.reading import read
from services.console.schemas import Endpoint, EventType, EventTypes, Replay, Replays
from services.console.visit import Visit

PAGE_SIZE: Final = 25
SCOPES: Final[Mapping[str, str]] = Texts({"missing": N_("Only what never arrived"), "all": N_("Everything")})
STATES: Final[Mapping[str, str]] = Texts(
    {"running": N_("Being queued"), "done": N_("Queued"), "canceled": N_("Stopped")}
)
# The service's names of the fields; what it says of the range as a whole stands at its end.
_FIELD_OF: Final[Mapping[str, str]] = {
    "received_from": "from", "received_to": "to", "body": "to", "event_types": "types", "order_id": "order",
}  # fmt: skip
# Refusals that belong to a field although they do not name it.
_FIELD_BY_CODE: Final[Mapping[str, str]] = {"unknown_event_type": "types", "event_types_not_taken": "types"}


@dataclass(frozen=True, slots=True)
class Range:
    """The form's fields as a browser writes them: times without an offset, to the minute."""

    scope: str
    first: str
    last: str = ""
    types: Sequence[str] = ()
    order: str = ""

    @classmethod
    def usual(cls, now: float, zone: ZoneInfo) -> Range:
        """What is missing of the last day."""
        since = datetime.fromtimestamp(now, zone) - timedelta(days=1)
        return cls("missing", since.strftime("%Y-%m-%dT%H:%M"))

    @classmethod
    def posted(cls, p: Posted) -> Range:
        scope = p.one("scope") if p.one("scope") in SCOPES else "missing"
        return cls(scope, p.one("from")[:40], p.one("to")[:40], p.many("event_type")[:50], p.one("order")[:100])

    def read(self, zone: ZoneInfo, now: float) -> tuple[dict[str, Any], dict[str, str]]:
        """What the service is asked for, and what is wrong by field. Times are in `zone`."""
        wrong: dict[str, str] = {}
        found: dict[str, datetime] = {}
        for name, text in (("from", self.first), ("to", self.last)):
            if not text and name == "to":
                continue
            try:
                found[name] = moment(text, zone)
            except Wrong as e:
                wrong[name] = str(e)
        if "from" in found and found["from"] >= datetime.fromtimestamp(now, UTC):
            wrong["from"] = tr("Choose a time that has passed.")
        elif "from" in found and "to" in found and found["to"] <= found["from"]:
            wrong["to"] = tr("Choose a time after the first one.")
        body: dict[str, Any] = {
            "scope": self.scope,
            **{f"received_{name}": at.isoformat() for name, at in found.items()},
        }
        # none chosen: all that the endpoint takes
        return {**body, "event_types": list(self.types)} if self.types else body, wrong


async def show(visit: Visit) -> Response:
    return await _page(visit, Range.usual(visit.now, visit.zone))


async def create(visit: Visit) -> Response:
    wanted = Range.posted(visit.posted)
    body, wrong = wanted.read(visit.zone, visit.now)
    if wanted.order:
        order_id, why = await _order(visit, wanted.order)
        body, wrong = ({**body, "order_id": order_id}, wrong) if order_id else (body, {**wrong, "order": why})
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
        return await _page(visit, wanted, placed(e, _FIELD_OF, _FIELD_BY_CODE))
    visit.say(said(read(Replay, "webhook", answer)))
    return visit.go(f"/webhooks/{endpoint_id}/replays")


async def _order(visit: Visit, text: str) -> tuple[str, str]:
    """The id of the order that is called so, or what is wrong with the name."""
    found = await orders_called(visit, text)
    if len(found) == 1:
        return str(found[0].order_id), ""
    if found:
        return "", tr(
            "Several orders are called so. Enter one of these: %(numbers)s.",
            numbers=", ".join(c.number for c in found[:10]),
        )
    return "", tr("You see no order with this number. Enter the whole number as it stands in the list of orders.")


def taken(endpoint: Endpoint, types: Sequence[EventType]) -> Sequence[str]:
    """The event types that the endpoint takes: there is nothing of others to send again."""
    wanted = set(endpoint.event_types)
    return [t.type for t in types if wanted & {"*", t.type, f"{t.type.partition('.')[0]}.*"}]


def said(replay: Replay) -> str:
    """How many are queued, as the service knows it right now."""
    if replay.status == "done":
        return count(
            "%(count)s event is queued and sent again, in order.",
            "%(count)s events are queued and sent again, in order.",
            replay.queued,
        )
    return count(
        "It has begun: %(count)s event is queued so far. Load this page again to see how many there are in the end.",
        "It has begun: %(count)s events are queued so far. Load this page again to see how many there are in the end.",
        replay.queued,
    )


async def cancel(visit: Visit) -> Response:
    path = f"/v1/replays/{visit.id('replay_id')}/cancel"
    replay = read(Replay, "webhook", await visit.send("POST", "webhook", path))
    if replay.status == "canceled":
        before = count(
            "Stopped. %(count)s event was queued before and sent.",
            "Stopped. %(count)s events were queued before and sent.",
            replay.queued,
        )
        visit.say(before if replay.queued else tr("Stopped before anything was queued."))
    else:
        visit.say(tr("Nothing was stopped: everything was queued already."))
    return visit.go(f"/webhooks/{visit.id('endpoint_id')}/replays")


async def _page(visit: Visit, wanted: Range, errors: Mapping[str, str] | None = None) -> Response:
    endpoint_id = visit.id("endpoint_id")
    params = [("endpoint_id", endpoint_id), ("limit", PAGE_SIZE), ("cursor", visit.asked("cursor", 2_000))]
    answer, listed, types = await asyncio.gather(
        visit.get("webhook", f"/v1/endpoints/{endpoint_id}"),
        visit.get("webhook", "/v1/replays", params),
        visit.get("webhook", "/v1/event-types"),
    )
    endpoint, found = read(Endpoint, "webhook", answer), read(Replays, "webhook", listed)
    return await visit.page(
        "replays.html",
        422 if errors else 200,
        endpoint=endpoint,
        taken=taken(endpoint, read(EventTypes, "webhook", types).items),
        replays=found.items,
        numbers=await order_numbers(visit, [r.order_id for r in found.items if r.order_id is not None]),
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
