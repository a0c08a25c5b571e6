"""Effects on issues: incidents, problems, disputes, chargebacks and cancellation requests."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from contracts.order import Issue, IssueKind
from services.order.workflow.decision import PlaceAgain
from services.order.workflow.draft import MOST_ISSUES, Draft
from services.order.workflow.effects_lines import asked
from services.order.workflow.model import Deadline, is_active
from services.order.workflow.refusals import BadParams, GuardFailed
from services.order.workflow.registry import effect

EVIDENCE = "evidence"


@effect(
    reads={
        "reason_code": "choice",
        "line_id": "line",
        "note": "text",
        "images": "images",
        "evidence_due_at": "moment",
        "amount": "money",
    }
)
def open_issue(
    draft: Draft, *, kind: IssueKind, chargeback_reason: str | None = None, evidence_days: str | None = None
) -> None:
    """Opens an issue; with the reason code `chargeback_reason` it is a chargeback whatever `kind` says.

    `evidence_days` names the setting with the days until a chargeback's evidence is due, where none is stated.
    """
    if len(draft.order.issues) >= MOST_ISSUES:
        raise GuardFailed("too_many_issues", f"the order has {MOST_ISSUES} issues; no more can be opened")
    given = draft.params
    code = given.get("reason_code")
    real = "chargeback" if chargeback_reason is not None and code == chargeback_reason else kind
    made = Issue(
        issue_id=draft.ids(),
        kind=real,
        state="open",
        reason_code=code,
        line_id=given.get("line_id"),
        opened_at=draft.now,
        # a channel or a payment service speaks for the customer
        opened_by=draft.side or "buyer",
        note=given.get("note"),
        document_ids=given.get("images", ()),
    )
    if real == "chargeback":
        made = made.model_copy(update={"evidence_due_at": _evidence_due(draft, evidence_days)})
        due = Deadline(name=EVIDENCE, due_at=made.evidence_due_at, issue_id=made.issue_id)
        draft.change(deadlines=(*draft.order.deadlines, due))
    draft.change(issues=(*draft.order.issues, made))
    draft.issue_id = made.issue_id
    draft.details["issue"] = {"issue_id": str(made.issue_id), "kind": real, "state": "open", "reason_code": code}
    if "amount" in given:
        draft.details["issue"]["amount"] = draft.money(given["amount"])


def _evidence_due(draft: Draft, setting: str | None) -> object:
    stated = draft.params.get("evidence_due_at")
    if stated is not None:
        if not draft.now < stated < draft.now + timedelta(days=366):
            raise BadParams([("evidence_due_at", "must lie within a year from now")])
        return stated
    return draft.now + timedelta(days=int(draft.settings[setting]) if setting else 7)


@effect(reads={"issue_id": "issue", "resolution": "choice", "note": "text"})
def settle_issue(
    draft: Draft,
    *,
    kinds: tuple[IssueKind, ...],
    state: Literal["resolved", "closed", "declined"] = "resolved",
    resolution: str | None = None,
    if_resolved: bool = False,
) -> None:
    """Settles an open issue of these kinds; `if_resolved` takes one that the seller has resolved as well.

    Without `issue_id` there must be exactly one that fits.
    """
    fits = [
        i
        for i in draft.order.issues
        if i.kind in kinds and (i.state == "open" or (if_resolved and i.state == "resolved"))
    ]
    issue = _one(draft, fits)
    text = draft.params.get("resolution", resolution)
    if note := draft.params.get("note"):
        text = f"{text}: {note}" if text else note
    _settle(draft, issue, state, text)


def _one(draft: Draft, fits: list[Issue]) -> Issue:
    wanted = draft.params.get("issue_id")
    if wanted is not None:
        fits = [i for i in fits if i.issue_id == wanted]
        if not fits:
            raise GuardFailed("issue_settled", "that issue is not open any more")
    if not fits:
        raise GuardFailed("has_issue", "there is no such open issue")
    if len(fits) > 1:
        raise BadParams([("issue_id", f"{len(fits)} issues are open; name one")])
    return fits[0]


def _settle(draft: Draft, issue: Issue, state: str, resolution: str | None) -> None:
    changed = draft.put_issue(issue, state=state, settled_at=draft.now, resolution=resolution or issue.resolution)
    if not is_active(changed):
        draft.change(deadlines=tuple(d for d in draft.order.deadlines if d.issue_id != issue.issue_id))
    draft.issue_id = issue.issue_id
    draft.details["issue"] = {"issue_id": str(issue.issue_id), "kind": issue.kind, "state": state}
    if resolution:
        draft.details["issue"]["resolution"] = resolution


@effect(reads={"issue_id": "issue"})
def reopen_issue(draft: Draft, *, kinds: tuple[IssueKind, ...]) -> None:
    """Opens again what the seller had resolved."""
    issue = _one(draft, [i for i in draft.order.issues if i.kind in kinds and i.state == "resolved"])
    draft.put_issue(issue, state="open", settled_at=None, resolution=None)
    draft.issue_id = issue.issue_id
    draft.details["issue"] = {"issue_id": str(issue.issue_id), "kind": issue.kind, "state": "open"}


@effect()
def settle_answered(draft: Draft) -> None:
    """Settles the oldest open issue that a refund was given for."""
    answered = {r.issue_id for r in draft.order.refunds if r.issue_id}
    issue = next(i for i in draft.order.issues if i.issue_id in answered and i.state == "open")
    _settle(draft, issue, "resolved", "refund")


def settle_requests(draft: Draft, state: Literal["resolved", "declined"], resolution: str) -> None:
    """Open cancellation requests are over, because what they asked for has happened or cannot happen any more."""
    for issue in draft.order.issues:
        if issue.kind == "cancellation_request" and issue.state == "open":
            draft.put_issue(issue, state=state, settled_at=draft.now, resolution=resolution)


@effect()
def lapse_requests(draft: Draft) -> None:
    """Open cancellation requests are declined: the order has gone on."""
    settle_requests(draft, "declined", "the order was sent before it was decided")


@effect(reads={"lines": "lines"})
def replace(draft: Draft, *, kind: Literal["replacement", "reorder"] = "replacement") -> None:
    """Asks for a further order with the lines asked for, or all: free of charge and linked, or re-priced."""
    chosen = asked(draft, lambda x: x.ordered if kind == "reorder" else x.shipped or x.accepted, "sent again")
    lines = tuple((line.line_id, quantity) for line, quantity, _ in chosen)
    draft.world.append(PlaceAgain(kind, draft.order.order_id, lines, draft.params.get("issue_id")))
    draft.details[kind] = [{"line_id": str(i), "quantity": f"{q.normalize():f}"} for i, q in lines]
