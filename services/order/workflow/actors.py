"""Who may act: from an actor's organisation and roles to the sides and roles that a lifecycle file names."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.order import Side
from services.order.workflow.facts import Actor
from services.order.workflow.lifecycle import Transition, Who
from services.order.workflow.model import Order

# A member or admin of an organisation may do what its buyers and sellers may, for all of its orders.
_EVERY_ORDER = frozenset(("member", "admin"))
_SELLING = frozenset(("seller", "member", "admin"))
_MACHINES = frozenset(("channel", "clock", "service"))


def _placed(order: Order, actor: Actor) -> bool:
    """Whether the order is the actor's own; what a key placed has no person, and belongs to its organisation's keys."""
    if actor.kind == "api_key" and order.buyer.person_id is None:
        return actor.organisation_id == order.buyer.organisation_id
    return actor.person_id is not None and actor.person_id == order.buyer.person_id


def _buys(order: Order, actor: Actor) -> bool:
    """A person with only the role buyer acts on what they placed; members, admins and API keys on everything."""
    if actor.organisation_id != order.buyer.organisation_id:
        return False
    own = actor.kind == "api_key" or _placed(order, actor)
    return bool(actor.roles & _EVERY_ORDER) or ("buyer" in actor.roles and own)


def _approves(order: Order, actor: Actor) -> bool:
    return actor.organisation_id == order.buyer.organisation_id and "approver" in actor.roles


def _sells(order: Order, actor: Actor) -> bool:
    return actor.organisation_id == order.seller.organisation_id and bool(actor.roles & _SELLING)


def sides(order: Order, actor: Actor) -> frozenset[Side]:
    """The sides of the order on which the actor stands; both where an organisation buys from itself."""
    found: set[Side] = set()
    if "operator" in actor.roles:
        found.add("operator")
    if _buys(order, actor) or _approves(order, actor):
        found.add("buyer")
    if _sells(order, actor):
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
    if who.role == "operator":
        return "operator" if "operator" in actor.roles else None
    if who.role == "buyer":
        return "buyer" if _buys(order, actor) else None
    if who.role == "seller":
        return "seller" if _sells(order, actor) else None
    if who.role == "approver":
        return "buyer" if _approves(order, actor) else None
    if who.role not in actor.roles:
        return None
    if actor.organisation_id == order.seller.organisation_id and who.side != "buyer":
        return "seller"
    return "buyer" if actor.organisation_id == order.buyer.organisation_id and who.side != "seller" else None


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
        if who.placer and not _placed(order, actor):
            continue
        side = _stands_as(order, actor, who)
        if side is not None:
            return True, side
    return False, None
