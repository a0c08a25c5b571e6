"""A small service behind the door, on a real port, with a real database: what the tests of shared.web talk to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID

import aiohttp
import orjson
import pytest
import uvicorn
from fastapi import File, Query, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from shared.errors import NotFound
from shared.ids import new_id
from shared.postgres import Database
from shared.readiness import Readiness
from shared.web import (
    Answer,
    Caller,
    Cursor,
    Idempotent,
    IfMatch,
    Paging,
    Router,
    Run,
    WebSettings,
    create_app,
    etag,
    max_body,
)
from shared.web.server import BoundedHttp
from shared.web.streams import HEARTBEAT, EventStream
from tests.issuer import TokenIssuer, serving_issuer
from tests.stack import StackDatabase
from tests.waiting import until

LIMITS = WebSettings(body_bytes=10_000, anonymous_burst=100_000)
ITEMS = Cursor("items.number", int)


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: int = Field(ge=0, le=1_000_000)
    quantity: Decimal = Field(default=Decimal(1), gt=0, max_digits=15)
    note: str = ""
    tags: dict[str, Any] = Field(default_factory=dict)


router = Router()


@router.post("/v1/items", status_code=201)
async def place(body: Item, caller: Caller, once: Idempotent, run: Run) -> Response:
    async with run.db.tenant(caller.marketplace_id) as tx:
        if (kept := await once.recall(tx)) is not None:
            return kept.response()
        made = new_id()
        await tx.execute("INSERT INTO inbox (event_id, marketplace_id) VALUES ($1, $2)", made, caller.marketplace_id)
        gate: Gate = run.gate  # type: ignore[attr-defined]  # the test's own, see the fixture
        gate.waiting.set()
        await gate.open.wait()
        answer = Answer(201, orjson.dumps({"id": made, "number": body.number}), {"location": f"/v1/items/{made}"})
        return (await once.keep(tx, answer)).response()


@router.post("/v1/echo")
async def echo(body: Item, caller: Caller) -> dict[str, Any]:
    return {**body.model_dump(mode="json"), "caller": caller.subject, "roles": sorted(caller.roles)}


@router.get("/v1/items")
async def items(caller: Caller, page: Paging, number: Annotated[list[int] | None, Query()] = None) -> dict[str, Any]:
    after = ITEMS.decode(page.cursor)
    start = 0 if after is None else after[0] + 1
    shown, cursor = page.of(list(range(start, min(start + page.fetch, 7))), ITEMS.encode)
    return {"items": shown, "next_cursor": cursor}


@router.get("/v1/items/{item_id}")
async def item(item_id: UUID, caller: Caller) -> None:
    raise NotFound("not_found", "There is no such item.")


@router.put("/v1/items/{item_id}")
async def edit(item_id: UUID, body: Item, caller: Caller, if_match: IfMatch) -> Response:
    if_match.check(7, {"number": 1}, required=True)
    return Response(b"{}", headers={"etag": etag(8)}, media_type="application/json")


@router.post("/v1/nothing")
async def nothing(caller: Caller) -> dict[str, bool]:
    return {"done": True}


@router.post("/v1/upload")
@max_body(50_000)
async def upload(file: Annotated[UploadFile, File()], caller: Caller, once: Idempotent) -> dict[str, Any]:
    return {"size": len(await file.read())}


@router.post("/v1/store")
async def store(body: Item, caller: Caller, run: Run) -> dict[str, bool]:
    """Hands the note to PostgreSQL as a number, as a careless service might."""
    async with run.db.tenant(caller.marketplace_id) as tx:
        await tx.execute("SELECT $1::text::smallint", body.note)
    return {"done": True}


@router.post("/v1/gone")
async def gone(caller: Caller, run: Run) -> None:
    async with run.db.tenant(caller.marketplace_id) as tx:
        await tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")


@router.get("/v1/broken")
async def broken(caller: Caller) -> None:
    raise ZeroDivisionError("secret detail")


@router.get("/v1/half")
async def half(caller: Caller) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first half"
        raise RuntimeError("no second half")

    return StreamingResponse(parts())


@router.get("/v1/stream", response_class=EventStream)
async def stream(caller: Caller) -> EventStream:
    async def beats() -> AsyncGenerator[bytes, None]:
        while True:
            yield HEARTBEAT
            await asyncio.sleep(0.01)

    return EventStream(beats())


@router.get("/open/hello")
async def hello() -> dict[str, str]:
    return {"hello": "you"}


@dataclass
class Gate:
    """Holds POST /v1/items inside its transaction while it is not `open`; `waiting` tells that somebody is there."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Door:
    """The running test service."""

    port: int
    url: str
    issuer: TokenIssuer
    http: aiohttp.ClientSession
    db: Database
    gate: Gate
    readiness: Readiness

    @asynccontextmanager
    async def another(self, limits: WebSettings) -> AsyncIterator[Door]:
        """The same service behind a door with other limits, while the block lasts."""
        async with served(_behind(self.issuer, self.readiness, self.db, self.gate, limits)) as port:
            yield replace(self, port=port, url=f"http://127.0.0.1:{port}")

    async def raw(self, data: bytes, *, seconds: float = 60) -> bytes:
        """What the server says to these bytes, until it closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            await writer.drain()
            async with asyncio.timeout(seconds):
                return await reader.read()
        finally:
            writer.close()

    async def post(
        self, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, **token: Any
    ) -> tuple[int, Any, Mapping[str, str]]:
        """POST with a fresh token: (status, JSON, headers). Bytes are sent as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        sent = {"content-type": "application/json", **self.issuer.bearer(**token), **(headers or {})}
        async with self.http.post(self.url + path, data=data, headers=sent) as answer:
            return answer.status, orjson.loads(await answer.read()), answer.headers

    async def get(self, path: str, **token: Any) -> tuple[int, Any, Mapping[str, str]]:
        async with self.http.get(self.url + path, headers=self.issuer.bearer(**token)) as answer:
            return answer.status, orjson.loads(await answer.read()), answer.headers


