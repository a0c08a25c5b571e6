"""Tables of the guards and effects that a lifecycle file may name, with their typed arguments.

A guard is a pure function `(draft, *, args) -> reason | None`: None lets pass. An effect is `(draft, *, args) -> None`
and changes the draft only. The keyword-only arguments, with their annotations, are what a file may write.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from services.order.workflow.draft import Draft

GuardFunction = Callable[..., str | None]
EffectFunction = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Function:
    """A named function. `reads` maps the action parameters that it looks at to their type; `needs` must be there.

    by_params: it can only be judged once the parameters are known. tells: where it holds an automatic transition
    back, people are told its reason.
    """

    call: Callable[..., Any]
    summary: str
    args: Mapping[str, TypeAdapter[Any]]
    required: frozenset[str]
    reads: Mapping[str, str]
    needs: frozenset[str] = frozenset()
    by_params: bool = False
    tells: bool = False

    def problems(self, given: Mapping[str, Any]) -> list[str]:
        """What is wrong with the arguments that a file gives."""
        found = [
            f"has no argument {k!r} (it takes: {', '.join(self.args) or 'none'})" for k in given.keys() - self.args
        ]
        found += [f"needs the argument {k!r}" for k in self.required - given.keys()]
        for name in self.args.keys() & given.keys():
            try:
                self.args[name].validate_json(json.dumps(given[name], default=str), strict=True)
            except ValidationError as e:
                found.append(f"argument {name!r}: {e.errors(include_url=False)[0]['msg']}")
        return sorted(found)


GUARDS: dict[str, Function] = {}
EFFECTS: dict[str, Function] = {}


def _function(fn: Callable[..., Any], reads: Mapping[str, str] | None, **more: Any) -> Function:
    hints = get_type_hints(fn)
    keywords = [p for p in inspect.signature(fn).parameters.values() if p.kind is p.KEYWORD_ONLY]
    return Function(
        call=fn,
        summary=(fn.__doc__ or "").strip().splitlines()[0],
        args={p.name: TypeAdapter(hints[p.name]) for p in keywords},
        required=frozenset(p.name for p in keywords if p.default is p.empty),
        reads=dict(reads or {}),
        **more,
    )


def guard(
    *, reads: Mapping[str, str] | None = None, by_params: bool = False, tells: bool = False
) -> Callable[[GuardFunction], GuardFunction]:
    """Puts a function into the table of guards, under its own name."""

    def register(fn: GuardFunction) -> GuardFunction:
        GUARDS[fn.__name__] = _function(fn, reads, by_params=by_params, tells=tells)
        return fn

    return register


def effect(
    *, reads: Mapping[str, str] | None = None, needs: tuple[str, ...] = ()
) -> Callable[[EffectFunction], EffectFunction]:
    """Puts a function into the table of effects, under its own name."""

    def register(fn: EffectFunction) -> EffectFunction:
        EFFECTS[fn.__name__] = _function(fn, reads, needs=frozenset(needs))
        return fn

    return register


def refusal(draft: Draft, name: str, args: Mapping[str, Any]) -> str | None:
    """The reason why the guard does not hold, or None."""
    reason: str | None = GUARDS[name].call(draft, **args)
    return reason


def apply(draft: Draft, name: str, args: Mapping[str, Any]) -> None:
    EFFECTS[name].call(draft, **args)
