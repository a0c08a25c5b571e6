"""Acting on an order: lock, decide, write, all in one transaction. Whoever comes second is told what is now."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson

from contracts.order import Side
from services.order import metrics, policy, workflow
from services.order.actions import placing
from services.order.actions.changing import lifecycle_of, write_changes
from services.order.actions.placing import Purchase, Request
from services.order.actions.refusing import refusal
from services.order.actions.resolving import PLENTY, Submitter
from services.order.actions.showing import current_state, facts_of, order_json
from services.order.errors import absent
from services.order.store import documents, listings, orders
from services.order.store.orders import Changes, Held
from services.order.store.writing import Writing
from services.order.workflow import Actor, Decision, Facts, Lifecycle, Order, PlaceAgain
from services.order.workflow.params import CODE_MAX
from shared.ids import new_id
from shared.postgres import Transaction
from shared.process import Runtime
from shared.web import Answer, Once, Principal, etag
from shared.web.etags import Precondition

# No automatic step looks at stock once an order has been accepted.
_UNDECIDED: Final = frozenset({"approval", "pending"})
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
MOST_IDS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Wish:
    """An action that somebody asks for. `ids` makes the ids of what the action creates."""

    action: str
    params: Mapping[str, Any]
    ids: Callable[[], UUID] = new_id


async def act(
    run: Runtime, caller: Principal, order_id: UUID, wish: Wish, if_match: Precondition, once: Once
) -> Answer:
    """POST /v1/orders/{id}/actions/{action}: the order as it then is, with its ETag."""
    outcome = "refused"
    try:
        async with run.db.tenant(caller.marketplace_id) as tx:
            if (kept := await once.recall(tx)) is not None:
                return kept
            answer = await act_in(run, tx, caller, order_id, wish, if_match, once)
        outcome = "done"
        return answer
    finally:
        metrics.ACTIONS.labels(wish.action if outcome == "done" else "any", outcome).inc()


async def act_in(
    run: Runtime,
    tx: Transaction,
    caller: Principal,
    order_id: UUID,
    wish: Wish,
    if_match: Precondition,
    once: Once | None = None,
    *,
    status: int = 200,
) -> Answer:
    """The action within a transaction of the caller's. Raises Problem; then nothing may be committed."""
    held = await orders.lock(tx, order_id)
    if held is None:
        raise absent()
    side = policy.speaking_side(held.order, caller)
    lifecycle = await lifecycle_of(tx, held)
    now = run.clock()
    if_match.check(held.order.sequence, current_state(held.order, lifecycle, side))
    actor = policy.actor_of(caller)
    facts = await facts_for(tx, held, lifecycle, wish, policy.see(held.order, caller))
    try:
        decision = workflow.decide(held.order, lifecycle, wish.action, actor, wish.params, now, wish.ids, facts)
    except workflow.Refused as e:
        raise refusal(e, **_state_of(e, held.order, lifecycle, side)) from None
    again = await _placed_again(run, tx, caller, held, decision)
    decision = _linked(decision, again)
    changes = Changes(Writing(run.outbox, policy.reason_of(caller)), once)
    chain = changes.writing.add(decision, lifecycle, held.chain)
    whole = changes.writing.snapshots.get(order_id)
    body = order_json(decision.order, lifecycle, caller, facts, now, whole=whole)
    changes.answer = Answer(status, _with_placed(body, again), {"etag": etag(decision.order.sequence)})
    await write_changes(tx, held, decision, lifecycle, chain, changes)
    for purchase in again:
        await placing.write(tx, purchase.changes(run, policy.reason_of(caller)))
    return changes.answer


def _state_of(refused: workflow.Refused, order: Order, lifecycle: Lifecycle, side: Side) -> dict[str, Any]:
    """A 409 tells the state as it is, so that the second of two people knows what the first one did."""
    if refused.STATUS != 409:
        return {}
    return {"current": current_state(order, lifecycle, side), "etag": etag(order.sequence)}


