"""A page's entry in the table of addresses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from starlette.responses import Response

from services.console.visit import Visit

Handler = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """`home` is where a browser belongs that comes here without a form: after signing in, or by hand.

    Needed for addresses that only take forms; path parameters may stand in it. `public`: without being signed in.
    `files`: the form may carry some. `counted`: the page shows the menu with its numbers.
    """

    path: str
    handler: Handler
    method: Literal["GET", "POST"] = "GET"
    home: str = ""
    public: bool = False
    files: bool = False
    counted: bool = True


def form(path: str, handler: Handler, *, home: str, files: bool = False, public: bool = False) -> Page:
    """An address that takes a form."""
    return Page(path, handler, "POST", home, public=public, files=files)
