"""Where in a TOML text a table or key stands, so that every finding can name its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

Path = tuple[str | int, ...]
_HEADER = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_\-.\"' ]+?)\s*\]\]?")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\-\"'.]+(?:\s*\.\s*[A-Za-z0-9_\-\"']+)*)\s*=\s*(.*)$")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'')
_MULTILINE: Final = ('"""', "'''")


def locate(text: str) -> dict[Path, int]:
    """Line numbers (from 1) of every table and top key, and of the items of lists of inline tables.

    Good enough for messages: it reads what tomllib has accepted already and never refuses anything.
    """
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    at: Path = ()
    depth, key, item, quote = 0, (), 0, ""
    key_path: Path = key
    for number, raw in enumerate(text.splitlines(), 1):
        if quote:
            quote = "" if quote in raw else quote
            continue
        line = _STRING.sub(lambda m: "_" * len(m.group()), raw) if not any(q in raw for q in _MULTILINE) else raw
        line = line.split("#", 1)[0]
        if depth > 0:
            item = _items(line, key_path, item, number, lines, depth)
            depth += line.count("[") + line.count("{") - line.count("]") - line.count("}")
            continue
        header = _HEADER.match(raw)
        if header and not _KEY.match(line):
            at = _table(header, counts)
            lines.setdefault(at, number)
            continue
        found = _KEY.match(raw)
        if found is None:
            continue
        key_path = (*at, *_parts(found.group(1)))
        lines.setdefault(key_path, number)
        quote = next((q for q in _MULTILINE if raw.count(q) == 1), "")
        rest = line[line.index("=") + 1 :] if "=" in line else ""
        item = _items(rest, key_path, 0, number, lines, 0)
        depth = rest.count("[") + rest.count("{") - rest.count("]") - rest.count("}")
    return lines


def _table(header: re.Match[str], counts: dict[Path, int]) -> Path:
    path: Path = ()
    parts = _parts(header.group(2))
    for i, part in enumerate(parts):
        path = (*path, part)
        if i == len(parts) - 1 and header.group(1) == "[[":
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _parts(name: str) -> tuple[str, ...]:
    return tuple(p.strip().strip("\"'") for p in name.split("."))


def _items(text: str, key: Path, item: int, number: int, lines: dict[Path, int], depth: int) -> int:
    """Notes where the items of a list of inline tables begin; gives back how many were seen so far."""
    for char in text:
        if char in "[{":
            if char == "{" and depth == 1:
                lines.setdefault((*key, item), number)
                item += 1
            depth += 1
        elif char in "]}":
            depth -= 1
    return item


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """The line of the nearest thing that is known on the way to `path`; 1 where nothing is."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return 1
