"""Files of the services, handed on piece by piece: nothing is held whole, and only known kinds of headers go along."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

import aiohttp
from starlette.responses import Response, StreamingResponse

from services.console.calls import Params
from services.console.errors import ServiceDown
from services.console.parts import ServiceName
from services.console.visit import Visit

PIECE: Final = 65_536
# Types that a browser shows or saves without running anything.
TYPES: Final = re.compile(
    r"text/csv|application/(pdf|zip|vnd\.openxmlformats-officedocument\.spreadsheetml\.sheet)|image/(png|jpeg|gif|webp|svg\+xml)"
)
_DISPOSITION: Final = re.compile(r"(attachment|inline)(; [\x20-\x7e]{1,400})?")


async def download(
    visit: Visit,
    service: ServiceName,
    path: str,
    params: Params = (),
    *,
    policy: str = "",
    inline: bool = False,
    also: str = "",
) -> Response:
    """The file as an answer. Errors before its first byte are raised as those of any call.

    `policy` is the content security policy of a file that the browser shows; `inline` shows what is sent to be saved.
    `also` is a media type that is taken beside the usual ones, for a path that is known to give it.
    """
    stack = AsyncExitStack()
    try:
        answer = await stack.enter_async_context(
            visit.console.services.stream(service, path, visit.token, params)
        )  # fmt: skip
    except BaseException:
        await stack.aclose()
        raise
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not TYPES.fullmatch(media_type) and (not also or media_type != also):
        await stack.aclose()
        raise ServiceDown(service, f"a file of type {media_type[:100]}")
    headers = {"content-security-policy": policy or "default-src 'none'; sandbox", "x-content-type-options": "nosniff"}
    disposition = answer.headers.get("content-disposition", "")
    if not inline and _DISPOSITION.fullmatch(disposition):
        headers["content-disposition"] = disposition
    # only where nothing was unpacked on the way is the length that of what goes out
    length = answer.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and "content-encoding" not in answer.headers:
        headers["content-length"] = length
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    return StreamingResponse(_pieces(stack, answer), headers=headers, media_type=media_type + charset)


async def _pieces(stack: AsyncExitStack, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async with stack:
        async for piece in answer.content.iter_chunked(PIECE):
            yield piece
