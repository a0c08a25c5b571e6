"""Webhooks: endpoints, what was sent to them and how it went, tests and secrets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import orjson
from starlette.responses import Response

from services.console.calls import Answer
from services.console.errors import BadForm, Refused
from services.console.language import N_, Texts, tr
from services.console.names import order_numbers, organisations, sellers
from services.console.pace import Slot, paced
from services.console.page import Page, form
from services.console.pages.endpoints import opened, sealed, secret_page
from services.console.pages.replays import SCOPES, Range, taken
from services.console.pages.sending import FORMATS
from services.console.reading import read
from services.console.schemas import (
    Deliveries,
    DeliveryInFull,
    Endpoint,
    Endpoints,
    EndpointStats,
    EventType,
    EventTypes,
)
from services.console.visit import Visit, part

PAGE_SIZE: Final = 25
# What the figures may cover: the words, how many hours that is, and what a bar stands for.
SPANS: Final[Mapping[str, tuple[str, int, Slot]]] = {
    "day": (N_("Last 24 hours"), 24, "hour"),
    "week": (N_("Last 7 days"), 168, "day"),
    "month": (N_("Last 30 days"), 720, "day"),
}
STATES: Final[Mapping[str, str]] = Texts(
    {
        "pending": N_("Waiting"),
        "delivered": N_("Delivered"),
        "exhausted": N_("Gave up"),
        "aborted": N_("Refused by the receiver"),
        "held": N_("Kept back"),
        "discarded": N_("Discarded"),
    }
)
# What a status can be switched to, with the words on the button.
SWITCHES: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    "active": (("pause", N_("Pause")), ("disable", N_("Disable"))),
    "paused": (("resume", N_("Resume")), ("disable", N_("Disable"))),
    "disabled": (("enable", N_("Enable")),),
}
DONE: Final[Mapping[str, str]] = Texts(
    {
        "pause": N_("Paused. Events wait and leave in order when you resume."),
        "resume": N_("Resumed."),
        "disable": N_("Disabled. Events are kept and can be sent later."),
        "enable": N_("Enabled. What was kept meanwhile is sent first, in order."),
    }
)


async def show(visit: Visit) -> Response:
    params = [("limit", str(PAGE_SIZE)), ("cursor", visit.asked("cursor", 2_000))]
    found = read(Endpoints, "webhook", await visit.get("webhook", "/v1/endpoints", params))
    following = "?" + urlencode({"cursor": found.next_cursor}) if found.next_cursor else ""
    # an operator looks after those of others as well
    owners = {o.organisation_id: o.name for o in await organisations(visit)} if visit.person.is_operator else {}
    return await visit.page(
        "webhooks.html", endpoints=found.items, owners=owners, following=following, paged=bool(visit.asked("cursor"))
    )  # fmt: skip


async def _types(visit: Visit) -> Sequence[EventType]:
    return read(EventTypes, "webhook", await visit.get("webhook", "/v1/event-types")).items


async def endpoint(visit: Visit) -> Response:
    state = visit.asked("state") if visit.asked("state") in STATES else ""
    params = [("limit", str(PAGE_SIZE)), ("cursor", visit.asked("cursor", 2_000)), ("state", state)]
    span = visit.asked("span") if visit.asked("span") in SPANS else "day"
    path = f"/v1/endpoints/{visit.id('endpoint_id')}"
    answer, deliveries, types, stats = await asyncio.gather(
        visit.get("webhook", path),
        visit.get("webhook", f"{path}/deliveries", params),
        _types(visit),
        part(visit.get("webhook", f"{path}/stats", [("hours", str(SPANS[span][1]))])),
    )
    found = read(Endpoint, "webhook", answer)
    log = read(Deliveries, "webhook", deliveries)
    numbers = await order_numbers(visit, [d.order_id for d in log.items if d.order_id and d.origin != "test"])
    query = {n: v for n, v in (("state", state), ("span", span if span != "day" else "")) if v}
    ours = await _ours(visit, found)
    return await visit.page(
        "webhook.html",
        endpoint=found,
        deliveries=log.items,
        numbers=numbers,
        following="?" + urlencode({**query, "cursor": log.next_cursor}) if log.next_cursor else "",
        paged=bool(visit.asked("cursor")),
        state=state,
        states=STATES,
        formats=FORMATS,
        ours=ours,
        owner="" if ours else await _owner(visit, found),
        held_back=found.status == "active" and _to_come(visit, found.health.held_back_until),
        types=types,
        taken=taken(found, types),
        sellers=await _sellers(visit, found),
        span=span,
        spans={code: tr(label) for code, (label, _, _) in SPANS.items()},
        first="?" + urlencode(query) if query else "",
        **_figures(visit, stats[0], span),
        switches=[(verb, tr(label)) for verb, label in SWITCHES.get(found.status, ())],
        sealed=sealed(visit),
        scopes=SCOPES,
        replay=Range.usual(visit.now, visit.zone),
        errors={},
    )


async def _sellers(visit: Visit, found: Endpoint) -> Sequence[str]:
    """The sellers that the endpoint is narrowed to, by name where the person knows it."""
    named = await sellers(visit) if found.filter.sellers else {}
    return [named.get(str(s), str(s)) for s in found.filter.sellers or ()]


async def _ours(visit: Visit, found: Endpoint) -> bool:
    """Whether it is the person's organisation that may change it; an operator looks after those of others as well."""
    if not visit.person.is_operator:
        return True
    answer, _ = await part(visit.get("identity", "/v1/me"))
    return answer is not None and answer.body["organisation"]["organisation_id"] == str(found.organisation_id)


