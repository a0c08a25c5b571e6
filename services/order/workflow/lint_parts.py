"""The linter's checks of parameters, approval, deadlines, settings, delays and texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

from services.order.workflow.lifecycle import Delay, Document, Param, Transition, origins
from services.order.workflow.locate import Path
from services.order.workflow.tables import EFFECTS, GUARDS

Problem = tuple[Path, str, str]

# Read by the engine itself, whatever the effects: Change.reason, and where and when a jump leads.
_ENGINE = {"reason": "text"}
_JUMP = {"status": "state", "at": "moment", "external_status": "text"}
# PostgreSQL stores no NUL, and no paper, page or mail shows the others; what people read as a label is one line.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BREAK = re.compile(r"[\t\n\u2028\u2029]")
_ONE_LINE = frozenset({"label", "labels", "title"})


def lint_texts(document: Document) -> Iterator[Problem]:
    """Texts with characters that no order could carry to anybody."""
    yield from _texts(document.model_dump(by_alias=True), ())


def _texts(value: Any, path: Path) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, tuple | list):
        for i, item in enumerate(value):
            yield from _texts(item, (*path, i))
    elif isinstance(value, str) and (
        _CONTROL.search(value) or (_ONE_LINE.intersection(path[-2:]) and _BREAK.search(value))
    ):
        key = next(p for p in reversed(path) if isinstance(p, str))
        yield path, f"{key} {value[:50]!r} has control characters or line breaks", "write it in plain characters"


def lint_params(document: Document) -> Iterator[Problem]:
    """Parameters that are declared wrongly, or that no effect or guard of their transition reads."""
    for i, t in enumerate(document.transition):
        path: Path = ("transition", i, "params")
        read = _read_by(t, document)
        seen: set[str] = set()
        for n, param in enumerate(t.params):
            here: Path = (*path, n)
            if param.name in seen:
                yield here, f"{t.name} has two parameters named {param.name!r}", "keep one of them"
            seen.add(param.name)
            if param.name not in read:
                known = ", ".join(sorted(read)) or "none"
                yield (
                    here,
                    f"{t.name} has the parameter {param.name!r} that nothing reads",
                    f"its effects read: {known}",
                )
            elif param.type != read[param.name]:
                wanted = read[param.name]
                yield (
                    here,
                    f"{t.name}: parameter {param.name!r} is of type {param.type}",
                    f'its type must be "{wanted}"',
                )
            yield from _param(document, t, param, here)
        yield from _needed(t, path)


def _read_by(transition: Transition, document: Document) -> dict[str, str]:
    read = dict(_ENGINE)
    if transition.jump:
        read |= _JUMP
    # a jump goes over other transitions, whose effects see its parameters
    passed = [c for t in document.transition for c in t.effects] if transition.jump else []
    for call in (*passed, *transition.effects):
        if call.name in EFFECTS:
            read |= EFFECTS[call.name].reads
    for call in transition.guards:
        if call.name in GUARDS:
            read |= GUARDS[call.name].reads
    return read


def _needed(transition: Transition, path: Path) -> Iterator[Problem]:
    """Effects that cannot work without an answer: picking units, setting a day."""
    declared = {p.name for p in transition.params if p.required}
    for call in transition.effects:
        spec = EFFECTS.get(call.name)
        for name in sorted(spec.needs - declared) if spec else ():
            wanted = spec.reads[name] if spec else ""
            yield (
                path,
                f"{transition.name}: the effect {call.name} needs the parameter {name!r}",
                f'add {{ name = "{name}", type = "{wanted}", required = true }}',
            )


def _param(document: Document, transition: Transition, param: Param, path: Path) -> Iterator[Problem]:
    what = f"{transition.name}: parameter {param.name!r}"
    if (param.type == "choice") != bool(param.choices):
        yield (
            path,
            f"{what} is a choice without choices, or has choices and is none",
            'write type = "choice", choices = ["a", "b"]',
        )
    if param.max is not None and param.type not in ("text", "images"):
        yield path, f"{what} has a max", "only text (characters) and images (how many) have one"
    if param.kinds and param.type != "issue":
        yield path, f"{what} has kinds", "only issues have kinds"
    if param.sent and param.type != "line":
        yield path, f"{what} has sent", "only a line has sent"
    if param.states and param.type != "state":
        yield path, f"{what} has states", "only a state has states"
    for name in param.states:
        if name not in document.state:
            yield path, f"{what} names the unknown state {name!r}", f"known: {', '.join(document.state)}"


# What only happens to an order that its seller knows of.
_SELLERS: Final = frozenset(
    (
        "accept_lines",
        "reject_lines",
        "select_units",
        "ship_lines",
        "hand_over",
        "return_lines",
        "add_tracking",
        "schedule",
    )
)


def lint_approval(document: Document) -> Iterator[Problem]:
    """Before an order was approved its seller neither knows of it nor does anything about it."""
    for i, t in enumerate(document.transition):
        hidden = sorted(
            n for n in origins(document, t) & document.state.keys() if document.state[n].phase == "approval"
        )
        if not hidden:
            continue
        what = f"{t.name} starts from {hidden[0]!r}, of phase approval,"
        if t.who and all(w.role == "seller" or w.side == "seller" for w in t.who):
            yield (
                ("transition", i, "who"),
                f"{what} and is for the seller, who does not know of the order yet",
                "let the buyer's side, an approver, the operator or the clock take it",
            )
        for call in t.effects:
            if call.name in _SELLERS:
                yield (
                    ("transition", i, "effects"),
                    f"{what} and has the effect {call.name}",
                    "let it start from a state that comes after the approval",
                )


def lint_deadlines(document: Document) -> Iterator[Problem]:
    """Deadlines that never run, tell nobody, or are overdue before they are due."""
    for i, rule in enumerate(document.deadline):
        path: Path = ("deadline", i)
        if not rule.states:
            yield (
                (*path, "states"),
                f"deadline {rule.name} runs in no state",
                'name those in which it is due: ["pending"]',
            )
        if not rule.tell:
            yield (
                (*path, "tell"),
                f"deadline {rule.name} tells nobody",
                'name the sides, as in tell = ["seller"]; left out, everybody is told',
            )
        if rule.overdue is None or rule.due.setting or rule.overdue.setting:
            continue
        due, overdue = rule.due.span({}), rule.overdue.span({})
        if due is not None and overdue is not None and overdue < due:
            yield (
                (*path, "overdue"),
                f"deadline {rule.name} is overdue before it is due",
                "let overdue be the longer time, or leave it out: then it is overdue when it is due",
            )


def lint_settings(document: Document) -> Iterator[Problem]:
    """Settings with a default outside their own limits, and delays that read none or the wrong kind."""
    for name, setting in document.setting.items():
        if not isinstance(setting.default, bool) and not setting.min <= setting.default <= setting.max:
            yield (
                ("setting", name, "default"),
                f"setting {name!r} has the default {setting.default}, outside {setting.min} to {setting.max}",
                "move the default or the limits",
            )
    for i, t in enumerate(document.transition):
        if t.after:
            yield from _delay(document, t.after, ("transition", i, "after"), t.name)
        for who in t.who:
            if who.setting and not isinstance(_default(document, who.setting), bool):
                yield (
                    ("transition", i, "who"),
                    f"{t.name}: {who.setting!r} is not an on/off setting",
                    _settings(document, who.setting),
                )
        for call in (*t.guards, *(c for x in t.to for c in x.when)):
            named = call.args.get("setting")
            if isinstance(named, str) and named in document.setting and not isinstance(_default(document, named), bool):
                yield (
                    ("transition", i, "guards"),
                    f"{t.name}: {named!r} is not an on/off setting",
                    "use one with default = false",
                )
    for i, rule in enumerate(document.deadline):
        yield from _delay(document, rule.due, ("deadline", i, "due"), rule.name)
        if rule.overdue:
            yield from _delay(document, rule.overdue, ("deadline", i, "overdue"), rule.name)


def _default(document: Document, name: str) -> bool | int | None:
    return document.setting[name].default if name in document.setting else None


def _settings(document: Document, name: str) -> str:
    close = get_close_matches(name, document.setting, 1)
    return f"did you mean {close[0]!r}?" if close else f"settings: {', '.join(document.setting) or 'none'}"


def _delay(document: Document, delay: Delay, path: Path, what: str) -> Iterator[Problem]:
    given = [delay.hours is not None or delay.days is not None, delay.setting is not None]
    if given.count(True) != 1:
        yield path, f"{what} has no delay, or two", "give hours and days, or a setting"
    if delay.setting is not None:
        default = _default(document, delay.setting)
        if default is None or isinstance(default, bool):
            numbers = [n for n, s in document.setting.items() if not isinstance(s.default, bool)]
            yield (
                path,
                f"{what} waits for {delay.setting!r}, which is no setting with a number",
                f"settings with a number: {', '.join(numbers) or 'none'}",
            )
