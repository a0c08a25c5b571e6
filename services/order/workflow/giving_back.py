"""Money of orders that have ended: whatever a lifecycle says of its course, what was paid can be given back, and what a
customer took back is an issue.

A page may say that an ended order has no further actions. Payments and chargebacks come late all the same, and what was
paid before the end is still held; both are beside the course. Where a final state has no refund that a person may
always record, the operator gets one there; where it has no chargeback, payment services and channels record one, which
the operator closes. Chargebacks come while an order waits for approval too, since payments do. All of that also for
orders on versions that were taken before.
"""

from __future__ import annotations

from typing import Any, Final

from services.order.workflow.lifecycle import Document, State, Transition, origins

_PEOPLE: Final = frozenset({"seller", "operator", "admin", "member"})
# Guards that only ask whether there is money to give back, or a refund to be paid out.
_OF_MONEY: Final = frozenset({"refundable", "refund_pending"})
_EVIDENCE: Final = "evidence_days"
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
_CHARGEBACK: Final[dict[str, Any]] = {
    "name": "chargeback",
    "label": "Record chargeback",
    "who": ["service", "channel"],
    "params": [
        {"name": "amount", "type": "money"},
        {"name": "note", "type": "text"},
        {"name": "evidence_due_at", "type": "moment", "label": "Evidence due"},
    ],
}
_CLOSE: Final[dict[str, Any]] = {
    "name": "close_chargeback",
    "label": "Close chargeback",
    "who": ["operator"],
    "params": [
        {"name": "issue_id", "type": "issue", "label": "Chargeback", "kinds": ["chargeback"]},
        {"name": "resolution", "type": "choice", "choices": ["won", "lost", "withdrawn"], "required": True},
        {"name": "note", "type": "text"},
    ],
    "guards": [{"name": "has_issue", "kinds": ["chargeback"]}],
    "effects": [{"name": "settle_issue", "kinds": ["chargeback"]}],
}


def with_money_matters(document: Document) -> Document:
    """The lifecycle with refunds by the operator and with chargebacks in the states that lack them."""
    final = [n for n, s in document.state.items() if s.final]
    charged = [n for n, s in document.state.items() if _may_be_charged(s) and not _named(document, n, _CHARGEBACK)]
    opening = {"name": "open_issue", "kind": "chargeback"}
    if (setting := document.setting.get(_EVIDENCE)) is not None and type(setting.default) is int:
        opening["evidence_days"] = _EVIDENCE
    wanted = [
        *((t, [n for n in final if not _given(document, n, t)]) for t in (_REFUND, _REFUND_DONE)),
        ({**_CHARGEBACK, "effects": [opening]}, charged),
        (_CLOSE, [n for n in charged if not _named(document, n, _CLOSE)]),
    ]
    # strict models take lists where a file has them
    added = [Transition.model_validate({**given, "from": tuple(states)}) for given, states in wanted if states]
    return document.model_copy(update={"transition": (*document.transition, *added)}) if added else document


def _may_be_charged(state: State) -> bool:
    return state.final or state.phase == "approval"


def _named(document: Document, state: str, wanted: dict[str, Any]) -> bool:
    return any(t.name == wanted["name"] and state in origins(document, t) for t in document.transition)


def _given(document: Document, state: str, wanted: dict[str, Any]) -> bool:
    """Whether the state has the like for people, without a condition; or uses the name otherwise."""
    [effect] = wanted["effects"]
    here = [t for t in document.transition if not t.auto and state in origins(document, t)]
    return _named(document, state, wanted) or any(
        any(e.name == effect for e in t.effects)
        and any(w.role in _PEOPLE and w.setting is None for w in t.who)
        and {g.name for g in t.guards} <= _OF_MONEY
        for t in here
    )
