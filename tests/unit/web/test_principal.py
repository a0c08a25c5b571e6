"""The principal's words are the contracts' words."""

from __future__ import annotations

from typing import get_args

from contracts.identity import Organisation
from contracts.identity import Role as ContractRole
from shared.web import principal


def test_roles_and_kinds_are_those_of_the_contracts() -> None:
    assert get_args(principal.Role) == get_args(ContractRole)
    assert get_args(principal.OrganisationKind) == get_args(Organisation.model_fields["kind"].annotation)
