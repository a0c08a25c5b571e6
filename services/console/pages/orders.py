"""The order list: search, filters and sort in the address, page by page, and the same list as a file."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.responses import Response

from services.console.downloads import download
from services.console.errors import NoSuchPage, Refused
from services.console.language import N_, Texts, count, tr
from services.console.lifecycles import decisions, filtered_by, lifecycle
from services.console.names import few_sellers, order_numbers
from services.console.page import Page, form
from services.console.posted import Posted
from services.console.reading import read
from services.console.rendering import PHASES
from services.console.schemas import Card, Cards, Lifecycle, OrderUnread, SavedView, SavedViews, Unread
from services.console.session import Person
from services.console.visit import Visit, part

PAGE_SIZE: Final = 25
_ACTION: Final = re.compile(r"[a-z][a-z0-9_]{0,47}")
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SORTS: Final[Mapping[str, str]] = Texts(
    {
        "-placed_at": N_("Newest first"),
        "placed_at": N_("Oldest first"),
        "-total": N_("Largest total first"),
        "total": N_("Smallest total first"),
        "status": N_("Status, A to Z"),
        "-status": N_("Status, Z to A"),
    }
)
ISSUES: Final[Mapping[str, str]] = Texts(
    {"open": N_("Open issue"), "resolved": N_("Resolved issue"), "none": N_("No issue")}
)
MONEY: Final[Mapping[str, str]] = Texts(
    {
        "unpaid": N_("Not paid"),
        "paid": N_("Paid"),
        "refunding": N_("Being refunded"),
        "partially_refunded": N_("Partly refunded"),
        "refunded": N_("Refunded"),
    }
)
FORMATS: Final = ("csv", "xlsx")
# Orders that are named where something was refused for several.
MOST_NAMED: Final = 5
# Characters: 200 ids with their commas.
MOST_IDS: Final = 8_000


# Days of the form, and how many days behind its beginning each of them bounds the list: the last day is in it.
_DAYS: Final[Mapping[str, int]] = {"placed_from": 0, "placed_to": 1}


def _edge(text: str, zone: ZoneInfo, name: str) -> str:
    """The moment that a day stands for. What is none stays as it is, for the service to say so."""
    try:
        day = date.fromisoformat(text) + timedelta(days=_DAYS[name])
    except (ValueError, OverflowError):
        return text
    return datetime.combine(day, time(), zone).isoformat()


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to, as it stands in the address."""

    q: str = ""
    customer: str = ""
    seller: str = ""
    channel: str = ""
    ids: str = ""
    phase: str = ""
    status: str = ""
    money: str = ""
    issue: str = ""
    placed_from: str = ""
    placed_to: str = ""
    overdue: str = ""
    sort: str = ""

    @classmethod
    def of(cls, visit: Visit) -> Filters:
        return cls(**{name: visit.asked(name, MOST_IDS if name == "ids" else 200) for name in cls.__slots__})

    @classmethod
    def posted(cls, p: Posted) -> Filters:
        """Those that a form carries along, under their names with `f.` before them."""
        return cls(**{name: p.one(f"f.{name}")[: MOST_IDS if name == "ids" else 200] for name in cls.__slots__})

    @classmethod
    def kept(cls, view: SavedView) -> Filters:
        """Of a saved view; what this console does not know of is left out."""
        return cls(**{name: view.filters[name] for name in cls.__slots__ if name in view.filters})

    def params(self) -> list[tuple[str, str]]:
        """Those that say anything, as query parameters of this page and of the order service alike."""
        return [(name, value) for name in self.__slots__ if (value := getattr(self, name))]

    def asked(self, zone: ZoneInfo) -> list[tuple[str, str]]:
        """The same for the order service: days begin and end in the reader's zone, as the page's times are in it."""
        return [(name, _edge(value, zone, name) if name in _DAYS else value) for name, value in self.params()]

    @property
    def narrow(self) -> bool:
        return bool(replace(self, sort="").params())

    @property
    def beyond_search(self) -> bool:
        """Whether more is set than the search box and the two selections that are always in view."""
        return bool(replace(self, q="", phase="", status="", sort="").params())

    def query(self, **more: str) -> str:
        pairs = [*self.params(), *((n, v) for n, v in more.items() if v)]
        return "?" + urlencode(pairs) if pairs else ""


def waiting(person: Person, course: Lifecycle | None) -> Sequence[tuple[str, Filters]]:
    """What waits for somebody, one list for each, in words."""
    lists = []
    if person.buys and course is not None and any(s.phase == "approval" for s in course.states):
        lists.append((tr("To approve"), Filters(phase="approval")))
    if person.sells or person.is_operator:
        lists += [(tr("New"), Filters(phase="pending")), (tr("Overdue"), Filters(overdue="true"))]
    lists.append((tr("Open issues"), Filters(issue="open")))
    if person.is_operator or person.sells:
        lists.append((tr("To be refunded"), Filters(money="refunding")))
    if person.is_operator:
        lists += [
            (tr("Ended, with money held"), Filters(phase="canceled", money="paid")),
            (tr("Ended, partly given back"), Filters(phase="canceled", money="partially_refunded")),
        ]
    return lists


def desks(person: Person, current: Filters, course: Lifecycle | None) -> Sequence[tuple[str, str, bool]]:
    """All orders and what waits, one list for each: (words, address, whether it is the list that is shown)."""
    here, lists = replace(current, sort=""), [(tr("All"), Filters()), *waiting(person, course)]
    return [(words, f"/orders{wanted.query()}", wanted == here) for words, wanted in lists]


