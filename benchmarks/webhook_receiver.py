"""A receiver of webhooks in a process of its own: checks every signature, notes every delay, costs little.

`python -m benchmarks.webhook_receiver SECRET` prints its port. Paths: /ok/N answers 200, /hang/N never answers,
/until/N answers until GET /silence. GET /figures answers what came since the last reset, GET /reset forgets it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import hashlib
import hmac
import sys
import time
from array import array
from datetime import datetime
from typing import Any

import orjson

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok"


class Figures:
    """What came: `delays` in seconds from the event's own time, and when the first and last arrived."""

    def __init__(self, secret: str) -> None:
        self.key = base64.b64decode(secret.removeprefix("whsec_"))
        self.silent = False
        self.reset()

    def reset(self) -> None:
        self.delays = array("d")
        self.received = self.bad = self.hanging = 0
        self.first = self.last = 0.0
        self.seen: set[bytes] = set()

    def take(self, path: bytes, head: bytes, body: bytes) -> None:
        now = time.time()
        self.received += 1
        self.first = self.first or now
        self.last = now
        message_id, timestamp, signature = (
            _header(head, n) for n in (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
        )
        mac = hmac.digest(self.key, b"%s.%s.%s" % (message_id, timestamp, body), hashlib.sha256)
        if b"v1," + base64.b64encode(mac) not in signature.split(b" "):
            self.bad += 1
        self.seen.add(path + message_id)
        at = body.index(b'"timestamp":"') + 13
        stamp = body[at : body.index(b'"', at)].decode()
        self.delays.append(now - datetime.fromisoformat(stamp).timestamp())

    def document(self) -> bytes:
        ordered = sorted(self.delays)
        n = len(ordered)
        return orjson.dumps(
            {
                "received": self.received,
                "unique": len(self.seen),
                "bad": self.bad,
                "hanging": self.hanging,
                "seconds": self.last - self.first,
                **{f"p{q}": ordered[min(n - 1, n * q // 100)] * 1000 if n else 0.0 for q in (50, 95, 99)},
            }
        )


def _header(head: bytes, name: bytes) -> bytes:
    at = head.index(b"\r\n" + name + b": ") + len(name) + 4
    return head[at : head.index(b"\r\n", at)]


class Receiver(asyncio.Protocol):
    def __init__(self, figures: Figures) -> None:
        self.figures = figures
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[: end + 2]
            length = int(_header(head, b"content-length")) if b"\r\ncontent-length: " in head else 0
            if len(self.buffer) < end + 4 + length:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
            self.answer(head.split(b" ", 2)[1], head, body)

    def answer(self, path: bytes, head: bytes, body: bytes) -> None:
        if path.startswith(b"/hang/") or (self.figures.silent and path.startswith(b"/until/")):
            self.figures.hanging += 1
        elif path.startswith((b"/ok/", b"/until/")):
            self.figures.take(path, head, body)
            self.transport.write(OK)
        else:
            document = self.figures.document()
            if path == b"/reset":
                self.figures.reset()
            self.figures.silent |= path == b"/silence"
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(document), document))


async def main(secret: str) -> None:
    figures = Figures(secret)
    server = await asyncio.get_running_loop().create_server(lambda: Receiver(figures), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    # ends with whoever started it: the pipe is then closed
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    with contextlib.suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(main(sys.argv[1]))
