"""The principal's words are the contracts' words."""

from __future__ import annotations

from typing import get_args

import pytest

from contracts.identity import Organisation
from contracts.identity import Role as ContractRole
from shared.ids import new_id
from shared.web import principal


@pytest.mark.parametrize(
    ("given", "has"),
    [
        ("orders:read", True),
        ("orders:*", True),
        ("*", True),
        ("orders:write", False),
        ("listings:*", False),
        ("", False),
    ],
)
def test_a_key_has_the_scopes_that_it_was_given(given: str, has: bool) -> None:
    ids = {name: str(new_id()) for name in ("sub", "mkt", "org", "jti")}
    claims = {**ids, "mkt_slug": "m", "org_name": "O", "org_kind": "seller", "name": "Key", "roles": ["seller"]}
    key = principal.principal_of({**claims, "kind": "api_key", "scopes": [given]})
    assert key.has_scope("orders:read") is has
    assert principal.principal_of(claims).has_scope("orders:read"), "roles decide what people may"


def test_roles_and_kinds_are_those_of_the_contracts() -> None:
    assert get_args(principal.Role) == get_args(ContractRole)
    assert get_args(principal.OrganisationKind) == get_args(Organisation.model_fields["kind"].annotation)
