"""Placing an order: over HTTP, from a topic, again, or as a replacement. One purchase, one order per seller.

Round trips: begin, context (which also tells whether the external id is there already), one statement that writes
everything, commit. An Idempotency-Key costs none: its row is part of the statement, and only where that collides is the
kept answer looked up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from contracts.inbound import SubmittedOrder
from contracts.money import from_minor
from contracts.order import OrderSnapshot, Party
from services.order import metrics, policy, workflow
from services.order.actions.changing import out_of_stock
from services.order.actions.following import again, followed, purchase_answer
from services.order.actions.refusing import refusal
from services.order.actions.resolving import Resolved, Submitter, resolve
from services.order.actions.showing import order_json
from services.order.store import context as reference
from services.order.store import lifecycles, listings, orders
from services.order.store.context import Context
from services.order.store.orders import Changes, NewOrder, StockShort
from services.order.store.writing import Writing
from services.order.workflow import Actor, Facts, Lifecycle, Placed
from shared.errors import Forbidden, Problem, Unavailable
from shared.ids import new_id
from shared.postgres import Transaction
from shared.process import Runtime
from shared.web import Answer, Once, Principal

EXTERNAL_ID: Final = "orders_external_id"


@dataclass(frozen=True, slots=True)
class Request:
    """An order to be placed: by whom, and what it stems from, if anything."""

    marketplace_id: UUID
    body: SubmittedOrder
    who: Submitter
    actor: Actor
    acting_reason: str | None = None
    replaces: UUID | None = None
    reordered_from: UUID | None = None


@dataclass(frozen=True, slots=True)
class Purchase:
    """A decided purchase that is not written yet, and what the submitter should know."""

    purchase_id: UUID
    new: Sequence[NewOrder]
    facts: Facts
    warnings: Sequence[str]

    def answer(self, caller: Principal, now: datetime, snapshots: Mapping[UUID, OrderSnapshot]) -> Answer:
        bodies = [
            order_json(o, n.lifecycle, caller, self.facts, now, whole=snapshots[o.order_id])
            for n in self.new
            for o in (n.decision.order,)
        ]
        return purchase_answer(201, self.purchase_id, bodies, self.warnings)

    def changes(self, run: Runtime, acting_reason: str | None) -> Changes:
        """What is to be written of it."""
        changes = Changes(Writing(run.outbox, acting_reason))
        for n in self.new:
            changes.add(n)
        return changes


async def place(run: Runtime, caller: Principal, body: SubmittedOrder, once: Once) -> Answer:
    """POST /v1/orders. The same external id with the same content answers 200 with the orders that there are."""
    who = submitter(caller)
    request = Request(caller.marketplace_id, body, who, policy.actor_of(caller), policy.reason_of(caller))
    try:
        return await _place(run, caller, request, once)
    except asyncpg.UniqueViolationError as e:
        if e.constraint_name != EXTERNAL_ID:
            return await once.settle(run.db, e)
        # Another request placed the same external id meanwhile: now it is there.
        return await _place(run, caller, request, once)
    except Problem:
        # A request that was answered before gets that answer, whatever has changed since.
        if once.key is not None:
            async with run.db.tenant(caller.marketplace_id) as tx:
                if (kept := await once.recall(tx)) is not None:
                    return kept
        raise


async def _place(run: Runtime, caller: Principal, request: Request, once: Once) -> Answer:
    async with run.db.tenant(caller.marketplace_id) as tx:
        purchase = await prepare(run, tx, request)
        if purchase is None:
            known = await again(run, tx, request.body, caller.marketplace_id, caller)
            assert known is not None, "orders are never deleted"
            return await once.keep(tx, known.answer(caller, run.clock()))
        changes = purchase.changes(run, request.acting_reason)
        answer = purchase.answer(caller, run.clock(), changes.writing.snapshots)
        changes.once, changes.answer = once, answer
        await write(tx, changes)
    metrics.PLACED.labels("direct" if request.body.external_id is None else "channel").inc(len(purchase.new))
    return answer


def submitter(caller: Principal) -> Submitter:
    """What the caller may hand in. Raises Forbidden where its roles place no orders."""
    trusted, buys = policy.may_state_prices(caller), policy.may_buy(caller)
    if not (trusted or buys):
        raise Forbidden("may_not_order", "Your roles place no orders. An admin of your organisation can add one.")
    person = Party(
        organisation_id=caller.organisation_id,
        name=caller.organisation_name,
        person_id=caller.person_id,
        person_name=caller.name,
        email=caller.email or None,
    )
    return Submitter(
        trusted=trusted,
        buys_as=caller.organisation_id if buys else None,
        sells_as=caller.organisation_id if trusted and not caller.is_operator else None,
        person=person,
        purchasing_limit=caller.purchasing_limit,
    )


async def prepare(run: Runtime, tx: Transaction, request: Request) -> Purchase | None:
    """Decide on a purchase; None where its external id has become orders before (`following.again`).

    Raises Problem; nothing but a built-in lifecycle's text is written.
    """
    who = request.who
    names = [str(i) for i in (who.buys_as, who.sells_as) if i is not None]
    context = await reference.load(tx, request.marketplace_id, request.body, names)
    if context is None:
        raise Unavailable("marketplace_unknown", "This marketplace is still being set up here. Try again in a moment.")
    if who.trusted and context.already:
        return None
    if context.channel.auto_accept:
        context = await _with_stock_held(tx, context)
    now = run.clock()
    lifecycle = await lifecycles.current(tx, request.marketplace_id, context.course, now)
    resolved = resolve(
        request.body,
        context,
        who,
        request.marketplace_id,
        replaces=request.replaces,
        reordered_from=request.reordered_from,
    )
    placed = await _decide(tx, resolved, context, lifecycle, request.actor, now)
    fingerprint = reference.fingerprint_of(request.body) if request.body.external_id is not None else None
    new: Sequence[NewOrder] = [
        NewOrder(d, lifecycle, n, fingerprint, d.order.seller.organisation_id == who.sells_as)
        for n, d in enumerate(placed.decisions, 1)
    ]
    new, told = followed(new, request.body.external_status, context.channel, resolved.facts, now, request.actor)
    return Purchase(placed.purchase_id, new, resolved.facts, [*resolved.warnings, *told, *_adjusted(new, request.body)])


async def _with_stock_held(tx: Transaction, context: Context) -> Context:
    """The context with stock that nobody else reserves meanwhile: what is accepted by itself is promised once."""
    free = await listings.stock_of(tx, [o.id for o in context.offers], lock=True)
    return replace(context, offers=[replace(o, free=free.get(o.id, o.free)) for o in context.offers])


async def _decide(
    tx: Transaction, resolved: Resolved, context: Context, lifecycle: Lifecycle, actor: Actor, now: datetime
) -> Placed:
    placement = resolved.placement
    numbers = [context.number]
    if (more := workflow.seller_count(placement) - 1) > 0:
        numbers += await orders.numbers(tx, placement.marketplace_id, more)
    try:
        return workflow.place(placement, lifecycle, actor, now=now, ids=new_id, numbers=numbers, facts=resolved.facts)
    except workflow.Refused as e:
        raise refusal(e) from None


def _adjusted(new: Sequence[NewOrder], body: SubmittedOrder) -> list[str]:
    """A stated total wins over the lines' own sum, the lines' taxes over a stated tax; whoever hands it in is told."""
    told = []
    taxes = sum(line.tax for n in new for line in n.decision.order.lines)
    if body.tax is not None and body.tax.minor != taxes:
        own = from_minor(taxes, body.currency)
        told.append(f"the stated tax {body.tax.amount} {body.currency} is not kept: the lines state {own}")
    for order in (n.decision.order for n in new):
        if order.adjustment:
            own, stated, difference = (
                from_minor(m, order.currency) for m in (order.total - order.adjustment, order.total, order.adjustment)
            )
            told.append(
                f"the stated total {stated} {order.currency} is kept, though lines, tax, shipping and discount make "
                f"{own}; the difference of {difference} is kept as adjustment"
            )
    return told


async def write(tx: Transaction, changes: Changes) -> None:
    """Write a purchase, and the answer to keep with it. Raises Conflict where the stock does not suffice."""
    try:
        await orders.place(tx, changes)
    except StockShort as e:
        raise out_of_stock([line for n, _ in changes.new for line in n.decision.order.lines], e) from None
