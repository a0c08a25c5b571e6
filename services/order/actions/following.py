"""Channels own their orders: an order that comes again is recognised, and our copy follows where it has got to."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson

from contracts.inbound import SubmittedOrder
from contracts.money import Money
from contracts.order import Phase
from services.order import policy, workflow
from services.order.actions.changing import refunding_action, write
from services.order.actions.refusing import refusal
from services.order.actions.showing import facts_of, order_json
from services.order.schemas import ChannelConfig
from services.order.store import lifecycles, orders
from services.order.store.context import fingerprint_of
from services.order.store.orders import Held, NewOrder
from services.order.workflow import Actor, Decision, Facts, Lifecycle, Order
from services.order.workflow.lifecycle import Display
from services.order.workflow.routes import goes_on_by_itself
from shared.errors import Conflict, NotFound
from shared.ids import new_id
from shared.postgres import Transaction
from shared.process import Runtime
from shared.web import Answer, Principal

# Statuses of well-known channels, where the marketplace has not mapped them itself, by the phase they mean.
_PHASES: Final[Mapping[str, Phase]] = {
    "fulfilled": "in_transit",
    "dispatched": "in_transit",
    "shipped": "in_transit",
    "delivered": "completed",
    "completed": "completed",
    "cancelled": "canceled",
    "canceled": "canceled",
}
# Who may hand in a channel's orders, of the roles that lifecycles know.
_HANDING_IN: Final = frozenset({"operator", "seller", "member", "admin"})
# lengow page: "changes to 'declined'"
_REJECTED: Final = frozenset({"declined", "refused", "rejected"})


@dataclass(frozen=True, slots=True)
class Known:
    """Orders that an external id had become already; `warnings` say what could not be followed."""

    purchase_id: UUID
    orders: Sequence[tuple[Order, Lifecycle, Facts]]
    warnings: Sequence[str]

    def answer(self, caller: Principal, now: datetime) -> Answer:
        bodies = [order_json(o, lifecycle, caller, facts, now) for o, lifecycle, facts in self.orders]
        return purchase_answer(200, self.purchase_id, bodies, self.warnings)


def purchase_answer(status: int, purchase_id: UUID, bodies: Sequence[bytes], warnings: Sequence[str]) -> Answer:
    """{purchase_id, orders, warnings} of orders that are JSON already."""
    body = b'{"purchase_id":"%b","orders":[%b],"warnings":%b}' % (
        str(purchase_id).encode(),
        b",".join(bodies),
        orjson.dumps(list(warnings)),
    )
    return Answer(status, body)


async def again(
    run: Runtime, tx: Transaction, body: SubmittedOrder, marketplace_id: UUID, caller: Principal | None
) -> Known | None:
    """The orders that were made of this submission, brought up to what it says now; None where it is new.

    `caller` is None for a service on the topic. Raises Conflict where the content differs or the orders are not the
    caller's.
    """
    if body.external_id is None:
        return None
    rows = await orders.find_external(tx, marketplace_id, body.channel, body.external_id)
    if not rows:
        return None
    held = [h for r in rows if (h := await orders.lock(tx, r["id"])) is not None]
    _check_caller(held, caller)
    fingerprint = rows[0]["fingerprint"]
    if fingerprint is None or not hmac.compare_digest(fingerprint, fingerprint_of(body)):
        numbers = ", ".join(h.order.number for h in held)
        raise Conflict(
            "external_id_conflict",
            f"{body.external_id!r} of channel {body.channel!r} is {numbers} already, with other content. "
            "If it is another order, it needs another external id; if it was changed at its source, change it here.",
            order_ids=[str(h.order.order_id) for h in held],
        )
    shown, warnings = [], []
    for h in held:
        lifecycle = await lifecycles.of(tx, marketplace_id, h.order.lifecycle.name, h.order.lifecycle.version)
        order, told = await _brought_up(run, tx, h, lifecycle, body, caller)
        shown.append((order, lifecycle, facts_of(h)))
        warnings += told
    return Known(rows[0]["purchase_id"], shown, warnings)


def _check_caller(held: Sequence[Held], caller: Principal | None) -> None:
    """Only who sells the orders, or the operator, says how far they have got. Raises Conflict for everybody else."""
    if caller is None:
        return
    for h in held:
        if not workflow.sides(h.order, policy.actor_of(caller)) & {"seller", "operator"} or not _visible(h, caller):
            raise Conflict(
                "external_id_taken", "This external id of this channel belongs to an order that is not yours."
            )


def _visible(held: Held, caller: Principal) -> bool:
    try:
        return bool(policy.see(held.order, caller))
    except NotFound:
        return False


async def _brought_up(
    run: Runtime, tx: Transaction, held: Held, lifecycle: Lifecycle, body: SubmittedOrder, caller: Principal | None
) -> tuple[Order, list[str]]:
    """Status and payment of an order that is here, as the channel says them now."""
    now = run.clock()
    reason = policy.reason_of(caller) if caller else None
    warnings: list[str] = []
    raw = body.external_status
    if raw is not None and raw != held.order.external_status:
        decision, warning = follow(held.order, lifecycle, raw, held.channel, facts_of(held), now)
        if caller is None and warning and _ended(raw, held.channel, lifecycle):
            # nobody reads an answer to a topic: as a dead letter somebody sees that it waits to be canceled here
            raise Conflict(
                "canceled_at_source",
                f"{held.order.number}: {warning}. Cancel it here, then redrive or discard this.",
            )
        if warning:
            warnings.append(warning)
        if decision is not None:
            await write(run, tx, held, decision, lifecycle, reason)
            held = await _reread(tx, held)
    outstanding = held.order.owed - held.order.paid
    if body.paid and outstanding > 0:
        paid = {"amount": Money.of(outstanding, held.order.currency).model_dump()}
        who = Actor("service", body.channel)
        try:
            decision = workflow.decide(held.order, lifecycle, "record_payment", who, paid, now, new_id, facts_of(held))
        except workflow.Refused as e:
            warnings.append(f"the payment could not be recorded: {e.detail}")
        else:
            await write(run, tx, held, decision, lifecycle, reason)
            held = await _reread(tx, held)
    return held.order, warnings


async def _reread(tx: Transaction, held: Held) -> Held:
    found = await orders.lock(tx, held.order.order_id)
    assert found is not None
    return found


def follow(
    order: Order, lifecycle: Lifecycle, raw: str, channel: ChannelConfig, facts: Facts, now: datetime
) -> tuple[Decision | None, str | None]:
    """The jump to what the channel's status means, or a warning where the lifecycle cannot follow.

    A status that means nothing to us is kept beside ours, where the lifecycle lets the channel say anything at all.
    """
    action = next((t.name for t in lifecycle.transitions if t.jump), None)
    target = target_of(raw, channel, lifecycle)
    if action is None:
        if target is None or lifecycle.states[target].phase == lifecycle.states[order.status].phase:
            return None, None
        return None, f"the channel says {raw!r}, which the lifecycle {lifecycle.name} does not follow by itself"
    money = shown_money(raw, channel, lifecycle)
    if money is not None and lifecycle.states[order.status].phase not in money.phases:
        target = first_of(lifecycle, money.phases)
    step = _Step(lifecycle, Actor("channel", order.channel), facts, now)
    warning = None
    try:
        decision = step.take(order, action, {"external_status": raw, **({"status": target} if target else {})})
    except workflow.WrongState as e:
        decision = step.take(order, action, {"external_status": raw})
        if target is None or not goes_on_by_itself(lifecycle, target, order.status):
            warning = f"the channel says {raw!r}, which is kept beside ours: {e.detail}"
    except workflow.Refused as e:
        raise refusal(e) from None
    if money is not None and warning is None:
        try:
            decision = _refunded(step, decision, done="refunding" not in money.money)
        except workflow.Refused as e:
            warning = f"the channel says {raw!r}: {e.detail}"
    return (decision if decision.steps else None), warning


@dataclass(frozen=True, slots=True)
class _Step:
    """Takes actions in the name of the order's channel."""

    lifecycle: Lifecycle
    actor: Actor
    facts: Facts
    now: datetime

    def take(self, order: Order, action: str, params: dict[str, str]) -> Decision:
        return workflow.decide(order, self.lifecycle, action, self.actor, params, self.now, new_id, self.facts)


