"""What a lifecycle file says, as frozen values, and `Lifecycle`: one version of one file, indexed for deciding.

The classes are the shape of the TOML; `loader` reads it, `linter` says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from contracts.order import CancelKind, IssueState, MoneyState, Phase, Side

Role = Literal["buyer", "seller", "operator", "admin", "member", "approver", "channel", "clock", "service"]
ParamType = Literal[
    "text",
    "choice",
    "flag",
    "quantity",
    "money",
    "day",
    "moment",
    "url",
    "line",
    "lines",
    "units",
    "issue",
    "refund",
    "parcel",
    "images",
    "invoice",
    "state",
]

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Label = Annotated[str, Field(min_length=1, max_length=80)]
Sentence = Annotated[str, Field(min_length=1, max_length=500)]
Tone = Literal["neutral", "info", "good", "warn", "bad"]


class Entry(BaseModel):
    """Base of every table in a file: a key that nobody reads is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _call(value: Any) -> Any:
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and "args" not in value:
        return {"name": value.get("name"), "args": {k: v for k, v in value.items() if k != "name"}}
    return value


class Call(Entry):
    """A guard or an effect by name, with its arguments: "attach" or { name = "open_issue", kind = "dispute" }."""

    name: Name
    args: dict[str, Any] = Field(default_factory=dict)


AnyCall = Annotated[Call, BeforeValidator(_call)]
Calls = Annotated[tuple[AnyCall, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)]


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Names = Annotated[tuple[Name, ...], BeforeValidator(_listed)]
Sides = Annotated[tuple[Side, ...], BeforeValidator(_listed)]


class Target(Entry):
    """One way a rule may go: to `state` when every guard in `when` holds."""

    state: Name
    when: Calls = ()


def _targets(value: Any) -> Any:
    if isinstance(value, str):
        return ({"state": value},)
    return tuple(value) if isinstance(value, list) else value


Targets = Annotated[tuple[Target, ...], BeforeValidator(_targets)]


class Who(Entry):
    """A role that may act, under conditions: only whoever placed, only one side, only while a setting is on."""

    role: Role
    placer: bool = False
    side: Literal["buyer", "seller"] | None = None
    setting: Name | None = None


AnyWho = Annotated[Who, BeforeValidator(lambda v: {"role": v} if isinstance(v, str) else v)]


class Delay(Entry):
    """A time span: fixed, or a setting read as `unit`. A setting of 0 means never."""

    hours: Annotated[int, Field(ge=1, le=24 * 366)] | None = None
    days: Annotated[int, Field(ge=1, le=3660)] | None = None
    setting: Name | None = None
    unit: Literal["hours", "days"] = "days"

    def span(self, settings: Mapping[str, Any]) -> timedelta | None:
        """The span, None for never."""
        if self.setting is not None:
            value = settings[self.setting]
            return timedelta(**{self.unit: value}) if value else None
        return timedelta(hours=self.hours or 0, days=self.days or 0)


class Param(Entry):
    """A parameter of an action. `max` is characters for text and a count for images.

    `kinds` narrows issues; `sent` narrows lines to those of which something was sent.
    """

    name: Name
    type: ParamType
    label: Label | None = None
    required: bool = False
    max: Annotated[int, Field(ge=1, le=5000)] | None = None
    choices: Names = ()
    kinds: Names = ()
    states: Names = ()
    sent: bool = False


class State(Entry):
    phase: Phase
    label: Label
    labels: dict[Side, Label] = Field(default_factory=dict)
    final: bool = False
    cancel_kind: CancelKind | None = None
    capabilities: Names = ()
    tone: Tone = "neutral"
    mark: Literal["red", "amber"] | None = None

    def label_for(self, side: Side | None) -> str:
        return self.labels.get(side, self.label) if side else self.label


class LabelWhen(Entry):
    label: Label
    when: Calls


class Transition(Entry):
    """A way to act: who may take it, from where, under which guards, with what effects, to where.

    No `to` means that the order stays in its state. `auto` ones are taken by the system as soon as their guards
    hold; those of the clock `after` a time in the state; `jump` goes wherever the parameter `status` says.
    """

    name: Name
    label: Label
    label_when: Annotated[tuple[LabelWhen, ...], BeforeValidator(_listed)] = ()
    sources: Names = Field(default=(), alias="from")
    from_capability: Name | None = None
    to: Targets = ()
    jump: bool = False
    auto: bool = False
    who: Annotated[tuple[AnyWho, ...], BeforeValidator(_listed)] = ()
    after: Delay | None = None
    params: Annotated[tuple[Param, ...], BeforeValidator(_listed)] = ()
    guards: Calls = ()
    effects: Calls = ()
    tell: Sides | None = None
    # said to somebody whose role does not match; {contact} is the channel's
    denied: Sentence | None = None


