"""Ordering: what is on sale in the marketplace, and a form that orders from it.

Prices, stock, limits and who sells are the order service's to know; what several sellers sell becomes one order each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from starlette.responses import Response

from services.console import entered
from services.console.entered import Wrong
from services.console.errors import Refused
from services.console.forms import quantity
from services.console.names import sellers
from services.console.page import Page, form
from services.console.posted import Posted
from services.console.reading import read
from services.console.rendering import words
from services.console.schemas import Offer, Offers
from services.console.visit import Visit, part

PAGE_SIZE: Final = 50
# Lines of an order, as the order service has it; one more is sent on, so that it says so.
MOST_LINES: Final = 500
# Fields of the form that go into the address, by their names in the order.
ADDRESS: Final[Mapping[str, str]] = {
    "line1": "Street and number",
    "postal_code": "Postal code",
    "city": "City",
    "country": "Country, two letters",
}


async def show(visit: Visit) -> Response:
    return await _page(visit)


async def _page(visit: Visit, status: int = 200, problems: Sequence[str] = ()) -> Response:
    cursor = visit.asked("cursor", 2_000) or visit.posted.one("cursor")[:2_000]
    found = read(Offers, "order", await visit.get("order", "/v1/listings", _page_of(visit, cursor)))
    return await visit.page(
        "place.html",
        status,
        offers=found.items,
        sellers=await sellers(visit),
        problems=problems,
        typed=visit.posted,
        sku=visit.asked("sku", 100) or visit.posted.one("sku")[:100],
        cursor=cursor,
        following=_following(visit, found.next_cursor),
        address=ADDRESS,
        quantity=quantity,
    )


def _page_of(visit: Visit, cursor: str) -> list[tuple[str, Any]]:
    sku = visit.asked("sku", 100) or visit.posted.one("sku")[:100]
    return [("limit", str(PAGE_SIZE)), ("cursor", cursor or None), ("sku", sku or None)]


def _following(visit: Visit, cursor: str | None) -> str:
    return "?" + urlencode({"cursor": cursor, "sku": visit.asked("sku", 100)}) if cursor else ""


async def place(visit: Visit) -> Response:
    try:
        body = await _order(visit)
    except Wrong as e:
        return await _page(visit, 422, [str(e)])
    try:
        answer = await visit.send("POST", "order", "/v1/orders", body, key=visit.form_key)
    except Refused as e:
        if e.status not in (403, 409, 422):
            raise
        return await _page(visit, e.status, [_said(*wrong) for wrong in e.fields.items()] or [e.detail])
    made = answer.body["orders"]
    told = ", ".join(f"{o['number']} ({o['status_label']})" for o in made)
    visit.say(f"Ordered: {told}.")
    if len(made) == 1:
        return visit.go(f"/orders/{made[0]['order_id']}")
    return visit.go("/orders?" + urlencode({"ids": ",".join(o["order_id"] for o in made)}))


def _said(path: str, message: str) -> str:
    """A refusal of a field, in words: which item it is about, or which field."""
    parts = path.split(".")
    if parts[0] == "lines" and len(parts) > 1 and parts[1].isdigit():
        return f"Item {int(parts[1]) + 1} of those asked for: {message}."
    return f"{words(parts[-1])}: {message}."


async def _order(visit: Visit) -> dict[str, Any]:
    """The order as the form says it, in the currency of what is ordered first. Raises Wrong."""
    posted = visit.posted
    lines = _lines(posted)
    first, _ = await part(visit.get("order", f"/v1/listings/{lines[0]['listing_id']}"))
    if first is None:
        raise Wrong("Something of it is not on sale any more. Look at what there is now.")
    currency = read(Offer, "order", first).price.currency
    if not posted.one("name"):
        raise Wrong("Say for whom the order is.")
    address = {name: posted.one(name) for name in ADDRESS if posted.one(name)}
    if "country" in address:
        address["country"] = address["country"].upper()
    customer: dict[str, Any] = {"name": posted.one("name")}
    if posted.one("email"):
        customer["email"] = posted.one("email")
    if address:
        customer["shipping_address"] = {"name": posted.one("name"), **address}
    body: dict[str, Any] = {"currency": currency, "customer": customer, "lines": lines}
    if posted.one("note"):
        body["note"] = posted.one("note")
    return body


def _lines(posted: Posted) -> list[dict[str, str]]:
    """Raises Wrong for what is no quantity, and where nothing is asked for."""
    lines = []
    for name, values in posted.values.items():
        listing_id = name.removeprefix("q.")
        if listing_id == name or not values[0]:
            continue
        try:
            amount = entered.quantity(values[0])
            known = str(UUID(listing_id))
        except (Wrong, ValueError):
            raise Wrong(f"“{values[0][:40]}” is no quantity: enter numbers such as 2 or 2.5.") from None
        if amount.strip("0."):
            lines.append({"listing_id": known, "quantity": amount})
    if not lines:
        raise Wrong("Enter how much of something is to be ordered.")
    return lines[: MOST_LINES + 1]


PAGES: Final[Sequence[Page]] = (
    Page("/orders/new", show),
    form("/orders/new", place, home="/orders/new"),
)
