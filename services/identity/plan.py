"""The plan of an installation: marketplaces with their organisations and first people, as a file or from a program."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from contracts.identity import Role
from contracts.money import Money
from services.identity.schemas import (
    ROLES_OF,
    Currency,
    EditMarketplace,
    EditOrganisation,
    Email,
    Kind,
    Language,
    Line,
    Slug,
    Strict,
    Zone,
)


class PlannedPerson(Strict):
    email: Email
    name: Line
    roles: Annotated[frozenset[Role], Field(min_length=1)]
    language: Language = "en"
    time_zone: Zone | None = None  # the organisation's
    purchasing_limit: Money | None = None


class PlannedOrganisation(EditOrganisation):
    slug: Slug
    kind: Kind
    people: Annotated[tuple[PlannedPerson, ...], Field(max_length=1_000)] = ()

    @model_validator(mode="after")
    def _possible_roles(self) -> PlannedOrganisation:
        for person in self.people:
            wrong = person.roles - ROLES_OF[self.kind]
            if wrong:
                raise ValueError(f"{person.email} cannot be {', '.join(sorted(wrong))} in a {self.kind} organisation")
        return self


class PlannedMarketplace(EditMarketplace):
    slug: Slug
    currency: Currency
    organisations: Annotated[tuple[PlannedOrganisation, ...], Field(max_length=1_000)] = ()


class Plan(Strict):
    """What is to be there. What is there already stays as it is, so a plan can be carried out again and again."""

    marketplaces: Annotated[tuple[PlannedMarketplace, ...], Field(min_length=1, max_length=100)]
