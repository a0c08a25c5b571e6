"""Keyset pages: an opaque cursor holds the sort values of the last row, so pages stay fast and never skip."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import orjson
from fastapi import Depends, Query

from shared.errors import BadRequest

MAX_LIMIT: Final = 200
MAX_CURSOR: Final = 1_024
_MAX_BIGINT: Final = 2**63 - 1

T = TypeVar("T")
Value = str | int | UUID | datetime | None


class Cursor:
    """Cursors of one list in one order. `kind` names both ("orders.-placed_at"): another list's cursor is refused."""

    def __init__(self, kind: str, *types: type[str] | type[int] | type[UUID] | type[datetime]) -> None:
        self._kind, self._types = kind, types

    def encode(self, *values: Value) -> str:
        """The cursor after a row with these sort values, which have the types that the cursor was made with."""
        return base64.urlsafe_b64encode(orjson.dumps([self._kind, *values], default=str)).rstrip(b"=").decode()

    def decode(self, text: str | None) -> tuple[Any, ...] | None:
        """The sort values, or None for the first page. Raises BadRequest for anything not from `encode`."""
        if text is None:
            return None
        try:
            if len(text) > MAX_CURSOR:
                raise ValueError
            parts = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
            if not isinstance(parts, list) or parts[:1] != [self._kind] or len(parts) != len(self._types) + 1:
                raise ValueError
            return tuple(_value(kind, raw) for kind, raw in zip(self._types, parts[1:], strict=True))
        except (ValueError, TypeError, OverflowError, binascii.Error, UnicodeError):
            raise BadRequest(
                "invalid_cursor", "The cursor does not belong to this list and order. Start again without it."
            ) from None


def _value(kind: type, raw: Any) -> Any:
    if raw is None:
        return None
    if kind is datetime and isinstance(raw, str):
        moment = datetime.fromisoformat(raw)
        if moment.tzinfo is None:
            raise ValueError
        return moment
    if kind is UUID and isinstance(raw, str):
        return UUID(raw)
    if kind is int and isinstance(raw, int) and not isinstance(raw, bool) and abs(raw) <= _MAX_BIGINT:
        return raw
    if kind is str and isinstance(raw, str) and "\x00" not in raw:
        return raw
    raise ValueError


@dataclass(frozen=True, slots=True)
class Page:
    """What a caller asks of a list: at most `limit` items after `cursor`."""

    limit: int
    cursor: str | None

    @property
    def fetch(self) -> int:
        """Rows to ask the database for: one more than shown tells whether there is a next page."""
        return self.limit + 1

    def of(self, rows: Sequence[T], cursor_of: Callable[[T], str]) -> tuple[Sequence[T], str | None]:
        """The rows to show out of up to `fetch` rows, and the cursor of the next page or None."""
        if len(rows) <= self.limit:
            return rows, None
        shown = rows[: self.limit]
        return shown, cursor_of(shown[-1])


async def page(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items per page.")] = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
) -> Page:
    return Page(limit, cursor)


Paging = Annotated[Page, Depends(page)]
