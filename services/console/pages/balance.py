"""A seller's balance: what its orders earned, how much of it is free, and what holds the rest."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from services.console.errors import Refused
from services.console.language import tr
from services.console.names import few_sellers
from services.console.page import Page
from services.console.reading import read
from services.console.schemas import Balance
from services.console.visit import Visit


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
    return await visit.page(
        "balance.html",
        422 if problem else 200,
        balance=found,
        seller=named,
        sellers=await few_sellers(visit),
        problem=problem,
    )


PAGES: Final = (Page("/balance", show),)
