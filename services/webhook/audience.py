"""Who may see what of an event. Pure, and the only place that turns a stored event into what leaves the house.

An event names the sides that may know of it; an organisation stands on one or more sides of an order. What is
stored is whole; what is sent, listed or polled goes through `view` first.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import orjson


class Side(enum.IntFlag):
    """Sides as bits, as they are stored: buyer 1, seller 2, operator 4."""

    NOBODY = 0
    BUYER = 1
    SELLER = 2
    OPERATOR = 4


_BY_NAME: Final = {"buyer": Side.BUYER, "seller": Side.SELLER, "operator": Side.OPERATOR}
# Parts of the order that are not for everybody on it: the owner's share is between operator and seller, a
# purchasing approval is the buyer's own affair.
_ORDER_FIELDS: Final = {
    "commission": Side.SELLER | Side.OPERATOR,
    "payout_held": Side.SELLER | Side.OPERATOR,
    "approval": Side.BUYER | Side.OPERATOR,
}
_REFUND_FIELDS: Final = {"commission_reversed": Side.SELLER | Side.OPERATOR}


def sides(names: Iterable[str]) -> Side:
    """The bits of an audience as an event carries it."""
    result = Side.NOBODY
    for name in names:
        result |= _BY_NAME[name]
    return result


def view(data: bytes, eyes: Side, *, reader: Side | None = None) -> bytes:
    """The event's JSON as someone on the sides `eyes` may see it. Raises ValueError for nobody's eyes.

    With `reader`, what somebody on those sides may see of what was sent to `eyes`.
    """
    if not eyes:
        raise ValueError("an event is seen by some side")
    event = orjson.loads(data)
    event.pop("audience", None)
    for each in (eyes,) if reader is None else (eyes, reader):
        _hide(event, each)
    order = event.get("order") or {}
    for part in (*order.get("notes", ()), *order.get("deadlines", ())):
        part.pop("audience", None)
    return orjson.dumps(event)


def _hide(event: dict[str, Any], eyes: Side) -> None:
    order = event.get("order")
    if order is not None:
        _hide_approval_times(order, event.get("change") or {}, eyes)
        _strip(order, _ORDER_FIELDS, eyes)
        order["notes"] = [n for n in order.get("notes", ()) if sides(n.get("audience", ())) & eyes]
        if "deadlines" in order:
            order["deadlines"] = [d for d in order["deadlines"] if sides(d.get("audience") or _BY_NAME) & eyes]
        for refund in order.get("refunds", ()):
            _strip(refund, _REFUND_FIELDS, eyes)
    if (refund := event.get("refund")) is not None:
        _strip(refund, _REFUND_FIELDS, eyes)


def _hide_approval_times(order: dict[str, Any], change: dict[str, Any], eyes: Side) -> None:
    """When an order waited for its approval is no more the seller's affair than the approval is."""
    approval = order.get("approval")
    if approval is None or eyes & _ORDER_FIELDS["approval"]:
        return
    until = datetime.fromisoformat(approval["decided_at"]) if approval.get("decided_at") else None
    waiting = change.get("from_status") if change.get("from_phase") == "approval" else None
    order["status_times"] = [
        entered
        for entered in order.get("status_times", ())
        if entered["status"] != waiting and not (until and datetime.fromisoformat(entered["at"]) < until)
    ]


def _strip(part: dict[str, Any], fields: dict[str, Side], eyes: Side) -> None:
    for name, allowed in fields.items():
        if not allowed & eyes:
            part.pop(name, None)
