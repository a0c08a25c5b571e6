"""Who may see and do what with webhooks: the one place that decides. Pure.

An endpoint belongs to an organisation and is its affair alone; the operator, who answers for the marketplace, sees
every endpoint and may stop and start it, but neither reads its keys nor changes where it sends; of its address the
operator reads all but the values of the query.
"""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from shared.errors import Forbidden
from shared.web import Principal

Right = Literal["view", "operate", "manage"]

# A plain buyer sees only own orders, an endpoint its whole organisation's: so buyers have no webhooks.
_VIEW: Final = frozenset({"admin", "operator", "seller", "member", "approver"})
_MANAGE: Final = frozenset({"admin", "operator", "seller"})
_SCOPE: Final[dict[Right, str]] = {"view": "webhooks:read", "operate": "webhooks:write", "manage": "webhooks:write"}


def require(caller: Principal, right: Right) -> None:
    """Raise Forbidden unless the caller has this right on the webhooks of its own organisation."""
    if caller.kind == "api_key":
        if not (caller.has_scope(_SCOPE[right]) or caller.has_scope("*")):
            raise Forbidden("missing_scope", f"This API key lacks the scope {_SCOPE[right]}.")
        return
    if not caller.roles & (_VIEW if right == "view" else _MANAGE):
        raise Forbidden(
            "role_lacks_webhooks", "Webhooks are for an organisation's sellers and administrators, and for operators."
        )


def require_secrets(caller: Principal) -> None:
    """Raise Forbidden where secrets may not be made or shown: for others, and while logged in as somebody else."""
    require(caller, "manage")
    if caller.act is not None:
        raise Forbidden("not_while_acting", "Secrets cannot be made or changed while logged in as somebody else.")


def reads_addresses_of(caller: Principal, organisation_id: UUID) -> bool:
    """Whether the caller is shown the organisation's addresses whole: a query may hold a secret, which is its own."""
    return caller.organisation_id == organisation_id and caller.act is None


def reach(caller: Principal, right: Right) -> UUID | None:
    """The organisation whose endpoints the caller may reach with this right; None for all of the marketplace."""
    require(caller, right)
    if caller.is_operator and right in ("view", "operate"):
        return None
    return caller.organisation_id
