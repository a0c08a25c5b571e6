"""Named queries: SQL has one address per service, its `queries.sql`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

_NAME = re.compile(r"^--\s*name:\s*([a-z][a-z0-9_]*)\s*$", re.MULTILINE)


class Queries:
    """The queries of one file: `q.place_order` is the SQL text under `-- name: place_order`."""

    def __init__(self, texts: Mapping[str, str], origin: str) -> None:
        self._texts = dict(texts)
        self.origin = origin

    @classmethod
    def load(cls, package: str, name: str = "queries.sql") -> Queries:
        """Parse a packaged file. Raises ValueError for a name that stands twice or has no text."""
        origin = f"{package}/{name}"
        return cls.parse(files(package).joinpath(name).read_text(encoding="utf-8"), origin)

    @classmethod
    def parse(cls, text: str, origin: str) -> Queries:
        parts = _NAME.split(text)[1:]
        texts: dict[str, str] = {}
        for query, body in zip(parts[::2], parts[1::2], strict=True):
            if query in texts:
                raise ValueError(f"{origin}: the query {query} stands twice")
            if not body.strip():
                raise ValueError(f"{origin}: the query {query} has no text")
            texts[query] = body.strip().rstrip(";")
        return cls(texts, origin)

    def __getattr__(self, name: str) -> str:
        try:
            return self._texts[name]
        except KeyError:
            raise AttributeError(f"{self.origin} has no query named {name}") from None

    def items(self) -> Mapping[str, str]:
        """All queries by name, for the test that prepares each of them."""
        return self._texts
