"""Orders and payments that other services hand in on topics: the same as over HTTP, once per event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final
from uuid import UUID

import asyncpg

from contracts.envelope import Received
from contracts.inbound import OrderSubmitted, PaymentSettled
from contracts.money import from_minor
from services.order import workflow
from services.order.actions import following, placing
from services.order.actions.acting import facts_for
from services.order.actions.changing import lifecycle_of, write
from services.order.actions.following import joined
from services.order.actions.placing import EXTERNAL_ID, Request
from services.order.actions.resolving import Submitter
from services.order.store import orders, payments
from services.order.store.orders import Held
from services.order.workflow import Actor, Decision
from services.order.workflow.model import Refund
from services.order.workflow.proportion import allocate
from shared.errors import Conflict, Unavailable
from shared.ids import new_id
from shared.inbox import RetryLater
from shared.logs import log
from shared.postgres import Transaction
from shared.process import Runtime
from shared.telemetry import continue_trace

# A channel's order is trusted with its prices; its parties come from the order or the channel's settings.
_CHANNEL: Final = Submitter(trusted=True, buys_as=None, sells_as=None, person=None)
PAYMENTS: Final = Actor("service", "payments")


async def orders_submitted(run: Runtime, tx: Transaction, events: Sequence[Received[OrderSubmitted]]) -> None:
    """order.submitted: place it, or bring the order that it became up to date.

    Without an external id the event's own id stands in, so that the same event is the same order for ever. What can
    never be placed fails with the reason and ends among the dead letters, where somebody sees it.
    """
    for received in events:
        with continue_trace(received.traceparent):
            await _submitted(run, tx, received)


async def _submitted(run: Runtime, tx: Transaction, received: Received[OrderSubmitted]) -> None:
    event = received.event
    body = event.order
    if body.external_id is None:
        body = body.model_copy(update={"external_id": f"event-{received.event_id}"})
    request = Request(event.marketplace_id, body, _CHANNEL, Actor("channel", body.channel))
    try:
        async with tx.savepoint():
            if (purchase := await placing.prepare(run, tx, request)) is not None:
                await placing.write(tx, purchase.changes(run, None))
            elif (known := await following.again(run, tx, body, event.marketplace_id, None)) and known.warnings:
                log.warning("order.not_followed", channel=body.channel, warnings=list(known.warnings))
    except asyncpg.UniqueViolationError as e:
        if e.constraint_name != EXTERNAL_ID:
            raise
        raise RetryLater("the same order is being placed by another request") from None
    except Unavailable as e:
        raise RetryLater(e.detail) from None


async def payments_settled(run: Runtime, tx: Transaction, events: Sequence[Received[PaymentSettled]]) -> None:
    """payment.settled: money came in, a refund was paid out, or a customer took the money back."""
    for received in events:
        with continue_trace(received.traceparent):
            await _settled(run, tx, received.event)


async def _settled(run: Runtime, tx: Transaction, event: PaymentSettled) -> None:
    if event.amount.minor <= 0:
        raise ValueError(f"payment {event.payment_id}: amount is {event.amount.amount}; it must be above zero")
    shares = await _orders_of(tx, event)
    if not shares:
        named = event.order_id or f"{event.external_id!r} of channel {event.channel!r}"
        raise RetryLater(f"payment {event.payment_id}: its order, {named}, is not here (yet)")
    for held, _ in shares:
        if held.order.currency != event.amount.currency:
            raise ValueError(f"payment {event.payment_id} is in {event.amount.currency}, not {held.order.currency}")
    if await _is_new(tx, event, [held.order.order_id for held, _ in shares]):
        for held, minor in shares:
            await _settle_one(run, tx, event, held, minor)


async def _is_new(tx: Transaction, event: PaymentSettled, order_ids: Sequence[UUID]) -> bool:
    """Whether the settlement is not booked yet. Raises ValueError where it is, for another amount or other orders.

    A payment is its id; of a refund or chargeback, which a payment may have several of, also when it was settled.
    """
    identity = event.payment_id
    if event.kind != "paid":
        identity = f"{identity} {event.refund_id or ''} {event.settled_at.astimezone(UTC).isoformat()}"
    booked = await payments.book(
        tx, event.marketplace_id, event.kind, identity, order_ids, event.amount.minor, event.settled_at
    )
    if booked is None:
        return True
    if booked != (frozenset(order_ids), event.amount.minor):
        raise ValueError(
            f"payment {event.payment_id} ({event.kind}) was booked already, for another amount or other orders; a "
            "further payment needs an id of its own"
        )
    return False


async def _orders_of(tx: Transaction, event: PaymentSettled) -> list[tuple[Held, int]]:
    """The orders that the payment is for, each with its share in minor units: a purchase may be several orders."""
    if event.order_id is not None:
        held = await orders.lock(tx, event.order_id)
        if held is None or held.order.marketplace_id != event.marketplace_id:
            return []
        return [(held, event.amount.minor)]
    if event.external_id is None or event.channel is None:
        raise ValueError(f"payment {event.payment_id} names no order: order_id, or channel and external_id are needed")
    rows = await orders.find_external(tx, event.marketplace_id, event.channel, event.external_id)
    held_ones = [h for r in rows if (h := await orders.lock(tx, r["id"])) is not None]
    if event.refund_id is not None and len(held_ones) > 1:
        # a refund is of one of the purchase's orders
        held_ones = [h for h in held_ones if any(x.refund_id == event.refund_id for x in h.order.refunds)]
        if not held_ones:
            raise ValueError(f"payment {event.payment_id} names a refund that none of its orders has")
    if not held_ones:
        return []
    parts = allocate(event.amount.minor, [_due(h, event) for h in held_ones])
    return [(h, part) for h, part in zip(held_ones, parts, strict=True) if part]


def _due(held: Held, event: PaymentSettled) -> int:
    order = held.order
    if event.kind == "paid":
        return max(order.owed - order.paid, 0)
    return sum(r.amount for r in order.refunds if r.state == "pending") if event.kind == "refund_done" else order.paid


async def _settle_one(run: Runtime, tx: Transaction, event: PaymentSettled, held: Held, minor: int) -> None:
    lifecycle = await lifecycle_of(tx, held)
    facts = await facts_for(tx, held, lifecycle)
    decision: Decision | None = None
    try:
        for action, params in _actions(event, minor, held):
            order = decision.order if decision else held.order
            then = workflow.decide(order, lifecycle, action, PAYMENTS, params, run.clock(), new_id, facts)
            decision = joined(decision, then) if decision else then
    except workflow.Refused as e:
        raise Conflict(e.code, f"payment {event.payment_id} for {held.order.number}: {e.detail}") from None
    if decision is not None:
        await write(run, tx, held, decision, lifecycle)


def _actions(event: PaymentSettled, minor: int, held: Held) -> list[tuple[str, dict[str, Any]]]:
    amount = {"amount": from_minor(minor, held.order.currency), "currency": held.order.currency}
    if event.kind == "paid":
        return [("record_payment", {"amount": amount})]
    if event.kind == "chargeback":
        return [("chargeback", {"amount": amount, "note": f"payment {event.payment_id}"})]
    if _already(event, held):
        return []
    done = _paid_out(event, minor, held)
    # with none to be done it is refused, with the reason
    return [("refund_done", {"refund_id": str(r.refund_id)}) for r in done] or [("refund_done", {})]


def _paid_out(event: PaymentSettled, minor: int, held: Held) -> Sequence[Refund]:
    """The pending refunds that so much is: the one that is named, else the oldest of that amount, else all of them.

    Raises Conflict where the amount is that of none: what would be done then is not what was paid out.
    """
    pending = [r for r in held.order.refunds if r.state == "pending" and event.refund_id in (None, r.refund_id)]
    fitting = [r for r in pending if r.amount == minor][:1] or pending
    if sum(r.amount for r in fitting) == minor or not fitting:
        return fitting
    currency = held.order.currency
    waiting = " and ".join(from_minor(r.amount, currency) for r in pending[:5])
    raise Conflict(
        "refund_amount_differs",
        f"payment {event.payment_id} for {held.order.number}: {from_minor(minor, currency)} {currency} was paid out, "
        f"and {waiting} wait to be. Record here what was given back, then discard this.",
    )


def _already(event: PaymentSettled, held: Held) -> bool:
    """A refund that is done cannot be done again: a report that comes twice under two event ids changes nothing."""
    if event.refund_id is None:
        return False
    return any(r.refund_id == event.refund_id and r.state == "done" for r in held.order.refunds)
