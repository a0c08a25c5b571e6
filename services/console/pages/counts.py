"""The numbers beside the menu: unread notifications and messages."""

from __future__ import annotations

import asyncio
from typing import Final

import orjson
from starlette.responses import Response

from services.console.errors import Refused, ServiceDown, SignedOut
from services.console.page import Page
from services.console.parts import ServiceName
from services.console.visit import Counts, Visit


async def counts(visit: Visit) -> Counts:
    """Both numbers at once; one that cannot be had soon is left out."""
    inbox, messages = await asyncio.gather(
        _count(visit, "notification", "/v1/notifications/unread-count", "unread"),
        _count(visit, "messaging", "/v1/unread", "total"),
    )
    return Counts(inbox, messages)


async def _count(visit: Visit, service: ServiceName, path: str, name: str) -> int | None:
    try:
        answer = await visit.get(service, path, seconds=visit.console.settings.counts_seconds)
        return int(answer.body[name])
    except (ServiceDown, Refused, SignedOut, KeyError, TypeError, ValueError):
        return None


async def live(visit: Visit) -> Response:
    """The numbers by themselves, for pages that stay open; null where one cannot be had."""
    now = await counts(visit)
    body = orjson.dumps({"inbox": now.inbox, "messages": now.messages})
    return Response(body, media_type="application/json")


PAGES: Final = (Page("/live", live, counted=False),)
