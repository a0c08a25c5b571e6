"""One order: where it stands, what is in it, what happened, what was said, and what can be done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from starlette.responses import Response

from services.console.changes import resolution, said
from services.console.downloads import download
from services.console.errors import Refused, ServiceDown
from services.console.forms import Form, UnitChoice, build, quantity
from services.console.language import label as known
from services.console.language import tr
from services.console.lifecycles import labels, lifecycle, line_labels
from services.console.page import Page
from services.console.reading import read
from services.console.rendering import PHASES
from services.console.schemas import Action, Conversation, Lifecycle, Order, Thread, Threads, Timeline, UnitList
from services.console.session import Person
from services.console.visit import Visit, part

ENTRIES: Final = 100
MESSAGES: Final = 30
THREADS: Final = ("buyer_seller", "seller_operator")
MOST_LISTINGS: Final = 20
MOST_UNITS: Final = 1_000
COURSE: Final = ("pending", "preparing", "in_transit", "completed")


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of the bar above an order. `at`: when the order came there; `state`: done, now or ahead."""

    label: str
    state: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Talk:
    """The messages of an order as far as they can be had; `problem` where they cannot."""

    threads: Sequence[Thread] = ()
    conversation: Conversation | None = None
    kind: str = "buyer_seller"
    older: bool = False
    problem: str = ""


class Uploaded(NamedTuple):
    """A file that waits to be posted. Its name is what the form said it is, and is shown to whoever sent that."""

    attachment_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that came back. `kept` are files that are uploaded already, `lost` those to be chosen again."""

    text: str = ""
    problem: str = ""
    on_behalf: bool = False
    kept: Sequence[Uploaded] = ()
    lost: Sequence[str] = ()
    file_problem: str = ""


async def show(visit: Visit) -> Response:
    return await page(visit)


async def page(visit: Visit, *, status: int = 200, draft: Draft | None = None) -> Response:
    """The order's page. Without the order there is none; every other part may be missing."""
    order_id = visit.id("order_id")
    after = visit.asked("after", 2_000)
    history = asyncio.create_task(part(_timeline(visit, order_id, after)))
    talking = asyncio.create_task(talk(visit, order_id))
    try:
        order = await order_of(visit, order_id)
    except BaseException:
        history.cancel()
        talking.cancel()
        raise
    course = await lifecycle(visit, order.lifecycle.name, order.lifecycle.version)
    forms = await forms_of(visit, order)
    named = labels(course, visit.person)
    timeline, _ = await history
    return await visit.page(
        "order.html",
        status,
        order=order,
        forms=forms,
        stages=stages(order, course, visit.person),
        labels=named,
        line_labels=line_labels(course, visit.person),
        due={name: known(said) for name, said in course.deadlines.items()} if course else {},
        timeline=timeline,
        said=said,
        resolution=resolution,
        paged=bool(after),
        talk=await talking,
        draft=draft or Draft(),
        quantity=quantity,
        papers=may_print(order, visit.person),
        evidence=any(i.kind in ("chargeback", "dispute", "problem") for i in order.issues) and not visit.person.buys,
    )


async def order_of(visit: Visit, order_id: UUID) -> Order:
    return read(Order, "order", await visit.get("order", f"/v1/orders/{order_id}"))


async def forms_of(visit: Visit, order: Order) -> Sequence[Form]:
    """A form for each action that is possible now."""
    units = await units_of(visit, order, order.allowed_actions)
    return [build(action, order, units=units) for action in order.allowed_actions]


async def units_of(visit: Visit, order: Order, actions: Sequence[Action]) -> Mapping[str, Sequence[UnitChoice]]:
    """The things with codes that can be picked for each line: free ones, and those picked already.

    Asked for only where an action wants units; a listing that does not answer has none to offer.
    """
    kinds = {p.get("x-type") for a in actions for p in (a.params.get("properties") or {}).values()}
    if "units" not in kinds:
        return {}
    lines = [line for line in order.lines if line.listing_id is not None][:MOST_LISTINGS]
    found = await asyncio.gather(*(part(visit.get("order", f"/v1/listings/{x.listing_id}/units")) for x in lines))
    choices: dict[str, Sequence[UnitChoice]] = {}
    for line, (answer, _) in zip(lines, found, strict=True):
        if answer is None:
            continue
        held = {u.unit_id for u in line.units}
        listed = read(UnitList, "order", answer).items
        fit = [UnitChoice(str(u.id), u.code, u.id in held) for u in listed if u.state == "free" or u.id in held]
        choices[str(line.line_id)] = fit[:MOST_UNITS]
    return choices


async def _timeline(visit: Visit, order_id: UUID, after: str) -> Timeline:
    params = [("limit", str(ENTRIES)), ("cursor", after)]
    return read(Timeline, "order", await visit.get("order", f"/v1/orders/{order_id}/timeline", params))


