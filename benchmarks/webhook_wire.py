"""Between a service and PostgreSQL: passes every byte on, and counts the statements that the server completed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

CHUNK = 262_144


class Wire:
    """A proxy in front of one server. `completed` counts CommandComplete messages by their tag's first word."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        self.port = 0
        self.completed: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def through(self, dsn: str) -> str:
        """`dsn` by way of the proxy; without TLS, so that messages can be told apart."""
        parts = urlsplit(dsn)
        netloc = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{self.port}"
        query = "&".join(p for p in (parts.query, "sslmode=disable") if p)
        return urlunsplit(parts._replace(netloc=netloc, query=query))

    @property
    def statements(self) -> int:
        return sum(self.completed.values())

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._pass_on(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(self._parts.hostname, self._parts.port, limit=CHUNK)
        try:
            await asyncio.gather(self._copy(reader, to_server), self._counted(server, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            to_server.close()

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _counted(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        """Messages of the server are a type's byte and a length that counts itself."""
        while True:
            head = await server.readexactly(5)
            body = await server.readexactly(int.from_bytes(head[1:], "big") - 4)
            client.write(head + body)
            if head[:1] == b"C":
                self.completed[body.rstrip(b"\0").split(b" ")[0].decode()] += 1
            if head[:1] == b"Z":
                await client.drain()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def wire(dsn: str) -> AsyncIterator[Wire]:
    """A proxy in front of the server of `dsn` while the block lasts."""
    made = Wire(dsn)
    server = await asyncio.start_server(made.connected, "127.0.0.1", 0, limit=CHUNK)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.stop()
