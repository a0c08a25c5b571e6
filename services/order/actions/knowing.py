"""What the order service has to know of others: who is who, what is offered, what was said about an order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from contracts.envelope import Received
from contracts.identity import MemberChanged
from contracts.inbound import ListingChanged
from contracts.messaging import MessagePosted
from services.order.store import channels, listings, members, messages
from services.order.store.members import MarketplaceRow, MemberRow, OrganisationRow
from shared.inbox import RetryLater
from shared.postgres import Transaction
from shared.process import Runtime

R = TypeVar("R")


async def members_changed(tx: Transaction, events: Sequence[Received[MemberChanged]]) -> None:
    """Keep the newest statement about each person, organisation and marketplace, set by set."""
    ordered = sorted(events, key=lambda e: e.time)
    await members.put_marketplaces(
        tx, _newest((e.event.marketplace_id, MarketplaceRow(e.event.marketplace, e.time)) for e in ordered)
    )
    await members.put_organisations(
        tx,
        _newest(
            (
                e.event.organisation.organisation_id,
                OrganisationRow(e.event.marketplace_id, e.event.organisation, e.time),
            )
            for e in ordered
        ),
    )
    by_version = sorted(events, key=lambda e: e.event.version)
    await members.put_members(tx, _newest((e.event.member.person_id, MemberRow.of(e.event)) for e in by_version))


def _newest(pairs: Iterable[tuple[UUID, R]]) -> list[R]:
    """The last of each key: one statement must not touch a row twice."""
    return list(dict(pairs).values())


async def listings_changed(run: Runtime, tx: Transaction, events: Sequence[Received[ListingChanged]]) -> None:
    """A listing is now so. An older statement than the one that is kept changes nothing.

    Nobody tells of a change before it happened: a statement that says so counts as of when it was sent, or came, so
    that a clock that runs ahead shuts out nothing that is told later.
    """
    for received in events:
        now = run.clock()
        if received.event.changed_at.tzinfo is None:
            raise ValueError(f"listing {received.event.listing_id}: changed_at has no offset, such as Z or +01:00")
        at = min(received.event.changed_at, received.time, now)
        await _listing_changed(tx, received.event.model_copy(update={"changed_at": at}), now)


async def _listing_changed(tx: Transaction, event: ListingChanged, now: datetime) -> None:
    known = await listings.lock(tx, event.marketplace_id, event.listing_id)
    if known is not None and event.changed_at < known["changed_at"] <= now:
        return
    found = await channels.organisations(tx, event.marketplace_id, [event.seller])
    sellers = [r["id"] for r in found if r["kind"] in ("seller", "both")]
    if len(sellers) != 1:
        if known is not None:
            # what it was listed by is known here: later statements must not wait a day behind a mistaken one
            raise ValueError(f"listing {event.listing_id} is not one of {event.seller!r}, who is no seller here")
        raise RetryLater(f"the seller {event.seller!r} is not known here (yet)")
    if event.price is not None and event.price.minor < 0:
        raise ValueError(f"listing {event.listing_id}: the price {event.price.amount} is below zero")
    told: dict[str, Any] = {
        "name": event.name,
        "price_minor": event.price.minor if event.price else None,
        "currency": event.price.currency if event.price else None,
        "on_hand": event.available,
        "unit_code": event.unit_code,
        "delivery_mode": event.delivery_mode,
        "location": event.location,
        "kg_per_unit": event.kg_per_unit,
        "material": event.material,
        "active": event.active,
    }
    told = {k: v for k, v in told.items() if v is not None}
    if known is not None:
        if known["seller_org"] != sellers[0]:
            raise ValueError(f"listing {event.listing_id} belongs to another seller than {event.seller!r}")
        if known["tracked"]:
            told.pop("on_hand", None)  # counted by its units
        async with _own_sku(tx, event):
            await listings.update(tx, {**dict(known), **told, "sku": event.sku, "changed_at": event.changed_at})
        return
    if "price_minor" not in told:
        raise ValueError(f"listing {event.listing_id} is new and has no price")
    async with _own_sku(tx, event):
        await listings.insert(
            tx,
            {
                "name": event.sku,
                "unit_code": "C62",
                "on_hand": None,
                "delivery_mode": None,
                "location": None,
                "kg_per_unit": None,
                "material": None,
                "active": True,
                **told,
                "marketplace_id": event.marketplace_id,
                "id": event.listing_id,
                "seller_org": sellers[0],
                "sku": event.sku,
                "tracked": False,
                "changed_at": event.changed_at,
            },
        )


@asynccontextmanager
async def _own_sku(tx: Transaction, event: ListingChanged) -> AsyncIterator[None]:
    """Raises ValueError with what is wrong, where the seller or another marketplace has taken the name already."""
    try:
        async with tx.savepoint():
            yield
    except asyncpg.UniqueViolationError:
        raise ValueError(
            f"listing {event.listing_id}: {event.seller!r} lists the SKU {event.sku!r} under another id, or the id is "
            "taken"
        ) from None


async def messages_posted(tx: Transaction, events: Sequence[Received[MessagePosted]]) -> None:
    """Keep what was said, as far as the event tells it: it goes into the evidence of the order."""
    await messages.keep(tx, [e.event for e in events])
