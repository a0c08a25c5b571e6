"""Who may see and do what in the order service: the only place that asks for roles.

What may be done to a single order is the lifecycle's to say (`workflow.allowed_actions`); this module says who acts,
whose orders a list holds, and who may place, import, and look after listings, channels and lifecycles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal
from uuid import UUID

from contracts.order import Side
from services.order import workflow
from services.order.errors import absent
from services.order.schemas import Scope
from services.order.workflow import Actor, Order
from shared.errors import Forbidden
from shared.web import Principal

# Roles that stand for a whole organisation, not only for what one person did.
STAFF: Final = frozenset({"admin", "member"})
SELLER_ROLES: Final = STAFF | {"seller"}
BUYER_ROLES: Final = STAFF | {"buyer", "approver"}


def actor_of(caller: Principal) -> Actor:
    """Who acts, for the workflow. Logged in as somebody, the rights are that person's and both names are kept."""
    act = caller.act
    return Actor(
        kind=caller.kind,
        name=act.name if act else caller.name,
        id=act.person_id if act else caller.person_id or caller.api_key_id,
        organisation_id=caller.organisation_id,
        roles=frozenset(caller.roles),
        on_behalf_of=caller.person_id if act else None,
        on_behalf_of_name=caller.name if act else None,
    )


def reason_of(caller: Principal) -> str | None:
    """Why somebody acts as somebody else."""
    return caller.act.reason if caller.act else None


# Who places or works on orders looks at what is on sale, at channels, and at things with codes of their own.
CATALOGUE: Final = ("listings:read", "listings:write", "orders:read", "orders:write")


def need_scope(caller: Principal, scope: str, *others: str) -> None:
    """An API key does only what it was made for: one of the scopes is needed. Raises Forbidden."""
    if not any(caller.has_scope(one) for one in (scope, *others)):
        raise Forbidden("scope_missing", f"This API key has no scope {scope}. Make one that has it.")


def see(order: Order, caller: Principal) -> frozenset[Side]:
    """The sides on which the caller stands. Raises NotFound as for an absent order where there is none."""
    sides = workflow.sides(order, actor_of(caller))
    if "buyer" in sides and not sees_all_of_its_buyers(caller) and order.buyer.person_id != caller.person_id:
        sides -= {"buyer"}
    if "operator" not in sides and not sides & set(order.known_to):
        raise absent()
    return sides


def speaking_side(order: Order, caller: Principal) -> Side:
    """The side whose view of the order the caller gets: the widest one that it has."""
    sides = see(order, caller)
    widest: tuple[Side, ...] = ("operator", "seller", "buyer")
    return next(side for side in widest if side in sides)


def scopes(caller: Principal) -> Sequence[Scope]:
    """Whose orders the caller may list; several where an organisation both buys and sells."""
    if caller.is_operator:
        return [Scope("operator")]
    found: list[Scope] = []
    if caller.organisation_kind in ("seller", "both") and _any(caller, SELLER_ROLES):
        found.append(Scope("seller", caller.organisation_id))
    if caller.organisation_kind in ("buyer", "both") and _any(caller, BUYER_ROLES):
        person = None if sees_all_of_its_buyers(caller) else caller.person_id
        found.append(Scope("buyer", caller.organisation_id, person))
    if not found:
        raise Forbidden("no_orders_role", "Your roles show you no orders. An admin of your organisation can add one.")
    return found


def sees_all_of_its_buyers(caller: Principal) -> bool:
    """A plain buyer follows its own orders; approvers, members, admins and API keys those of their organisation."""
    return caller.kind == "api_key" or _any(caller, STAFF | {"approver"})


def may_state_prices(caller: Principal) -> bool:
    """Whether the caller may hand in orders of a channel, with prices, totals and payment as the channel says them.

    A buyer orders from listings at their prices; those who bring orders from outside are trusted with them.
    """
    if caller.is_operator:
        return True
    return caller.organisation_kind in ("seller", "both") and _any(caller, SELLER_ROLES)


def may_buy(caller: Principal) -> bool:
    return caller.organisation_kind in ("buyer", "both") and _any(caller, BUYER_ROLES)


def may_sell_for(caller: Principal, seller: UUID) -> bool:
    """Whether the caller may hand in orders, or keep listings, of this seller."""
    if caller.is_operator:
        return True
    return caller.organisation_id == seller and may_state_prices(caller)


def need_operator(caller: Principal, what: str) -> None:
    """Raises Forbidden for everybody else. Nobody changes settings while logged in as somebody else."""
    if not caller.is_operator:
        raise Forbidden("operators_only", f"Only an operator of the marketplace may {what}.")
    if caller.act is not None:
        raise Forbidden("acting_as", f"Nobody may {what} while logged in as somebody else.")


def own_side(caller: Principal) -> Literal["buyer", "seller", "operator"]:
    if caller.is_operator:
        return "operator"
    return "seller" if caller.organisation_kind in ("seller", "both") else "buyer"


def _any(caller: Principal, roles: frozenset[str]) -> bool:
    return bool(roles & caller.roles)