async def show(visit: Visit) -> Response:
    return await page(visit, Filters.of(visit), visit.asked("cursor", 2_000))


async def page(
    visit: Visit, filters: Filters, cursor: str = "", *, saving: Mapping[str, str] | None = None
) -> Response:
    """The list; with what is wrong with the name that it was to be saved under, where that was refused."""
    found, problem = await _found(visit, filters, cursor)
    course, views = await asyncio.gather(lifecycle(visit, visit.person.lifecycle), _views(visit))
    states = filtered_by(course, visit.person)
    lists = desks(visit.person, filters, course)
    return await visit.page(
        "orders.html",
        422 if problem or saving else 200,
        filters=filters,
        desks=lists,
        # the list of what waits that is shown; the one of all orders is none
        desk=next((words for words, _, here in lists[1:] if here), ""),
        cards=found.items,
        sellers=await few_sellers(visit),
        unread=await _unread(visit, found.items),
        views=[(v, wanted.query(), wanted == filters) for v in views if (wanted := Filters.kept(v)).params()],
        errors=saving or {},
        typed=visit.posted.one("name") if saving else "",
        problem=problem,
        first=filters.query() if cursor else "",
        following=filters.query(cursor=found.next_cursor or "") if found.next_cursor else "",
        paged=bool(cursor),
        statuses=states,
        phases=PHASES,
        sorts=SORTS,
        issues=ISSUES,
        moneys=MONEY,
        decisions=decisions(course, visit.person),
        formats=FORMATS,
        exports=[(f.upper(), f"/orders/export.{f}{filters.query()}") for f in FORMATS],
    )


async def _found(visit: Visit, filters: Filters, cursor: str) -> tuple[Cards, str]:
    """A page of the list; none, with the reason, where a filter or a page does not exist: the form stays then."""
    try:
        params = [*filters.asked(visit.zone), ("cursor", cursor), ("limit", str(PAGE_SIZE))]
        return read(Cards, "order", await visit.get("order", "/v1/orders", params)), ""
    except Refused as e:
        if e.status not in (400, 422):
            raise
        return Cards(items=()), e.detail


async def _views(visit: Visit) -> Sequence[SavedView]:
    """The person's saved views; none where they cannot be had."""
    answer, _ = await part(visit.get("identity", "/v1/me/views", seconds=visit.console.settings.counts_seconds))
    return read(SavedViews, "identity", answer).items if answer is not None else ()


async def _unread(visit: Visit, cards: Sequence[Card]) -> Mapping[str, OrderUnread]:
    """Unread messages by order; none where messages cannot be asked for."""
    if not cards:
        return {}
    params = [("order_ids", str(c.order_id)) for c in cards]
    seconds = visit.console.settings.counts_seconds
    answer, _ = await part(visit.get("messaging", "/v1/unread", params, seconds=seconds))
    if answer is None:
        return {}
    return {str(o.order_id): o for o in read(Unread, "messaging", answer).orders}


async def export(visit: Visit) -> Response:
    kind = str(visit.request.path_params["format"])
    if kind not in FORMATS:
        raise NoSuchPage
    params = [*Filters.of(visit).asked(visit.zone), ("format", kind)]
    return await download(visit, "order", "/v1/orders/export", params)


async def selected(visit: Visit) -> Response:
    """Several orders at once, as the lengow page has it: a decision about them, or a file of them."""
    back = visit.posted.one("back")[:2_000]
    home = f"/orders{back}" if back.startswith("?") else "/orders"
    ids = [i for i in dict.fromkeys(visit.posted.many("order")) if _ID.fullmatch(i)]
    if not ids:
        visit.say(tr("No order is selected. Tick the orders first."))
        return visit.go(home)
    if (kind := visit.posted.one("export")) in FORMATS:
        return visit.go(f"/orders/export.{kind}?{urlencode({'ids': ','.join(ids)})}")
    action = visit.posted.one("action")
    if not _ACTION.fullmatch(action):
        visit.say(tr("Choose what to do with the selected orders."))
        return visit.go(home)
    body = {"action": action, "order_ids": ids}
    answer = await visit.send("POST", "order", "/v1/orders/bulk", body, key=visit.form_key)
    visit.say(await _done(visit, answer.body))
    return visit.go(home)


async def _done(visit: Visit, answer: Any) -> str:
    """How many it was done for, and for which of the others why not."""
    done, refused = answer.get("done", 0), answer.get("refused", 0)
    whys: dict[str, list[UUID]] = {}
    for result in answer.get("results", ()):
        if "problem" in result:
            whys.setdefault(str(result["problem"]["detail"]), []).append(UUID(result["order_id"]))
    numbers = await order_numbers(visit, [i for ids in whys.values() for i in ids])
    reasons = [_why(detail, ids, numbers) for detail, ids in whys.items()]
    return " ".join(
        [
            count(
                "Done for %(done)s of %(count)s order.",
                "Done for %(done)s of %(count)s orders.",
                done + refused,
                done=done,
            ),
            *reasons,
        ]
    )


def _why(detail: str, ids: Sequence[UUID], numbers: Mapping[UUID, str]) -> str:
    named = [numbers[i] for i in ids if i in numbers]
    more = len(named) - MOST_NAMED
    whom = ", ".join(named[:MOST_NAMED])
    if more > 0:
        whom = tr("%(names)s and %(count)s more", names=whom, count=more)
    return f"{whom}: {detail}{'' if detail.endswith('.') else '.'}" if whom else detail


PAGES: Final[Sequence[Page]] = (
    form("/orders/selected", selected, home="/orders"),
    Page("/orders", show),
    Page("/orders/export.{format}", export, counted=False),
)
