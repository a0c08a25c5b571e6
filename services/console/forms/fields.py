"""A form as the templates draw it. Inputs are named `p.<parameter>`, with a line's id behind it in tables of lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from services.console.posted import Posted

Kind = Literal[
    "text", "textarea", "number", "quantity", "url", "select", "flag", "money", "day", "moment", "lines", "units",
    "files", "texts",
]  # fmt: skip
KINDS: Final[frozenset[str]] = frozenset(get_args(Kind))


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: str


@dataclass(frozen=True, slots=True)
class UnitChoice:
    """A thing with a code of its own; `chosen`: picked for this line already."""

    unit_id: str
    code: str
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line of the order in a table of quantities, or of units to pick."""

    line_id: str
    name: str
    sku: str
    facts: str
    units: tuple[UnitChoice, ...] = ()
    wanted: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter. `constant` goes with it: a currency, the word for tomorrow, the kind of file.

    `most` is characters, or files.
    """

    name: str
    kind: Kind
    label: str
    required: bool = False
    hint: str = ""
    most: int | None = None
    pattern: str = ""
    step: str = ""
    least: str = ""
    greatest: str = ""
    constant: str = ""
    accept: str = ""
    choices: tuple[Choice, ...] = ()
    rows: tuple[LineRow, ...] = ()

    @property
    def input(self) -> str:
        return f"p.{self.name}"

    @property
    def described(self) -> str:
        """How the field is to be read, for the form itself to say: see `filling`."""
        return f"{self.kind}|{self.constant}|{'required' if self.required else ''}"


@dataclass(frozen=True, slots=True)
class Form:
    """An action's form. `unknown` names required parameters that no form can be made for."""

    action: str
    label: str
    fields: tuple[Field, ...]
    unknown: tuple[str, ...] = ()
    values: Posted = field(default_factory=Posted)
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_files(self) -> bool:
        return any(f.kind == "files" for f in self.fields)

    def value(self, name: str) -> str:
        """What was typed into an input before."""
        return self.values.one(name)

    def chose(self, name: str, value: str) -> bool:
        return value in self.values.many(name)

    @property
    def was_sent(self) -> bool:
        return bool(self.values.values)

    @property
    def other_errors(self) -> Sequence[str]:
        """What is wrong and belongs to no field that is shown."""
        shown = {f.name for f in self.fields}
        return [message for name, message in self.errors.items() if name not in shown]