async def facts_for(
    tx: Transaction,
    held: Held,
    lifecycle: Lifecycle,
    wish: Wish | None = None,
    sides: frozenset[Side] = frozenset(),
) -> Facts:
    """What deciding may ask of the world; looked up only where the action or the order's phase needs it.

    Files that are not attached yet are those of the `sides` that uploaded them.
    """
    facts = facts_of(held)
    order = held.order
    phase = workflow.phase_of(order, lifecycle)
    if held.channel.auto_accept and phase in _UNDECIDED:
        facts = replace(facts, available=await _available(tx, order, seen=phase != "approval"))
    if wish is None:
        return facts
    types = {p.type for t in lifecycle.named.get(wish.action, ()) for p in t.params if p.name in wish.params}
    if "units" in types or "lines" in types:
        tracked = {line.listing_id for line in order.lines if line.tracked and line.listing_id is not None}
        codes = _texts_in(wish.params) if tracked else []
        if codes:
            free = await listings.free_units(tx, _ids_in(wish.params), list(tracked), codes)
            facts = replace(facts, free_units=free)
    if types & {"images", "invoice"}:
        found = await documents.uploaded(tx, order.order_id, _ids_in(wish.params))
        facts = replace(facts, documents={i: d for i, d in found.items() if d.side in sides})
    return facts


def _ids_in(params: Mapping[str, Any]) -> list[UUID]:
    """Every UUID that stands somewhere in the parameters: they are checked where they are used."""
    return [UUID(text) for text in _texts_in(params) if len(text) == 36 and _UUID.fullmatch(text)]


def _texts_in(params: Mapping[str, Any]) -> list[str]:
    """Every text that may be an id or a unit's code."""
    found: list[str] = []
    waiting: list[Any] = list(params.values())
    while waiting and len(found) < MOST_IDS:
        value = waiting.pop()
        if isinstance(value, str):
            if (text := value.strip()) and len(text) <= CODE_MAX and "\0" not in text:
                found.append(text)
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return found


async def _available(tx: Transaction, order: Order, *, seen: bool) -> dict[UUID, Decimal]:
    """Free stock per listing as if this order, and whatever waits for approval, were not there."""
    own: dict[UUID, Decimal] = {}
    for line in order.lines:
        if line.listing_id is not None:
            reserved = line.ordered - line.given_back - line.shipped if seen else Decimal(0)
            own[line.listing_id] = own.get(line.listing_id, Decimal(0)) + reserved
    stock = await listings.stock_of(tx, list(own))
    return {i: PLENTY if (free := stock[i]) is None else free + q for i, q in own.items() if i in stock}


async def _placed_again(
    run: Runtime, tx: Transaction, caller: Principal, held: Held, decision: Decision
) -> Sequence[Purchase]:
    """The further orders that a decision asks for: a reorder at today's prices, a replacement free of charge."""
    found = []
    for wish in decision.of(PlaceAgain):
        request = again_request(held.order, wish, policy.actor_of(caller), policy.reason_of(caller), caller)
        purchase = await placing.prepare(run, tx, request)
        assert purchase is not None, "a further order has no external id"
        found.append(purchase)
    return found


def again_request(
    order: Order, wish: PlaceAgain, actor: Actor, acting_reason: str | None, caller: Principal
) -> Request:
    """The request of a further order with the same seller, buyer and (for a reorder) the caller's limit."""
    body = workflow.again(order, wish)
    seller = str(order.seller.organisation_id)
    lines = tuple(line.model_copy(update={"seller": seller}) for line in body.lines)
    reorder = wish.kind == "reorder"
    person = order.buyer
    if reorder and caller.organisation_id == order.buyer.organisation_id and caller.person_id is not None:
        person = person.model_copy(
            update={"person_id": caller.person_id, "person_name": caller.name, "email": caller.email or None}
        )
    who = Submitter(
        trusted=True,
        buys_as=order.buyer.organisation_id,
        sells_as=None,
        person=person,
        purchasing_limit=caller.purchasing_limit if reorder else None,
    )
    return Request(
        order.marketplace_id,
        body.model_copy(update={"lines": lines}),
        who,
        actor,
        acting_reason,
        replaces=None if reorder else order.order_id,
        reordered_from=order.order_id if reorder else None,
    )


def _made(purchases: Iterable[Purchase]) -> list[dict[str, str]]:
    found = (n.decision.order for p in purchases for n in p.new)
    return [{"order_id": str(o.order_id), "number": o.number} for o in found]


def _linked(decision: Decision, purchases: Sequence[Purchase]) -> Decision:
    """The decision with the further orders named where the timeline tells of it: they are made only after it."""
    if not (purchases and decision.steps):
        return decision
    first = decision.steps[0]
    change = first.change.model_copy(update={"details": {**first.change.details, "placed": _made(purchases)}})
    return replace(decision, steps=(replace(first, change=change), *decision.steps[1:]))


def _with_placed(body: bytes, purchases: Iterable[Purchase]) -> bytes:
    """The order's JSON with `placed`: the further orders that the action made."""
    made = _made(purchases)
    return b'%b,"placed":%b}' % (body[:-1], orjson.dumps(made)) if made else body