def _refunded(step: _Step, decision: Decision, *, done: bool) -> Decision:
    """The decision with the refund that the channel tells of: asked for where nobody has, and paid out if it is."""
    if decision.order.refund_left > 0 or not decision.order.refunds:
        decision = joined(
            decision, step.take(decision.order, refunding_action(step.lifecycle, decision.order.status, "channel"), {})
        )
    while done and any(r.state == "pending" for r in decision.order.refunds):
        decision = joined(decision, step.take(decision.order, "refund_done", {}))
    return decision


def joined(first: Decision, then: Decision) -> Decision:
    """Two decisions about one order, the second made on the first, as one."""
    return Decision(then.order, (*first.steps, *then.steps), (*first.world, *then.world), then.next_timer_at)


def target_of(raw: str, channel: ChannelConfig, lifecycle: Lifecycle) -> str | None:
    """The state that a channel's status means: as mapped, a state of that name, else the first of a known phase."""
    mapped = _mapped(raw, channel)
    if mapped in lifecycle.states:
        return mapped
    if mapped in _REJECTED:
        return next((n for n, s in lifecycle.states.items() if s.cancel_kind == "rejected"), None)
    phase = _PHASES.get(mapped)
    return first_of(lifecycle, (phase,)) if phase else None


def first_of(lifecycle: Lifecycle, phases: Sequence[Phase]) -> str | None:
    """The state that a phase means by itself. What a channel cancels was not rejected by the seller."""
    found = [(n, s) for n, s in lifecycle.states.items() if s.phase in phases]
    plain = next((n for n, s in found if s.cancel_kind in (None, "canceled")), None)
    return plain or next((n for n, _ in found), None)


