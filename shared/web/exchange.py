"""One request and its answer: what the door learns of it, kept in the ASGI scope for everybody behind the door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.types import Scope

from shared.logs import Line
from shared.web.principal import Principal

KEY: Final = "ordertrail.exchange"


class Exchange:
    """`body` and `json` are filled in by the route; `principal` is None on public paths only.

    `holds` tells whether the caller's token still counts, for answers that last.
    """

    __slots__ = (
        "body",
        "body_hash",
        "body_read",
        "headers",
        "holds",
        "json",
        "line",
        "principal",
        "service",
        "started",
        "status",
    )

    def __init__(self, service: str, line: Line) -> None:
        self.service = service
        self.line = line
        self.principal: Principal | None = None
        self.holds: Callable[[], Awaitable[bool]] | None = None
        self.body = b""
        self.body_hash: Callable[[], bytes] | None = None
        self.body_read = False
        self.json: Any = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.started = False
        self.status = 0


def exchange(scope: Scope) -> Exchange:
    """The exchange of a request that came through the door."""
    found: Exchange = scope[KEY]
    return found
