"""Who may see and do what in the identity service: the only place that asks for roles.

An operator looks after its whole marketplace, an admin after its own organisation. Nobody changes their own rights.
Logged in as somebody else, one may look but not change: no secrets, no roles, no settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from services.identity.errors import absent, not_allowed, not_while_logged_in_as, scope_missing, wrong_field
from services.identity.schemas import ROLES_OF
from shared.postgres.database import Row
from shared.web import Principal

MANAGERS = frozenset({"operator", "admin"})


def may_look(caller: Principal) -> None:
    """Reading who is who. Raises Forbidden for an API key without the scope."""
    if not caller.has_scope("members:read"):
        raise scope_missing("members:read")


def visible_organisation(caller: Principal) -> UUID | None:
    """The organisation whose people, keys and audit the caller may list; None: all of the marketplace."""
    return None if caller.is_operator else caller.organisation_id


def need_visible(caller: Principal, organisation_id: UUID, what: str) -> None:
    """Raises NotFound, as for what is not there, where the caller may not see the organisation's things."""
    if not caller.is_operator and caller.organisation_id != organisation_id:
        raise absent(what)


def need_manager(caller: Principal, organisation_id: UUID | None, what: str) -> None:
    """Raises unless the caller looks after the organisation (None: the marketplace)."""
    if organisation_id is not None:
        need_visible(caller, organisation_id, what)
    _need_hands_free(caller)
    if not caller.has_scope("members:write"):
        raise scope_missing("members:write")
    if caller.is_operator or (organisation_id is not None and "admin" in caller.roles):
        return
    raise not_allowed("Only an operator, or an admin of the organisation, may do this.")


def need_manager_in_person(caller: Principal, organisation_id: UUID, what: str) -> None:
    """As `need_manager`, for what no API key may do: make secrets, erase people, log in as them."""
    if caller.kind != "person":
        raise not_allowed("An API key cannot do this. Sign in as a person.")
    need_manager(caller, organisation_id, what)


def need_oneself(caller: Principal) -> UUID:
    """The person who calls, in person and as nobody else."""
    if caller.person_id is None:
        raise not_allowed("An API key has no profile. Sign in as a person.")
    _need_hands_free(caller)
    return caller.person_id


def _need_hands_free(caller: Principal) -> None:
    if caller.act is not None:
        raise not_while_logged_in_as()


def need_grantable(caller: Principal, organisation: Row, roles: Iterable[str]) -> None:
    """Raises where a role does not exist in this kind of organisation or is not the caller's to give."""
    possible = ROLES_OF[organisation["kind"]]
    wrong = sorted(set(roles) - possible)
    if wrong:
        raise wrong_field("roles", f"{', '.join(wrong)} cannot be a role in a {organisation['kind']} organisation")
    if "operator" in set(roles) and not caller.is_operator:
        raise not_allowed("Only an operator may make operators.")


def need_others_rights(caller: Principal, person_id: UUID) -> None:
    """Raises where somebody would change their own roles, limit or activity."""
    if caller.person_id == person_id:
        raise not_allowed("Nobody changes their own roles, limit or activity. Ask another admin or operator.")


def need_key_rights(caller: Principal, organisation: Row, roles: Iterable[str]) -> None:
    """An API key gets no role that its maker could not use: an operator's own, or those of the organisation's kind."""
    need_grantable(caller, organisation, roles)
    if not caller.is_operator and "admin" not in caller.roles:
        raise not_allowed("Only an operator, or an admin of the organisation, may make API keys.")


def need_log_in_as(caller: Principal, person: Row) -> None:
    """Raises unless the caller may be logged in as this person: an operator as anybody below it, an admin in its own
    organisation; never as an operator, oneself, or somebody who may not sign in."""
    need_manager_in_person(caller, person["organisation_id"], "member")
    if caller.person_id == person["person_id"]:
        raise not_allowed("You are that person already.")
    if "operator" in person["roles"]:
        raise not_allowed("Nobody logs in as an operator.")
    if not person["active"]:
        raise not_allowed("This person may not sign in, so nobody may in their name.")


def need_manager_of_keys(caller: Principal) -> None:
    """Reading which API keys there are. Raises Forbidden for everybody but operators and admins."""
    may_look(caller)
    if not caller.roles & MANAGERS:
        raise not_allowed("Only an operator, or an admin of the organisation, sees its API keys.")


def need_manager_of_audit(caller: Principal) -> None:
    """Reading the audit. Raises Forbidden for everybody but operators and admins."""
    may_look(caller)
    if not caller.roles & MANAGERS:
        raise not_allowed("Only an operator, or an admin of the organisation, reads the audit.")
