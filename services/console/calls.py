"""Calls of the services' public HTTP APIs as the signed-in person: bounded in time and size, in the request's trace.

No redirects, no proxies, no cookies: an answer is JSON from the configured address, or it is no answer.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import orjson
from opentelemetry.trace import SpanKind
from yarl import URL

from services.console import metrics
from services.console.errors import Refused, ServiceDown, SignedOut
from services.console.language import language
from services.console.parts import ServiceName
from services.console.settings import Settings
from shared.stop import Stop
from shared.telemetry import current_traceparent, span

_LINE_BREAK: Final = re.compile(r"[\x00-\x1f\x7f]")
Params = Iterable[tuple[str, Any]]
# The connection was gone before an answer began: with an idempotency key the same request may go out once more.
_LOST: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer. `body` is its JSON (None where it had none), `etag` without its quotes."""

    status: int
    body: Any
    etag: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A file to hand on."""

    name: str
    media_type: str
    content: bytes


class Services:
    """The services by name. One pool of connections, closed when the process stops."""

    def __init__(self, settings: Settings, stop: Stop) -> None:
        self._settings = settings
        self._stop = stop
        self._http: aiohttp.ClientSession | None = None
        self._closing: asyncio.Task[None] | None = None

    async def get(
        self, service: ServiceName, path: str, token: str | None, params: Params = (), *, seconds: float | None = None
    ) -> Answer:
        """Raises SignedOut, Refused, ServiceDown."""
        return await self._call("GET", service, path, token, params=params, seconds=seconds)

    async def send(
        self,
        method: str,
        service: ServiceName,
        path: str,
        token: str | None,
        body: Mapping[str, Any] | None = None,
        *,
        key: str = "",
        if_match: str = "",
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """A change. With `key` it happens once however often it is sent. Raises SignedOut, Refused, ServiceDown."""
        sent = {"content-type": "application/json", **(headers or {})}
        if key:
            sent["idempotency-key"] = key
        if if_match:
            sent["if-match"] = f'"{if_match}"'
        data = orjson.dumps(body) if body is not None else None
        return await self._call(method, service, path, token, data=data, headers=sent, seconds=seconds, again=bool(key))

    async def upload(
        self, service: ServiceName, path: str, token: str, file: File, *, key: str, fields: Mapping[str, str]
    ) -> Answer:
        """A file as multipart/form-data under the name `file`. Raises SignedOut, Refused, ServiceDown."""
        # with quoted fields the name would arrive as percent signs; a line break would end its header
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        for name, value in fields.items():
            form.add_field(name, value)
        form.add_field("file", file.content, filename=_LINE_BREAK.sub("_", file.name), content_type=file.media_type)
        return await self._call("POST", service, path, token, data=form, headers={"idempotency-key": key})

    @asynccontextmanager
    async def stream(
        self, service: ServiceName, path: str, token: str, params: Params = (), *, seconds: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A 200 answer that is too large to hold; its pieces are read by the caller within `seconds`."""
        limit = seconds or self._settings.export_seconds
        async with self._open("GET", service, path, token, params, None, {}, limit) as answer:
            if answer.status != 200:
                _raise(service, answer, await self._read(service, answer), token)
            yield answer

    async def _call(
        self,
        method: str,
        service: ServiceName,
        path: str,
        token: str | None,
        *,
        params: Params = (),
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
        again: bool = False,
    ) -> Answer:
        limit = seconds or self._settings.call_seconds
        try:
            async with self._open(method, service, path, token, params, data, headers or {}, limit) as answer:
                raw = await self._read(service, answer)
                if not 200 <= answer.status < 300:
                    _raise(service, answer, raw, token)
                return Answer(
                    answer.status,
                    _parsed(service, raw),
                    answer.headers.get("etag", "").strip('"'),
                )
        except ServiceDown as e:
            if again and isinstance(e.__cause__, _LOST):
                return await self._call(
                    method, service, path, token, params=params, data=data, headers=headers, seconds=seconds
                )
            raise

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        service: ServiceName,
        path: str,
        token: str | None,
        params: Params,
        data: Any,
        headers: Mapping[str, str],
        seconds: float,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        query = urlencode([(name, str(value)) for name, value in params if value not in (None, "")])
        url = URL(f"{self._settings.url_of(service)}{path}" + (f"?{query}" if query else ""), encoded=True)
        sent = {"accept": "application/json", "accept-language": language(), **headers}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=self._settings.connect_seconds)
        try:
            # until the answer begins: what is handed on piece by piece is read by another task, where no span can end
            with span(f"{method} {service}", kind=SpanKind.CLIENT), metrics.CALL_SECONDS.labels(service).time():
                sent["traceparent"] = current_traceparent()
                answer = await self._pool().request(
                    method, url, data=data, headers=sent, timeout=timeout, allow_redirects=False
                )
            async with answer:
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError) as e:
            metrics.CALLS_FAILED.labels(service).inc()
            raise ServiceDown(service, type(e).__name__) from e

    async def _read(self, service: ServiceName, answer: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in answer.content.iter_chunked(65_536):
            size += len(part)
            if size > self._settings.answer_bytes:
                raise ServiceDown(service, f"an answer of more than {self._settings.answer_bytes} bytes")
            parts.append(part)
        return b"".join(parts)

    def _pool(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._settings.calls_at_once),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
            self._closing = asyncio.create_task(self._close_at_stop(self._http))
        return self._http

    async def _close_at_stop(self, http: aiohttp.ClientSession) -> None:
        try:
            while not await self._stop.wait(3_600):
                pass
            # what is being answered may still end
            await asyncio.sleep(0.25)
        finally:
            await http.close()


def _parsed(service: ServiceName, raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return orjson.loads(raw)
    except ValueError:
        raise ServiceDown(service, "an answer that is not JSON") from None


def _raise(service: ServiceName, answer: aiohttp.ClientResponse, raw: bytes, token: str | None) -> None:
    """The exception of an answer that is not 2xx."""
    status = answer.status
    if status == 401 and token is not None:
        raise SignedOut
    try:
        document = orjson.loads(raw)
    except ValueError:
        document = None
    if status >= 500 or status < 400:
        metrics.CALLS_FAILED.labels(service).inc()
        code = str(document.get("code", "")) if isinstance(document, dict) else ""
        raise ServiceDown(service, f"answered {status}", _seconds(answer.headers.get("retry-after", "")), code)
    if not isinstance(document, dict):
        raise ServiceDown(service, f"answered {status} without saying why")
    code, title, detail = (str(document.get(name, "")) for name in ("code", "title", "detail"))
    raise Refused(service, status, code, title, detail, document)


def _seconds(text: str) -> int | None:
    return min(int(text), 3_600) if text.isascii() and text.isdigit() and len(text) < 6 else None
