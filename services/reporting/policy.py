"""Whose figures a caller may see: the one place that decides. Pure."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.reporting.errors import no_scope, not_for_buyers, not_your_figures
from shared.web import Principal

SELLER_ROLES: Final = frozenset({"seller", "member", "admin"})


def sellers_seen(caller: Principal, asked: UUID | None = None) -> UUID | None:
    """The seller whose figures the caller gets; None for all of the marketplace (operators). Raises Forbidden.

    storefront page: the owner sees every order across all sellers, sellers see only their own. `asked` is the one that
    the caller wants to see alone.
    """
    _need_scope(caller)
    if caller.is_operator:
        return asked
    sells = caller.organisation_kind in ("seller", "both")
    if not sells or not (caller.kind == "api_key" or caller.roles & SELLER_ROLES):
        raise not_for_buyers()
    if asked not in (None, caller.organisation_id):
        raise not_your_figures()
    return caller.organisation_id


def savings_seen(caller: Principal, asked: UUID | None = None) -> UUID | None:
    """The organisation whose savings the caller gets, whichever side it was on; None for all (operators)."""
    _need_scope(caller)
    if caller.is_operator:
        return asked
    if asked not in (None, caller.organisation_id):
        raise not_your_figures()
    return caller.organisation_id


def _need_scope(caller: Principal) -> None:
    if not (caller.has_scope("reports:read") or caller.has_scope("*")):
        raise no_scope()