class DeadlineRule(Entry):
    """What is due while the order is in one of `states`: told at `due`, told again and flagged at `overdue`."""

    name: Name
    label: Label
    states: Names
    due: Delay
    overdue: Delay | None = None
    tell: Sides = ("buyer", "seller", "operator")


class Display(Entry):
    """What is shown instead of the state's own label, where all the stated conditions hold; the first rule wins."""

    on: Literal["order", "line"]
    code: Name
    label: Label
    tone: Tone = "neutral"
    mark: Literal["red", "amber"] | None = None
    states: Names = ()
    phases: Annotated[tuple[Phase, ...], BeforeValidator(_listed)] = ()
    money: Annotated[tuple[MoneyState, ...], BeforeValidator(_listed)] = ()
    issue: Annotated[tuple[IssueState, ...], BeforeValidator(_listed)] = ()
    line: Literal["incident", "refunded", "partially_refunded", "accepted", "rejected", "canceled"] | None = None


class Setting(Entry):
    """Something that a marketplace may set for its orders; `default` decides the type (a flag or a whole number)."""

    label: Label
    default: bool | int
    min: int = 0
    max: Annotated[int, Field(le=100_000)] = 3660


class Document(Entry):
    """A whole file."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    title: Label
    summary: Sentence
    stock: Literal["strict", "lenient"] = "strict"
    initial: Targets
    setting: dict[Name, Setting] = Field(default_factory=dict)
    state: Annotated[dict[Name, State], Field(min_length=1, max_length=100)]
    transition: Annotated[tuple[Transition, ...], BeforeValidator(_listed), Field(min_length=1, max_length=300)]
    deadline: Annotated[tuple[DeadlineRule, ...], BeforeValidator(_listed), Field(max_length=50)] = ()
    display: Annotated[tuple[Display, ...], BeforeValidator(_listed), Field(max_length=100)] = ()


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """One version of a lifecycle. `digest` (SHA-256 of the text) tells versions apart by content.

    `lenient` takes orders beyond the stock (the channel has sold already). `named`, `actions`, `automatic` and
    `timed` are indexes: transitions by action name; by state and action name; automatic and clock ones by state.
    """

    document: Document
    version: int
    digest: str
    named: Mapping[str, tuple[Transition, ...]]
    actions: Mapping[str, Mapping[str, tuple[Transition, ...]]]
    automatic: Mapping[str, tuple[Transition, ...]]
    timed: Mapping[str, tuple[Transition, ...]]

    @property
    def name(self) -> str:
        return self.document.name

    @property
    def title(self) -> str:
        return self.document.title

    @property
    def states(self) -> Mapping[str, State]:
        return self.document.state

    @property
    def transitions(self) -> tuple[Transition, ...]:
        return self.document.transition

    @property
    def settings(self) -> Mapping[str, Setting]:
        return self.document.setting

    @property
    def lenient(self) -> bool:
        return self.document.stock == "lenient"


def origins(document: Document, transition: Transition) -> frozenset[str]:
    """The states from which a transition starts: those named, or those with the capability."""
    if transition.from_capability is None:
        return frozenset(transition.sources)
    return frozenset(n for n, s in document.state.items() if transition.from_capability in s.capabilities)


def _by_name(transitions: Iterable[Transition]) -> dict[str, tuple[Transition, ...]]:
    named: dict[str, tuple[Transition, ...]] = {}
    for t in transitions:
        named[t.name] = (*named.get(t.name, ()), t)
    return named


def compile_lifecycle(document: Document, version: int, digest: str) -> Lifecycle:
    """The indexed form of a document that the linter has passed."""
    starts = [(t, origins(document, t)) for t in document.transition]
    leaving = {n: [t for t, sources in starts if n in sources] for n in document.state}
    return Lifecycle(
        document=document,
        version=version,
        digest=digest,
        named=_by_name(t for t in document.transition if not t.auto),
        actions={n: _by_name(t for t in ts if not t.auto) for n, ts in leaving.items()},
        automatic={n: tuple(t for t in ts if t.auto) for n, ts in leaving.items()},
        timed={n: tuple(t for t in ts if t.after) for n, ts in leaving.items()},
    )
