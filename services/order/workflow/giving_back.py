"""Money of orders that have ended: whatever a lifecycle says of its course, what was paid can be given back.

A page may say that an ended order has no further actions. Payments come late all the same, and what was paid before the
end is still held; a refund is beside the course. Where a final state has no refund that a person may always record, the
operator gets one there, also for orders on versions that were taken before.
"""

from __future__ import annotations

from typing import Any, Final

from services.order.workflow.lifecycle import Document, Transition, origins

_PEOPLE: Final = frozenset({"seller", "operator", "admin", "member"})
# Guards that only ask whether there is money to give back, or a refund to be paid out.
_OF_MONEY: Final = frozenset({"refundable", "refund_pending"})
_REFUND: Final[dict[str, Any]] = {
    "name": "refund",
    "label": "Refund",
    "who": ["operator"],
    "params": [
        {"name": "amount", "type": "money"},
        {"name": "line_id", "type": "line", "label": "Item"},
        {"name": "quantity", "type": "quantity"},
        {"name": "reason", "type": "text", "max": 500},
        {"name": "settled", "type": "flag", "label": "The money has been paid out"},
    ],
    "guards": ["refundable"],
    "effects": ["refund"],
}
_REFUND_DONE: Final[dict[str, Any]] = {
    "name": "refund_done",
    "label": "Refund paid out",
    "who": ["operator", "service", "channel"],
    "params": [{"name": "refund_id", "type": "refund", "label": "Refund"}],
    "guards": ["refund_pending"],
    "effects": ["refund_done"],
}


def with_refunds(document: Document) -> Document:
    """The lifecycle with a refund by the operator in the final states that lack one."""
    added = [t for wanted in (_REFUND, _REFUND_DONE) if (t := _lacking(document, wanted)) is not None]
    return document.model_copy(update={"transition": (*document.transition, *added)}) if added else document


def _lacking(document: Document, wanted: dict[str, Any]) -> Transition | None:
    states = [n for n, s in document.state.items() if s.final and not _given(document, n, wanted)]
    # strict models take lists where a file has them
    return Transition.model_validate({**wanted, "from": tuple(states)}) if states else None


def _given(document: Document, state: str, wanted: dict[str, Any]) -> bool:
    """Whether the state has the like for people, without a condition; or uses the name otherwise."""
    [effect] = wanted["effects"]
    here = [t for t in document.transition if not t.auto and state in origins(document, t)]
    return any(
        t.name == wanted["name"]
        or (
            any(e.name == effect for e in t.effects)
            and any(w.role in _PEOPLE and w.setting is None for w in t.who)
            and {g.name for g in t.guards} <= _OF_MONEY
        )
        for t in here
    )
