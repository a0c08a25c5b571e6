"""What makes a lifecycle unfit to run though its form is right; each finding names line and remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import combinations

from services.order.workflow.findings import Finding
from services.order.workflow.lifecycle import Call, Document, Target, origins
from services.order.workflow.lint_parts import lint_approval, lint_deadlines, lint_params, lint_settings, lint_texts
from services.order.workflow.locate import Path, line_of
from services.order.workflow.registry import Function
from services.order.workflow.tables import EFFECTS, GUARDS

Lines = Mapping[Path, int]


def lint_document(document: Document, lines: Lines) -> list[Finding]:
    """Every finding, in the order of the file."""
    found = [
        Finding(line_of(lines, path), message, remedy)
        for check in (
            _states,
            _initial,
            _names,
            _transitions,
            _calls,
            _phases,
            _reachable,
            _clocks,
            _twins,
            _loops,
            _displays,
            lint_params,
            lint_approval,
            lint_deadlines,
            lint_settings,
            lint_texts,
        )
        for path, message, remedy in check(document)
    ]
    return sorted(found, key=lambda f: (f.line, f.message))


Problem = tuple[Path, str, str]


def _guess(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, 1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known)) or 'none'}"


def _states(document: Document) -> Iterator[Problem]:
    for name, state in document.state.items():
        path: Path = ("state", name)
        if state.phase == "canceled" and state.cancel_kind is None:
            yield path, f"state {name!r} is of phase canceled and has no cancel_kind", 'add cancel_kind = "canceled"'
        if state.phase != "canceled" and state.cancel_kind is not None:
            yield (*path, "cancel_kind"), f"state {name!r} has a cancel_kind", "only states of phase canceled have one"
        if state.final and state.phase not in ("completed", "canceled"):
            yield (
                (*path, "final"),
                f"state {name!r} is final and of phase {state.phase}",
                "an order ends in phase completed or canceled",
            )
        used = {t.from_capability for t in document.transition}
        for capability in state.capabilities:
            if capability not in used:
                known = [c for c in used if c]
                yield (
                    (*path, "capabilities"),
                    f"no transition starts from the capability {capability!r} of state {name!r}",
                    _guess(capability, known),
                )


def _initial(document: Document) -> Iterator[Problem]:
    yield from _targets(document, document.initial, ("initial",), "the first state")
    for target in document.initial:
        state = document.state.get(target.state)
        if state is not None and state.phase not in ("approval", "pending"):
            yield (
                ("initial",),
                f"an order cannot begin in {target.state!r}, of phase {state.phase}",
                "begin in a state of phase approval or pending, so that order.created is told",
            )


def _targets(document: Document, targets: Sequence[Target], path: Path, what: str) -> Iterator[Problem]:
    for i, target in enumerate(targets):
        if target.state not in document.state:
            yield path, f"{what} is the unknown state {target.state!r}", _guess(target.state, list(document.state))
        if i + 1 < len(targets) and not target.when:
            yield (
                path,
                f"{what}: {target.state!r} always fits, what follows is never reached",
                "give it a when, or put it last",
            )
    if targets and targets[-1].when:
        yield path, f"{what}: nothing fits when no condition holds", "let the last choice have no when"


def _names(document: Document) -> Iterator[Problem]:
    known = list(document.state)
    for i, t in enumerate(document.transition):
        for name in t.sources:
            if name not in document.state:
                yield ("transition", i, "from"), f"{t.name} starts from the unknown state {name!r}", _guess(name, known)
        yield from _targets(document, t.to, ("transition", i, "to"), f"{t.name} leads on; its target")
    for i, rule in enumerate(document.deadline):
        for name in rule.states:
            if name not in document.state:
                yield (
                    ("deadline", i, "states"),
                    f"deadline {rule.name} names the unknown state {name!r}",
                    _guess(name, known),
                )
    taken = [r.name for r in document.deadline] + [t.name for t in document.transition if t.after]
    for i, rule in enumerate(document.deadline):
        if taken.count(rule.name) > 1 or rule.name == "evidence":
            yield ("deadline", i), f"there are two deadlines named {rule.name!r}", "give one of them another name"


def _transitions(document: Document) -> Iterator[Problem]:
    for i, t in enumerate(document.transition):
        path: Path = ("transition", i)
        roles = {w.role for w in t.who}
        if bool(t.sources) == (t.from_capability is not None):
            yield (
                path,
                f"{t.name} must start somewhere, in one way",
                'give either from = ["..."] or from_capability = "..."',
            )
        elif not origins(document, t):
            yield (
                path,
                f"{t.name} starts from the capability {t.from_capability!r} that no state has",
                "add it to a state",
            )
        if t.auto and (roles or t.after or t.params):
            yield (
                path,
                f"{t.name} is automatic and has who, after or params",
                "drop them: nobody takes it, nobody answers",
            )
        if not t.auto and not roles:
            yield path, f"{t.name} is for nobody", 'say who = ["seller"], or auto = true'
        if ("clock" in roles) != (t.after is not None):
            yield (
                path,
                f"{t.name} names the clock or a delay, and not both",
                'the clock needs after = { days = 7 }, and who = ["clock"]',
            )
        if t.after and any(p.required for p in t.params):
            yield (
                path,
                f"{t.name} is taken by the clock and needs a parameter",
                "the clock answers nothing: drop required",
            )
        if t.jump and (t.to or not any(p.name == "status" and p.type == "state" for p in t.params)):
            yield path, f"{t.name} jumps", 'give it { name = "status", type = "state" } and no to'
        if t.auto and not t.to and not t.guards:
            yield (
                path,
                f"{t.name} is automatic, stays and has no guard, so it would never end",
                "give it a to or a guard",
            )


def _calls(document: Document) -> Iterator[Problem]:
    for target in document.initial:
        yield from _functions(GUARDS, "guard", target.when, ("initial",), document)
    for i, t in enumerate(document.transition):
        path: Path = ("transition", i)
        yield from _functions(GUARDS, "guard", t.guards, (*path, "guards"), document)
        yield from _functions(EFFECTS, "effect", t.effects, (*path, "effects"), document)
        for target in t.to:
            yield from _functions(GUARDS, "guard", target.when, (*path, "to"), document)
        for rule in t.label_when:
            yield from _functions(GUARDS, "guard", rule.when, (*path, "label_when"), document)


def _functions(
    table: Mapping[str, Function], what: str, calls: Sequence[Call], path: Path, document: Document
) -> Iterator[Problem]:
    for call in calls:
        if call.name not in table:
            yield path, f"there is no {what} {call.name!r}", _guess(call.name, list(table))
            continue
        for problem in table[call.name].problems(call.args):
            yield path, f"{what} {call.name} {problem}", f"it does: {table[call.name].summary}"
        for name in ("setting", "evidence_days"):
            setting = call.args.get(name)
            if isinstance(setting, str) and setting not in document.setting:
                yield (
                    path,
                    f"{what} {call.name} reads the unknown setting {setting!r}",
                    _guess(setting, list(document.setting)),
                )


def _phases(document: Document) -> Iterator[Problem]:
    """What would break a milestone: each is told once, and an order that nobody was told of does not go on."""
    for i, t in enumerate(document.transition):
        for source in origins(document, t) & document.state.keys():
            was = document.state[source].phase
            for target in (x for x in t.to if x.state in document.state):
                phase = document.state[target.state].phase
                path: Path = ("transition", i, "to")
                if was == "canceled" and phase != "canceled":
                    yield (
                        path,
                        f"{t.name} leads out of the canceled state {source!r}",
                        "a canceled order stays canceled; place it again",
                    )
                if was != "approval" and phase == "approval":
                    yield path, f"{t.name} leads back to approval from {source!r}", "approval comes first or not at all"
                if was == "approval" and phase not in ("approval", "pending", "canceled"):
                    yield (
                        path,
                        f"{t.name} leads from approval past phase pending",
                        "let an approved order be pending first",
                    )

    for i, t in enumerate(document.transition):
        hidden = sorted(
            n for n in origins(document, t) & document.state.keys() if document.state[n].phase == "approval"
        )
        if t.jump and hidden:
            yield (
                ("transition", i),
                f"{t.name} jumps from {hidden[0]!r}, of phase approval, past phase pending",
                "let it start from states in which the order was approved",
            )


def _reachable(document: Document) -> Iterator[Problem]:
    edges = _graph(document)
    seen = _walk(edges, [t.state for t in document.initial])
    back: dict[str, set[str]] = {n: set() for n in document.state}
    for source, targets in edges.items():
        for target in targets:
            back.setdefault(target, set()).add(source)
    ends = _walk(back, [n for n, s in document.state.items() if s.final])
    for name in document.state:
        if name not in seen:
            yield (
                ("state", name),
                f"state {name!r} cannot be reached",
                "add a transition that leads to it, or remove it",
            )
        if name not in ends:
            yield (
                ("state", name),
                f"from state {name!r} there is no way to a final state",
                "add a transition, or final = true",
            )


def _graph(document: Document) -> dict[str, set[str]]:
    edges: dict[str, set[str]] = {n: set() for n in document.state}
    for t in document.transition:
        for source in origins(document, t) & document.state.keys():
            edges[source] |= {x.state for x in t.to if x.state in document.state}
    return edges


def _walk(edges: Mapping[str, set[str]], start: Sequence[str]) -> set[str]:
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += edges.get(name, set())
    return seen


def _clocks(document: Document) -> Iterator[Problem]:
    timed = [(i, t, origins(document, t)) for i, t in enumerate(document.transition) if t.after]
    for (_, a, from_a), (j, b, from_b) in combinations(timed, 2):
        if both := sorted(from_a & from_b):
            yield (
                ("transition", j),
                f"the clock could take both {a.name} and {b.name} from {both[0]!r}",
                "let the clock leave a state in one way only",
            )


def _twins(document: Document) -> Iterator[Problem]:
    people = [(i, t, origins(document, t)) for i, t in enumerate(document.transition) if not t.auto]
    for (_, a, from_a), (j, b, from_b) in combinations(people, 2):
        if a.name != b.name:
            continue
        both = sorted(from_a & from_b)
        roles = sorted({(w.role, w.side) for w in a.who} & {(w.role, w.side) for w in b.who}, key=str)
        if both and roles:
            yield (
                ("transition", j),
                f"two transitions named {a.name!r} from {both[0]!r} are for the role {roles[0][0]!r}",
                "name one of them differently, or let them start elsewhere",
            )


def _loops(document: Document) -> Iterator[Problem]:
    """Automatic transitions that lead round in a circle would not end."""
    autos = [(i, t) for i, t in enumerate(document.transition) if t.auto]
    edges: dict[str, set[str]] = {}
    for _, t in autos:
        for source in origins(document, t):
            edges.setdefault(source, set()).update(x.state for x in t.to)
    for i, t in autos:
        if any(s in _walk(edges, [x.state]) for s in origins(document, t) for x in t.to):
            yield (
                ("transition", i),
                f"{t.name} is part of a circle of automatic transitions",
                "let a person take one of them",
            )


def _displays(document: Document) -> Iterator[Problem]:
    for i, rule in enumerate(document.display):
        path: Path = ("display", i)
        for name in rule.states:
            if name not in document.state:
                yield (
                    (*path, "states"),
                    f"display {rule.code!r} names the unknown state {name!r}",
                    _guess(name, list(document.state)),
                )
        if rule.on == "order" and rule.code in document.state:
            yield (
                path,
                f"display {rule.code!r} has the name of a state",
                "use another code, so that filters can tell them apart",
            )
        if rule.on == "order" and (rule.line or not (rule.states or rule.phases or rule.money or rule.issue)):
            yield (
                path,
                f"display {rule.code!r} needs a condition of the order",
                "add states, phases, money or issue; line is for lines",
            )
        if rule.on == "line" and rule.line is None:
            yield (
                path,
                f"display {rule.code!r} is for lines and has no line condition",
                'add line = "incident" or the like',
            )
