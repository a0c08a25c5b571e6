"""Server-sent events: bounded streams to browsers, with heartbeats, an end, and no patience with slow readers.

A stream also ends when its caller's token does: by its time, or because it was revoked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from shared.errors import TooManyRequests, Unavailable
from shared.web.exchange import KEY

# A client that takes longer for one event is gone, or so slow that it had better start again.
WRITE_SECONDS: Final = 10.0
# Of a piece of a file: 64 kB or so, which any line manages.
PIECE_SECONDS: Final = 30.0
# How often the caller's token is looked at again.
HOLDS_SECONDS: Final = 2.0
HEARTBEAT: Final = b": still here\n\n"
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}


def sse(event: str, data: Any, *, event_id: str = "") -> bytes:
    """One event with JSON data. JSON has no line breaks of its own, so the frame cannot be broken by its content."""
    head = f"event: {event}\n" + (f"id: {event_id}\n" if event_id else "")
    return head.encode() + b"data: " + orjson.dumps(data) + b"\n\n"


class Seats:
    """How many streams a process serves at once, in all and to one person."""

    def __init__(self, most: int, most_each: int) -> None:
        self._most, self._most_each = most, most_each
        self._taken: dict[str, int] = {}
        self.open = 0

    def check(self, person: str) -> None:
        """Raises Unavailable where the process is full, TooManyRequests where the person has too many open.

        Before the answer starts: afterwards a refusal can no longer be told.
        """
        if self.open >= self._most:
            raise Unavailable("streams_full", "All live streams are in use. Ask again in a while.", retry_after=30)
        if self._taken.get(person, 0) >= self._most_each:
            raise TooManyRequests(
                "too_many_streams",
                f"You have {self._most_each} live streams open, which is all you may have. Close one.",
                retry_after=30,
            )

    @contextmanager
    def seat(self, person: str) -> Iterator[None]:
        """A seat for as long as the stream lasts; refuses as `check` does."""
        self.check(person)
        self.open += 1
        self._taken[person] = self._taken.get(person, 0) + 1
        try:
            yield
        finally:
            self.open -= 1
            self._taken[person] -= 1
            if not self._taken[person]:
                del self._taken[person]


class Download(Response):
    """A file that is made while it is sent. Who does not take a piece within `PIECE_SECONDS` is left, so that nobody
    keeps what making it takes: a place, a connection to the database."""

    def __init__(
        self, pieces: AsyncGenerator[bytes, None], media_type: str, headers: Mapping[str, str], status_code: int = 200
    ) -> None:
        super().__init__(None, status_code, dict(headers), media_type)
        self.raw_headers = [h for h in self.raw_headers if h[0] != b"content-length"]
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not sending.done():
                sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending

    async def _send(self, send: Send) -> None:
        async with aclosing(self._pieces) as pieces:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for piece in pieces:
                await _sent(send, {"type": "http.response.body", "body": piece, "more_body": True})
            await _sent(send, {"type": "http.response.body", "body": b"", "more_body": False})


async def _sent(send: Send, message: Message) -> None:
    """Raises ClientDisconnect where the client does not take it."""
    try:
        async with asyncio.timeout(PIECE_SECONDS):
            await send(message)
    except (TimeoutError, OSError):
        raise ClientDisconnect from None


class EventStream(Response):
    """Sends the events until they end, the client goes, or it does not take one within `WRITE_SECONDS`."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None], status_code: int = 200) -> None:
        # the framework reads the parameter's default for the API document, and fails where there is none
        super().__init__(None, status_code, _HEADERS)
        self.raw_headers = [h for h in self.raw_headers if h[0] != b"content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_gone(receive))
        ending = asyncio.create_task(_over(scope))
        try:
            await asyncio.wait((sending, leaving, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            over = ending.done() and not leaving.done() and not sending.done()
            leaving.cancel()
            ending.cancel()
            if not sending.done():
                sending.cancel()
            with suppress(asyncio.CancelledError, TimeoutError):
                await sending
        if over:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send) -> None:
        async with aclosing(self._events) as events:
            async for chunk in events:
                async with asyncio.timeout(WRITE_SECONDS):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _over(scope: Scope) -> None:
    """Returns when the caller's token counts no longer."""
    holds: Callable[[], Awaitable[bool]] = scope[KEY].holds or _always
    while await holds():  # noqa: ASYNC110 - nobody tells when a token ends
        await asyncio.sleep(HOLDS_SECONDS)


async def _always() -> bool:
    return True


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
