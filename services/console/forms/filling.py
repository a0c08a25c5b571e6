"""From a posted form to the parameters of an action.

The form says by itself how its fields are read (`k.<parameter>`): a form that is sent twice is then read the same way
twice, also where the first one has moved the order on and its action is gone. What a form says is not believed, only
handed on: the order service judges parameters and callers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.console import entered
from services.console.calls import File
from services.console.entered import Wrong
from services.console.errors import BadForm
from services.console.forms.fields import KINDS
from services.console.language import N_, tr
from services.console.posted import Posted

MOST_PARAMS: Final = 40
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(slots=True)
class Filled:
    """`params` without those left empty; `files` by parameter, to be uploaded first; `errors` by parameter."""

    params: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Files] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Files:
    """Files of one parameter. An invoice is one id in the parameters, images are a list."""

    files: Sequence[File]
    kind: str

    @property
    def single(self) -> bool:
        return self.kind == "invoice"


def filled(posted: Posted, zone: ZoneInfo) -> Filled:
    """What the form says. Times without an offset are in `zone`, which is the one that the page shows times in.

    Raises BadForm for a form that is none of ours.
    """
    found = Filled()
    told = [(name[2:], values[0]) for name, values in posted.values.items() if name.startswith("k.")]
    if len(told) > MOST_PARAMS:
        raise BadForm(
            400, N_("This form cannot be read"), N_("An action has at most %(most)s parameters."), most=MOST_PARAMS
        )
    for name, described in told:
        kind, _, rest = described.partition("|")
        constant, _, required = rest.partition("|")
        if kind not in KINDS or not _NAME.fullmatch(name):
            raise BadForm(400, N_("This form cannot be read"), N_("It was not sent by one of the console's own pages."))
        try:
            value = _files(name, constant, posted, found) if kind == "files" else None
            if kind != "files":
                value = _READERS[kind](_Given(f"p.{name}", constant, posted, zone))
        except Wrong as e:
            found.errors[name] = str(e)
            continue
        if value is None and required:
            found.errors[name] = tr("This is needed.")
        elif value is not None and kind != "files":
            found.params[name] = value
    return found


@dataclass(frozen=True, slots=True)
class _Given:
    """One parameter as posted."""

    input: str
    constant: str
    posted: Posted
    zone: ZoneInfo

    @property
    def text(self) -> str:
        return self.posted.one(self.input)

    def lines(self) -> list[tuple[str, Sequence[str]]]:
        """Line id and values of the inputs of a table."""
        prefix = f"{self.input}."
        return [(name.removeprefix(prefix), v) for name, v in self.posted.values.items() if name.startswith(prefix)]


def _files(name: str, kind: str, posted: Posted, found: Filled) -> bool | None:
    given = posted.files.get(f"p.{name}", ())
    files = Files(given, "invoice" if kind == "invoice" else "image")
    if files.single and len(given) > 1:
        raise Wrong(tr("Choose one file."))
    if given:
        found.files[name] = files
    return True if given else None


def _plain(g: _Given) -> Any:
    return g.text or None


def _single_line(g: _Given) -> Any:
    if "\n" in g.text:
        raise Wrong(tr("This is one line: take the line breaks out."))
    return g.text or None


def _flag(g: _Given) -> Any:
    return True if g.text else None


def _number(g: _Given) -> Any:
    return entered.number(g.text) if g.text else None


def _quantity(g: _Given) -> Any:
    return entered.quantity(g.text) if g.text else None


def _money(g: _Given) -> Any:
    return {"amount": entered.amount(g.text, below_zero=True), "currency": g.constant} if g.text else None


def _day(g: _Given) -> Any:
    if g.constant and g.posted.one(f"{g.input}.when") == g.constant:
        return g.constant
    return entered.day(g.text).isoformat() if g.text else None


def _moment(g: _Given) -> Any:
    return entered.moment(g.text, g.zone).isoformat() if g.text else None


def _lines(g: _Given) -> Any:
    asked: list[dict[str, Any]] = []
    given = [(line_id, values) for line_id, values in g.lines() if values[0]]
    for line_id, values in given:
        try:
            text = entered.quantity(values[0])
        except Wrong:
            raise Wrong(
                tr("“%(typed)s” is no quantity: enter numbers such as 2 or 2.5.", typed=values[0][:40])
            ) from None
        # 0 of a line is as good as not naming it
        if text.strip("0."):
            asked.append({"line_id": line_id, "quantity": text})
    if given and not asked:
        # nothing of anything is not what an empty form says: everything
        raise Wrong(tr("Enter how much, or leave all of them empty for everything."))
    return asked or None


def _units(g: _Given) -> Any:
    return [{"line_id": line_id, "unit_ids": [u for u in units if u]} for line_id, units in g.lines()] or None


def _texts(g: _Given) -> Any:
    return [line.strip() for line in g.text.split("\n") if line.strip()] or None


_READERS: Final[Mapping[str, Callable[[_Given], Any]]] = {
    "text": _single_line,
    "textarea": _plain,
    "url": _single_line,
    "select": _plain,
    "flag": _flag,
    "number": _number,
    "quantity": _quantity,
    "money": _money,
    "day": _day,
    "moment": _moment,
    "lines": _lines,
    "units": _units,
    "texts": _texts,
}
