"""Order lifecycles: what may happen to an order, who may do it, and what follows. Pure: no I/O, no clock.

Everything is a function of its arguments. `ids` is a factory of fresh UUIDs, `now` an aware UTC datetime.

    from services.order import workflow

Lifecycles (lifecycle.py, loader.py, linter.py, diagram.py)
    builtin(name) -> Lifecycle                      one of BUILTIN: loopfront, storefront, marketpush, lengow, supplier
    builtin_text(name) -> str                       its TOML
    load_lifecycle(text: str, version: int = 1) -> Lifecycle
                                                    raises LifecycleError (.findings: [Finding(line, message, remedy)])
    load_stored(text, version) -> Lifecycle         one that was taken before, whatever the linter refuses by now
    lint(text: str) -> list[Finding]                [] when it is good
    Lifecycle: .name .title .version .digest (of the text) .states .transitions .settings
    draw(lifecycle) -> str                          SVG
    setting_problems(lifecycle, settings: Mapping[str, str]) -> list[str]

The aggregate (model.py); store dump() as jsonb, no other form of it is needed
    Order; dump(order) -> dict; load(dict) -> Order
    to_snapshot(order, lifecycle, side=None) -> contracts.order.OrderSnapshot
                                                    side: leave out what that side may not read (notes, approval)
    event_of(step, lifecycle) -> contracts.order.OrderEvent of the right class
    shown(order, lifecycle) -> Shown(code, label, tone, mark)
                                                    the status that people see ("refunded" over "canceled"):
                                                    list filters by status should match code or order.status
    line_labels(lifecycle, side) -> labels by the status that snapshots give lines
    phase_of(order, lifecycle) -> Phase; is_overdue(order) -> bool; overdue_to(order, lifecycle) -> sides
    concerned(deadline, lifecycle) -> sides that may know of it

Placing (placing.py)
    place(placement: Placement, lifecycle, actor, *, now, ids, numbers: Sequence[str], facts=Facts()) -> Placed
        numbers: one per order, seller_count(placement) of them. Raises BadOrder.
        decision.order is new; its first step has sequence 1; automatic transitions may add further steps.
    again(order, wish: PlaceAgain) -> SubmittedOrder to place for a reorder or replacement (resolve listings as usual;
        a replacement states price zero, and goes with Placement.replaces_order_id = order.order_id)

Deciding (decide.py)
    decide(order, lifecycle, action: str, actor: Actor, params: Mapping[str, Any], now, ids, facts=Facts()) -> Decision
    fire(order, lifecycle, now, ids, facts=Facts()) -> Decision | None
                                                    takes every clock transition and deadline that is due at `now`;
                                                    None when nothing is. Call when Decision.next_timer_at has passed
    allowed_actions(order, lifecycle, actor, now, facts=Facts()) -> tuple[AllowedAction, ...]
    blocked_actions(...same...)                     right role and state, but a guard says not yet (.blocked says why)
    sides(order, actor) -> frozenset[Side]; visible(order, actor) -> bool

Refusals (refusals.py), each with .code .detail .more and class attribute STATUS
    NotVisible 404, UnknownAction 404, NotAllowed 403, WrongState 409, GuardFailed 409, BadParams 422, BadOrder 422

Who acts: Actor(kind, name, id, organisation_id, roles, on_behalf_of, on_behalf_of_name); CLOCK; SYSTEM. For channels:
Actor("channel", "Zalando"), for payment.settled: Actor("service", "payments").

Actions with the same name in every lifecycle that the service itself sends:
    record_payment {amount}                         service, operator: money came in (payment.settled kind paid)
    refund_done {refund_id?}                        service, operator: a pending refund was paid out
    chargeback {amount?, evidence_due_at?, note?}   service, operator: payment.settled kind chargeback
    add_note {text, audience?}                      people: audience "everyone" | "own_side"

lifecycle.lenient: take the order even where stock is short (the channel has sold already); else refuse before placing.
Give the same facts (settings, channel) to decide, fire and allowed_actions: they decide on timers too. Facts.available
is the stock as if this order were not there. A reorder changes nothing on the order itself: no steps, one PlaceAgain.

What a decision asks of the world is in decision.py (StockMove, Revealed, UnitMove, Relocation, Saving, Released,
PlaceAgain).
"""

from services.order.workflow.actors import sides, visible
from services.order.workflow.decide import allowed_actions, blocked_actions, decide, fire
from services.order.workflow.decision import (
    AllowedAction,
    Decision,
    PlaceAgain,
    Placed,
    Released,
    Relocation,
    Revealed,
    Saving,
    Shown,
    Step,
    StockMove,
    UnitMove,
)
from services.order.workflow.diagram import draw
from services.order.workflow.display import concerned, is_overdue, line_labels, overdue_to, phase_of, shown
from services.order.workflow.facts import CLOCK, SYSTEM, Actor, Channel, Facts, LineFacts, Placement
from services.order.workflow.findings import Finding
from services.order.workflow.lifecycle import Lifecycle
from services.order.workflow.loader import (
    BUILTIN,
    LifecycleError,
    builtin,
    builtin_text,
    digest,
    lint,
    load_lifecycle,
    load_stored,
)
from services.order.workflow.model import Ids, Order, dump, load
from services.order.workflow.placing import again, place, seller_count
from services.order.workflow.refusals import (
    BadOrder,
    BadParams,
    GuardFailed,
    NotAllowed,
    NotVisible,
    Refused,
    UnknownAction,
    WrongState,
)
from services.order.workflow.settings import setting_problems
from services.order.workflow.snapshot import event_of, to_snapshot

__all__ = [
    "BUILTIN",
    "CLOCK",
    "SYSTEM",
    "Actor",
    "AllowedAction",
    "BadOrder",
    "BadParams",
    "Channel",
    "Decision",
    "Facts",
    "Finding",
    "GuardFailed",
    "Ids",
    "Lifecycle",
    "LifecycleError",
    "LineFacts",
    "NotAllowed",
    "NotVisible",
    "Order",
    "PlaceAgain",
    "Placed",
    "Placement",
    "Refused",
    "Released",
    "Relocation",
    "Revealed",
    "Saving",
    "Shown",
    "Step",
    "StockMove",
    "UnitMove",
    "UnknownAction",
    "WrongState",
    "again",
    "allowed_actions",
    "blocked_actions",
    "builtin",
    "builtin_text",
    "concerned",
    "decide",
    "digest",
    "draw",
    "dump",
    "event_of",
    "fire",
    "is_overdue",
    "line_labels",
    "lint",
    "load",
    "load_lifecycle",
    "load_stored",
    "overdue_to",
    "phase_of",
    "place",
    "seller_count",
    "setting_problems",
    "shown",
    "sides",
    "to_snapshot",
    "visible",
]
