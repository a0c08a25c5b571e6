"""What people call things that the services know by ids: organisations and orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

from services.console.reading import read
from services.console.schemas import Card, Cards, OrganisationRow, Organisations
from services.console.visit import Visit, part

PAGE_SIZE: Final = 200
# Pages: a list of more than a thousand to choose from helps nobody.
MOST_PAGES: Final = 5
SELLING: Final = ("seller", "both")


async def organisations(visit: Visit) -> Sequence[OrganisationRow]:
    """Those that the person may know of, by name: an operator all of the marketplace. None where they cannot be had."""
    found: list[OrganisationRow] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        params = [("limit", PAGE_SIZE), ("cursor", cursor)]
        answer, _why = await part(visit.get("identity", "/v1/organisations", params))
        if answer is None:
            break
        page = read(Organisations, "identity", answer)
        found += page.items
        if (cursor := page.next_cursor) is None:
            break
    return found


async def sellers(visit: Visit) -> Mapping[str, str]:
    """Names by id of the sellers that there are to choose from, by name.

    An operator knows all of the marketplace; others those of their newest orders, which is where they meet them.
    """
    if visit.person.is_operator:
        found = {str(o.organisation_id): o.name for o in await organisations(visit) if o.kind in SELLING}
    else:
        cards = await _cards(visit, [("limit", str(PAGE_SIZE))])
        found = {str(c.seller.organisation_id): c.seller.name for c in cards if c.seller.organisation_id}
    return dict(sorted(found.items(), key=lambda pair: pair[1].casefold()))


async def few_sellers(visit: Visit) -> Mapping[str, str]:
    """Names by id, for an operator of a marketplace whose organisations fit one page; else none: one types then."""
    if not visit.person.is_operator:
        return {}
    answer, _ = await part(visit.get("identity", "/v1/organisations", [("limit", PAGE_SIZE)]))
    if answer is None:
        return {}
    page = read(Organisations, "identity", answer)
    return {str(o.organisation_id): o.name for o in page.items if o.kind in SELLING} if not page.next_cursor else {}


async def order_numbers(visit: Visit, ids: Iterable[UUID]) -> Mapping[UUID, str]:
    """The numbers of these orders (200 at most), as far as the person may see them."""
    wanted = list(dict.fromkeys(ids))[:PAGE_SIZE]
    if not wanted:
        return {}
    params = [("ids", ",".join(str(i) for i in wanted)), ("limit", str(PAGE_SIZE))]
    return {c.order_id: c.number for c in await _cards(visit, params)}


async def orders_called(visit: Visit, text: str) -> Sequence[Card]:
    """The orders whose id, number or number elsewhere is exactly this, whatever its case.

    Raises ServiceDown: without the orders, nobody can tell whether there is one.
    """
    try:
        params = [("ids", str(UUID(text)))]
    except ValueError:
        params = [("q", text)]
    answer = await visit.get("order", "/v1/orders", [*params, ("limit", str(PAGE_SIZE))])
    wanted = text.casefold()
    found = read(Cards, "order", answer).items
    exact = [c for c in found if wanted in {str(n).casefold() for n in (c.number, c.external_number, c.external_id)}]
    return [c for c in found if c.number.casefold() == wanted] or exact or ([*found] if params[0][0] == "ids" else [])


async def _cards(visit: Visit, params: Sequence[tuple[str, str]]) -> Sequence[Card]:
    answer, _ = await part(visit.get("order", "/v1/orders", params))
    return read(Cards, "order", answer).items if answer is not None else ()
