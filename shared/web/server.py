"""The HTTP/1.1 protocol of our servers: uvicorn's, with bounds on a request's head and problem documents before ASGI.

uvicorn bounds neither the size of the request line and headers nor the time until they are complete, and httptools
joins a header's pieces in quadratic time: one connection could otherwise hold a core or the memory of a process.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.errors import Problem
from shared.web.problems import MEDIA_TYPE
from shared.web.settings import WebSettings

_SETTINGS: Final = WebSettings()
_REASONS: Final = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class BoundedHttp(HttpToolsProtocol):
    """Give it to uvicorn as `http=`. Limits are ORDERTRAIL_HTTP_HEADER_BYTES and _HEADER_SECONDS."""

    head_bytes = _SETTINGS.header_bytes
    head_seconds = _SETTINGS.header_seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_open, self._head_size, self._heads = True, 0, 0
        self._too_large = False
        self._timer: asyncio.TimerHandle | None = None
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        heads = self._heads
        super().data_received(data)
        # Inside the same head before and after feeding: all of it was head. The piece in which a head begins may hold
        # the body before it and is not counted; a finished head is measured exactly.
        if self._head_open and heads == self._heads and not self.transport.is_closing():
            self._head_size += len(data)
            if self._head_size > self.head_bytes:
                self._refuse(self._large())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_open, self._head_size = True, 0
        self._heads += 1
        self._arm()

    def on_headers_complete(self) -> None:
        self._head_open = False
        self._disarm()
        if len(self.url) + sum(len(n) + len(v) + 4 for n, v in self.headers) > self.head_bytes:
            self._too_large = True
            raise ValueError("the head is too large")  # the parser stops; uvicorn then asks for a 400
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._large() if self._too_large else Problem("malformed_request", "Bad request", 400, msg))

    def _large(self) -> Problem:
        return Problem(
            "head_too_large", "Too large", 431, f"The address and headers are larger than {self.head_bytes} bytes."
        )

    def _arm(self) -> None:
        self._disarm()
        self._timer = self.loop.call_later(self.head_seconds, self._late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self.transport.is_closing() or not self._head_open:
            return
        if self._heads == 0:
            self.transport.close()  # connected, and never said a word
            return
        self._refuse(
            Problem("head_too_slow", "Request timeout", 408, f"No complete headers in {self.head_seconds:g} seconds.")
        )

    def _refuse(self, problem: Problem) -> None:
        if self.transport.is_closing():
            return
        body = orjson.dumps(problem.document())
        head: list[Any] = [
            b"HTTP/1.1 %d %s\r\n" % (problem.status, _REASONS[problem.status]),
            b"content-type: " + MEDIA_TYPE.encode() + b"\r\n",
            b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body),
        ]
        self.transport.write(b"".join(head) + body)
        self.transport.close()
