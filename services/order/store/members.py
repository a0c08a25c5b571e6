"""The projection of people, organisations and marketplaces, written set by set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from uuid import UUID

import orjson

from contracts.identity import Marketplace, MemberChanged, Organisation
from services.order.store.orders import q
from shared.postgres import Transaction


@dataclass(frozen=True, slots=True)
class MarketplaceRow:
    marketplace: Marketplace
    as_of: datetime


@dataclass(frozen=True, slots=True)
class OrganisationRow:
    marketplace_id: UUID
    organisation: Organisation
    as_of: datetime


@dataclass(frozen=True, slots=True)
class MemberRow:
    event: MemberChanged

    @classmethod
    def of(cls, event: MemberChanged) -> MemberRow:
        return cls(event)


async def put_marketplaces(tx: Transaction, rows: Sequence[MarketplaceRow]) -> None:
    places = [r.marketplace for r in rows]
    await tx.execute(
        q.put_marketplaces,
        [p.marketplace_id for p in places],
        [p.slug for p in places],
        [p.name for p in places],
        [p.currency for p in places],
        [p.time_zone for p in places],
        [p.lifecycle for p in places],
        [dict(p.settings) for p in places],
        [r.as_of for r in rows],
    )


async def put_organisations(tx: Transaction, rows: Sequence[OrganisationRow]) -> None:
    """Organisations and every name by which a submitted order may call them.

    Lists go as JSON: an array of arrays would have to be rectangular.
    """
    found = [r.organisation for r in rows]
    ids = [o.organisation_id for o in found]
    await tx.execute(
        q.put_organisations,
        [r.marketplace_id for r in rows],
        ids,
        [o.slug for o in found],
        [o.name for o in found],
        [o.kind for o in found],
        [o.time_zone for o in found],
        [o.location for o in found],
        [orjson.dumps(o.external_ids) for o in found],
        [_rate(o.commission_rate) for o in found],
        [r.as_of for r in rows],
    )
    await tx.execute(q.forget_aliases, ids)
    await tx.execute(q.put_aliases, ids)


def _rate(text: str | None) -> Decimal | None:
    """The commission rate of an organisation; a text that is no share between 0 and 1 is none."""
    try:
        rate = None if text is None else Decimal(text)
    except InvalidOperation:
        return None
    return rate if rate is not None and rate.is_finite() and 0 <= rate <= 1 else None


async def put_members(tx: Transaction, rows: Sequence[MemberRow]) -> None:
    events = [r.event for r in rows]
    people = [e.member for e in events]
    limits = [p.purchasing_limit for p in people]
    await tx.execute(
        q.put_members,
        [e.marketplace_id for e in events],
        [p.person_id for p in people],
        [e.version for e in events],
        [e.organisation.organisation_id for e in events],
        [p.email for p in people],
        [p.name for p in people],
        [orjson.dumps(p.roles) for p in people],
        [p.active for p in people],
        [limit.minor if limit else None for limit in limits],
        [limit.currency if limit else None for limit in limits],
    )
