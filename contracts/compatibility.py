"""Whether a schema may take a published one's place: old records must stay readable, old readers too.

Allowed: a new optional property, wider limits, other words. Everything else is a new version.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_WORDS: Final = {"title", "description", "examples", "default", "$id", "$schema", "$defs", "deprecated"}
_LOWER: Final = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_UPPER: Final = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
MOST_DEPTH: Final = 60


def incompatibilities(published: dict[str, Any], current: dict[str, Any]) -> list[str]:
    """What breaks readers or records of `published`; empty where `current` may replace it."""
    return list(_compare(published, current, published, current, "data", 0))


def _compare(old: Any, new: Any, old_root: Any, new_root: Any, at: str, depth: int) -> Iterator[str]:
    if depth > MOST_DEPTH:
        yield f"{at}: nested more than {MOST_DEPTH} deep"
        return
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    yield from _properties(old, new, old_root, new_root, at, depth)
    for keyword in sorted((set(old) | set(new)) - _WORDS - {"properties", "required", "anyOf", "items", "prefixItems"}):
        yield from _keyword(keyword, old.get(keyword), new.get(keyword), at)
    for keyword in ("items",):
        if keyword in old and keyword in new:
            yield from _compare(old[keyword], new[keyword], old_root, new_root, f"{at}[]", depth + 1)
        elif keyword in old or keyword in new:
            yield f"{at}: {keyword} was {'removed' if keyword in old else 'added'}"
    yield from _alternatives(old.get("anyOf"), new.get("anyOf"), old_root, new_root, at, depth)


def _resolved(node: Any, root: Any) -> dict[str, Any]:
    for _ in range(MOST_DEPTH):
        if not isinstance(node, dict) or "$ref" not in node:
            break
        rest = {k: v for k, v in node.items() if k != "$ref"}
        target: Any = root
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = {**target, **rest}
    return node if isinstance(node, dict) else {}


def _properties(old: Any, new: Any, old_root: Any, new_root: Any, at: str, depth: int) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in before:
        if name not in after:
            yield f"{at}.{name} was removed"
        else:
            yield from _compare(before[name], after[name], old_root, new_root, f"{at}.{name}", depth + 1)
    was, now = set(old.get("required", [])), set(new.get("required", []))
    for name in sorted(now - was):
        yield f"{at}.{name} became required; records without it exist"
    for name in sorted(was - now):
        yield f"{at}.{name} is no longer always there; readers rely on it"


def _keyword(keyword: str, old: Any, new: Any, at: str) -> Iterator[str]:
    if old == new:
        return
    if keyword in _LOWER | _UPPER:
        if new is None or (old is not None and (new < old if keyword in _LOWER else new > old)):
            return
        yield f"{at}: {keyword} became tighter ({old} -> {new})"
        return
    yield f"{at}: {keyword} changed ({old} -> {new})"


def _alternatives(old: Any, new: Any, old_root: Any, new_root: Any, at: str, depth: int) -> Iterator[str]:
    if not old and not new:
        return
    if not old or not new or len(old) != len(new):
        yield f"{at}: the alternatives changed"
        return
    for before, after in zip(old, new, strict=True):
        yield from _compare(before, after, old_root, new_root, at, depth + 1)
