"""Listings: what sellers offer, how much of it is there, and the single things that have a code of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from contracts.money import from_minor
from services.order import policy
from services.order.errors import absent, wrong_fields
from services.order.schemas import ListingRequest, UnitsRequest
from services.order.store import channels, listings
from shared.errors import Conflict, Forbidden
from shared.ids import new_id
from shared.postgres import Transaction
from shared.postgres.database import Row
from shared.process import Runtime
from shared.web import Answer, Once, Page, Precondition, Principal, etag


async def create(run: Runtime, caller: Principal, body: ListingRequest, once: Once) -> Answer:
    """POST /v1/listings. Raises Conflict for a SKU that the seller lists already."""
    try:
        async with run.db.tenant(caller.marketplace_id) as tx:
            if (kept := await once.recall(tx)) is not None:
                return kept
            seller = await _seller(tx, caller, body.seller)
            if not policy.may_sell_for(caller, seller):
                raise Forbidden("not_your_listing", "Listings are kept by their seller or an operator.")
            codes = _distinct(body.units, "units")
            if codes and not body.tracked:
                raise wrong_fields(("units", "are for listings with tracked = true"), code="bad_listing")
            if body.on_hand_read is not None:
                raise wrong_fields(
                    ("on_hand_read", "is for changes; a new listing has no stock yet"), code="bad_listing"
                )
            values = _columns(body)
            if body.tracked:
                values["on_hand"] = Decimal(len(codes))
            row = await listings.insert(
                tx,
                {
                    **values,
                    "marketplace_id": caller.marketplace_id,
                    "id": new_id(),
                    "seller_org": seller,
                    "tracked": body.tracked,
                    "changed_at": run.clock(),
                },
            )
            await listings.add_units(tx, row, codes)
            return await once.keep(tx, _answer(201, row, caller))
    except asyncpg.UniqueViolationError as e:
        if e.constraint_name == "listing_marketplace_id_seller_org_sku_key":
            raise Conflict(
                "sku_taken", f"This seller lists the SKU {body.sku!r} already. Change that listing."
            ) from None
        raise


async def change(
    run: Runtime, caller: Principal, listing_id: UUID, body: ListingRequest, if_match: Precondition
) -> Answer:
    """PUT /v1/listings/{id}: the listing is then so. Stock that is reserved stays reserved.

    Raises Conflict for a stock that was decided on another one than there is by now.
    """
    try:
        async with run.db.tenant(caller.marketplace_id) as tx:
            row = await _locked(tx, caller, listing_id)
            if_match.check(row["version"], _shown(row, caller))
            if body.tracked != row["tracked"]:
                raise Conflict("tracked_is_fixed", "Whether things have codes of their own cannot be changed later.")
            if body.units:
                raise wrong_fields(("units", "are added at /v1/listings/{id}/units"), code="bad_listing")
            values = _columns(body)
            values["on_hand"] = _stock(body, row)
            changed = await listings.update(tx, {**values, "id": listing_id, "changed_at": run.clock()})
            return _answer(200, changed, caller)
    except asyncpg.UniqueViolationError:
        raise Conflict("sku_taken", f"This seller lists the SKU {body.sku!r} already.") from None


async def get(run: Runtime, caller: Principal, listing_id: UUID) -> Answer:
    async with run.db.tenant(caller.marketplace_id) as tx:
        row = await listings.read(tx, listing_id)
    if row is None or not (row["active"] or policy.may_sell_for(caller, row["seller_org"])):
        raise absent()
    return _answer(200, row, caller)


async def page(
    run: Runtime,
    caller: Principal,
    page: Page,
    after: tuple[Any, ...] | None,
    *,
    seller: str | None,
    sku: str | None,
    words: Sequence[str],
    inactive: bool,
) -> Sequence[dict[str, Any]]:
    """GET /v1/listings: everybody's listings on sale; those that are not only for whoever keeps them."""
    if sku is not None and words:
        raise wrong_fields(("q", "goes without sku: the one is a part, the other the whole number"), code="bad_search")
    async with run.db.tenant(caller.marketplace_id) as tx:
        wanted = None
        if seller is not None:
            found = await channels.organisations(tx, caller.marketplace_id, [seller])
            if not found:
                return []
            wanted = found[0]["id"]
        if inactive and not caller.is_operator:
            wanted = caller.organisation_id
        rows = await listings.page(
            tx, caller.marketplace_id, seller=wanted, sku=sku, words=words, inactive=inactive, after=after,
            limit=page.fetch,
        )  # fmt: skip
    return [_shown(r, caller) for r in rows]


async def units(run: Runtime, caller: Principal, listing_id: UUID) -> Sequence[dict[str, Any]]:
    """GET /v1/listings/{id}/units: every thing of the listing, where it is and what it is promised to."""
    async with run.db.tenant(caller.marketplace_id) as tx:
        row = await listings.read(tx, listing_id)
        if row is None or not policy.may_sell_for(caller, row["seller_org"]):
            raise absent()
        # under `unit_id` too, as it is called on an order's lines and where it is picked
        return [{**dict(r), "unit_id": r["id"]} for r in await listings.units(tx, listing_id)]


