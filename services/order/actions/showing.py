"""Orders as callers see them: the contract's snapshot for their side, with what they may do next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from contracts.order import OrderSnapshot, Side
from services.order import policy, workflow
from services.order.actions.resolving import channel_facts
from services.order.store.orders import Held
from services.order.workflow import AllowedAction, Facts, Lifecycle, Order, Shown
from shared.web import Principal

# What the sale earns its owner is between owner and seller.
_NOT_FOR_BUYERS: Final[dict[str, Any]] = {
    "commission": True,
    "payout_held": True,
    "refunds": {"__all__": {"commission_reversed"}},
}


def facts_of(held: Held) -> Facts:
    """What the marketplace and channel have set; enough for saying what is allowed."""
    return Facts(settings=held.settings, channel=channel_facts(held.order.channel, held.channel))


def _hides_nothing(order: Order, lifecycle: Lifecycle, side: Side) -> bool:
    """Whether the side's view is the whole order: no words, notes, deadlines or approval that differ for it."""
    if lifecycle.states[order.status].labels or (side == "seller" and order.approval is not None):
        return False
    deadlines = (workflow.concerned(d, lifecycle) for d in order.deadlines)
    return all(side in n.audience for n in order.notes) and all(side in sides for sides in deadlines)


def snapshot_json(order: Order, lifecycle: Lifecycle, side: Side, snapshot: OrderSnapshot | None = None) -> bytes:
    """OrderSnapshot for a side, absent values left out."""
    snapshot = snapshot or workflow.to_snapshot(order, lifecycle, side)
    hidden = _NOT_FOR_BUYERS if side == "buyer" else None
    return snapshot.model_dump_json(exclude_none=True, exclude=hidden).encode()


def order_json(
    order: Order,
    lifecycle: Lifecycle,
    caller: Principal,
    facts: Facts,
    now: datetime,
    *,
    blocked: bool = False,
    whole: OrderSnapshot | None = None,
) -> bytes:
    """The snapshot with `shown` and `allowed_actions` (and, where asked for, `blocked_actions`). Raises NotFound.

    `shown` is the status that people see, with its tone and mark: the label of what was in dispute has a red one.

    `whole` is the order's snapshot without any side, where there is one already: making it is half the work.
    """
    side = policy.speaking_side(order, caller)
    actor = policy.actor_of(caller)
    snapshot = whole if whole is not None and _hides_nothing(order, lifecycle, side) else None
    parts = [
        snapshot_json(order, lifecycle, side, snapshot)[:-1],
        b',"shown":',
        orjson.dumps(_shown(workflow.shown(order, lifecycle, side))),
        b',"allowed_actions":',
        _actions(workflow.allowed_actions(order, lifecycle, actor, now, facts)),
    ]
    if blocked:
        parts += [b',"blocked_actions":', _actions(workflow.blocked_actions(order, lifecycle, actor, now, facts))]
    return b"".join((*parts, b"}"))


def _shown(shown: Shown) -> dict[str, Any]:
    return {"code": shown.code, "label": shown.label, "tone": shown.tone, "mark": shown.mark}


def _actions(actions: Sequence[AllowedAction]) -> bytes:
    return orjson.dumps([_action(a) for a in actions], default=str)


def _action(a: AllowedAction) -> dict[str, Any]:
    shown = {"name": a.name, "label": a.label, "params": a.params}
    return shown if a.blocked is None else {**shown, "blocked": a.blocked}


def current_state(order: Order, lifecycle: Lifecycle, side: Side) -> dict[str, Any]:
    """What a caller that came too late has to know, in 409 and 412 answers, in the words of its side."""
    return {
        "order_id": str(order.order_id),
        "sequence": order.sequence,
        "status": order.status,
        "status_label": workflow.shown(order, lifecycle, side).label,
    }