def _behind(issuer: TokenIssuer, readiness: Readiness, db: Database, gate: Gate, limits: WebSettings) -> Any:
    settings = SimpleNamespace(identity_issuer=issuer.url, jwks_address=issuer.url + "/.well-known/jwks.json")
    runtime: Any = SimpleNamespace(settings=settings, readiness=readiness, db=db, gate=gate)
    return create_app(
        title="Test", service="identity", runtime=runtime, routers=[router], public=["/open/"], web=limits
    )


@pytest.fixture(scope="module")
async def door(module_database: StackDatabase) -> AsyncIterator[Door]:
    db = Database(module_database.app_dsn("identity"), name="test-door", statement_timeout_ms=60_000)
    await db.open()
    gate = Gate()
    gate.open.set()
    async with serving_issuer() as issuer, aiohttp.ClientSession() as http:
        readiness = Readiness()
        async with served(_behind(issuer, readiness, db, gate, LIMITS)) as port:
            yield Door(port, f"http://127.0.0.1:{port}", issuer, http, db, gate, readiness)
    await db.close()


class served:
    """`async with served(app) as port`: the application on a real port, in this loop."""

    def __init__(self, app: Any, **config: Any) -> None:
        self._bound = socket.socket()
        self._bound.bind(("127.0.0.1", 0))
        given = {"log_config": None, "lifespan": "off", "ws": "none", "http": BoundedHttp, **config}
        self._server = uvicorn.Server(uvicorn.Config(app, **given))

    async def __aenter__(self) -> int:
        self._task = asyncio.create_task(self._server.serve(sockets=[self._bound]))
        await until(lambda: self._server.started, what="the server has started")
        port: int = self._bound.getsockname()[1]
        return port

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._task
