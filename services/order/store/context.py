"""What placing knows of a marketplace: its settings, the channel, the lifecycle, organisations and listings."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from contracts.inbound import SubmittedOrder
from contracts.money import Money
from contracts.order import DeliveryMode, Party
from services.order.schemas import ChannelConfig
from services.order.store.orders import q
from services.order.store.rows import NUMBER_PREFIX
from shared.postgres import Transaction


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation as identity has told it. `commission_rate` 0.12 is 12 %; None where it has none of its own."""

    id: UUID
    slug: str
    name: str
    kind: str
    time_zone: str
    location: str | None
    commission_rate: Decimal | None

    @property
    def buys(self) -> bool:
        return self.kind in ("buyer", "both")

    @property
    def sells(self) -> bool:
        return self.kind in ("seller", "both")

    def party(self, person_id: UUID | None = None, person_name: str | None = None, email: str | None = None) -> Party:
        return Party(organisation_id=self.id, name=self.name, person_id=person_id, person_name=person_name, email=email)


@dataclass(frozen=True, slots=True)
class Offer:
    """A listing as placing needs it. `free` is the stock beside what its seller sees reserved; None where stock is not
    counted.
    """

    id: UUID
    seller_org: UUID
    sku: str
    name: str
    price: Money
    unit_code: str
    free: Decimal | None
    tracked: bool
    delivery_mode: DeliveryMode | None
    kg_per_unit: Decimal | None
    material: str | None
    active: bool


@dataclass(frozen=True, slots=True)
class Course:
    """The newest version of the lifecycle that applies; version 0 where none was stored yet."""

    name: str
    version: int
    digest: str
    builtin: bool


@dataclass(frozen=True, slots=True)
class Context:
    """`aliases` finds organisations by the names asked for, `known` all that were found by their ids; `operator` is
    the marketplace's own, if known. `already`: the external id has become orders before; then there is no number."""

    already: bool
    number: str
    currency: str
    settings: Mapping[str, str]
    channel: ChannelConfig
    channel_known: bool
    course: Course
    aliases: Mapping[str, Sequence[Organisation]]
    known: Mapping[UUID, Organisation]
    operator: Organisation | None
    offers: Sequence[Offer]


async def load(tx: Transaction, marketplace_id: UUID, order: SubmittedOrder, names: Sequence[str]) -> Context | None:
    """The context of a submitted order; None where the marketplace is not known here (yet)."""
    row = await tx.fetchrow(
        q.placing_context,
        marketplace_id,
        order.channel,
        order.lifecycle,
        list({*names, *_named(order)}),
        [line.listing_id for line in order.lines if line.listing_id is not None],
        list({line.sku for line in order.lines if line.sku is not None and line.listing_id is None}),
        order.external_id,
    )
    assert row is not None
    place = row["marketplace"]
    if place is None:
        return None
    channel = ChannelConfig.model_validate(row["channel"] or {})
    aliases: dict[str, list[Organisation]] = {}
    for p in row["parties"] or ():
        aliases.setdefault(p["alias"], []).append(_organisation(p))
    operators = aliases.pop(":operator", [])
    course = row["lifecycle"]
    name = order.lifecycle or channel.lifecycle or place["lifecycle"]
    return Context(
        already=row["already"],
        number=f"{NUMBER_PREFIX}{row['number']}",
        currency=place["currency"],
        settings=place["settings"],
        channel=channel,
        channel_known=row["channel"] is not None,
        course=Course(**course) if course else Course(name, 0, "", True),
        aliases=aliases,
        known={o.id: o for found in aliases.values() for o in found},
        operator=operators[0] if operators else None,
        offers=[_offer(r) for r in row["listings"] or ()],
    )


def _named(order: SubmittedOrder) -> set[str]:
    names = {line.seller for line in order.lines if line.seller is not None}
    return names | {order.buyer} if order.buyer is not None else names


def _organisation(p: Mapping[str, Any]) -> Organisation:
    rate = p["commission_rate"]
    return Organisation(
        id=UUID(p["id"]),
        slug=p["slug"],
        name=p["name"],
        kind=p["kind"],
        time_zone=p["time_zone"],
        location=p["location"],
        commission_rate=None if rate is None else Decimal(rate),
    )


def _offer(r: Mapping[str, Any]) -> Offer:
    on_hand, kg = r["on_hand"], r["kg_per_unit"]
    return Offer(
        id=UUID(r["id"]),
        seller_org=UUID(r["seller_org"]),
        sku=r["sku"],
        name=r["name"],
        price=Money.of(r["price_minor"], r["currency"]),
        unit_code=r["unit_code"],
        free=None if on_hand is None else Decimal(on_hand) - Decimal(r["reserved"]),
        tracked=r["tracked"],
        delivery_mode=r["delivery_mode"],
        kg_per_unit=None if kg is None else Decimal(kg),
        material=r["material"],
        active=r["active"],
    )


def fingerprint_of(order: SubmittedOrder) -> bytes:
    """What must be the same when an order comes again under its external id: everything but how far it has got.

    The status, payment, note and free facts of a channel's order change while it lives; its parties, lines, sums and
    date do not. How a discount lies on the lines was not told at first. Amounts and quantities count by value: 4.0 is
    4.00.
    """
    aside: Any = {
        "external_status": True,
        "paid": True,
        "attributes": True,
        "note": True,
        "lines": {"__all__": {"discount"}},
    }
    told = order.model_dump(exclude=aside, exclude_none=True)
    text = orjson.dumps(_by_value(told), default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
    return hashlib.sha256(text).digest()


def _by_value(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"amount", "currency"}:
            return f"{Decimal(value['amount']).normalize():f} {value['currency']}"
        return {k: _by_value(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_by_value(v) for v in value]
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value.astimezone(UTC) if isinstance(value, datetime) else value
