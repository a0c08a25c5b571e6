"""Who reads and writes in which thread: the one place that decides. Pure.

The buyer's side is the person who ordered, and the approvers, members, admins and API keys of that organisation; the
seller's side is everybody with a seller's role in the seller's organisation; operators see their whole marketplace.
`queries.sql` says the same of lists (`side_of`), and a test holds the two to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol
from uuid import UUID

from contracts.order import Side
from shared.errors import Forbidden
from shared.web import Principal

ThreadKind = Literal["buyer_seller", "seller_operator"]
THREAD_KINDS: Final[tuple[ThreadKind, ...]] = ("buyer_seller", "seller_operator")

STAFF: Final = frozenset({"admin", "member"})
SELLER_ROLES: Final = STAFF | {"seller"}
# A plain buyer follows its own orders; these follow those of their organisation.
BUYERS_ROLES: Final = STAFF | {"approver"}

SIDES_OF: Final[dict[ThreadKind, tuple[Side, ...]]] = {
    "buyer_seller": ("buyer", "seller", "operator"),
    "seller_operator": ("seller", "operator"),
}


class Parties(Protocol):
    """What decides who may see a thread."""

    @property
    def kind(self) -> ThreadKind: ...
    @property
    def buyer_organisation_id(self) -> UUID: ...
    @property
    def buyer_person_id(self) -> UUID | None: ...
    @property
    def seller_organisation_id(self) -> UUID: ...


@dataclass(frozen=True, slots=True)
class Reach:
    """What a caller may see: everything (operator), a seller's threads, a buying organisation's, a person's own."""

    reader_id: UUID
    operator: bool
    seller: UUID | None
    buyer: UUID | None
    person: UUID | None

    def side_of(self, thread: Parties) -> Side | None:
        """The side on which the caller stands in a thread; None where it may not know of it.

        Who ordered from the own organisation stands on the buyer's side, the colleagues on the seller's.
        """
        side: Side | None = None
        if self.operator:
            side = "operator"
        elif self.person is not None and thread.buyer_person_id == self.person:
            side = "buyer"
        elif thread.seller_organisation_id == self.seller:
            side = "seller"
        elif thread.buyer_organisation_id == self.buyer:
            side = "buyer"
        return side if side in SIDES_OF[thread.kind] else None


def side_of_member(thread: Parties, person_id: UUID, organisation_id: UUID, roles: frozenset[str]) -> Side | None:
    """The side on which a person of a party's organisation stands in a thread, by what identity says of it."""
    own = Reach(
        person_id,
        "operator" in roles,
        organisation_id if roles & SELLER_ROLES else None,
        organisation_id if roles & BUYERS_ROLES else None,
        person_id if "buyer" in roles else None,
    )
    return own.side_of(thread)


def reach(caller: Principal, scope: Literal["messages:read", "messages:write"]) -> Reach:
    """What the caller may see. Raises Forbidden for an API key without the scope."""
    if not (caller.has_scope(scope) or caller.has_scope("*")):
        raise Forbidden("scope_missing", f"This API key has no scope {scope}. Make one that has it.")
    reader_id = caller.person_id or caller.api_key_id
    assert reader_id is not None, "a principal is a person or an API key"
    key = caller.kind == "api_key"
    sells = caller.organisation_kind in ("seller", "both") and (key or bool(caller.roles & SELLER_ROLES))
    buys = caller.organisation_kind in ("buyer", "both")
    return Reach(
        reader_id,
        caller.is_operator,
        caller.organisation_id if sells else None,
        caller.organisation_id if buys and (key or bool(caller.roles & BUYERS_ROLES)) else None,
        caller.person_id if buys and "buyer" in caller.roles else None,
    )


def check_post(caller: Principal, side: Side, *, on_behalf_of: Side | None, automatic: bool) -> None:
    """Raises Forbidden where the caller may not write so.

    marketpush page: operators message with customers on behalf of the seller, and nobody else does.
    """
    if on_behalf_of is not None and side != "operator":
        raise Forbidden("operators_only", "Only an operator writes on behalf of a seller. Leave on_behalf_of out.")
    if automatic and caller.kind != "api_key":
        raise Forbidden("api_keys_only", "Only a system with an API key sends automatic messages. Leave automatic out.")


def sees_original(viewer: Side, sender: Side) -> bool:
    """Whether contact details are shown as they were written: to the side that wrote them, and to operators."""
    return viewer in ("operator", sender)
