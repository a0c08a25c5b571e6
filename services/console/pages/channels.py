"""Channels: where orders come from, and what the marketplace has set for each: who accepts, with how much in hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from starlette.responses import Response

from services.console import entered
from services.console.entered import Wrong
from services.console.errors import NoSuchPage, Refused
from services.console.language import N_, tr
from services.console.names import organisations
from services.console.page import Page, form
from services.console.posted import Posted
from services.console.reading import read
from services.console.schemas import Channel, Channels, Courses
from services.console.visit import Visit, part

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
CHANGED: Final = N_("Somebody else has changed the channel meanwhile. Look at it as it is now, then change it again.")
# Lines of a list that is typed, as the order service takes them; one more is sent on, so that it says so.
MOST_PAIRS: Final = 1_000


async def show_all(visit: Visit) -> Response:
    found = read(Channels, "order", await visit.get("order", "/v1/channels"))
    wanted = visit.asked("name", 63)
    if _NAME.fullmatch(wanted):
        return visit.go(f"/channels/{wanted}")
    return await visit.page("channels.html", channels=found.items, wanted=wanted)


async def show(visit: Visit) -> Response:
    return await _page(visit)


async def _page(visit: Visit, status: int = 200, errors: Mapping[str, str] | None = None) -> Response:
    """The form of a channel; of one that is not set up yet where an operator names it."""
    name = _name(visit)
    answer, why = await part(visit.get("order", f"/v1/channels/{name}"))
    if answer is None and not (isinstance(why, Refused) and why.status == 404 and visit.person.is_operator):
        assert why is not None
        raise why
    channel = read(Channel, "order", answer) if answer is not None else Channel(name=name, version=0)
    there = await organisations(visit)
    listed = read(Courses, "order", await visit.get("order", "/v1/lifecycles"))
    return await visit.page(
        "channel.html",
        status,
        channel=channel,
        value=_typed(visit.posted) if visit.posted.values else _stored(channel),
        errors=errors or {},
        courses={c.name: c.name for c in listed.items},
        sellers={str(o.organisation_id): o.name for o in there if o.kind in ("seller", "both")},
        buyers={str(o.organisation_id): o.name for o in there if o.kind in ("buyer", "both")},
    )


def _name(visit: Visit) -> str:
    """Raises NoSuchPage for what can be none."""
    name = str(visit.request.path_params["name"])
    if not _NAME.fullmatch(name):
        raise NoSuchPage
    return name


def _stored(channel: Channel) -> Callable[[str], str]:
    """What stands in the form's fields for a channel as it is."""
    values = {
        "title": channel.title or "",
        "lifecycle": channel.lifecycle or "",
        "auto_accept": "yes" if channel.auto_accept else "",
        "buffer": _plain(channel.buffer),
        "buffers": "\n".join(f"{sku} = {_plain(held)}" for sku, held in channel.buffers.items()),
        "can_refund": "yes" if channel.can_refund else "",
        "contact": channel.contact or "",
        "default_seller": str(channel.default_seller or ""),
        "default_buyer": str(channel.default_buyer or ""),
        "commission": _plain(channel.commission_rate * 100) if channel.commission_rate is not None else "",
        "statuses": "\n".join(f"{raw} = {state}" for raw, state in channel.statuses.items()),
    }
    return lambda name: values.get(name, "")


def _typed(posted: Posted) -> Callable[[str], str]:
    return posted.one


def _plain(number: Decimal | None) -> str:
    return "" if number is None else f"{number.normalize():f}"


async def put(visit: Visit) -> Response:
    name = _name(visit)
    body, errors = _read(visit.posted)
    if errors:
        return await _page(visit, 422, errors)
    try:
        await visit.send("PUT", "order", f"/v1/channels/{name}", body, if_match=visit.form_state)
    except Refused as e:
        if e.status not in (412, 422):
            raise
        wrong = {path.partition(".")[0]: f"{_after(path)}{message}" for path, message in e.fields.items()}
        return await _page(visit, e.status, {"": tr(CHANGED)} if e.status == 412 else wrong or {"": e.detail})
    visit.say(tr("The channel %(name)s is set up: new orders follow it from now on.", name=name))
    return visit.go("/channels")


def _after(path: str) -> str:
    """Which of several entries is meant: "statuses.SENT"."""
    _, _, entry = path.partition(".")
    return f"{entry}: " if entry else ""


def _read(posted: Posted) -> tuple[dict[str, Any], dict[str, str]]:
    """The channel as the form says it, and what is wrong by field."""
    body: dict[str, Any] = {n: posted.one(n) for n in ("title", "lifecycle", "contact") if posted.one(n)}
    body |= {n: posted.one(n) for n in ("default_seller", "default_buyer") if posted.one(n)}
    body |= {n: bool(posted.one(n)) for n in ("auto_accept", "can_refund")}
    errors: dict[str, str] = {}
    readers: dict[str, tuple[str, Callable[[str], Any]]] = {
        "buffer": ("buffer", entered.quantity),
        "commission": ("commission_rate", _rate),
        "buffers": ("buffers", lambda text: {k: entered.quantity(v) for k, v in _pairs(text)}),
        "statuses": ("statuses", lambda text: dict(_pairs(text))),
    }
    for name, (field, reader) in readers.items():
        if posted.one(name):
            try:
                body[field] = reader(posted.one(name))
            except Wrong as e:
                errors[name] = str(e)
    return body, errors


def _rate(text: str) -> str:
    """A share of 1 for what is typed in per cent."""
    return f"{(Decimal(entered.quantity(text)) / 100).normalize():f}"


def _pairs(text: str) -> Sequence[tuple[str, str]]:
    """Lines such as "MUG = 5". Raises Wrong."""
    found = []
    for line in [x.strip() for x in text.split("\n") if x.strip()][: MOST_PAIRS + 1]:
        left, equals, right = (x.strip() for x in line.partition("="))
        if not (left and equals and right):
            raise Wrong(tr("“%(typed)s” is no line such as NAME = VALUE.", typed=line[:40]))
        found.append((left, right))
    return found


PAGES: Final[Sequence[Page]] = (
    Page("/channels", show_all),
    Page("/channels/{name}", show),
    form("/channels/{name}", put, home="/channels/{name}"),
)
