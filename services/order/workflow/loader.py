"""Reading lifecycle files: TOML text to an immutable Lifecycle, or to findings that name line and remedy."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from services.order.workflow.findings import Finding
from services.order.workflow.giving_back import with_money_matters
from services.order.workflow.lifecycle import (
    Call,
    DeadlineRule,
    Delay,
    Display,
    Document,
    LabelWhen,
    Lifecycle,
    Param,
    Setting,
    State,
    Target,
    Transition,
    Who,
    compile_lifecycle,
)
from services.order.workflow.linter import lint_document
from services.order.workflow.locate import Path, line_of, locate

BUILTIN: Final = ("loopfront", "storefront", "marketpush", "lengow", "supplier")
# The longest built-in file is below 20 kB.
MAX_CHARACTERS: Final = 256_000
MOST_FINDINGS: Final = 50


class LifecycleError(Exception):
    """A text that is no good lifecycle; `findings` says all that is wrong with it."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join(str(f) for f in findings[:5]))
        self.findings = findings


def load_lifecycle(text: str, version: int = 1) -> Lifecycle:
    """The lifecycle of a TOML text, as the given version. Raises LifecycleError with every finding."""
    document, findings = _read(text)
    if document is None or findings:
        raise LifecycleError(findings)
    return compile_lifecycle(with_money_matters(document), version, digest(text))


def load_stored(text: str, version: int) -> Lifecycle:
    """A lifecycle that was taken before, for the orders that run on it: what is refused today does not stop them.

    Raises LifecycleError for a text that cannot be read at all.
    """
    document, findings = _read(text)
    if document is None:
        raise LifecycleError(findings)
    return compile_lifecycle(with_money_matters(document), version, digest(text))


def lint(text: str) -> list[Finding]:
    """What is wrong with a TOML text; nothing when it can be loaded."""
    return _read(text)[1]


def digest(text: str) -> str:
    """SHA-256 (hex) of the text, line ends aside: another content is another version."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()


def builtin_text(name: str) -> str:
    """The TOML of a built-in lifecycle. Raises KeyError for another name."""
    if name not in BUILTIN:
        raise KeyError(name)
    return (resources.files("services.order.workflow") / "profiles" / f"{name}.toml").read_text("utf-8")


@cache
def builtin(name: str) -> Lifecycle:
    """A built-in lifecycle, as its version 1. Raises KeyError for another name."""
    return load_lifecycle(builtin_text(name))


def _read(text: str) -> tuple[Document | None, list[Finding]]:
    if len(text) > MAX_CHARACTERS:
        return None, [Finding(1, f"the file has {len(text)} characters", f"a lifecycle has at most {MAX_CHARACTERS}")]
    try:
        # some editors begin a file with a mark that says how it is written
        raw = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as e:
        return None, [_syntax(str(e), text)]
    except (RecursionError, ValueError) as e:
        return None, [Finding(1, f"the file cannot be read as TOML: {e}", "nest less deeply, write plain values")]
    lines = locate(text)
    try:
        document = Document.model_validate(raw)
    except ValidationError as e:
        return None, _shape(e.errors(include_url=False), raw, lines)
    except RecursionError:
        return None, [Finding(1, "the file is nested too deeply", "write plain tables as in the built-in files")]
    return document, lint_document(document, lines)[:MOST_FINDINGS]


def _syntax(message: str, text: str) -> Finding:
    found = re.search(r"\(at line (\d+), column (\d+)\)", message)
    line = int(found.group(1)) if found else max(text.count("\n"), 1)
    what = re.sub(r"\s*\(at .*\)$", "", message)
    return Finding(line, f"not TOML: {what}", "mend the line; strings need quotes, tables [brackets], keys one value")


_TABLES: Final[Mapping[str, type[BaseModel]]] = {
    "setting": Setting,
    "state": State,
    "transition": Transition,
    "deadline": DeadlineRule,
    "display": Display,
    "params": Param,
    "who": Who,
    "after": Delay,
    "due": Delay,
    "overdue": Delay,
    "to": Target,
    "initial": Target,
    "label_when": LabelWhen,
    "guards": Call,
    "effects": Call,
    "when": Call,
}


# What pydantic adds to a path beside keys and positions: validators and the members of a union.
_NO_KEYS: Final = frozenset(("function-before", "function-after", "bool", "int"))


def _shape(errors: Iterable[ErrorDetails], raw: Mapping[str, Any], lines: Mapping[Path, int]) -> list[Finding]:
    """Findings of a file whose tables and values have the wrong form; one for each place."""
    found: dict[tuple[int, str], Finding] = {}
    for error in errors:
        path = tuple(p for p in error["loc"] if p not in _NO_KEYS)
        finding = Finding(line_of(lines, path), *_explain(error, path, raw))
        found.setdefault((finding.line, finding.message), finding)
    return list(found.values())[:MOST_FINDINGS]


def _explain(error: ErrorDetails, path: Path, raw: Mapping[str, Any]) -> tuple[str, str]:
    kind, key = error["type"], next((p for p in reversed(path) if isinstance(p, str)), "file")
    where = _where(path, raw)
    if kind == "extra_forbidden":
        known = _keys_at(path)
        close = get_close_matches(key, known, 1)
        remedy = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
        return f"{where} has an unknown key {key!r}", remedy
    if kind == "missing":
        return f"{where} has no {key}", f"add {key} = {_example(key)}"
    if kind == "literal_error":
        expected = str(error.get("ctx", {}).get("expected", ""))
        close = get_close_matches(str(error["input"]), re.findall(r"'([^']+)'", expected), 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        what = "an unknown role" if key == "role" else f"a wrong {key}"
        return f"{where} has {what} {error['input']!r}"[:200], f"{hint}it must be one of {expected}"
    if kind == "string_pattern_mismatch":
        return f"{where}: {key} {error['input']!r} is not a name"[:200], "use a-z, 0-9 and _, begin with a letter"
    return f"{where}: {key} is wrong: {error['msg']}"[:300], f"write it like {key} = {_example(key)}"


_EXAMPLES: Final = {
    "phase": '"pending" (approval, pending, preparing, in_transit, completed or canceled)',
    "label": '"What people read"',
    "name": '"a_name"',
    "from": '["pending"]',
    "to": '"processing"',
    "who": '["seller"]',
    "initial": '"pending"',
    "state": "a table: [state.pending]",
    "transition": "a table: [[transition]]",
    "after": '{ setting = "auto_close_days" }',
    "role": '"seller"',
    "title": '"My marketplace"',
    "summary": '"What this lifecycle is for."',
}


def _example(key: str) -> str:
    return _EXAMPLES.get(key, "a value as in the built-in files")


def _keys_at(path: Path) -> list[str]:
    names = [p for p in path[:-1] if isinstance(p, str)]
    table = next((_TABLES[n] for n in reversed(names) if n in _TABLES), Document)
    return [f.alias or n for n, f in table.model_fields.items()]


def _where(path: Path, raw: Mapping[str, Any]) -> str:
    """The table that a path lies in, as people call it: state 'pending', transition 'ship'."""
    if len(path) >= 2 and path[0] in ("state", "setting"):
        return f"{path[0]} {path[1]!r}"
    if len(path) >= 2 and isinstance(path[1], int):
        entry = raw.get(str(path[0]))
        named = entry[path[1]] if isinstance(entry, list) and path[1] < len(entry) else None
        name = named.get("name", named.get("code")) if isinstance(named, dict) else None
        return f"{path[0]} {name!r}"[:80] if name else f"{path[0]} number {path[1] + 1}"
    return "the file"
