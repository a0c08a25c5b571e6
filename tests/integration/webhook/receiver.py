"""A receiver on a real socket that does what a test tells it, and remembers every byte it got."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

Answer = Callable[["Hit", asyncio.StreamWriter], Awaitable[bool]]


@dataclass
class Hit:
    """A request as it came over the wire; `headers` has lower-case names."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def sequence(self) -> int:
        return int(self.json["data"]["sequence"])

    @property
    def order_id(self) -> str:
        return str(self.json["data"]["order_id"])


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    """An ordinary answer; header names are written with underscores."""
    lines = [f"HTTP/1.1 {code} X", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]

    async def answer(_: Hit, writer: asyncio.StreamWriter) -> bool:
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return True

    return answer


@dataclass
class Receiver:
    """`answer` decides what comes back; it returns whether the connection stays open."""

    url: str = ""
    port: int = 0
    answer: Answer = field(default_factory=lambda: status(200))
    hits: list[Hit] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, path, _ = first.split(" ")
                hit = Hit(method, path, headers, body)
                self.hits.append(hit)
                if not await self.answer(hit, writer):
                    break
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    def of(self, order_id: object) -> list[int]:
        """Sequences of an order in the order in which they came, repeated ones once."""
        return list(dict.fromkeys(h.sequence for h in self.hits if h.order_id == str(order_id)))


@asynccontextmanager
async def receiving(
    answer: Answer | None = None, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Receiver]:
    """A receiver that is up while the block lasts."""
    receiver = Receiver()
    if answer is not None:
        receiver.answer = answer
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(receiver.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, host, 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    receiver.url = f"{'https' if tls else 'http'}://{host}:{receiver.port}/hook"
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
