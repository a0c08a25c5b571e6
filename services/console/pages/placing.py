"""Ordering: what is on sale in the marketplace, and a form that orders from it.

Prices, stock, limits and who sells are the order service's to know; what several sellers sell becomes one order each.
The list has pages; what is chosen on one goes along to the others in the form itself, so that nothing has to be kept
for somebody who only looks around.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from starlette.responses import Response

from services.console import entered
from services.console.entered import Wrong
from services.console.errors import Refused
from services.console.forms import quantity
from services.console.language import N_, Texts, label, tr
from services.console.page import Page, form
from services.console.posted import Posted
from services.console.reading import read
from services.console.rendering import words
from services.console.schemas import Offer, Offers
from services.console.visit import Visit, part

PAGE_SIZE: Final = 50
# Lines of an order, as the order service has it; one more is sent on, so that it says so.
MOST_LINES: Final = 500
# Characters of a quantity and of a name that go along from page to page: 500 of both fit into a form (form_bytes).
MOST_TYPED, MOST_NAME = 16, 40
MOST_CURSOR: Final = 2_000
# Fields of the form that go into the address, by their names in the order.
ADDRESS: Final[Mapping[str, str]] = Texts(
    {
        "line1": N_("Street and number"),
        "postal_code": N_("Postal code"),
        "city": N_("City"),
        "country": N_("Country, two letters"),
    }
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Something of which a quantity was entered, as it was typed. The name is for people to read only."""

    listing_id: str
    typed: str
    name: str


def chosen(posted: Posted) -> Sequence[Chosen]:
    """What the form asks for, in its order, MOST_LINES and one more at most."""
    found = []
    for name, values in posted.values.items():
        listing_id = name.removeprefix("q.")
        if listing_id != name and values[0] and _is_id(listing_id):
            called = posted.one(f"n.{listing_id}")[:MOST_NAME] or tr("An item")
            found.append(Chosen(listing_id, values[0][:MOST_TYPED], called))
    return found[: MOST_LINES + 1]


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Shelf:
    """Which page of what is on sale: with these words in number or name (everything without any), from a cursor on."""

    q: str = ""
    cursor: str = ""

    @classmethod
    def asked(cls, visit: Visit) -> Shelf:
        """By the address, or by the button of the form that was pressed: search, the next page, the first one."""
        posted = visit.posted
        if not posted.values:
            return cls(visit.asked("q", 100), visit.asked("cursor", MOST_CURSOR))
        if (button := posted.one("show")) == "search":
            return cls(posted.one("q")[:100])
        if button == "all":
            return cls()
        # the search box may have been changed since: pages are those of the list that is shown
        q = posted.one("shown")[:100]
        places = {"next": posted.one("following"), "first": ""}
        return cls(q, places.get(button, posted.one("cursor"))[:MOST_CURSOR])


async def show(visit: Visit) -> Response:
    return await _page(visit)


async def _page(visit: Visit, status: int = 200, problems: Mapping[str, str] | None = None) -> Response:
    """`problems` by the id of the listing whose quantity it is about; what is about none stands under another name."""
    told = dict(problems or {})
    shelf = Shelf.asked(visit)
    found, problem = await _offers(visit, shelf)
    if found is None:
        shelf, status, told["shelf"] = Shelf(), 422, problem
        found, _ = await _offers(visit, shelf)
    offers = found.items if found is not None else ()
    here = {str(o.listing_id) for o in offers}
    picked = chosen(visit.posted)
    if len(picked) > MOST_LINES and not told:
        status, told[""] = (
            422,
            tr("An order has %(most)s items at most. Take some of them out, and order them apart.", most=MOST_LINES),
        )
    return await visit.page(
        "place.html",
        status,
        offers=offers,
        elsewhere=[c for c in picked if c.listing_id not in here],
        problems=told,
        asked={c.listing_id for c in picked},
        typed=visit.posted,
        shelf=shelf,
        # what was typed there and not searched for yet stays, too
        searched=visit.posted.one("q") if visit.posted.values and visit.posted.one("show") != "all" else shelf.q,
        following=(found.next_cursor if found is not None else None) or "",
        address=ADDRESS,
        quantity=quantity,
    )


