"""Who is who: the event by which every service learns of people, roles, organisations and marketplaces."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import Event
from contracts.money import CurrencyCode, Money
from contracts.order import Part

Role = Literal["buyer", "seller", "member", "admin", "approver", "operator"]


class Marketplace(Part):
    """A marketplace: the tenant. `time_zone` (IANA) decides what a day is in its reports."""

    marketplace_id: UUID
    slug: str
    name: str
    currency: CurrencyCode
    time_zone: str
    lifecycle: str
    # operator settings that other services act on, e.g. allow_auto_accept, ship_within_days
    settings: dict[str, str] = Field(default_factory=dict)


class Organisation(Part):
    """A company or outlet inside a marketplace. `external_ids` are party ids such as "0088:7300010000001"."""

    organisation_id: UUID
    slug: str
    name: str
    kind: Literal["buyer", "seller", "both", "operator"]
    time_zone: str
    location: str | None = None
    external_ids: tuple[str, ...] = ()
    commission_rate: str | None = None  # "0.12" is 12 %; the marketplace's own where absent


class Member(Part):
    """A person in one organisation. `purchasing_limit`: absent means no limit; zero means every order."""

    person_id: UUID
    email: str
    name: str
    roles: tuple[Role, ...]
    language: str = "en"
    time_zone: str = "UTC"
    active: bool = True
    purchasing_limit: Money | None = None


class MemberChanged(Event, type="member.changed", version=1):
    """A person is now so. `version` counts the person's changes: keep the highest."""

    version: int = Field(ge=1)
    marketplace: Marketplace
    organisation: Organisation
    member: Member

    def key(self) -> str:
        return str(self.member.person_id)
