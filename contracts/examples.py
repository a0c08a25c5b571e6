"""One whole example of every event: for the catalogue, the docs and the first golden payload of a version."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from contracts import identity, inbound, messaging, notification, order, webhook
from contracts.envelope import Event
from contracts.money import Money

_PLACED: Final = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def _id(n: int) -> UUID:
    return UUID(f"01930000-0000-7000-8000-{n:012d}")


def _usd(minor: int) -> Money:
    return Money.of(minor, "USD")


MARKETPLACE: Final = _id(1)
_BUYER, _SELLER = _id(11), _id(12)


def _line(**given: Any) -> order.Line:
    fields: dict[str, Any] = {
        "line_id": _id(31), "position": 1, "listing_id": _id(41), "sku": "LAMP-2", "name": "Desk lamp, used",
        "unit_price": _usd(4250), "ordered": Decimal(2), "open": Decimal(2), "accepted": Decimal(0),
        "rejected": Decimal(0), "canceled": Decimal(0), "shipped": Decimal(0), "received": Decimal(0),
        "returned": Decimal(0), "net": _usd(8500), "tax": _usd(0), "total": _usd(8500), "refunded": _usd(0),
        "status": "pending", "kg_per_unit": Decimal("1.8"), "material": "steel",
    }  # fmt: skip
    return order.Line(**(fields | given))


def _snapshot(**given: Any) -> order.OrderSnapshot:
    totals = order.Totals(
        lines=_usd(8500), tax=_usd(0), shipping=_usd(0), discount=_usd(0), adjustment=_usd(0), total=_usd(8500),
        paid=_usd(8500), refunded=_usd(0),
    )  # fmt: skip
    home = order.Address(name="John Doe", line1="1 High Street", postal_code="40202", city="Louisville", country="US")
    fields: dict[str, Any] = {
        "order_id": _id(21), "marketplace_id": MARKETPLACE, "number": "ORD-1234", "purchase_id": _id(22), "sequence": 1,
        "lifecycle": order.LifecycleRef(name="storefront", version=1), "status": "pending",
        "status_label": "Pending / New", "phase": "pending", "money": "paid", "issue": "none", "placed_at": _PLACED,
        "updated_at": _PLACED, "channel": "direct",
        "buyer": order.Party(organisation_id=_BUYER, name="Doe Household", person_id=_id(13), person_name="John Doe",
                             email="john@doe.example"),
        "seller": order.Party(organisation_id=_SELLER, name="Second Light Ltd"),
        "customer": order.Customer(name="John Doe", email="john@doe.example", shipping_address=home),
        "currency": "USD", "lines": (_line(),), "totals": totals,
        "commission": order.Commission(rate=Decimal("0.12"), amount=_usd(1020), reversed=_usd(0)),
        "deadlines": (order.Deadline(name="acknowledge", due_at=_PLACED + timedelta(hours=24)),),
        "status_times": (order.StatusTime(status="pending", at=_PLACED),),
    }  # fmt: skip
    return order.OrderSnapshot(**(fields | given))


def _change(action: str, before: str | None, after: str, phases: tuple[Any, Any], **given: Any) -> order.Change:
    actor = order.Actor(kind="person", id=_id(14), name="Sam Seller", side="seller")
    fields: dict[str, Any] = {
        "action": action, "label": action.replace("_", " ").capitalize(), "from_status": before, "to_status": after,
        "from_phase": phases[0], "to_phase": phases[1], "actor": actor,
    }  # fmt: skip
    return order.Change(**(fields | given))


def _order_fields(snapshot: order.OrderSnapshot, change: order.Change) -> dict[str, Any]:
    return {
        "marketplace_id": MARKETPLACE, "order_id": snapshot.order_id, "sequence": snapshot.sequence,
        "occurred_at": snapshot.updated_at, "change": change, "order": snapshot,
    }  # fmt: skip


def _order_events() -> list[Event]:
    later = _PLACED + timedelta(days=2)
    placed = _change("place", None, "pending", (None, "pending"),
                     actor=order.Actor(kind="person", id=_id(13), name="John Doe", side="buyer"))  # fmt: skip
    accepted = _line(open=Decimal(0), accepted=Decimal(2), status="processing")
    shipped = accepted.model_copy(update={"shipped": Decimal(2), "status": "completed", "received": Decimal(2)})
    parcel = order.Parcel(
        parcel_id=_id(51), number=1, shipped_at=_PLACED + timedelta(days=1), carrier="UPS", tracking_number="1Z2345",
        tracking_url="https://www.ups.com/track?tracknum=1Z2345",
        lines=(order.ParcelLine(line_id=_id(31), quantity=Decimal(2)),),
    )  # fmt: skip
    processing = _snapshot(sequence=2, status="processing", status_label="Processing", phase="preparing",
                           lines=(accepted,))  # fmt: skip
    completed = _snapshot(sequence=4, status="completed", status_label="Completed / Delivered", phase="completed",
                          lines=(shipped,), parcels=(parcel,), updated_at=later,
                          scheduled_for=date(2026, 3, 4))  # fmt: skip
    canceled_line = _line(open=Decimal(0), canceled=Decimal(2), status="canceled")
    canceled = _snapshot(sequence=2, status="canceled", status_label="Cancelled", phase="canceled",
                         cancel_kind="canceled", lines=(canceled_line,), closed_at=later, updated_at=later)  # fmt: skip
    refund = order.Refund(refund_id=_id(61), amount=_usd(4250), state="done", at=later, line_id=_id(31),
                          quantity=Decimal(1), reason="One arrived broken", commission_reversed=_usd(510))  # fmt: skip
    issue = order.Issue(issue_id=_id(62), kind="problem", state="open", reason_code="not_as_described",
                        opened_at=later, opened_by="buyer", note="One lamp is broken")  # fmt: skip
    refunded = completed.model_copy(update={"sequence": 6, "money": "partially_refunded", "refunds": (refund,)})
    disputed = completed.model_copy(update={"sequence": 5, "issue": "open", "issues": (issue,), "payout_held": True})
    back = order.Returned(line_id=_id(31), listing_id=_id(41), sku="LAMP-2", quantity=Decimal(2))
    done = ("completed", "completed")
    return [
        order.OrderCreated(**_order_fields(_snapshot(), placed)),
        order.OrderUpdated(
            **_order_fields(processing, _change("process", "pending", "processing", ("pending", "preparing")))
        ),
        order.OrderCompleted(
            **_order_fields(completed, _change("complete", "shipped", "completed", ("in_transit", "completed")))
        ),
        order.OrderCanceled(
            **_order_fields(
                canceled, _change("cancel", "pending", "canceled", ("pending", "canceled"), reason="Sold out")
            ),
            kind="canceled",
            returned=(back,),
        ),
        order.OrderRefunded(
            **_order_fields(refunded, _change("refund", "completed", "completed", done)), refund=refund
        ),
        order.OrderDisputed(
            **_order_fields(disputed, _change("report_problem", "completed", "completed", done)), issue=issue
        ),
    ]


def _inbound_events() -> list[Event]:
    submitted = inbound.SubmittedOrder(
        external_id="450789469", external_number="#1001", channel="shop", currency="USD", paid=True,
        customer=inbound.SubmittedCustomer(name="Bob Norman", email="bob.norman@example.com"),
        lines=(inbound.SubmittedLine(sku="LAMP-2", name="Desk lamp", quantity=Decimal(1), unit_price=_usd(4250),
                                     seller="second-light"),),
    )  # fmt: skip
    return [
        inbound.OrderSubmitted(marketplace_id=MARKETPLACE, order=submitted),
        inbound.PaymentSettled(marketplace_id=MARKETPLACE, payment_id="pay_81", order_id=_id(21), kind="paid",
                               amount=_usd(8500), settled_at=_PLACED),
        inbound.ListingChanged(marketplace_id=MARKETPLACE, listing_id=_id(41), seller="second-light", sku="LAMP-2",
                               changed_at=_PLACED, available=Decimal(7), price=_usd(4250)),
    ]  # fmt: skip


def _other_events() -> list[Event]:
    marketplace = identity.Marketplace(marketplace_id=MARKETPLACE, slug="storefront", name="Storefront", currency="USD",
                                       time_zone="America/New_York", lifecycle="storefront",
                                       settings={"ship_within_days": "3"})  # fmt: skip
    organisation = identity.Organisation(organisation_id=_SELLER, slug="second-light", name="Second Light Ltd",
                                         kind="seller", time_zone="America/New_York")  # fmt: skip
    member = identity.Member(person_id=_id(14), email="sam@second-light.example", name="Sam Seller", roles=("seller",))
    told: dict[str, Any] = {
        "marketplace_id": MARKETPLACE, "notification_id": _id(71), "delivery_id": _id(72), "cause_event_id": _id(73),
        "person_id": _id(14), "order_id": _id(21), "category": "order_confirmation", "channel": "email", "at": _PLACED,
    }  # fmt: skip
    return [
        identity.MemberChanged(marketplace_id=MARKETPLACE, version=1, marketplace=marketplace,
                               organisation=organisation, member=member),
        messaging.MessagePosted(
            marketplace_id=MARKETPLACE, order_id=_id(21), order_number="ORD-1234", thread_id=_id(81),
            message_id=_id(82), seq=1, posted_at=_PLACED, sender_side="buyer",
            sender=order.Actor(kind="person", id=_id(13), name="John Doe", side="buyer"),
            sender_organisation_id=_BUYER, buyer_organisation_id=_BUYER, seller_organisation_id=_SELLER,
            preview="When will it be sent?",
        ),
        notification.NotificationDelivered(**told),
        notification.NotificationFailed(**told, state="suppressed", reason="550 no such mailbox"),
        webhook.EndpointDisabled(marketplace_id=MARKETPLACE, endpoint_id=_id(91), organisation_id=_SELLER,
                                 url="https://erp.second-light.example/hooks", reason="failing", at=_PLACED,
                                 detail="Nothing but failures for 5 days"),
    ]  # fmt: skip


def examples() -> dict[tuple[str, int], Event]:
    """An example of every current event by (type, version)."""
    return {(e.TYPE, e.VERSION): e for e in (*_order_events(), *_inbound_events(), *_other_events())}
