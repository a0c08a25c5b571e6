"""JSON files of orders, read order by order: one document, or one value after the other (JSON Lines).

A document of any size is never a tree of objects as a whole: an export of 100 MB is its text and one order at a time.
What is wrong with a document is a refusal of the whole file; of a file of lines, only of the line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from services.console.sources.model import Refusal

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NEXT_LINE: Final = re.compile(r"\n(?=[ \t]*\S)")


@dataclass(frozen=True, slots=True)
class Value:
    """A value and its place in the file; `wrong` says why it could not be read."""

    where: str
    value: Any = None
    wrong: str | None = None


def values(content: bytes, lists: str) -> Iterator[Value]:
    """Every value of the file's lists: of the document if it is one, else of its member `lists`; else the document.

    Raises Refusal where the document is not JSON. Nothing of a broken document is given: it is read to its end first.
    """
    text = _decoded(content)
    start = _skip(text, 0)
    try:
        after = _end(text, start)
    except _Broken as e:
        raise Refusal(e.reason) from None
    rest = _skip(text, after)
    if rest == len(text):
        return _of_document(text, start, lists)
    if "\n" not in text[after:rest]:
        raise Refusal(_told(json.JSONDecodeError("Extra data", text, rest)))
    return _of_lines(text, start)


class _Broken(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _decoded(content: bytes) -> str:
    try:
        return content.decode(json.detect_encoding(content)).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise Refusal("the file is not UTF-8, UTF-16 or UTF-32 text, as JSON is") from None


def _no_constant(name: str) -> None:
    raise _Broken(f"not valid JSON: {name} is not a number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Broken(f"the field {name[:60]!r} stands twice in one object; which one counts cannot be known")
        found[name] = value
    return found


_DECODER: Final = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)


def _value(text: str, at: int) -> tuple[Any, int]:
    """The value that begins at a place, and where it ends."""
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as e:
        raise _Broken(_told(e)) from None
    except RecursionError:
        raise _Broken("the JSON is nested too deeply") from None
    except ValueError:
        raise _Broken("not valid JSON: a number in it has thousands of digits") from None


def _told(e: json.JSONDecodeError) -> str:
    return f"not valid JSON: {e.msg} at line {e.lineno}, column {e.colno}"


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _end(text: str, at: int) -> int:
    """Where the value ends; the members of the lists that this file may be made of are read one at a time."""
    if text[at : at + 1] == "[":
        *_, after = _items(text, at)
        return after[1]
    if text[at : at + 1] == "{":
        *_, last = _members(text, at)
        return last[1]
    return _value(text, at)[1]


def _items(text: str, at: int) -> Iterator[tuple[Any, int]]:
    """The items of the list at a place, each with where it ends; at last (None, where the list ends)."""
    at = _skip(text, at + 1)
    if text[at : at + 1] != "]":
        while True:
            item, at = _value(text, at)
            yield item, at
            at = _skip(text, at)
            if text[at : at + 1] != ",":
                break
            at = _skip(text, at + 1)
    if text[at : at + 1] != "]":
        raise _Broken(_told(json.JSONDecodeError("Expecting ',' delimiter", text, at)))
    yield None, at + 1


def _members(text: str, at: int) -> Iterator[tuple[str, int]]:
    """The members of the object at a place, each with where its value begins; at last ("", where the object ends).

    A value is read only when the next member is asked for.
    """
    seen: set[str] = set()
    at = _skip(text, at + 1)
    if text[at : at + 1] != "}":
        while True:
            if text[at : at + 1] != '"':
                raise _Broken(_told(json.JSONDecodeError("Expecting property name in double quotes", text, at)))
            name, at = _value(text, at)
            if name in seen:
                _no_duplicates([(name, None), (name, None)])
            seen.add(name)
            at = _skip(text, at)
            if text[at : at + 1] != ":":
                raise _Broken(_told(json.JSONDecodeError("Expecting ':' delimiter", text, at)))
            at = _skip(text, at + 1)
            yield name, at
            at = _skip(text, _list_end(text, at) if text[at : at + 1] == "[" else _value(text, at)[1])
            if text[at : at + 1] != ",":
                break
            at = _skip(text, at + 1)
    if text[at : at + 1] != "}":
        raise _Broken(_told(json.JSONDecodeError("Expecting ',' delimiter", text, at)))
    yield "", at + 1


def _list_end(text: str, at: int) -> int:
    *_, last = _items(text, at)
    return last[1]


def _of_document(text: str, start: int, lists: str) -> Iterator[Value]:
    """The values of a document that is known to be whole."""
    if text[start] == "[":
        yield from _numbered(text, start, "")
        return
    if text[start] == "{":
        for name, begin in _members(text, start):
            if name == lists and text[begin : begin + 1] == "[":
                yield from _numbered(text, begin, lists)
                return
    yield Value("", _value(text, start)[0])


def _numbered(text: str, at: int, name: str) -> Iterator[Value]:
    last = None
    for n, (item, _) in enumerate(_items(text, at)):
        if last is not None:
            yield last
        last = Value(f"{name}[{n}]", item)


def _of_lines(text: str, at: int) -> Iterator[Value]:
    """One value after the other, each beginning on a line of its own; a line that cannot be read holds no other up."""
    line, counted = 1, 0
    while at < len(text):
        line, counted = line + text.count("\n", counted, at), at
        where = f"line {line}"
        try:
            found, after = _value(text, at)
            rest = _skip(text, after)
            if rest < len(text) and "\n" not in text[after:rest]:
                raise _Broken(_told(json.JSONDecodeError("Extra data", text, rest)))
            yield Value(where, found)
            at = rest
        except _Broken as e:
            yield Value(where, wrong=e.reason)
            beyond = _NEXT_LINE.search(text, at)
            at = _skip(text, beyond.end()) if beyond else len(text)
