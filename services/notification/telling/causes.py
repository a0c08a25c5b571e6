"""A cause: what planning and the texts need of an event, whatever its type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from contracts.envelope import Event, Received
from contracts.messaging import MessagePosted
from contracts.money import Money
from contracts.order import (
    Actor,
    Line,
    OrderCanceled,
    OrderDisputed,
    OrderEvent,
    OrderRefunded,
    OrderSnapshot,
    Party,
    Side,
)
from contracts.webhook import EndpointDisabled
from services.notification.telling.occasions import Occasion, held, occasion
from services.notification.telling.plain import plain

Facts = Mapping[str, Any]

MOST_NAME: Final = 120
# Names of a message's attachments; it has at most five today.
MOST_FILES: Final = 10


@dataclass(frozen=True, slots=True)
class PartyRef:
    """One side of the order: its organisation, and its person where the order names one."""

    organisation_id: UUID
    person_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """One event as notifications see it.

    `audience` is who may know; `between` the two sides that talk to each other in it; `acted` the side of whoever
    did it, if any. `held` says that it is the end of an order for which money was paid. `facts` are the small JSON
    values that the texts name; free text in them is shortened.
    """

    event_id: UUID
    marketplace_id: UUID
    event_type: str
    occasion: Occasion
    occurred_at: datetime
    audience: frozenset[Side]
    facts: Facts
    lifecycle: str = ""
    between: tuple[Side, ...] = ("buyer", "seller")
    acted: Side | None = None
    actor_id: UUID | None = None
    stood_for: UUID | None = None
    buyer: PartyRef | None = None
    seller: PartyRef | None = None
    organisation_id: UUID | None = None
    order_id: UUID | None = None
    order_number: str | None = None
    held: bool = False
    traceparent: str = field(default="", compare=False)

    def between_people(self, buyer: UUID | None, seller: UUID | None, *, hidden: bool) -> Cause:
        """The same cause with the people of the order, and without the seller where the order is hidden from them."""
        assert self.buyer is not None
        assert self.seller is not None
        return replace(
            self,
            buyer=PartyRef(self.buyer.organisation_id, buyer),
            seller=PartyRef(self.seller.organisation_id, seller),
            audience=self.audience - {"seller"} if hidden else self.audience,
        )


def cause_of(received: Received[Any]) -> Cause | None:
    """The cause of an event, or None where nobody needs to be told of it."""
    event: Event = received.event
    if isinstance(event, OrderEvent):
        return _of_order(received.event_id, event, received.traceparent)
    if isinstance(event, MessagePosted):
        return _of_message(received.event_id, event, received.traceparent)
    if isinstance(event, EndpointDisabled):
        return _of_endpoint(received.event_id, event, received.traceparent)
    raise TypeError(f"{event.TYPE} is not an event that people are told of")


def may_know(order: OrderSnapshot, audience: tuple[Side, ...]) -> frozenset[Side]:
    """The event's audience, less the seller where the order never reached them.

    Supplier page: above the purchasing limit the supplier won't see the order until it is approved. An order
    that was rejected or abandoned before that stays hidden, whatever the audience of a late event says.
    """
    hidden = order.phase == "approval" or (order.approval is not None and order.approval.state != "approved")
    return frozenset(audience) - {"seller"} if hidden else frozenset(audience)


def _of_order(event_id: UUID, event: OrderEvent, traceparent: str) -> Cause | None:
    what = occasion(event)
    if what is None:
        return None
    order, actor = event.order, event.change.actor
    return Cause(
        event_id=event_id,
        marketplace_id=event.marketplace_id,
        event_type=event.TYPE,
        occasion=what,
        occurred_at=event.occurred_at,
        audience=may_know(order, event.audience),
        facts=_order_facts(event),
        lifecycle=order.lifecycle.name,
        acted=actor.side,
        actor_id=actor.id if actor.kind == "person" else None,
        stood_for=actor.on_behalf_of,
        buyer=PartyRef(order.buyer.organisation_id, order.buyer.person_id),
        seller=PartyRef(order.seller.organisation_id, order.seller.person_id),
        order_id=event.order_id,
        order_number=order.number,
        held=isinstance(event, OrderCanceled) and held(order) > 0,
        traceparent=traceparent,
    )


def _of_message(event_id: UUID, event: MessagePosted, traceparent: str) -> Cause:
    facts = {
        "number": plain(event.order_number, MOST_NAME),
        **_actor_facts(event.sender),
        "thread_id": str(event.thread_id),
        "sender_side": event.sender_side,
        "for_side": event.on_behalf_of,
        "preview": plain(event.preview),
        "attachments": event.attachment_count,
        "files": [plain(f.file_name, MOST_NAME) for f in (event.attachments or ())[:MOST_FILES]],
    }
    return Cause(
        event_id=event_id,
        marketplace_id=event.marketplace_id,
        event_type=event.TYPE,
        occasion=Occasion.MESSAGE,
        occurred_at=event.posted_at,
        audience=frozenset(event.audience),
        facts=facts,
        between=("seller", "operator") if event.thread_kind == "seller_operator" else ("buyer", "seller"),
        acted=event.sender_side,
        actor_id=event.sender.id if event.sender.kind == "person" else None,
        stood_for=event.sender.on_behalf_of,
        buyer=PartyRef(event.buyer_organisation_id),
        seller=PartyRef(event.seller_organisation_id),
        order_id=event.order_id,
        order_number=event.order_number,
        traceparent=traceparent,
    )


def _of_endpoint(event_id: UUID, event: EndpointDisabled, traceparent: str) -> Cause:
    # Addresses may carry secrets in their path or query: the host is enough to know which endpoint it is.
    host = urlsplit(event.url).hostname or event.url
    return Cause(
        event_id=event_id,
        marketplace_id=event.marketplace_id,
        event_type=event.TYPE,
        occasion=Occasion.ENDPOINT_WARNING if event.reason == "warning" else Occasion.ENDPOINT_DISABLED,
        occurred_at=event.at,
        audience=frozenset(("buyer", "seller", "operator")),
        facts={
            "host": plain(host, MOST_NAME),
            "reason_code": event.reason,
            "reason": plain(event.detail),
            "endpoint_id": str(event.endpoint_id),
        },
        organisation_id=event.organisation_id,
        traceparent=traceparent,
    )


def _order_facts(event: OrderEvent) -> Facts:
    order, change = event.order, event.change
    facts: dict[str, Any] = {
        "number": plain(order.number, MOST_NAME),
        "lifecycle": order.lifecycle.name,
        "status": plain(order.status_label, MOST_NAME),
        "phase": order.phase,
        **_actor_facts(change.actor),
        "action": plain(change.label, MOST_NAME),
        "reason": plain(change.reason),
        "buyer": _party_name(order.buyer),
        "buyer_person": plain(order.buyer.person_name or order.customer.name, MOST_NAME),
        "seller": _party_name(order.seller),
        "total": order.totals.total.model_dump(),
        "first_item": _item(order.lines[0]) if order.lines else None,
        "more_items": max(0, len(order.lines) - 1),
        "scheduled_for": order.scheduled_for.isoformat() if order.scheduled_for else None,
        "pickup": order.delivery_mode == "pickup",
    }
    facts |= _parcel_facts(order) | _issue_facts(event) | _deadline_facts(event)
    if isinstance(event, OrderRefunded):
        facts["amount"] = event.refund.amount.model_dump()
        facts["reason"] = plain(event.refund.reason or change.reason)
    elif minor := held(order):
        facts["amount"] = Money.of(minor, order.currency).model_dump()
    return facts


def _actor_facts(actor: Actor) -> dict[str, Any]:
    return {
        "actor": plain(actor.name, MOST_NAME),
        "actor_for": plain(actor.on_behalf_of_name, MOST_NAME) if actor.on_behalf_of else "",
        "automatic": actor.kind in ("clock", "service"),
    }


def _party_name(party: Party) -> str:
    return plain(party.name, MOST_NAME)


def _item(line: Line) -> dict[str, Any]:
    return {
        "name": plain(line.name, MOST_NAME),
        "quantity": str(line.ordered.normalize().__format__("f")),
        "unit": line.unit_code,
    }


def _parcel_facts(order: OrderSnapshot) -> dict[str, Any]:
    if not order.parcels:
        return {}
    parcel = order.parcels[-1]
    return {
        "carrier": plain(parcel.carrier, MOST_NAME),
        "tracking_number": plain(parcel.tracking_number, MOST_NAME),
        "tracking_url": _web_address(parcel.tracking_url),
    }


def _issue_facts(event: OrderEvent) -> dict[str, Any]:
    if isinstance(event, OrderDisputed):
        issue = event.issue
    else:
        # a request to cancel is an order.updated: it changes nothing yet but that somebody has to decide
        requests = [i for i in event.order.issues if i.kind == "cancellation_request"]
        if "cancellation" not in event.change.action or not requests:
            return {}
        issue = requests[-1]
    said = issue.note if issue.state == "open" else issue.resolution
    return {
        "issue": issue.kind,
        "issue_code": plain(issue.reason_code, MOST_NAME),
        "reason": plain(said or event.change.reason),
        "evidence_due_at": issue.evidence_due_at.isoformat() if issue.evidence_due_at else None,
    }


def _deadline_facts(event: OrderEvent) -> dict[str, Any]:
    told = event.change.details.get("deadline")
    if not isinstance(told, dict):
        return {}
    name = str(told.get("name"))
    # the event's own date: an order may have several deadlines of one name, one for each chargeback
    due = {d.due_at.isoformat() for d in event.order.deadlines if d.name == name}
    stated = told.get("due_at")
    return {"deadline": name, "due_at": stated if stated in due else min(due, default=None)}


def _web_address(url: str | None) -> str | None:
    if not url or len(url) > 2_000 or any(c.isspace() or ord(c) < 32 for c in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None