def shown_money(raw: str, channel: ChannelConfig, lifecycle: Lifecycle) -> Display | None:
    """The display rule of a status that is no state but money on its way back, such as lengow's Refunding."""
    mapped = _mapped(raw, channel)
    rules = (r for r in lifecycle.document.display if r.on == "order" and r.money and r.phases)
    return next((r for r in rules if r.code == mapped), None)


def _mapped(raw: str, channel: ChannelConfig) -> str:
    mapped = channel.statuses.get(raw)
    return mapped if mapped is not None else "_".join(raw.lower().split())


def followed(
    new: Sequence[NewOrder], raw: str | None, channel: ChannelConfig, facts: Facts, now: datetime, by: Actor
) -> tuple[Sequence[NewOrder], list[str]]:
    """New orders of a channel, taken to where the channel says that they already are.

    Raises Conflict for one that was canceled at its source where neither the channel nor `by`, who hands it in, may
    cancel it here: it would wait for somebody to fulfil it.
    """
    if raw is None:
        return new, []
    warnings: list[str] = []
    result = []
    for n in new:
        if _ended(raw, channel, n.lifecycle):
            result.append(replace(n, decision=joined(n.decision, _canceled(n, raw, channel, facts, now, by))))
            continue
        decision, warning = follow(n.decision.order, n.lifecycle, raw, channel, facts, now)
        if warning and warning not in warnings:
            warnings.append(warning)
        if decision is not None:
            n = replace(n, decision=joined(n.decision, decision))
        result.append(n)
    return result, warnings


def _ended(raw: str, channel: ChannelConfig, lifecycle: Lifecycle) -> bool:
    """Whether the channel has canceled the order, in a lifecycle that follows no channel."""
    target = target_of(raw, channel, lifecycle)
    follows = any(t.jump for t in lifecycle.transitions)
    return not follows and target is not None and lifecycle.states[target].phase == "canceled"


def _canceled(n: NewOrder, raw: str, channel: ChannelConfig, facts: Facts, now: datetime, by: Actor) -> Decision:
    """What `by` does to end the order, in the lifecycle's own way; as the channel means it, if there are several."""
    order, lifecycle = n.decision.order, n.lifecycle
    ending = [
        (name, t)
        for name, transitions in lifecycle.actions[order.status].items()
        for t in transitions
        if t.to and all(lifecycle.states[to.state].phase == "canceled" for to in t.to)
    ]
    meant = target_of(raw, channel, lifecycle)
    for name, t in sorted(ending, key=lambda x: [to.state for to in x[1].to] != [meant]):
        said = {p.name: f"canceled at its source ({raw})" for p in t.params if p.name in ("reason", "note")}
        try:
            return workflow.decide(order, lifecycle, name, by, dict(list(said.items())[:1]), now, new_id, facts)
        except workflow.Refused:
            continue
    who = sorted({w.role for _, t in ending for w in t.who} & _HANDING_IN)
    raise Conflict(
        "canceled_at_source",
        f"It was canceled at its source ({raw}), and in the lifecycle {lifecycle.name} only "
        f"{' or '.join(who) or 'nobody'} could end it here. Leave it out, or let one of those hand it in.",
    )
