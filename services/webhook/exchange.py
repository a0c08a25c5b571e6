"""One HTTP/1.1 exchange on one connection, distrustful: every byte of the answer is counted.

Owns the wire: request bytes out, status, headers and the first bytes of the body in. The parser is llhttp
(httptools, as in uvicorn). Deadlines, addresses and connection reuse belong to `egress`.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, cast

import httptools

# What is kept of a body, counted after decompression; the rest is not read and the connection is closed.
BODY_KEPT: Final = 16_384
# Compressed input that yields (almost) nothing ends here.
BODY_RAW_MOST: Final = 262_144
HEADER_BYTES_MOST: Final = 32_768
HEADERS_MOST: Final = 100


class _Parser(Protocol):
    def feed_data(self, data: bytes) -> None: ...
    def get_status_code(self) -> int: ...
    def should_keep_alive(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `headers` has lower-case names (repeated ones joined by a comma); `truncated`: more body existed."""

    status: int
    headers: dict[str, str]
    body: bytes
    truncated: bool


class Broken(Exception):
    """The exchange failed on the wire. `fresh`: nothing at all had been received on this connection."""

    def __init__(self, reason: str, *, fresh: bool = False) -> None:
        super().__init__(reason)
        self.fresh = fresh


class HeadersTooLarge(Broken):
    """More header bytes or lines than are read."""


class Malformed(Broken):
    """Not HTTP, or not the part of it that a webhook receiver needs."""


def request_bytes(method: str, path: str, authority: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """The request as sent. Names and values have been checked to be free of line breaks; this checks again."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {authority}"]
    lines.extend(f"{name}: {value}" for name, value in headers.items())
    lines.append(f"content-length: {len(body)}")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ValueError("a header holds a line break")
    return head.encode("latin-1") + b"\r\n\r\n" + body


class Connection(asyncio.Protocol):
    """A client connection that does one exchange after another. Not for concurrent use."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._lost = False
        self._waiter: asyncio.Future[Response] | None = None
        self._parser: _Parser | None = None
        self._start()

    def _start(self) -> None:
        self._headers: dict[str, str] = {}
        self._count = 0
        self._body = bytearray()
        self._raw = 0
        # bytes as they come in (a line that never ends), and as header lines (many in one packet)
        self._head_bytes = self._line_bytes = 0
        self._in_body = False
        self._received = False
        self._inflate: zlib._Decompress | None = None
        self._reusable = False

    @property
    def usable(self) -> bool:
        """Whether another exchange may be done on it."""
        return self._reusable and not self._lost

    async def exchange(self, request: bytes) -> Response:
        """Send `request` and return the answer. Raises Broken. The caller bounds the time and then calls `abort`."""
        if self._lost or self._transport is None:
            raise Broken("the connection was closed", fresh=True)
        self._start()
        self._parser = cast(_Parser, httptools.HttpResponseParser(self))
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiter

    def abort(self) -> None:
        self._reusable = False
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done() or self._parser is None:
            # an answer that nobody asked for: whatever comes next on this connection is not to be trusted
            self.abort()
            return
        self._received = True
        if not self._in_body:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(Malformed("the server switched protocols"))
        except httptools.HttpParserError as e:
            # an exception of a callback arrives wrapped
            cause = e.__context__
            self._fail(cause if isinstance(cause, Broken) else Malformed(f"not HTTP/1.1: {e}"))
        if not self._in_body and self._head_bytes > HEADER_BYTES_MOST:
            self._fail(HeadersTooLarge(f"more than {HEADER_BYTES_MOST} bytes of headers"))

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self._waiter is None or self._waiter.done():
            return
        lengthless = "content-length" not in self._headers and "transfer-encoding" not in self._headers
        if exc is None and self._in_body and lengthless:
            self._finish(truncated=False)  # HTTP/1.0: the end of the connection is the end of the body
            return
        what = "in the middle of the answer" if self._received else "without an answer"
        self._fail(Broken(f"the server closed the connection {what}", fresh=not self._received))

    # httptools callbacks

    def on_message_begin(self) -> None:
        if self._waiter is None or self._waiter.done():
            raise Malformed("a second answer to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count += 1
        self._line_bytes += len(name) + len(value)
        if self._count > HEADERS_MOST:
            raise HeadersTooLarge(f"more than {HEADERS_MOST} header lines")
        if self._line_bytes > HEADER_BYTES_MOST:
            raise HeadersTooLarge(f"more than {HEADER_BYTES_MOST} bytes of headers")
        if self._in_body:
            return  # trailers say nothing that is needed
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        status = self._status()
        if status == 101:
            raise Malformed("the server switched protocols")
        if 100 <= status < 200:
            return
        self._in_body = True
        coding = self._headers.get("content-encoding", "").strip().lower()
        if coding in ("gzip", "x-gzip", "deflate"):
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def on_body(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            return
        self._raw += len(data)
        room = BODY_KEPT - len(self._body)
        if self._inflate is not None:
            try:
                data = self._inflate.decompress(data, room + 1)
            except zlib.error:
                raise Malformed("the body is not what its content-encoding says") from None
        self._body += data[:room]
        if len(data) > room or self._raw > BODY_RAW_MOST:
            self._finish(truncated=True)

    def on_message_complete(self) -> None:
        if not self._in_body:  # an interim answer (100, 102, 103): the real one follows
            self._headers = {}
            return
        if self._waiter is None or self._waiter.done() or self._parser is None:
            return
        sent = self._transport is not None and self._transport.get_write_buffer_size() == 0
        self._reusable = sent and self._parser.should_keep_alive()
        self._finish(truncated=False)

    def _status(self) -> int:
        return self._parser.get_status_code() if self._parser is not None else 0

    def _finish(self, *, truncated: bool) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Response(self._status(), self._headers, bytes(self._body), truncated))
        if truncated:
            self.abort()

    def _fail(self, error: BaseException) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self.abort()
