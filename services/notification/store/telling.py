"""Rows that events make: the projections of people and orders, causes, notifications and their deliveries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from contracts.envelope import Event, Received
from contracts.identity import MemberChanged
from contracts.order import OrderEvent
from services.notification.store import q
from services.notification.telling.categories import CHANNELS, Channel
from services.notification.telling.causes import Cause, PartyRef, may_know
from services.notification.telling.planning import Directory, Person, Planned
from services.notification.telling.timing import Timing
from shared.ids import new_id
from shared.postgres import Transaction


async def put_members(tx: Transaction, events: Sequence[Received[MemberChanged]]) -> None:
    """Project people and marketplaces; the highest version of a person and the newest word on a marketplace win."""
    newest: dict[UUID, MemberChanged] = {}
    marketplaces: dict[UUID, Received[MemberChanged]] = {}
    for received in events:
        event = received.event
        known = newest.get(event.member.person_id)
        if known is None or known.version <= event.version:
            newest[event.member.person_id] = event
        last = marketplaces.get(event.marketplace_id)
        if last is None or last.time <= received.time:
            marketplaces[event.marketplace_id] = received
    people = list(newest.values())
    await tx.execute(
        q.put_members,
        [e.member.person_id for e in people],
        [e.marketplace_id for e in people],
        [e.version for e in people],
        [e.organisation.organisation_id for e in people],
        [e.organisation.name for e in people],
        [e.member.email for e in people],
        [e.member.name for e in people],
        [",".join(e.member.roles) for e in people],
        [e.member.language for e in people],
        [e.member.time_zone for e in people],
        [e.member.active for e in people],
    )
    words = [(r.event.marketplace, r.time) for r in marketplaces.values()]
    await tx.execute(
        q.put_marketplaces,
        list(marketplaces),
        [m.slug for m, _ in words],
        [m.name for m, _ in words],
        [m.time_zone for m, _ in words],
        [time for _, time in words],
    )


async def put_order_refs(tx: Transaction, events: Sequence[OrderEvent]) -> None:
    """Remember whose order it is; the highest sequence wins."""
    newest: dict[UUID, OrderEvent] = {}
    for event in events:
        if event.order_id not in newest or newest[event.order_id].sequence < event.sequence:
            newest[event.order_id] = event
    orders = [e.order for e in newest.values()]
    await tx.execute(
        q.put_order_refs,
        list(newest),
        [e.marketplace_id for e in newest.values()],
        [e.sequence for e in newest.values()],
        [o.buyer.organisation_id for o in orders],
        [o.buyer.person_id for o in orders],
        [o.seller.organisation_id for o in orders],
        [o.seller.person_id for o in orders],
        ["seller" not in may_know(o, ("seller",)) for o in orders],
    )


@dataclass(frozen=True, slots=True)
class OrderRef:
    """The people of an order, and whether the seller must not hear of it (yet)."""

    buyer_person_id: UUID | None
    seller_person_id: UUID | None
    hidden_from_seller: bool


async def order_refs(tx: Transaction, order_ids: Collection[UUID]) -> Mapping[UUID, OrderRef]:
    rows = await tx.fetch(q.order_refs, list(order_ids))
    return {r["order_id"]: OrderRef(r["buyer_person_id"], r["seller_person_id"], r["hidden_from_seller"]) for r in rows}


async def add_causes(tx: Transaction, causes: Sequence[tuple[Cause, Event]], now: datetime) -> set[UUID]:
    """Record causes, each with its event; the ids of those that were not known yet."""
    rows = await tx.fetch(
        q.add_causes,
        [c.event_id for c, _ in causes],
        [c.marketplace_id for c, _ in causes],
        [c.event_type for c, _ in causes],
        [e.VERSION for _, e in causes],
        [c.occasion.value for c, _ in causes],
        [c.order_id for c, _ in causes],
        [c.order_number for c, _ in causes],
        [c.occurred_at for c, _ in causes],
        [c.traceparent for c, _ in causes],
        [orjson.dumps(c.facts) for c, _ in causes],
        [e.model_dump_json(exclude_none=True).encode() for _, e in causes],
        now,
    )
    return {r["event_id"] for r in rows}


async def people(tx: Transaction, causes: Sequence[Cause]) -> Directory:
    """Everybody whom one of the causes might concern."""
    organisations = {p.organisation_id for c in causes for p in (c.buyer, c.seller) if p}
    organisations |= {c.organisation_id for c in causes if c.organisation_id}
    persons = {p.person_id for c in causes for p in (c.buyer, c.seller) if p and p.person_id}
    persons |= {c.stood_for for c in causes if c.stood_for}
    marketplaces = {c.marketplace_id for c in causes}
    rows = await tx.fetch(q.people, list(organisations), list(persons), list(marketplaces))
    return Directory(_person(r) for r in rows)


def _person(row: Any) -> Person:
    return Person(
        person_id=row["person_id"],
        marketplace_id=row["marketplace_id"],
        organisation_id=row["organisation_id"],
        roles=frozenset(row["roles"]),
        email=row["email"],
        active=row["active"],
        timing=Timing(row["time_zone"], row["quiet_from"], row["quiet_until"], row["digest"], row["digest_at"]),
        choices=choices_of(row["choices"]),
        suppressed=row["suppressed"],
    )


def choices_of(stored: Mapping[str, Mapping[str, bool]] | None) -> Mapping[tuple[str, Channel], bool]:
    """The stored choices by (category, channel)."""
    if not stored:
        return {}
    return {(name, c): chosen[c] for name, chosen in stored.items() for c in CHANNELS if c in chosen}


@dataclass(frozen=True, slots=True)
class Added:
    """A delivery as it was written, with what was planned."""

    planned: Planned
    notification_id: UUID
    delivery_id: UUID
    channel: Channel
    state: str
    reason: str


async def add_notifications(tx: Transaction, planned: Sequence[Planned], now: datetime) -> list[Added]:
    """Write notifications and deliveries with two statements; returns the deliveries that are new."""
    if not planned:
        return []
    windows = await _open_digests(tx, planned, now)
    ids = [new_id() for _ in planned]
    rows = [
        (
            Added(p, notification_id, new_id(), d.channel, d.state, d.reason),
            d,
            windows[p.person.person_id, p.category] if d.digest_until else None,
        )
        for p, notification_id in zip(planned, ids, strict=True)
        for d in p.deliveries
    ]
    written = await tx.fetch(
        q.add_notifications,
        ids,
        [p.cause.marketplace_id for p in planned],
        [p.cause.event_id for p in planned],
        [p.person.person_id for p in planned],
        [p.category for p in planned],
        [p.kind.value for p in planned],
        [p.side for p in planned],
        [p.cause.order_id for p in planned],
        [p.cause.occurred_at for p in planned],
        [p.in_feed for p in planned],
        now,
        [a.delivery_id for a, _, _ in rows],
        [a.notification_id for a, _, _ in rows],
        [a.channel for a, _, _ in rows],
        [a.state for a, _, _ in rows],
        [a.reason for a, _, _ in rows],
        [window[1] if window else d.not_before for _, d, window in rows],
        [window[0] if window else None for _, _, window in rows],
    )
    new = {r["delivery_id"] for r in written}
    return [a for a, _, _ in rows if a.delivery_id in new]


Windows = Mapping[tuple[UUID, str], tuple[UUID, datetime]]


async def _open_digests(tx: Transaction, planned: Sequence[Planned], now: datetime) -> Windows:
    wanted = {
        (p.person.person_id, p.category): (p.cause.marketplace_id, d.digest_until)
        for p in planned
        for d in p.deliveries
        if d.digest_until is not None
    }
    if not wanted:
        return {}
    rows = await tx.fetch(
        q.open_digests,
        [new_id() for _ in wanted],
        [marketplace_id for marketplace_id, _ in wanted.values()],
        [person_id for person_id, _ in wanted],
        [category for _, category in wanted],
        [closes for _, closes in wanted.values()],
        now,
    )
    return {(r["person_id"], r["category"]): (r["digest_id"], r["closes_at"]) for r in rows}


async def await_parties(tx: Transaction, waiting: Sequence[tuple[Cause, PartyRef]], now: datetime) -> None:
    """Remember causes with a party of whom nothing is known yet, to be planned again when something is."""
    if waiting:
        await tx.execute(
            q.await_parties,
            [c.event_id for c, _ in waiting],
            [c.marketplace_id for c, _ in waiting],
            [p.organisation_id for _, p in waiting],
            [p.person_id for _, p in waiting],
            now,
        )


async def await_orders(tx: Transaction, causes: Sequence[Cause], now: datetime) -> None:
    """Remember causes that can only be told once their order is known."""
    await tx.execute(
        q.await_orders,
        [c.event_id for c in causes],
        [c.marketplace_id for c in causes],
        [c.order_id for c in causes],
        now,
    )


async def take_arrived(tx: Transaction, *, order_patience_since: datetime, limit: int) -> list[Any]:
    """The stored events whose missing party or order is known by now, or that have waited long enough for the order;
    they no longer wait."""
    rows = await tx.fetch(q.take_arrived_parties, limit)
    rows += await tx.fetch(q.take_messages_to_tell, order_patience_since, limit)
    if not rows:
        return []
    return await tx.fetch(q.causes, list({r["event_id"] for r in rows}))


async def forget_awaited(tx: Transaction, before: datetime) -> None:
    await tx.execute(q.forget_awaited_parties, before)
