"""Walking a UBL tree by the prefixes that its specification uses."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

ORDER: Final = "urn:oasis:names:specification:ubl:schema:xsd:Order-2"
CAC: Final = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
CBC: Final = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
_PREFIXES: Final = {"cac": CAC, "cbc": CBC}

Element: TypeAlias = Any


def child(element: Element | None, path: str) -> Element | None:
    """The first element at a path of prefixed names, or None."""
    return None if element is None else element.find(path, _PREFIXES)


def children(element: Element | None, path: str) -> list[Element]:
    return [] if element is None else list(element.findall(path, _PREFIXES))


def first_text(element: Element | None, path: str) -> str | None:
    """The trimmed text of the first element at a path; None where it is absent or empty."""
    found = child(element, path)
    return None if found is None else ((found.text or "").strip() or None)


def texts(element: Element | None, path: str) -> list[str]:
    return [t for e in children(element, path) if (t := (e.text or "").strip())]
