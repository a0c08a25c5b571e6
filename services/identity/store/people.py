"""Rows of marketplaces, organisations and people, and the events that tell of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import asyncpg

from contracts.identity import Marketplace, Member, MemberChanged, Organisation
from contracts.money import Money
from services.identity.errors import email_taken, slug_taken
from services.identity.schemas import EditMarketplace, EditMember, EditOrganisation, Kind
from services.identity.store import q
from shared.postgres import Transaction
from shared.postgres.database import Row


async def marketplace(tx: Transaction, marketplace_id: UUID) -> Row | None:
    return await tx.fetchrow(q.marketplace, marketplace_id)


async def marketplace_by_slug(tx: Transaction, slug: str) -> Row | None:
    return await tx.fetchrow(q.marketplace_by_slug, slug)


async def insert_marketplace(
    tx: Transaction, marketplace_id: UUID, slug: str, currency: str, new: EditMarketplace, now: datetime
) -> None:
    await tx.execute(
        q.insert_marketplace, marketplace_id, slug, new.name, currency, new.time_zone, new.lifecycle,
        dict(new.settings), now,
    )  # fmt: skip


async def lock_marketplace(tx: Transaction, marketplace_id: UUID) -> Row | None:
    return await tx.fetchrow(q.lock_marketplace, marketplace_id)


async def update_marketplace(tx: Transaction, marketplace_id: UUID, new: EditMarketplace, now: datetime) -> Row:
    row = await tx.fetchrow(
        q.update_marketplace, marketplace_id, new.name, new.time_zone, new.lifecycle, dict(new.settings), now
    )
    assert row is not None
    return row


async def insert_organisation(
    tx: Transaction, organisation_id: UUID, marketplace_id: UUID, slug: str, kind: Kind, new: EditOrganisation,
    now: datetime,
) -> Row:  # fmt: skip
    """Raises Conflict where the marketplace has an organisation of this slug."""
    try:
        row = await tx.fetchrow(
            q.insert_organisation, organisation_id, marketplace_id, slug, new.name, kind, new.time_zone, new.location,
            list(new.external_ids), new.commission_rate, now,
        )  # fmt: skip
    except asyncpg.UniqueViolationError:
        raise slug_taken(slug) from None
    assert row is not None
    return row


async def organisation(tx: Transaction, organisation_id: UUID) -> Row | None:
    return await tx.fetchrow(q.organisation, organisation_id)


async def lock_organisation(tx: Transaction, organisation_id: UUID) -> Row | None:
    return await tx.fetchrow(q.lock_organisation, organisation_id)


async def update_organisation(tx: Transaction, organisation_id: UUID, new: EditOrganisation, now: datetime) -> Row:
    row = await tx.fetchrow(
        q.update_organisation, organisation_id, new.name, new.time_zone, new.location, list(new.external_ids),
        new.commission_rate, now,
    )  # fmt: skip
    assert row is not None
    return row


async def organisations_by_slug(tx: Transaction, marketplace_id: UUID, slugs: Sequence[str]) -> list[Row]:
    return await tx.fetch(q.organisations_by_slug, marketplace_id, slugs)


async def list_organisations(
    tx: Transaction, only: UUID | None, after: tuple[str, UUID] | None, limit: int
) -> Sequence[Row]:
    """By name; `only` one, or all of the tenant."""
    name, key = after or (None, None)
    return await tx.fetch(q.list_organisations, only, name, key, limit)


async def insert_person(
    tx: Transaction, person_id: UUID, marketplace_id: UUID, organisation_id: UUID, email: str, new: EditMember,
    now: datetime,
) -> Row:  # fmt: skip
    """Raises Conflict where somebody, anywhere, has the address."""
    minor, currency = limit_columns(new.purchasing_limit)
    try:
        row = await tx.fetchrow(
            q.insert_person, person_id, marketplace_id, organisation_id, email, new.name, sorted(new.roles),
            new.language, new.time_zone, minor, currency, now,
        )  # fmt: skip
    except asyncpg.UniqueViolationError:
        raise email_taken() from None
    assert row is not None
    return row


async def person(tx: Transaction, person_id: UUID) -> Row | None:
    return await tx.fetchrow(q.person, person_id)


async def people_by_email(tx: Transaction, emails: Sequence[str]) -> list[Row]:
    """Of every marketplace (worker role)."""
    return await tx.fetch(q.people_by_email, emails)


async def lock_person(tx: Transaction, person_id: UUID) -> Row | None:
    return await tx.fetchrow(q.lock_person, person_id)


async def update_person(tx: Transaction, person_id: UUID, new: EditMember, now: datetime) -> Row:
    minor, currency = limit_columns(new.purchasing_limit)
    row = await tx.fetchrow(
        q.update_person, person_id, new.name, sorted(new.roles), new.language, new.time_zone, new.active, minor,
        currency, now,
    )  # fmt: skip
    assert row is not None
    return row


async def erase_person(tx: Transaction, person_id: UUID, now: datetime) -> Row:
    row = await tx.fetchrow(q.erase_person, person_id, now)
    assert row is not None
    return row


async def list_people(
    tx: Transaction, organisation_id: UUID | None, after: tuple[str, UUID] | None, limit: int
) -> Sequence[Row]:
    """By name; of one organisation, or of all of the tenant."""
    name, key = after or (None, None)
    return await tx.fetch(q.list_people, organisation_id, name, key, limit)


async def others_with_rights(tx: Transaction, organisation_id: UUID, roles: Iterable[str], person_id: UUID) -> int:
    """How many active people of the organisation, besides this one, have any of the roles."""
    return int(await tx.fetchval(q.count_rights, organisation_id, list(roles), person_id))


async def changed(tx: Transaction, person_ids: Sequence[UUID]) -> list[MemberChanged]:
    """member.changed of these people as they, their organisation and their marketplace are now, by person id."""
    return [_event(row) for row in await tx.fetch(q.membership, person_ids)]


async def membership(tx: Transaction, person_id: UUID) -> Row | None:
    """The person with organisation (`o_...`) and marketplace (`m_...`)."""
    rows = await tx.fetch(q.membership, [person_id])
    return rows[0] if rows else None


async def held_membership(tx: Transaction, person_id: UUID) -> Row | None:
    """As `membership`; the person's rights stay what they are until the transaction ends."""
    await tx.execute(q.hold_person, person_id)
    return await membership(tx, person_id)


