"""Who may act: from an actor's organisation and roles to the sides and roles that a lifecycle file names."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.order import Side
from services.order.workflow.facts import Actor
from services.order.workflow.lifecycle import Transition, Who
from services.order.workflow.model import Order

# A member or admin of an organisation may do what its buyers and sellers may.
_BUYING = frozenset(("buyer", "member", "admin"))
_SELLING = frozenset(("seller", "member", "admin"))
_MACHINES = frozenset(("channel", "clock", "service"))


def sides(order: Order, actor: Actor) -> frozenset[Side]:
    """The sides of the order on which the actor stands; both where an organisation buys from itself."""
    found: set[Side] = set()
    if "operator" in actor.roles:
        found.add("operator")
    if actor.organisation_id == order.buyer.organisation_id and actor.roles & (_BUYING | {"approver"}):
        found.add("buyer")
    if actor.organisation_id == order.seller.organisation_id and actor.roles & _SELLING:
        found.add("seller")
    return frozenset(found)


def visible(order: Order, actor: Actor) -> bool:
    """Whether the actor may know of the order at all: the seller's side not before it was first pending."""
    if actor.kind in _MACHINES:
        return True
    stands = sides(order, actor)
    return "operator" in stands or bool(stands & set(order.known_to))


def _stands_as(order: Order, actor: Actor, who: Who) -> Side | None:
    """The side on which the actor fulfils the role, or None where it does not."""
    buys = actor.organisation_id == order.buyer.organisation_id
    sells = actor.organisation_id == order.seller.organisation_id
    if who.role == "operator":
        return "operator" if "operator" in actor.roles else None
    if who.role == "buyer":
        return "buyer" if buys and actor.roles & _BUYING else None
    if who.role == "seller":
        return "seller" if sells and actor.roles & _SELLING else None
    if who.role == "approver":
        return "buyer" if buys and "approver" in actor.roles else None
    if who.role not in actor.roles:
        return None
    if sells and who.side != "buyer":
        return "seller"
    return "buyer" if buys and who.side != "seller" else None


def admits(
    order: Order, actor: Actor, transition: Transition, settings: Mapping[str, bool | int]
) -> tuple[bool, Side | None]:
    """Whether the transition is for the actor, and the side on which it acts (None for machines)."""
    for who in transition.who:
        if who.setting is not None and not settings[who.setting]:
            continue
        if who.role in _MACHINES or actor.kind in _MACHINES:
            if who.role == actor.kind:
                return True, None
            continue
        if who.placer and (actor.person_id is None or actor.person_id != order.buyer.person_id):
            continue
        side = _stands_as(order, actor, who)
        if side is not None:
            return True, side
    return False, None
