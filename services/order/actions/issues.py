"""Issues as a resource: from the kind of an issue to the action that the order's lifecycle has for it.

Nothing here knows a lifecycle: the action that opens a kind has an effect that says so, and the ones that settle it
begin with the verb and take issues of that kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from services.order import policy, workflow
from services.order.actions.acting import Wish, act_in
from services.order.actions.changing import lifecycle_of
from services.order.actions.showing import facts_of
from services.order.errors import absent
from services.order.schemas import IssueRequest
from services.order.store import orders
from services.order.store.orders import Held
from services.order.workflow import Lifecycle
from shared.errors import Conflict, NotFound
from shared.postgres import Transaction
from shared.process import Runtime
from shared.web import Answer, Once, Precondition, Principal

VERBS: Final = ("close", "resolve", "reopen", "approve", "decline")
_SETTLING: Final = frozenset({"settle_issue", "reopen_issue"})


async def open_issue(
    run: Runtime, caller: Principal, order_id: UUID, body: IssueRequest, if_match: Precondition, once: Once
) -> Answer:
    """POST /v1/orders/{id}/issues."""
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        held, lifecycle = await _held(tx, caller, order_id)
        ways = _opening(lifecycle, body.kind)
        if not ways:
            kind = body.kind.replace("_", " ")
            raise Conflict("issue_kind_unknown", f"Orders of the lifecycle {lifecycle.name} know no {kind}.")
        actor = policy.actor_of(caller)
        possible = {a.name for a in workflow.allowed_actions(held.order, lifecycle, actor, run.clock(), facts_of(held))}
        action = next((a for a in ways if a in possible), next(iter(ways)))
        wish = Wish(action, {**ways[action], **body.params})
        return await act_in(run, tx, caller, order_id, wish, if_match, once, status=201)


async def settle(
    run: Runtime,
    caller: Principal,
    order_id: UUID,
    issue_id: UUID,
    verb: str,
    params: Mapping[str, Any],
    if_match: Precondition,
    once: Once,
) -> Answer:
    """POST /v1/orders/{id}/issues/{id}/{verb}."""
    if verb not in VERBS:
        raise NotFound("unknown_action", f"There is no {verb!r} for an issue. It takes {', '.join(VERBS)}.")
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        held, lifecycle = await _held(tx, caller, order_id)
        issue = next((i for i in held.order.issues if i.issue_id == issue_id), None)
        if issue is None:
            raise absent()
        found = _settling(lifecycle, verb, issue.kind, held.order.status)
        if found is None:
            kind = issue.kind.replace("_", " ")
            raise NotFound("unknown_action", f"The lifecycle {lifecycle.name} has no way to {verb} this {kind}.")
        action, takes_issue = found
        given = {**params, "issue_id": str(issue_id)} if takes_issue else dict(params)
        return await act_in(run, tx, caller, order_id, Wish(action, given), if_match, once)


async def _held(tx: Transaction, caller: Principal, order_id: UUID) -> tuple[Held, Lifecycle]:
    held = await orders.lock(tx, order_id)
    if held is None:
        raise absent()
    policy.see(held.order, caller)
    return held, await lifecycle_of(tx, held)


def _opening(lifecycle: Lifecycle, kind: str) -> dict[str, dict[str, Any]]:
    """The actions that open the kind, with the parameters that say so: a chargeback may be reported as a problem."""
    ways: dict[str, dict[str, Any]] = {}
    for t in (t for t in lifecycle.transitions if not t.auto):
        for args in (e.args for e in t.effects if e.name == "open_issue"):
            if args.get("kind") == kind:
                ways.setdefault(t.name, {})
            elif kind == "chargeback" and (reason := args.get("chargeback_reason")):
                ways.setdefault(t.name, {"reason_code": reason})
    return ways


def _settling(lifecycle: Lifecycle, verb: str, kind: str, status: str) -> tuple[str, bool] | None:
    """The action, preferably one that starts from the present status, and whether it asks which issue is meant.

    What settles is known by its effect: an order's own `close` waits for incidents, and closes none.
    """
    here = lifecycle.actions[status]
    candidates = []
    for t in lifecycle.transitions:
        if t.auto or not (t.name == verb or t.name.startswith(f"{verb}_")):
            continue
        kinds = {k for call in t.effects if call.name in _SETTLING for k in call.args.get("kinds", ())}
        if kind in kinds:
            candidates.append((t.name not in here, t.name, any(p.name == "issue_id" for p in t.params)))
    if not candidates:
        return None
    _, name, takes_issue = min(candidates)
    return name, takes_issue