async def talk(visit: Visit, order_id: UUID) -> Talk:
    """The order's threads and one of them in full."""
    asked, older = visit.asked("thread") or visit.posted.one("kind"), visit.asked("older", 2_000)
    kind = asked if asked in THREADS else THREADS[0]
    try:
        threads, conversation = await asyncio.gather(
            visit.get("messaging", "/v1/threads", [("order_id", str(order_id))]),
            visit.get(
                "messaging",
                f"/v1/orders/{order_id}/messages",
                [("kind", kind), ("limit", str(MESSAGES)), ("cursor", older)],
            ),
        )
        return Talk(
            read(Threads, "messaging", threads).items,
            read(Conversation, "messaging", conversation),
            kind,
            older=bool(older),
        )
    except ServiceDown:
        return Talk(kind=kind, problem=tr("Messages cannot be shown right now. Load the page again in a moment."))
    except Refused as e:
        if e.status == 404:
            return Talk(
                kind=kind, problem=tr("There is no thread for this order yet. It opens moments after the order.")
            )
        return Talk(kind=kind, problem=e.detail)


def stages(order: Order, course: Lifecycle | None, person: Person) -> Sequence[Stage]:
    """The way of the order through the phases: where it has been and when, where it is, what lies ahead."""
    states = {s.name: s for s in course.states} if course else {}
    named = labels(course, person)
    times: dict[str, tuple[str, datetime | None]] = {}
    for entered in order.status_times:
        state = states.get(entered.status)
        entry = state.phase if state else order.phase if entered.status == order.status else None
        if entry is not None and entry not in times:
            times[entry] = (named.get(entered.status, PHASES[entry]), entered.at)
    way: list[str] = [*(["approval"] if "approval" in times or order.phase == "approval" else []), *COURSE]
    if order.phase == "canceled":
        way = [p for p in way if p in times]
        way.append("canceled")
    # what it has passed over was never done
    way = [p for i, p in enumerate(way) if p in times or i >= way.index(order.phase)]
    here = way.index(order.phase)
    # the last time that it came to where it is: a phase may have several statuses, and be entered again
    now = next((t.at for t in reversed(order.status_times) if t.status in (order.shown.code, order.status)), None)
    made = []
    for i, phase in enumerate(way):
        label, at = times.get(phase) or (_expected(phase, course, person), None)
        if i == here:
            label, at = known(order.status_label), now or at
        made.append(Stage(label, "done" if i < here else "now" if i == here else "ahead", at))
    return made


def _expected(phase: str, course: Lifecycle | None, person: Person) -> str:
    """What lies ahead, in the lifecycle's own word where it has only one for it."""
    states = [s for s in course.states if s.phase == phase] if course else []
    return labels(course, person)[states[0].name] if len(states) == 1 else PHASES[phase]


def may_print(order: Order, person: Person) -> bool:
    """A packing slip is of what is to be sent or was sent, and for those who send."""
    return order.phase in ("preparing", "in_transit", "completed") and (person.sells or person.is_operator)


async def document(visit: Visit) -> Response:
    path = f"/v1/orders/{visit.id('order_id')}/documents/{visit.id('document_id')}"
    return await download(visit, "order", path)


async def picture(visit: Visit) -> Response:
    path = f"/v1/orders/{visit.id('order_id')}/documents/{visit.id('document_id')}"
    return await download(visit, "order", path, inline=True)


async def attachment(visit: Visit) -> Response:
    return await download(visit, "messaging", _attachment(visit))


async def thumbnail(visit: Visit) -> Response:
    return await download(visit, "messaging", _attachment(visit), [("small", "true")], inline=True)


def _attachment(visit: Visit) -> str:
    return f"/v1/orders/{visit.id('order_id')}/attachments/{visit.id('attachment_id')}"


async def packing_slip(visit: Visit) -> Response:
    path = f"/v1/orders/{visit.id('order_id')}/packing-slip.pdf"
    return await download(visit, "order", path, [("time_zone", visit.zone.key)])


async def printed(visit: Visit) -> Response:
    """The order as a page for the printer: no script, no form and nothing from elsewhere may be in it."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
    path, params = f"/v1/orders/{visit.id('order_id')}/print", [("time_zone", visit.zone.key)]
    return await download(visit, "order", path, params, policy=policy, also="text/html")


async def evidence(visit: Visit) -> Response:
    return await download(visit, "order", f"/v1/orders/{visit.id('order_id')}/evidence")


async def diagram(visit: Visit) -> Response:
    """The lifecycle of the order, drawn."""
    order = await order_of(visit, visit.id("order_id"))
    path = f"/v1/lifecycles/{order.lifecycle.name}/diagram.svg"
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return await download(visit, "order", path, [("version", order.lifecycle.version)], policy=policy, inline=True)


PAGES: Final[Sequence[Page]] = (
    Page("/orders/{order_id:uuid}", show),
    Page("/orders/{order_id:uuid}/documents/{document_id:uuid}", document, counted=False),
    Page("/orders/{order_id:uuid}/pictures/{document_id:uuid}", picture, counted=False),
    Page("/orders/{order_id:uuid}/attachments/{attachment_id:uuid}", attachment, counted=False),
    Page("/orders/{order_id:uuid}/attachments/{attachment_id:uuid}/small", thumbnail, counted=False),
    Page("/orders/{order_id:uuid}/print", printed, counted=False),
    Page("/orders/{order_id:uuid}/packing-slip.pdf", packing_slip, counted=False),
    Page("/orders/{order_id:uuid}/evidence.zip", evidence, counted=False),
    Page("/orders/{order_id:uuid}/lifecycle.svg", diagram, counted=False),
)
