"""Listings and their units."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from services.order import policy
from services.order.actions import offering
from services.order.schemas import ListingRequest, UnitsRequest
from shared.web import Caller, Cursor, Idempotent, IfMatch, Paging, Router, Run

router = Router(tags=["listings"])
LISTINGS = Cursor("listings.sku", str, UUID)
# Of a search; further ones would narrow it no more.
MOST_WORDS = 10


@router.post("/v1/listings", status_code=201)
async def create(body: ListingRequest, caller: Caller, once: Idempotent, run: Run) -> Response:
    """Offer something."""
    policy.need_scope(caller, "listings:write")
    return (await offering.create(run, caller, body, once)).response()


@router.get("/v1/listings")
async def listings(
    caller: Caller,
    run: Run,
    page: Paging,
    seller: Annotated[str | None, Query(max_length=100)] = None,
    sku: Annotated[str | None, Query(max_length=100, description="The whole article number.")] = None,
    q: Annotated[
        str | None, Query(max_length=200, description="Words, each a part of the article number or the name.")
    ] = None,
    inactive: bool = False,
) -> dict[str, Any]:
    """What is on sale, by SKU; with `inactive` also what is not, for whoever keeps it."""
    policy.need_scope(caller, *policy.CATALOGUE)
    after = LISTINGS.decode(page.cursor)
    words = list(dict.fromkeys((q or "").split()))[:MOST_WORDS]
    rows = await offering.page(run, caller, page, after, seller=seller, sku=sku, words=words, inactive=inactive)
    shown, next_cursor = page.of(rows, lambda r: LISTINGS.encode(r["sku"], r["listing_id"]))
    return {"items": shown, "next_cursor": next_cursor}


@router.get("/v1/listings/{listing_id}")
async def listing(listing_id: UUID, caller: Caller, run: Run) -> Response:
    """One listing, with its ETag."""
    policy.need_scope(caller, *policy.CATALOGUE)
    return (await offering.get(run, caller, listing_id)).response()


@router.put("/v1/listings/{listing_id}")
async def change(listing_id: UUID, body: ListingRequest, caller: Caller, if_match: IfMatch, run: Run) -> Response:
    """Change a listing as a whole."""
    policy.need_scope(caller, "listings:write")
    return (await offering.change(run, caller, listing_id, body, if_match)).response()


@router.get("/v1/listings/{listing_id}/units")
async def units(listing_id: UUID, caller: Caller, run: Run) -> dict[str, Any]:
    """The listing's things with codes of their own."""
    policy.need_scope(caller, *policy.CATALOGUE)
    return {"items": await offering.units(run, caller, listing_id)}


@router.post("/v1/listings/{listing_id}/units", status_code=201)
async def add_units(listing_id: UUID, body: UnitsRequest, caller: Caller, once: Idempotent, run: Run) -> Response:
    """Add things by their codes."""
    policy.need_scope(caller, "listings:write")
    return (await offering.add_units(run, caller, listing_id, body, once)).response()
