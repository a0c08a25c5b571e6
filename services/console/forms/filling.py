"""From a posted form to the parameters of an action.

The form says by itself how its fields are read (`k.<parameter>`): a form that is sent twice is then read the same way
twice, also where the first one has moved the order on and its action is gone. What a form says is not believed, only
handed on: the order service judges parameters and callers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.console.calls import File
from services.console.errors import BadForm
from services.console.forms.fields import KINDS
from services.console.posted import Posted

MOST_PARAMS: Final = 40
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_QUANTITY: Final = re.compile(r"[0-9]{1,9}([.][0-9]{1,6})?")
_AMOUNT: Final = re.compile(r"-?[0-9]{1,15}([.][0-9]{1,4})?")


class _Wrong(Exception):
    pass


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
        raise BadForm(400, "This form cannot be read", f"An action has at most {MOST_PARAMS} parameters.")
    for name, described in told:
        kind, _, rest = described.partition("|")
        constant, _, required = rest.partition("|")
        if kind not in KINDS or not _NAME.fullmatch(name):
            raise BadForm(400, "This form cannot be read", "It was not sent by one of the console's own pages.")
        try:
            value = _files(name, constant, posted, found) if kind == "files" else None
            if kind != "files":
                value = _READERS[kind](_Given(f"p.{name}", constant, posted, zone))
        except _Wrong as e:
            found.errors[name] = str(e)
            continue
        if value is None and required:
            found.errors[name] = "This is needed."
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
        raise _Wrong("Choose one file.")
    if given:
        found.files[name] = files
    return True if given else None


def _plain(g: _Given) -> Any:
    return g.text or None


def _single_line(g: _Given) -> Any:
    if "\n" in g.text:
        raise _Wrong("This is one line: take the line breaks out.")
    return g.text or None


def _flag(g: _Given) -> Any:
    return True if g.text else None


def _number(g: _Given) -> Any:
    text = decimal_point(g.text)
    if not text:
        return None
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        raise _Wrong("Enter a number.") from None


def _quantity(g: _Given) -> Any:
    text = decimal_point(g.text)
    if text and not _QUANTITY.fullmatch(text):
        raise _Wrong("Enter a quantity such as 2 or 2.5.")
    return text or None


def _money(g: _Given) -> Any:
    text = decimal_point(g.text)
    if not text:
        return None
    if not _AMOUNT.fullmatch(text):
        raise _Wrong("Enter an amount such as 12.50.")
    return {"amount": text, "currency": g.constant}


def decimal_point(text: str) -> str:
    """12,50 and 12.50 are the same amount; spaces between thousands are taken out."""
    text = text.replace(" ", "").replace("\u00a0", "").replace("\u202f", "")
    return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text


def _day(g: _Given) -> Any:
    if g.constant and g.posted.one(f"{g.input}.when") == g.constant:
        return g.constant
    if not g.text:
        return None
    try:
        return date.fromisoformat(g.text).isoformat()
    except ValueError:
        raise _Wrong("Enter a date such as 2026-01-31.") from None


def _moment(g: _Given) -> Any:
    if not g.text:
        return None
    try:
        at = datetime.fromisoformat(g.text)
    except ValueError:
        raise _Wrong("Enter a date and time such as 2026-01-31 12:00.") from None
    return (at if at.tzinfo else at.replace(tzinfo=g.zone)).isoformat()


def _lines(g: _Given) -> Any:
    asked: list[dict[str, Any]] = []
    for line_id, values in g.lines():
        text = decimal_point(values[0])
        if not text:
            continue
        if not _QUANTITY.fullmatch(text):
            raise _Wrong(f"“{text[:40]}” is no quantity: enter numbers such as 2 or 2.5.")
        # 0 of a line is as good as not naming it
        if text.strip("0."):
            asked.append({"line_id": line_id, "quantity": text})
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