async def _offers(visit: Visit, shelf: Shelf) -> tuple[Offers | None, str]:
    """A page of what is on sale; None, with the reason, where there is no such page."""
    params = [("limit", str(PAGE_SIZE)), ("cursor", shelf.cursor or None), ("q", shelf.q or None)]
    try:
        return read(Offers, "order", await visit.get("order", "/v1/listings", params)), ""
    except Refused as e:
        if e.status not in (400, 422) or shelf == Shelf():
            raise
        where = tr("This is the first page of everything.")
        return None, f"{e.detail} {where}"


async def place(visit: Visit) -> Response:
    if visit.posted.one("show"):
        return await _page(visit)
    try:
        lines = _lines(chosen(visit.posted))
        body = await _order(visit, lines)
    except _Unfit as e:
        return await _page(visit, 422, e.problems)
    try:
        answer = await visit.send("POST", "order", "/v1/orders", body, key=visit.form_key)
    except Refused as e:
        if e.status not in (403, 409, 422):
            raise
        return await _page(visit, e.status, dict(_said(*wrong, lines) for wrong in e.fields.items()) or {"": e.detail})
    made = answer.body["orders"]
    told = ", ".join(f"{o['number']} ({label(o['status_label'])})" for o in made)
    visit.say(tr("Ordered: %(orders)s.", orders=told))
    if len(made) == 1:
        return visit.go(f"/orders/{made[0]['order_id']}")
    return visit.go("/orders?" + urlencode({"ids": ",".join(o["order_id"] for o in made)}))


class _Unfit(Exception):
    """The form is no order yet; what is wrong, as `_page` takes it."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__()
        self.problems = problems


Lines = Sequence[tuple[Chosen, str]]


def _said(path: str, message: str, lines: Lines) -> tuple[str, str]:
    """A refusal of a field, in words: which item it is about, or which field."""
    _, _, place = path.partition("lines.")
    number = place.partition(".")[0]
    if path.startswith("lines.") and number.isdecimal() and int(number) < len(lines):
        item = lines[int(number)][0]
        return item.listing_id, f"{item.name}: {message}."
    return path, f"{words(path.rpartition('.')[2])}: {message}."


async def _order(visit: Visit, lines: Lines) -> dict[str, Any]:
    """The order as the form says it, in the currency of what is ordered first. Raises _Unfit."""
    posted = visit.posted
    item = lines[0][0]
    first, _ = await part(visit.get("order", f"/v1/listings/{item.listing_id}"))
    if first is None:
        raise _Unfit(
            {
                item.listing_id: tr(
                    "%(item)s is not on sale any more. Take it out, or look at what there is now.", item=item.name
                )
            }
        )
    if not posted.one("name"):
        raise _Unfit({"name": tr("Say for whom the order is.")})
    address = {name: posted.one(name) for name in ADDRESS if posted.one(name)}
    if "country" in address:
        address["country"] = address["country"].upper()
    customer: dict[str, Any] = {"name": posted.one("name")}
    if posted.one("email"):
        customer["email"] = posted.one("email")
    if address:
        customer["shipping_address"] = {"name": posted.one("name"), **address}
    body: dict[str, Any] = {
        "currency": read(Offer, "order", first).price.currency,
        "customer": customer,
        "lines": [{"listing_id": item.listing_id, "quantity": amount} for item, amount in lines],
    }
    if posted.one("note"):
        body["note"] = posted.one("note")
    return body


def _lines(picked: Sequence[Chosen]) -> Lines:
    """What is to be ordered, with its quantity. Raises _Unfit for what is none, and where nothing is asked for."""
    lines, problems = [], {}
    for item in picked:
        try:
            amount = entered.quantity(item.typed)
        except Wrong:
            problems[item.listing_id] = tr(
                "%(item)s: “%(typed)s” is no quantity: enter numbers such as 2 or 2.5.",
                item=item.name,
                typed=item.typed,
            )
            continue
        if amount.strip("0."):
            lines.append((item, amount))
    if problems:
        raise _Unfit(problems)
    if not lines:
        raise _Unfit({"": tr("Enter how much of something is to be ordered.")})
    return lines


PAGES: Final[Sequence[Page]] = (
    Page("/orders/new", show),
    form("/orders/new", place, home="/orders/new"),
)
