"""Carrying out an installation's plan: the way in which the first marketplace and its first operator come to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from services.identity.context import Context
from services.identity.plan import Plan, PlannedMarketplace, PlannedOrganisation, PlannedPerson
from services.identity.schemas import EditMember
from services.identity.store import audit, people, secrets
from services.identity.tokens import INVITATION, digest, new_secret
from shared.ids import new_id
from shared.postgres import Transaction
from shared.postgres.database import Row


@dataclass
class Report:
    """What was made; `invitations` by address for the people who were made without a password."""

    marketplaces: list[str] = field(default_factory=list)
    organisations: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    passwords_set: int = 0
    invitations: dict[str, str] = field(default_factory=dict)


async def set_up(here: Context, plan: Plan, password: str | None = None) -> Report:
    """Make what is missing, as the worker role, one transaction per marketplace.

    With a `password`, every person of the plan has it afterwards; without, new people get an invitation.
    Raises Conflict where an address of the plan belongs to somebody in another marketplace.
    """
    report = Report()
    hashes = await _hashes(here, plan, password)
    for planned in plan.marketplaces:
        now = here.run.clock()
        async with here.run.worker_db.transaction() as tx:
            marketplace_id = await _marketplace(tx, planned, now, report)
            made: list[UUID] = []
            for organisation in await _organisations(tx, marketplace_id, planned, now, report):
                made += await _people(here, tx, *organisation, hashes, now, report)
            await here.run.outbox.append_many(tx, await people.changed(tx, made))
            if made:
                entry = audit.Entry(
                    "set_up", "system", None, None, "marketplace", marketplace_id, {"people": [str(p) for p in made]}
                )
                await audit.append(tx, marketplace_id, entry, now)
    return report


async def _hashes(here: Context, plan: Plan, password: str | None) -> Mapping[str, str]:
    """A hash for everybody whose password has to be set; none where everybody has it already."""
    if password is None:
        return {}
    emails = [p.email for m in plan.marketplaces for o in m.organisations for p in o.people]
    async with here.run.worker_db.transaction() as tx:
        kept = {row["email"]: row["password_hash"] for row in await secrets.passwords_of(tx, emails)}
    # One password for all of them: if the first has it, so has everybody who has any.
    first = next((email for email in emails if email in kept), None)
    if first is not None and not await here.passwords.verify(kept[first], password):
        kept = {}
    wanted = [email for email in emails if email not in kept]
    return dict(zip(wanted, await here.passwords.hash_all([password] * len(wanted)), strict=True))


async def _marketplace(tx: Transaction, planned: PlannedMarketplace, now: datetime, report: Report) -> UUID:
    found = await people.marketplace_by_slug(tx, planned.slug)
    if found is not None:
        existing: UUID = found["marketplace_id"]
        return existing
    marketplace_id = new_id()
    await people.insert_marketplace(tx, marketplace_id, planned.slug, planned.currency, planned, now)
    report.marketplaces.append(planned.slug)
    return marketplace_id


async def _organisations(
    tx: Transaction, marketplace_id: UUID, planned: PlannedMarketplace, now: datetime, report: Report
) -> Sequence[tuple[Row, PlannedOrganisation]]:
    slugs = [o.slug for o in planned.organisations]
    found = {row["slug"]: row for row in await people.organisations_by_slug(tx, marketplace_id, slugs)}
    result = []
    for organisation in planned.organisations:
        row = found.get(organisation.slug)
        if row is None:
            row = await people.insert_organisation(
                tx, new_id(), marketplace_id, organisation.slug, organisation.kind, organisation, now
            )
            report.organisations.append(f"{planned.slug}/{organisation.slug}")
        result.append((row, organisation))
    return result


async def _people(
    here: Context, tx: Transaction, organisation: Row, planned: PlannedOrganisation, hashes: Mapping[str, str],
    now: datetime, report: Report,
) -> list[UUID]:  # fmt: skip
    found = {row["email"]: row for row in await people.people_by_email(tx, [p.email for p in planned.people])}
    made: list[UUID] = []
    marketplace_id = organisation["marketplace_id"]
    for person in planned.people:
        row = found.get(person.email)
        if row is None or row["marketplace_id"] != marketplace_id:
            row = await people.insert_person(
                tx, new_id(), marketplace_id, organisation["organisation_id"], person.email,
                _member(person, organisation), now,
            )  # fmt: skip
            made.append(row["person_id"])
            report.people.append(person.email)
            if person.email not in hashes:
                report.invitations[person.email] = await _invite(here, tx, row, now)
        if person.email in hashes:
            await secrets.set_password(tx, row["person_id"], marketplace_id, hashes[person.email], now)
            report.passwords_set += 1
    return made


async def _invite(here: Context, tx: Transaction, row: Row, now: datetime) -> str:
    token = new_secret(INVITATION)
    expires = now + timedelta(days=here.settings.invitation_days)
    await secrets.set_invitation(tx, row["person_id"], row["marketplace_id"], digest(token), None, now, expires)
    return token


def _member(person: PlannedPerson, organisation: Row) -> EditMember:
    return EditMember(
        name=person.name, roles=person.roles, language=person.language,
        time_zone=person.time_zone or organisation["time_zone"], purchasing_limit=person.purchasing_limit,
    )  # fmt: skip
