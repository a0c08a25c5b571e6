"""Listings, their stock and their units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from shared.ids import new_id
from shared.postgres import Queries, Transaction
from shared.postgres.database import Row

q: Final = Queries.load("services.order", "listings.sql")


async def stock_of(tx: Transaction, listing_ids: Sequence[UUID], *, lock: bool = False) -> dict[UUID, Decimal | None]:
    """Free stock beside what its seller sees reserved; None where it is not counted. Locked, it stays so until the
    transaction ends.
    """
    if not listing_ids:
        return {}
    rows = await tx.fetch(q.lock_stock if lock else q.stock_of, list(listing_ids))
    return {r["id"]: r["free"] for r in rows}


async def free_units(
    tx: Transaction, unit_ids: Sequence[UUID], listing_ids: Sequence[UUID], codes: Sequence[str]
) -> dict[UUID, dict[UUID, str]]:
    """Those of the units that are free, and the listings' free ones of these codes: per listing, code by id."""
    found: dict[UUID, dict[UUID, str]] = {}
    for r in await tx.fetch(q.free_units, list(unit_ids), list(listing_ids), list(codes)):
        found.setdefault(r["listing_id"], {})[r["id"]] = r["code"]
    return found


async def lock(tx: Transaction, marketplace_id: UUID, listing_id: UUID) -> Row | None:
    return await tx.fetchrow(q.lock_listing, marketplace_id, listing_id)


async def read(tx: Transaction, listing_id: UUID) -> Row | None:
    return await tx.fetchrow(q.read_listing, listing_id)


async def insert(tx: Transaction, listing: Mapping[str, Any]) -> Row:
    """A new listing. Raises asyncpg.UniqueViolationError for a SKU that the seller lists already."""
    row = await tx.fetchrow(
        q.insert_listing,
        *(
            listing[name]
            for name in (
                "marketplace_id", "id", "seller_org", "sku", "name", "price_minor", "currency", "unit_code", "on_hand",
                "tracked", "delivery_mode", "location", "kg_per_unit", "material", "active", "changed_at",
            )
        ),
    )  # fmt: skip
    assert row is not None
    return row


async def update(tx: Transaction, listing: Mapping[str, Any]) -> Row:
    row = await tx.fetchrow(
        q.update_listing,
        *(
            listing[name]
            for name in (
                "id", "sku", "name", "price_minor", "currency", "unit_code", "on_hand", "delivery_mode", "location",
                "kg_per_unit", "material", "active", "changed_at",
            )
        ),
    )  # fmt: skip
    assert row is not None
    return row


async def page(
    tx: Transaction,
    marketplace_id: UUID,
    *,
    seller: UUID | None,
    sku: str | None,
    words: Sequence[str] = (),
    inactive: bool,
    after: tuple[str, UUID] | None,
    limit: int,
) -> Sequence[Row]:
    """Listings by SKU: of one SKU, or with all of the words in SKU or name."""
    sku_after, id_after = after or ("", UUID(int=0))
    if words:
        return await tx.fetch(q.find_listings, marketplace_id, words, seller, inactive, sku_after, id_after, limit)
    return await tx.fetch(q.list_listings, marketplace_id, seller, sku, inactive, sku_after, id_after, limit)


async def units(tx: Transaction, listing_id: UUID) -> Sequence[Row]:
    return await tx.fetch(q.units_of_listing, listing_id)


async def add_units(tx: Transaction, listing: Row, codes: Sequence[str]) -> int:
    """Add things by code; those that the listing has already stay. How many were added is returned."""
    rows = await tx.fetch(
        q.add_units,
        listing["marketplace_id"],
        listing["id"],
        listing["seller_org"],
        listing["location"],
        [new_id() for _ in codes],
        list(codes),
    )
    return len(rows)
