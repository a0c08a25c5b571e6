"""An order's whole trail: each event, who caused it, what went out of it to people and systems, and how that fared."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from starlette.responses import Response

from services.console.calls import Params
from services.console.changes import said
from services.console.language import N_, Texts, tr
from services.console.lifecycles import labels, lifecycle
from services.console.page import Page
from services.console.pages.order import order_of
from services.console.pages.webhooks import STATES
from services.console.parts import ServiceName
from services.console.reading import read
from services.console.schemas import (
    Conversation,
    Deliveries,
    Delivery,
    Endpoints,
    Entry,
    Message,
    Notice,
    Notices,
    Threads,
    Timeline,
)
from services.console.visit import Visit, part

L = TypeVar("L", Timeline, Notices, Deliveries, Endpoints, Conversation)
PAGE_SIZE: Final = 200
# Of each kind 2,000 at most: an order has some ten events and a hundred of what went out of them. The page says when
# there are more.
MOST_PAGES: Final = 10
MESSAGE: Final = "message.posted"
ARRIVED: Final[Mapping[str, str]] = Texts(
    {
        "pending": N_("Waiting"),
        "sent": N_("Sent"),
        "unknown": N_("Handed over, the answer was lost"),
        "bounced": N_("Came back"),
        "failed": N_("Failed"),
        "suppressed": N_("The address takes no mail"),
        "skipped": N_("Not wanted"),
    }
)
TONES: Final[Mapping[str, str]] = {
    "sent": "good",
    "delivered": "good",
    "pending": "info",
    "unknown": "warn",
    "held": "warn",
    "skipped": "plain",
    "discarded": "plain",
}


@dataclass(slots=True)
class Happening:
    """One event and what went out of it. `entry` is None for what changed nothing of the order: a message."""

    at: datetime
    event: str
    entry: Entry | None = None
    message: Message | None = None
    told: list[Notice] = field(default_factory=list)
    sent: list[Delivery] = field(default_factory=list)

    @property
    def by(self) -> Notice | None:
        """Who caused what nothing else here tells of, where a notice of it says so."""
        return next((n for n in self.told if n.actor), None) if self.entry is None and self.message is None else None


@dataclass(frozen=True, slots=True)
class Rows:
    """A list from its beginning; `cut`: there are more."""

    items: Sequence[Any] = ()
    cut: bool = False


async def show(visit: Visit) -> Response:
    order_id = visit.id("order_id")
    order, history, (told, no_told), (sent, no_sent), (ends, no_ends), (written, no_written) = await asyncio.gather(
        order_of(visit, order_id),
        _all(Timeline, visit, "order", f"/v1/orders/{order_id}/timeline"),
        part(_all(Notices, visit, "notification", f"/v1/orders/{order_id}/deliveries")),
        part(_sent(visit, order_id)),
        part(_endpoints(visit)),
        part(_written(visit, order_id)),
    )
    told, sent, written = told or Rows(), sent or Rows(), written or Rows()
    course = await lifecycle(visit, order.lifecycle.name, order.lifecycle.version)
    return await visit.page(
        "trail.html",
        order=order,
        happenings=happenings(history.items, told.items, sent.items, written.items),
        labels=labels(course, visit.person),
        said=said,
        missing=_missing(no_told is not None, no_sent is not None),
        unread=tr("Messages cannot be shown right now. Load the page again in a moment.") if no_written else "",
        cut=PAGE_SIZE * MOST_PAGES if history.cut or told.cut or sent.cut or written.cut else 0,
        endpoints=ends or {},
        unnamed=tr("an endpoint") if no_ends is not None else tr("a deleted endpoint"),
        arrived=ARRIVED,
        states=STATES,
        tones=TONES,
    )


def _missing(told: bool, sent: bool) -> str:
    """What cannot be shown, in words."""
    if told and sent:
        return tr(
            "What went out as notifications and as webhooks cannot be shown right now. Load the page again in a moment."
        )
    if told:
        return tr("What went out as notifications cannot be shown right now. Load the page again in a moment.")
    if sent:
        return tr("What went out as webhooks cannot be shown right now. Load the page again in a moment.")
    return ""


async def _all(model: type[L], visit: Visit, service: ServiceName, path: str, params: Params = ()) -> Rows:
    """The items of all pages of a list, as far as they are shown."""
    items: list[Any] = []
    cursor = ""
    for _ in range(MOST_PAGES):
        answer = await visit.get(service, path, [*params, ("limit", str(PAGE_SIZE)), ("cursor", cursor)])
        found = read(model, service, answer)
        items += found.items
        if not found.next_cursor:
            return Rows(items)
        cursor = found.next_cursor
    return Rows(items, cut=True)


async def _sent(visit: Visit, order_id: UUID) -> Rows:
    if not visit.person.sees_webhooks:
        return Rows()
    return await _all(Deliveries, visit, "webhook", "/v1/deliveries", [("order_id", str(order_id))])


async def _written(visit: Visit, order_id: UUID) -> Rows:
    """The messages of the order's threads that the person may read."""
    answer = await visit.get("messaging", "/v1/threads", [("order_id", str(order_id))])
    kinds = [t.kind for t in read(Threads, "messaging", answer).items if t.messages]
    path = f"/v1/orders/{order_id}/messages"
    found = await asyncio.gather(*(_all(Conversation, visit, "messaging", path, [("kind", k)]) for k in kinds))
    return Rows([m for rows in found for m in rows.items], any(rows.cut for rows in found))


async def _endpoints(visit: Visit) -> Mapping[UUID, str]:
    """Addresses by endpoint, for those that the person may see."""
    if not visit.person.sees_webhooks:
        return {}
    return {e.endpoint_id: e.url for e in (await _all(Endpoints, visit, "webhook", "/v1/endpoints")).items}


def happenings(
    history: Sequence[Entry], told: Sequence[Notice], sent: Sequence[Delivery], written: Sequence[Message] = ()
) -> Sequence[Happening]:
    """Everything by the event that caused it, oldest first."""
    made = {e.event_id: Happening(e.at, e.event, e) for e in history}
    for notice in told:
        made.setdefault(notice.event_id, Happening(notice.occurred_at, notice.event_type)).told.append(notice)
    for delivery in sent:
        # a test is about no event that ever was
        if delivery.origin != "test":
            made.setdefault(delivery.event_id, Happening(delivery.created_at, delivery.type)).sent.append(delivery)
    rest = _recognised([h for h in made.values() if h.entry is None], written)
    every = [*made.values(), *(Happening(m.posted_at, MESSAGE, message=m) for m in rest)]
    return sorted(every, key=lambda h: (h.at, h.entry.sequence if h.entry else 0))


def _recognised(events: Sequence[Happening], written: Sequence[Message]) -> Sequence[Message]:
    """Put each message to its event, of which it does not know; those that led to nothing are returned.

    A notice has the message's own time; a webhook its number in its thread, and a time soon after.
    """
    rest = {m.posted_at: m for m in written}
    for h in events:
        if h.event == MESSAGE and h.told:
            h.message = rest.pop(h.at, None)
    for h in events:
        if h.event == MESSAGE and not h.told:
            fitting = [m for m in rest.values() if m.seq == h.sent[0].sequence]
            if fitting:
                h.message = rest.pop(min(fitting, key=lambda m: abs(h.at - m.posted_at)).posted_at)
                h.at = h.message.posted_at
    return list(rest.values())


PAGES: Final = (Page("/orders/{order_id:uuid}/trail", show),)
