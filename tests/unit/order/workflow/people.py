"""Everybody who might act on an order, and orders to act on, for the workflow's tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from contracts.inbound import SubmittedCustomer, SubmittedLine, SubmittedOrder
from contracts.money import Money
from contracts.order import Document, Party
from services.order import workflow as wf

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
BUYER_ORG, SELLER_ORG, SELLER2_ORG, OPERATOR_ORG, OTHER_ORG = (UUID(int=n) for n in range(1, 6))
MARKETPLACE = UUID(int=9)
LISTING, LISTING2 = UUID(int=101), UUID(int=102)
UNITS = {UUID(int=1000 + n): f"QR-{n}" for n in range(12)}


def person(n: int, organisation: UUID, *roles: str) -> wf.Actor:
    return wf.Actor("person", f"{'-'.join(roles)} {n}", UUID(int=n), organisation, frozenset(roles))


# Every kind of actor that a journey file may name.
ACTORS: Mapping[str, wf.Actor] = {
    "placer": person(11, BUYER_ORG, "buyer"),
    "buyer": person(12, BUYER_ORG, "buyer"),
    "buyer_member": person(13, BUYER_ORG, "member"),
    "buyer_admin": person(14, BUYER_ORG, "admin"),
    "approver": person(15, BUYER_ORG, "approver"),
    "seller": person(21, SELLER_ORG, "seller"),
    "seller_member": person(22, SELLER_ORG, "member"),
    "seller_admin": person(23, SELLER_ORG, "admin"),
    "other_seller": person(31, SELLER2_ORG, "seller"),
    "stranger": person(41, OTHER_ORG, "buyer", "seller", "member", "admin", "approver"),
    "operator": person(51, OPERATOR_ORG, "operator"),
    "channel": wf.Actor("channel", "Channel"),
    "clock": wf.CLOCK,
    "service": wf.Actor("service", "payments"),
}


def fresh_ids(start: int = 100_000) -> Callable[[], UUID]:
    counter = itertools.count(start)
    return lambda: UUID(int=next(counter))


def eur(amount: str) -> Money:
    return Money(amount=amount, currency="EUR")


def submitted(
    *lines: SubmittedLine,
    paid: bool = True,
    shipping: str = "5.00",
    delivery_method: str | None = None,
    channel: str = "direct",
) -> SubmittedOrder:
    return SubmittedOrder(
        currency="EUR",
        channel=channel,
        customer=SubmittedCustomer(name="Ada Byron", email="ada@example.org"),
        lines=lines
        or (
            SubmittedLine(listing_id=LISTING, quantity=Decimal(3), unit_price=eur("10.00")),
            SubmittedLine(listing_id=LISTING2, quantity=Decimal("2.5"), unit_price=eur("4.02")),
        ),
        shipping=eur(shipping),
        paid=paid,
        delivery_method=delivery_method,
    )


def line_facts(n: int, *, tracked: bool = False, mode: str | None = None, seller: UUID = SELLER_ORG) -> wf.LineFacts:
    listing = (LISTING, LISTING2)[n % 2]
    return wf.LineFacts(
        seller_id=seller,
        sku=f"SKU-{n}",
        name=f"Thing {n}",
        listing_id=listing,
        tracked=tracked,
        delivery_mode=mode,  # type: ignore[arg-type]
        kg_per_unit=Decimal("1.5"),
        material="wood",
    )


def placement(
    order: SubmittedOrder | None = None,
    facts: tuple[wf.LineFacts, ...] | None = None,
    *,
    limit: Money | None = None,
    tracked: bool = False,
    mode: str | None = None,
) -> wf.Placement:
    order = order or submitted()
    return wf.Placement(
        submitted=order,
        lines=facts or tuple(line_facts(n, tracked=tracked and n == 0, mode=mode) for n in range(len(order.lines))),
        marketplace_id=MARKETPLACE,
        buyer=Party(organisation_id=BUYER_ORG, name="Outlet", person_id=UUID(int=11), person_name="Ada"),
        sellers={
            SELLER_ORG: Party(organisation_id=SELLER_ORG, name="Seller"),
            SELLER2_ORG: Party(organisation_id=SELLER2_ORG, name="Seller 2"),
        },
        commission_rates={SELLER_ORG: Decimal("0.12"), SELLER2_ORG: Decimal("0.05")},
        purchasing_limit=limit,
        time_zone="Europe/Oslo",
        destination="Oslo, floor 3",
    )


def image(n: int, media_type: str = "image/png") -> Document:
    return Document(
        document_id=UUID(int=5000 + n),
        kind="image",
        file_name=f"{n}.png",
        media_type=media_type,
        bytes=10,
        sha256="0" * 64,
        added_at=NOW,
        side="buyer",
    )


IMAGES = {image(n).document_id: image(n) for n in range(6)}
PDF = image(9, "application/pdf")
DOCUMENTS = {**IMAGES, PDF.document_id: PDF}


def facts(
    *,
    settings: Mapping[str, str] | None = None,
    channel: wf.Channel | None = None,
    available: Mapping[UUID, Decimal] | None = None,
) -> wf.Facts:
    return wf.Facts(
        settings=settings or {},
        channel=channel or wf.Channel(),
        available=available or {},
        free_units={LISTING: UNITS},
        documents=DOCUMENTS,
    )


def place_one(
    lifecycle: wf.Lifecycle,
    what: wf.Placement | None = None,
    world: wf.Facts | None = None,
    actor: wf.Actor = ACTORS["placer"],
    now: datetime = NOW,
) -> wf.Decision:
    placed = wf.place(
        what or placement(), lifecycle, actor, now=now, ids=fresh_ids(), numbers=["ORD-1"], facts=world or facts()
    )
    return placed.decisions[0]
