"""How a route gets at identity's context, and lists of rows by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from services.identity.context import Context
from shared.postgres.database import Row
from shared.web import Cursor, Page


async def context(request: Request) -> Context:
    found: Context = request.app.state.identity
    return found


Here = Annotated[Context, Depends(context)]


def listed(page: Page, rows: Sequence[Row], show: Callable[[Row], Any], cursor: Callable[[Row], str]) -> dict[str, Any]:
    """A page of a list."""
    shown, following = page.of(rows, cursor)
    return {"items": [show(row) for row in shown], "next_cursor": following}


def by_name(cursor: Cursor, key: str) -> Callable[[Row], str]:
    """The cursor after a row of a list in order of (name, key)."""
    return lambda row: cursor.encode(row["name"], row[key])


def after_name(cursor: Cursor, page: Page) -> tuple[str, UUID] | None:
    """(name, id) of the row before the page."""
    found = cursor.decode(page.cursor)
    return None if found is None else (found[0], found[1])