async def _owner(visit: Visit, found: Endpoint) -> str:
    """Whose it is, by name; an operator who finds it dead has to know whom to ask."""
    answer, _ = await part(visit.get("identity", f"/v1/organisations/{found.organisation_id}"))
    return str(answer.body["name"]) if answer is not None else ""


def _to_come(visit: Visit, at: datetime | None) -> bool:
    return at is not None and at.timestamp() > visit.now


def _figures(visit: Visit, answer: Answer | None, span: str) -> dict[str, Any]:
    """The endpoint's figures as such and as charts; None where they cannot be had."""
    if answer is None:
        return {"stats": None, "pace": None}
    stats = read(EndpointStats, "webhook", answer)
    _, covered, slot = SPANS[span]
    now = datetime.fromtimestamp(visit.now, UTC)
    return {"stats": stats, "pace": paced(stats.hours, slot, covered, now, visit.zone)}


async def send_test(visit: Visit) -> Response:
    body = {"type": visit.posted.one("type") or "order.created"}
    answer = await visit.send(
        "POST", "webhook", f"/v1/endpoints/{visit.id('endpoint_id')}/test", body, key=visit.form_key
    )  # fmt: skip
    visit.say(tr("A test event is on its way. Load this page again to see how it went."))
    return visit.go(f"/webhooks/deliveries/{UUID(answer.body['delivery_id'])}")


async def switch(visit: Visit) -> Response:
    endpoint_id, verb = visit.id("endpoint_id"), visit.posted.one("verb")
    if verb not in DONE:
        raise BadForm(400, N_("This form cannot be read"), N_("Open the page again, and send it from there."))
    body = {"replay_missing": True} if verb == "enable" else None
    try:
        await visit.send("POST", "webhook", f"/v1/endpoints/{endpoint_id}/{verb}", body, key=visit.form_key)
        visit.say(DONE[verb])
    except Refused as e:
        # somebody was faster: the page shows what it is now
        if e.status != 409:
            raise
        visit.say(tr("Nothing was changed: %(why)s", why=e.detail))
    return visit.go(f"/webhooks/{endpoint_id}")


async def rotate(visit: Visit) -> Response:
    endpoint_id = visit.id("endpoint_id")
    path = f"/v1/endpoints/{endpoint_id}"
    if visit.posted.one("kind") == "ed25519":
        await visit.send("POST", "webhook", f"{path}/secret", {"kind": "ed25519"}, key=visit.form_key)
        visit.say(
            tr("A new key pair signs from now on, the former one beside it for 24 hours. See Keys for its public half.")
        )
        return visit.go(f"/webhooks/{endpoint_id}")
    secret = opened(visit)
    await visit.send("POST", "webhook", f"{path}/secret", {"secret": secret}, key=visit.form_key)
    found = read(Endpoint, "webhook", await visit.get("webhook", path))
    return await secret_page(visit, found, secret, created=False)


async def delete(visit: Visit) -> Response:
    endpoint_id = visit.id("endpoint_id")
    if not visit.posted.one("sure"):
        visit.say(tr("Nothing was deleted: tick the box to say that you are sure."))
        return visit.go(f"/webhooks/{endpoint_id}")
    try:
        await visit.send("DELETE", "webhook", f"/v1/endpoints/{endpoint_id}")
    except Refused as e:
        # deleted already: that is what was wanted
        if e.status != 404:
            raise
    visit.say(tr("The endpoint is deleted."))
    return visit.go("/webhooks")


async def delivery(visit: Visit) -> Response:
    answer = await visit.get("webhook", f"/v1/deliveries/{visit.id('delivery_id')}")
    found = read(DeliveryInFull, "webhook", answer)
    numbers = await order_numbers(visit, [found.order_id] if found.order_id and found.origin != "test" else [])
    # what was sent is kept when its endpoint is deleted
    endpoint, _ = await part(visit.get("webhook", f"/v1/endpoints/{found.endpoint_id}"))
    return await visit.page(
        "delivery.html",
        delivery=found,
        endpoint_there=endpoint is not None,
        numbers=numbers,
        states=STATES,
        payload=_pretty(found.payload),
    )


def _pretty(payload: Any) -> str:
    return orjson.dumps(payload, option=orjson.OPT_INDENT_2).decode() if payload is not None else ""


async def retry(visit: Visit) -> Response:
    path = f"/v1/deliveries/{visit.id('delivery_id')}/retry"
    try:
        answer = await visit.send("POST", "webhook", path, key=visit.form_key)
    except Refused as e:
        if e.status != 409:
            raise
        visit.say(tr("It was not sent again: %(why)s", why=e.detail))
        return visit.go(f"/webhooks/deliveries/{visit.id('delivery_id')}")
    visit.say(tr("It is sent again. Load this page again to see how it went."))
    return visit.go(f"/webhooks/deliveries/{UUID(answer.body['delivery_id'])}")


_ENDPOINT: Final = "/webhooks/{endpoint_id:uuid}"
_DELIVERY: Final = "/webhooks/deliveries/{delivery_id:uuid}"
PAGES: Final[Sequence[Page]] = (
    Page("/webhooks", show),
    Page(_ENDPOINT, endpoint),
    form(f"{_ENDPOINT}/test", send_test, home="/webhooks/{endpoint_id}"),
    form(f"{_ENDPOINT}/switch", switch, home="/webhooks/{endpoint_id}"),
    form(f"{_ENDPOINT}/secret", rotate, home="/webhooks/{endpoint_id}"),
    form(f"{_ENDPOINT}/delete", delete, home="/webhooks/{endpoint_id}"),
    Page(_DELIVERY, delivery),
    form(f"{_DELIVERY}/retry", retry, home="/webhooks/deliveries/{delivery_id}"),
)
