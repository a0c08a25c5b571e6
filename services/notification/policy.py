"""Who may see and change what: one's own notifications only, and what went out because of an order."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.notification import errors
from shared.errors import Forbidden
from shared.web import Principal

# Roles whose holders see every order of their organisation.
_COLLEAGUES = frozenset(("admin", "member", "approver", "seller"))


def person_of(caller: Principal) -> UUID:
    """Whose feed and settings these are. Raises Forbidden for an API key, which is nobody."""
    if caller.person_id is None:
        raise errors.people_only()
    return caller.person_id


def may_change_settings(caller: Principal) -> UUID:
    """Raises Forbidden while logged in as somebody else: settings decide what a person learns of."""
    if caller.act is not None:
        raise errors.not_while_acting()
    return person_of(caller)


@dataclass(frozen=True, slots=True)
class Scope:
    """Deliveries that the caller may see: of everybody, of an organisation's people, or only their own."""

    organisation_id: UUID | None = None
    person_id: UUID | None = None


def deliveries_of_orders(caller: Principal) -> Scope:
    """Operators see all of their marketplace; an organisation's staff what its own people got; a buyer their own."""
    if not caller.has_scope("notifications:read") and not caller.has_scope("*"):
        raise Forbidden("missing_scope", "The API key needs the scope notifications:read.")
    if caller.is_operator:
        return Scope()
    if caller.kind == "api_key" or caller.roles & _COLLEAGUES:
        return Scope(organisation_id=caller.organisation_id)
    return Scope(person_id=caller.person_id)
