"""Lifecycles: the built-in ones and the marketplace's own, each in versions."""

from __future__ import annotations

from typing import Any

import orjson

from services.order import policy, workflow
from services.order.errors import absent
from services.order.store import lifecycles
from services.order.store.context import Course
from services.order.workflow import Lifecycle
from services.order.workflow.effects_issues import EVIDENCE
from shared.errors import Conflict, Unprocessable
from shared.postgres import Transaction
from shared.process import Runtime
from shared.web import Answer, Once, Principal

MOST_FINDINGS = 50


async def all_of(run: Runtime, caller: Principal) -> list[dict[str, Any]]:
    """GET /v1/lifecycles: name, newest version, where it comes from."""
    async with run.db.tenant(caller.marketplace_id) as tx:
        stored = {r["name"]: dict(r) for r in await lifecycles.all_latest(tx, caller.marketplace_id)}
    for name in workflow.BUILTIN:
        stored.setdefault(name, {"name": name, "version": 1, "digest": workflow.builtin(name).digest, "builtin": True})
    return [stored[name] for name in sorted(stored)]


async def add(run: Runtime, caller: Principal, text: str, once: Once) -> Answer:
    """POST /v1/lifecycles: a new version. Raises Unprocessable with every finding, each with its line and remedy."""
    policy.need_operator(caller, "add lifecycles")
    try:
        read = workflow.load_lifecycle(text)
    except workflow.LifecycleError as e:
        raise unfit(e) from None
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept
        newest = await lifecycles.latest(tx, caller.marketplace_id, read.name)
        if newest is not None and newest.version == 0:
            # The built-in text is version 1 even where nobody has used it yet.
            await lifecycles.current(tx, caller.marketplace_id, newest, run.clock())
            newest = await lifecycles.latest(tx, caller.marketplace_id, read.name)
        if newest is not None and newest.digest == read.digest:
            return await once.keep(tx, _answer(200, read.name, newest.version, read))
        version = (newest.version if newest else 0) + 1
        numbered = workflow.load_lifecycle(text, version)
        if not await lifecycles.add(tx, caller.marketplace_id, numbered, text, caller.name, run.clock()):
            raise Conflict(
                "version_taken", "Somebody else has just added a version. Look at it, then send yours again."
            )
        return await once.keep(tx, _answer(201, read.name, version, numbered))


def unfit(error: workflow.LifecycleError) -> Unprocessable:
    """The linter's findings as a problem: what, where, how to mend."""
    findings = [{"line": f.line, "message": f.message, "remedy": f.remedy} for f in error.findings[:MOST_FINDINGS]]
    first = findings[0]
    return Unprocessable(
        "bad_lifecycle", f"line {first['line']}: {first['message']}. {first['remedy']}", findings=findings
    )


async def get(run: Runtime, caller: Principal, name: str, version: int | None) -> tuple[Lifecycle, str]:
    """A lifecycle and its text. Raises NotFound."""
    async with run.db.tenant(caller.marketplace_id) as tx:
        course = await lifecycles.latest(tx, caller.marketplace_id, name)
        if course is None:
            raise absent()
        return await _version(tx, caller, course, version)


async def _version(tx: Transaction, caller: Principal, course: Course, version: int | None) -> tuple[Lifecycle, str]:
    if course.version == 0 and version in (None, 1):
        return workflow.builtin(course.name), workflow.builtin_text(course.name)
    number = version or course.version
    text = await lifecycles.text(tx, caller.marketplace_id, course.name, number)
    if text is None:
        raise absent()
    return await lifecycles.of(tx, caller.marketplace_id, course.name, number), text


def described(lifecycle: Lifecycle, text: str) -> dict[str, Any]:
    """What a client needs of a lifecycle: its states and what is shown over them, its settings, its text."""
    return {
        "name": lifecycle.name,
        "version": lifecycle.version,
        "title": lifecycle.title,
        "digest": lifecycle.digest,
        "states": [
            {
                "name": n,
                "phase": s.phase,
                "label": s.label,
                "labels": s.labels,
                "final": s.final,
                "tone": s.tone,
                "mark": s.mark,
            }
            for n, s in lifecycle.states.items()
        ],
        "display": [
            {"on": d.on, "code": d.code, "label": d.label, "tone": d.tone, "mark": d.mark}
            for d in lifecycle.document.display
        ],
        "deadlines": _deadlines(lifecycle),
        "actions": sorted({(t.name, t.label) for t in lifecycle.transitions if not t.auto}),
        "decisions": _decisions(lifecycle),
        "settings": {
            n: {"label": s.label, "default": s.default, "min": s.min, "max": s.max}
            for n, s in lifecycle.settings.items()
        },
        "text": text,
    }


def _deadlines(lifecycle: Lifecycle) -> dict[str, str]:
    """What is due, by the deadline's name: the rule's label, or what the clock does by itself."""
    timed = {t.name: f"{t.label}, by itself" for t in lifecycle.transitions if t.after}
    return timed | {d.name: d.label for d in lifecycle.document.deadline} | {EVIDENCE: "Evidence"}


def _answer(status: int, name: str, version: int, lifecycle: Lifecycle) -> Answer:
    body = {"name": name, "version": version, "title": lifecycle.title, "digest": lifecycle.digest}
    return Answer(status, orjson.dumps(body))


def _decisions(lifecycle: Lifecycle) -> list[dict[str, Any]]:
    """What people decide about new orders without an answer being needed: for several orders at once.

    lengow page: "select several orders to perform a combined action".
    """
    found: dict[str, dict[str, Any]] = {}
    for state, actions in lifecycle.actions.items():
        if lifecycle.states[state].phase not in ("approval", "pending"):
            continue
        for t in (t for ts in actions.values() for t in ts):
            roles = {w.role for w in t.who} - {"channel", "clock", "service"}
            if not roles or all(x.state == state for x in t.to) or any(p.required for p in t.params):
                continue
            entry = found.setdefault(t.name, {"name": t.name, "label": t.label, "roles": []})
            entry["roles"] = sorted({*entry["roles"], *roles})
    return list(found.values())
