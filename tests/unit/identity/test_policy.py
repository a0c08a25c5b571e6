"""The policy by itself: every kind of caller against every right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from services.identity import policy
from shared.errors import Problem
from shared.ids import new_id
from shared.web import ActingAs, Principal
from shared.web.principal import Kind, Role

MINE, OTHER, PERSON = new_id(), new_id(), new_id()


def caller(*roles: Role, kind: Kind = "person", scopes: tuple[str, ...] = (), act: bool = False) -> Principal:
    return Principal(
        kind=kind, person_id=PERSON if kind == "person" else None, api_key_id=None if kind == "person" else PERSON,
        name="P", email="", marketplace_id=new_id(), marketplace_slug="m", organisation_id=MINE,
        organisation_name="O", organisation_kind="operator" if "operator" in roles else "seller",
        roles=frozenset(roles), scopes=frozenset(scopes), purchasing_limit=None,
        act=ActingAs(new_id(), "Real", "reason") if act else None, token_id="t", subject=str(PERSON),
    )  # fmt: skip


def refused(work: Callable[[], Any]) -> str:
    """The code of the refusal, or "" where there is none."""
    try:
        work()
    except Problem as problem:
        return problem.code
    return ""


CALLERS = {
    "operator": caller("operator"),
    "admin": caller("admin"),
    "seller": caller("seller"),
    "acting admin": caller("admin", act=True),
    "acting operator": caller("operator", act=True),
    "admin's key": caller("admin", kind="api_key", scopes=("members:write",)),
    "narrow key": caller("admin", kind="api_key", scopes=("orders:read",)),
}


@pytest.mark.parametrize(
    ("who", "mine", "other", "everything", "in_person"),
    [
        ("operator", "", "", "", ""),
        ("admin", "", "not_found", "not_allowed", ""),
        ("seller", "not_allowed", "not_found", "not_allowed", "not_allowed"),
        ("acting admin", *("not_while_logged_in_as", "not_found"), *["not_while_logged_in_as"] * 2),
        ("acting operator", *["not_while_logged_in_as"] * 4),
        ("admin's key", "", "not_found", "not_allowed", "not_allowed"),
        ("narrow key", "scope_missing", "not_found", "scope_missing", "not_allowed"),
    ],
)
def test_who_looks_after_what(who: str, mine: str, other: str, everything: str, in_person: str) -> None:
    def manages(organisation_id: UUID | None) -> str:
        return refused(lambda: policy.need_manager(CALLERS[who], organisation_id, "member"))

    assert (manages(MINE), manages(OTHER), manages(None)) == (mine, other, everything)
    assert refused(lambda: policy.need_manager_in_person(CALLERS[who], MINE, "member")) == in_person


@pytest.mark.parametrize(
    ("who", "kind", "roles", "code"),
    [
        ("admin", "seller", {"seller", "member", "admin"}, ""),
        ("admin", "seller", {"buyer"}, "invalid_request"),
        ("admin", "seller", {"operator"}, "invalid_request"),
        ("admin", "operator", {"operator"}, "not_allowed"),
        ("operator", "operator", {"operator", "admin"}, ""),
        ("operator", "buyer", {"approver", "buyer"}, ""),
        ("operator", "both", {"buyer", "seller", "approver"}, ""),
        ("operator", "seller", {"approver"}, "invalid_request"),
    ],
)
def test_which_roles_may_be_given(who: str, kind: str, roles: set[str], code: str) -> None:
    row: Any = {"kind": kind}
    assert refused(lambda: policy.need_grantable(CALLERS[who], row, roles)) == code


@pytest.mark.parametrize(
    ("who", "person", "code"),
    [
        ("operator", {}, ""),
        ("admin", {}, ""),
        ("admin", {"organisation_id": OTHER}, "not_found"),
        ("operator", {"organisation_id": OTHER}, ""),
        ("operator", {"roles": ["operator"]}, "not_allowed"),
        ("operator", {"active": False}, "not_allowed"),
        ("operator", {"person_id": PERSON}, "not_allowed"),
        ("seller", {}, "not_allowed"),
        ("admin's key", {}, "not_allowed"),
        ("acting operator", {}, "not_while_logged_in_as"),
    ],
)
def test_who_may_be_stood_in_for(who: str, person: dict[str, Any], code: str) -> None:
    row: Any = {"person_id": new_id(), "organisation_id": MINE, "roles": ["seller"], "active": True} | person
    assert refused(lambda: policy.need_log_in_as(CALLERS[who], row)) == code


def test_everybody_sees_their_own_and_operators_all() -> None:
    assert policy.visible_organisation(CALLERS["seller"]) == MINE
    assert policy.visible_organisation(CALLERS["operator"]) is None
    assert refused(lambda: policy.may_look(CALLERS["narrow key"])) == "scope_missing"
    assert refused(lambda: policy.need_manager_of_audit(CALLERS["seller"])) == "not_allowed"
    assert refused(lambda: policy.need_manager_of_audit(CALLERS["admin"])) == ""
