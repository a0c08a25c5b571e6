"""The one place that says what the searchable columns of an order are: each follows from the aggregate."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from contracts.money import from_minor
from contracts.order import Side
from services.order import workflow
from services.order.store.texts import fold, searched
from services.order.workflow import Lifecycle, Order

SIDES: Final[tuple[Side, ...]] = ("buyer", "seller", "operator")
NUMBER_PREFIX: Final = "ORD-"


def number_of(order: Order) -> int:
    return int(order.number.removeprefix(NUMBER_PREFIX))


def document_of(order: Order) -> str:
    """The aggregate as it is stored."""
    return order.model_dump_json(exclude_defaults=True)


def order_of(document: str) -> Order:
    return Order.model_validate_json(document)


def changing(order: Order, lifecycle: Lifecycle, timer_at: datetime | None, chain: bytes) -> tuple[Any, ...]:
    """The columns that a change may move, in the order of the statement `change_order` ($3 - $17)."""
    shown = workflow.shown(order, lifecycle)
    overdue = workflow.is_overdue(order)
    return (
        order.sequence,
        order.status,
        shown.code,
        workflow.phase_of(order, lifecycle),
        order.money,
        order.issue,
        "created" in order.milestones,
        overdue,
        order.total,
        order.updated_at,
        order.closed_at,
        timer_at,
        chain,
        card_of(order, lifecycle, shown, overdue),
        document_of(order),
    )


def placing(
    order: Order,
    lifecycle: Lifecycle,
    timer_at: datetime | None,
    chain: bytes,
    *,
    part: int,
    fingerprint: bytes | None,
) -> tuple[Any, ...]:
    """All columns of a new order, in the order of the statement `place_orders` ($1 - $33)."""
    moving = changing(order, lifecycle, timer_at, chain)
    sequence, status, shown, phase, money, issue, known, overdue, total, updated, closed, timer, _, card, doc = moving
    name, email = fold(order.customer.name), fold(order.customer.email)
    words = searched(name, email, fold(order.external_id), fold(order.external_number))
    return (
        order.marketplace_id, order.order_id, number_of(order), order.purchase_id, order.channel, order.external_id,
        part, fingerprint, order.lifecycle.name, order.lifecycle.version, sequence, status, shown, phase, money, issue,
        known, overdue, order.buyer.organisation_id, order.buyer.person_id, order.seller.organisation_id, name, email,
        words, order.currency, total, order.placed_at, updated, closed, timer, chain, card,
        doc,
    )  # fmt: skip


def card_of(order: Order, lifecycle: Lifecycle, shown: workflow.Shown, overdue: bool) -> str:
    """What lists and exports show of an order. Commission is taken out again for those who may not see it."""
    state = lifecycle.states[order.status]
    money = order.currency
    card = {
        "order_id": order.order_id,
        "number": order.number,
        "purchase_id": order.purchase_id,
        "sequence": order.sequence,
        "lifecycle": {"name": order.lifecycle.name, "version": order.lifecycle.version},
        "status": order.status,
        "status_label": shown.label,
        "labels": {side: state.label_for(side) for side in SIDES}
        if state.labels and shown.code == order.status
        else {},
        "shown": {"code": shown.code, "tone": shown.tone, "mark": shown.mark},
        "phase": state.phase,
        "money": order.money,
        "issue": order.issue,
        "overdue": overdue,
        **({"overdue_to": late} if overdue and (late := workflow.overdue_to(order, lifecycle)) != SIDES else {}),
        "placed_at": order.placed_at,
        "updated_at": order.updated_at,
        "closed_at": order.closed_at,
        "channel": order.channel,
        "external_id": order.external_id,
        "external_number": order.external_number,
        "external_status": order.external_status,
        "buyer": _party(order.buyer),
        "seller": _party(order.seller),
        "customer": {"name": order.customer.name, "email": order.customer.email},
        "currency": money,
        "total": _money(order.total, money),
        "paid": _money(order.paid, money),
        "refunded": _money(order.refunded, money),
        **({"excess": _money(left, money)} if (left := order.excess_left) else {}),
        "commission": _money(order.commission - order.commission_reversed, money),
        "line_count": len(order.lines),
        "delivery_mode": order.delivery_mode,
        "scheduled_for": order.scheduled_for,
        "payout_held": order.payout_held,
    }
    # ids that came from the database are of its own UUID class
    return orjson.dumps(card, default=str, option=orjson.OPT_UTC_Z).decode()


def _party(party: Any) -> dict[str, Any]:
    return {
        "organisation_id": party.organisation_id,
        "name": party.name,
        "person_id": party.person_id,
        "person_name": party.person_name,
    }


def _money(minor: int, currency: str) -> dict[str, str]:
    return {"amount": from_minor(minor, currency), "currency": currency}


def uuid_of(value: Any) -> UUID | None:
    return UUID(value) if value else None
