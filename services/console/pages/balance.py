"""A seller's balance: what its orders earned, how much of it is free, and what holds the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from services.console.errors import Refused
from services.console.language import N_, Texts, tr
from services.console.names import few_sellers
from services.console.page import Page
from services.console.reading import read
from services.console.schemas import Balance, HeldCards
from services.console.visit import Visit

_LIMIT: Final = ("limit", "25")
# Why money is held, by the order service's codes.
HELD_FOR: Final[Mapping[str, str]] = Texts(
    {
        "issue": N_("Open issue"),
        "refunding": N_("Refund on its way"),
        "canceled": N_("Ended without a sale"),
        "excess": N_("Paid too much"),
    }
)


async def show(visit: Visit) -> Response:
    """One's own organisation's; the operator names the seller. Whose balance it may be, the order service decides."""
    seller = visit.asked("seller", 100)
    found, problem = None, ""
    if seller or not visit.person.is_operator:
        try:
            answer = await visit.get("order", "/v1/balance", [("seller", seller)] if seller else [])
            found = read(Balance, "order", answer)
        except Refused as e:
            # a name that is no seller's: the form stays, so that it can be set right
            if e.status not in (404, 422) or not visit.person.is_operator:
                raise
            problem = tr(
                "No seller here is called %(seller)s. Use its short name, its id or your own id for it.", seller=seller
            )
    # a link may name the seller otherwise than by its id
    named = str(found.seller.organisation_id) if found is not None else seller
    held, cursor = HeldCards(), visit.asked("cursor", 2_000)
    if found is not None and any(row.held.minor for row in found.items):
        params = [("seller", named if visit.person.is_operator else None), ("cursor", cursor or None), _LIMIT]
        held = read(HeldCards, "order", await visit.get("order", "/v1/balance/held", params))
    pages = {"seller": named} if visit.person.is_operator else {}
    return await visit.page(
        "balance.html",
        422 if problem else 200,
        balance=found,
        seller=named,
        sellers=await few_sellers(visit),
        problem=problem,
        held=held.items,
        reasons=HELD_FOR,
        paged=bool(cursor),
        first=f"/balance?{urlencode(pages)}" if pages else "/balance",
        following=f"?{urlencode({**pages, 'cursor': held.next_cursor})}" if held.next_cursor else "",
    )


PAGES: Final = (Page("/balance", show),)
