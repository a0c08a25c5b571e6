"""Who is calling: the principal that an access token names, and how its claims are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args
from uuid import UUID

from pydantic import ValidationError

from contracts.money import Money

Kind = Literal["person", "api_key"]
# As in contracts.identity, which knows more than the mechanism may: a test holds the two together.
Role = Literal["buyer", "seller", "member", "admin", "approver", "operator"]
OrganisationKind = Literal["buyer", "seller", "both", "operator"]
ROLES = frozenset(get_args(Role))
KINDS = frozenset(get_args(Kind))
ORGANISATION_KINDS = frozenset(get_args(OrganisationKind))


class ClaimsError(Exception):
    """A token whose claims do not name a principal; the text says which claim."""


@dataclass(frozen=True, slots=True)
class ActingAs:
    """The real person behind a session in which somebody is logged in as somebody else, and why."""

    person_id: UUID
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or an API key inside one marketplace. Exactly one of `person_id` and `api_key_id` is set.

    `scopes` is empty for people (roles decide) and what the key was given for API keys.
    """

    kind: Kind
    person_id: UUID | None
    api_key_id: UUID | None
    name: str
    email: str
    marketplace_id: UUID
    marketplace_slug: str
    organisation_id: UUID
    organisation_name: str
    organisation_kind: OrganisationKind
    roles: frozenset[Role]
    scopes: frozenset[str]
    purchasing_limit: Money | None
    act: ActingAs | None
    token_id: str
    subject: str
    # the sign-in that the token stems from; an API key has none
    session_id: str | None = None

    @property
    def is_operator(self) -> bool:
        return "operator" in self.roles

    def has_scope(self, scope: str) -> bool:
        """People have every scope (their roles decide); an API key those that it was given: "*" is all of them, and
        "orders:*" all of orders."""
        whole = f"{scope.partition(':')[0]}:*"
        return self.kind == "person" or not self.scopes.isdisjoint((scope, whole, "*"))


def principal_of(claims: Mapping[str, Any]) -> Principal:
    """The principal of verified claims. Raises ClaimsError naming the claim that is missing or wrong."""
    kind = claims.get("kind", "person")
    if kind not in KINDS:
        raise ClaimsError("kind")
    subject = _text(claims, "sub", 64)
    subject_id = _uuid(claims, "sub")
    org_kind = claims.get("org_kind")
    if org_kind not in ORGANISATION_KINDS:
        raise ClaimsError("org_kind")
    roles = _texts(claims, "roles")
    if not roles <= ROLES:
        raise ClaimsError("roles")
    return Principal(
        kind=kind,
        person_id=subject_id if kind == "person" else None,
        api_key_id=subject_id if kind == "api_key" else None,
        name=_text(claims, "name", 500),
        email=str(claims.get("email") or ""),
        marketplace_id=_uuid(claims, "mkt"),
        marketplace_slug=_text(claims, "mkt_slug", 100),
        organisation_id=_uuid(claims, "org"),
        organisation_name=_text(claims, "org_name", 500),
        organisation_kind=org_kind,  # type: ignore[arg-type]  # checked against ORGANISATION_KINDS above
        roles=roles,  # type: ignore[arg-type]  # checked against ROLES above
        scopes=_texts(claims, "scopes"),
        purchasing_limit=_limit(claims.get("limit")),
        act=_act(claims.get("act")),
        token_id=_text(claims, "jti", 100),
        subject=subject,
        session_id=_text(claims, "sid", 64) if claims.get("sid") is not None else None,
    )


def _text(claims: Mapping[str, Any], name: str, most: int) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise ClaimsError(name)
    return value


def _texts(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    value = claims.get(name, [])
    if not isinstance(value, list) or len(value) > 100 or not all(isinstance(v, str) for v in value):
        raise ClaimsError(name)
    return frozenset(value)


def _uuid(claims: Mapping[str, Any], name: str) -> UUID:
    try:
        return UUID(_text(claims, name, 64))
    except ValueError:
        raise ClaimsError(name) from None


def _limit(value: Any) -> Money | None:
    if value is None:
        return None
    try:
        return Money.model_validate(value)
    except ValidationError:
        raise ClaimsError("limit") from None


def _act(value: Any) -> ActingAs | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ClaimsError("act")
    return ActingAs(_uuid(value, "sub"), _text(value, "name", 500), _text(value, "reason", 500))