async def add_units(run: Runtime, caller: Principal, listing_id: UUID, body: UnitsRequest, once: Once) -> Answer:
    """POST /v1/listings/{id}/units: further things by their codes; each counts as stock."""
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        row = await _locked(tx, caller, listing_id)
        if not row["tracked"]:
            raise Conflict("not_tracked", "The listing's things have no codes of their own; set its available stock.")
        added = await listings.add_units(tx, row, _distinct(body.codes, "codes"))
        values = {**dict(row), "on_hand": (row["on_hand"] or Decimal(0)) + added, "changed_at": run.clock()}
        changed = await listings.update(tx, values)
        return await once.keep(tx, _answer(201, changed, caller))


async def _seller(tx: Transaction, caller: Principal, named: str | None) -> UUID:
    if named is None:
        if caller.is_operator:
            raise wrong_fields(("seller", "is needed: you sell nothing yourself"), code="bad_listing")
        return caller.organisation_id
    found = await channels.organisations(tx, caller.marketplace_id, [named])
    sellers = [r["id"] for r in found if r["kind"] in ("seller", "both")]
    if len(sellers) != 1:
        raise wrong_fields(("seller", f"there is no selling organisation {named!r} here"), code="bad_listing")
    seller: UUID = sellers[0]
    return seller


async def _locked(tx: Transaction, caller: Principal, listing_id: UUID) -> Row:
    row = await listings.lock(tx, caller.marketplace_id, listing_id)
    if row is None or not policy.may_sell_for(caller, row["seller_org"]):
        raise absent()
    return row


def _distinct(codes: Sequence[str], field: str) -> list[str]:
    """The codes as scanners read them, each once. Raises Unprocessable for one that nobody could read."""
    plain = [code.strip() for code in codes]
    if any(not code or not code.isprintable() for code in plain):
        raise wrong_fields((field, "has an empty code, or one with characters that nobody sees"), code="bad_listing")
    return list(dict.fromkeys(plain))


def _columns(body: ListingRequest) -> dict[str, Any]:
    return {
        "sku": body.sku,
        "name": body.name,
        "price_minor": _price(body),
        "currency": body.price.currency,
        "unit_code": body.unit_code,
        "on_hand": body.stock,
        "delivery_mode": body.delivery_mode,
        "location": body.location,
        "kg_per_unit": body.kg_per_unit,
        "material": body.material,
        "active": body.active,
    }


def _stock(body: ListingRequest, row: Row) -> Decimal | None:
    """The stock after a change; single things are counted by their codes."""
    now: Decimal | None = row["on_hand"]
    read = body.on_hand_read
    if row["tracked"] or (read is not None and body.stock == read):
        return now
    if read is not None and now != read:
        there = "not counted" if now is None else _plain(now)
        raise Conflict(
            "stock_moved",
            f"Orders have moved the stock since: it was {_plain(read)} and is {there} now. "
            "Read the listing again, then say how much there is.",
        )
    return body.stock


def _price(body: ListingRequest) -> int:
    if body.price.minor < 0:
        raise wrong_fields(("price.amount", "must not be below zero"), code="bad_listing")
    return body.price.minor


def _answer(status: int, row: Row, caller: Principal) -> Answer:
    return Answer(status, orjson.dumps(_shown(row, caller), default=str), {"etag": etag(row["version"])})


def _shown(row: Mapping[str, Any] | Row, caller: Principal) -> dict[str, Any]:
    """A listing; what is reserved and on hand only for whoever keeps it.

    Supplier page: the supplier does not see an order that waits for approval. What such an order holds is free stock to
    everybody of the seller's organisation, and nobody else may order it.
    """
    on_hand, reserved = row["on_hand"], row["reserved"]
    if caller.organisation_id == row["seller_org"] and not caller.is_operator:
        reserved -= row["hidden"]
    shown = {
        "listing_id": str(row["id"]),
        "version": row["version"],
        "seller_organisation_id": str(row["seller_org"]),
        "seller_name": row["seller_name"],
        "sku": row["sku"],
        "name": row["name"],
        "price": {"amount": from_minor(row["price_minor"], row["currency"]), "currency": row["currency"]},
        "unit_code": row["unit_code"],
        "available": None if on_hand is None else _plain(max(on_hand - reserved, Decimal(0))),
        "tracked": row["tracked"],
        "delivery_mode": row["delivery_mode"],
        "location": row["location"],
        "kg_per_unit": None if row["kg_per_unit"] is None else _plain(row["kg_per_unit"]),
        "material": row["material"],
        "active": row["active"],
        "changed_at": row["changed_at"],
    }
    if policy.may_sell_for(caller, row["seller_org"]):
        shown |= {"on_hand": None if on_hand is None else _plain(on_hand), "reserved": _plain(reserved)}
    return shown


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}" if value else "0"