async def request_republication(
    tx: Transaction, marketplace_id: UUID, organisation_id: UUID | None, now: datetime
) -> None:
    await tx.execute(q.request_republication, marketplace_id, organisation_id, now)


async def next_republication(tx: Transaction) -> Row | None:
    """The oldest request that no other worker has in hand, locked."""
    return await tx.fetchrow(q.next_republication)


async def touch_people(
    tx: Transaction, marketplace_id: UUID, organisation_id: UUID | None, after: UUID, limit: int
) -> list[UUID]:
    """Raise the version of the next people by id, and lock them."""
    rows = await tx.fetch(q.touch_people, marketplace_id, organisation_id, after, limit)
    return [row["person_id"] for row in rows]


async def advance_republication(tx: Transaction, republication_id: int, after: UUID) -> None:
    await tx.execute(q.advance_republication, republication_id, after)


async def finish_republication(tx: Transaction, republication_id: int) -> None:
    await tx.execute(q.finish_republication, republication_id)


def limit_columns(limit: Money | None) -> tuple[int | None, str | None]:
    return (None, None) if limit is None else (limit.minor, limit.currency)


def limit_of(row: Row) -> Money | None:
    return None if row["limit_minor"] is None else Money.of(row["limit_minor"], row["limit_currency"])


def rate_text(rate: Decimal | None) -> str | None:
    """A rate as it is written: 0.12, not 0.120000."""
    if rate is None:
        return None
    text = f"{rate:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _event(row: Row) -> MemberChanged:
    return MemberChanged(
        marketplace_id=row["marketplace_id"],
        version=row["version"],
        marketplace=Marketplace(
            marketplace_id=row["marketplace_id"], slug=row["m_slug"], name=row["m_name"], currency=row["m_currency"],
            time_zone=row["m_time_zone"], lifecycle=row["m_lifecycle"], settings=row["m_settings"],
        ),
        organisation=Organisation(
            organisation_id=row["organisation_id"], slug=row["o_slug"], name=row["o_name"], kind=row["o_kind"],
            time_zone=row["o_time_zone"], location=row["o_location"], external_ids=tuple(row["o_external_ids"]),
            commission_rate=rate_text(row["o_commission_rate"]),
        ),
        member=Member(
            person_id=row["person_id"], email=row["email"], name=row["name"], roles=tuple(row["roles"]),
            language=row["language"], time_zone=row["time_zone"], active=row["active"], purchasing_limit=limit_of(row),
        ),
    )  # fmt: skip
