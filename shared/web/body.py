"""Request bodies: bounded in size and time, JSON read strictly, handed to the route once.

Strict means: UTF-8, one JSON text, no key twice, no NaN or Infinity, no number that a double cannot carry, no lone
surrogate, no NUL character (PostgreSQL stores none), at most 32 levels deep. Refusals name the place.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final, TypeVar, get_args, get_origin

import jiter
from fastapi import params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute, APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive

from shared.errors import BadRequest, Problem, TooLarge, Unavailable, Unprocessable
from shared.web.exchange import Exchange, exchange
from shared.web.settings import WebSettings

MAX_DEPTH: Final = 32
# 2**53 - 1: beyond it two integers become one double in many readers (RFC 7493)
MAX_INTEGER: Final = 9_007_199_254_740_991
_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# Bytes that can only stand in a value that needs a closer look: long digit runs, big exponents, an escaped NUL.
_SUSPECT: Final = re.compile(rb"[0-9]{16}|[eE]\+?[0-9]{3}|\\u0000")
_BOUNDARY: Final = re.compile(r'boundary="?([^";,]{1,200})"?', re.IGNORECASE)

F = TypeVar("F", bound=Callable[..., Any])
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Room:
    """How many large bodies an endpoint of this process holds in memory at once."""

    def __init__(self, most: int) -> None:
        self._free = most

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Raises Unavailable where there is no room left."""
        if self._free <= 0:
            raise Unavailable("uploads_full", "Others are uploading files right now. Send it again in a moment.")
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


def max_body(limit: int, at_once: int | None = None) -> Callable[[F], F]:
    """Allow an endpoint a body of up to `limit` bytes, not the service's default. Stands under the route's line.

    With `at_once`, only so many are read and answered at once in this process; others are refused unread (503).
    """

    def mark(endpoint: F) -> F:
        endpoint.__max_body__ = limit  # type: ignore[attr-defined]  # the mark
        endpoint.__room__ = Room(at_once) if at_once else None  # type: ignore[attr-defined]  # the mark
        return endpoint

    return mark


def parse_json(raw: bytes) -> Any:
    """The value of a strict JSON text. Raises BadRequest (not JSON) or Unprocessable (JSON that we refuse)."""
    try:
        value = jiter.from_json(raw, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError as e:
        raise _refusal(str(e)) from None
    # Every level opens with a bracket, so few brackets cannot be deep.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        _check_depth(value)
    if _SUSPECT.search(raw):
        _check_scalars(value)
    return value


def _refusal(reason: str) -> Problem:
    reason = reason[:200]
    if reason.startswith("Detected duplicate key"):
        return Unprocessable(
            "duplicate_key", f"The body has a key twice in one object: {reason[9:]}. Keep one of them."
        )
    if reason.startswith("recursion limit"):
        return _too_deep()
    if "number out of range" in reason:
        return Unprocessable("number_out_of_range", f"The body has a number that is too long: {reason}.")
    return BadRequest("malformed_json", f"The body is not JSON in UTF-8: {reason}.")


def _too_deep() -> Problem:
    return Unprocessable("nested_too_deeply", f"The body is nested more than {MAX_DEPTH} levels deep.")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(v for v in item.values() if isinstance(v, dict | list))
            elif isinstance(item, list):
                inner.extend(v for v in item if isinstance(v, dict | list))
        if not inner:
            return
        level = inner
    raise _too_deep()


def _check_scalars(value: Any) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.keys())
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, str):
            if "\x00" in item:
                raise Unprocessable("nul_character", "A text in the body has a NUL character (\\u0000). Leave it out.")
        elif isinstance(item, int | float) and not -MAX_INTEGER <= item <= MAX_INTEGER:
            if isinstance(item, float) and abs(item) < float("inf"):
                continue
            raise Unprocessable(
                "number_out_of_range", "A number in the body is beyond what JSON readers agree on. Send it as a text."
            )


class StrictRequest(Request):
    """The request as an endpoint sees it: body and JSON were read and checked before it ran."""

    async def body(self) -> bytes:
        return exchange(self.scope).body

    async def json(self) -> Any:
        return exchange(self.scope).json


class StrictRoute(APIRoute):
    """A route whose body has been read within bounds and, where it is JSON, strictly."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        limit: int | None = getattr(self.endpoint, "__max_body__", None)
        room: Room | None = getattr(self.endpoint, "__room__", None)
        field = self.body_field
        form = field is not None and isinstance(field.field_info, params.Form)
        bodiless = (self.methods or set()) <= _BODILESS
        # A misspelt filter that is passed over would answer with more than was asked for. Pages read their own.
        strict_query = self.path_format.startswith("/v1/")
        asked = get_flat_params(self.dependant)
        queries = [p for p in asked if isinstance(p.field_info, params.Query)]
        taken = frozenset(p.alias for p in queries)
        several = frozenset(p.alias for p in queries if _is_list(p.field_info.annotation))

        async def strict(request: Request) -> Response:
            if strict_query and request.scope["query_string"]:
                _expect_known(request.query_params.keys(), taken)
                _expect_once((name for name, _ in request.query_params.multi_items()), several)
            if bodiless:
                return await handle(request)
            with room.taken() if room is not None else nullcontext():
                return await read_and_handle(request)

        async def read_and_handle(request: Request) -> Response:
            ex = exchange(request.scope)
            web: WebSettings = request.app.state.web
            ex.body = await read_body(
                request.scope["headers"], request.receive, ex, limit or web.body_bytes, web.body_seconds
            )
            content_type = request.headers.get("content-type", "")
            if form:
                ex.body_hash = lambda: _form_hash(content_type, ex.body)
                return await handle(Request(request.scope, _replay(ex.body)))
            ex.body_hash = lambda: hashlib.sha256(ex.body).digest()
            if field is None:
                _expect_nothing(ex.body)
                return await handle(request)
            if ex.body:
                _expect_json(content_type)
                ex.json = parse_json(ex.body)
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


class Router(APIRouter):
    """The router of every service: strict bodies. Give it to `create_app`."""

    def __init__(self, *, prefix: str = "", tags: list[str] | None = None) -> None:
        super().__init__(prefix=prefix, tags=list(tags or []), route_class=StrictRoute)


async def read_body(
    headers: list[tuple[bytes, bytes]], receive: Receive, ex: Exchange, limit: int, seconds: float
) -> bytes:
    """The whole body. Raises 413 beyond `limit` bytes and 408 where it is not complete after `seconds`."""
    for name, value in headers:
        if name == b"content-length" and (not value.isdigit() or int(value) > limit):
            raise _too_large(limit)
    chunks = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk: bytes = message.get("body", b"")
                ex.body_read = not message.get("more_body")
                if len(chunks) + len(chunk) > limit:
                    raise _too_large(limit)
                if ex.body_read:
                    return bytes(chunks + chunk) if chunks else chunk
                chunks += chunk
    except TimeoutError:
        raise Problem(
            "body_too_slow",
            "Request timeout",
            408,
            f"The body was not complete after {seconds:g} seconds. Send it again.",
        ) from None


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        "body_too_large", f"The body is larger than {limit} bytes, the most that is taken here.", limit=limit
    )


def _expect_known(names: Iterable[str], taken: frozenset[str]) -> None:
    unknown = sorted({name[:100] for name in names if name not in taken})
    if unknown:
        known = f"It takes {', '.join(sorted(taken))}." if taken else "It takes none."
        raise Unprocessable(
            "unknown_parameter",
            f"This request takes no query parameter {', '.join(unknown[:10])}. {known}",
            errors=[{"in": "query", "field": name, "code": "unknown", "message": "Unknown."} for name in unknown[:10]],
        )


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(get_origin(a) is list for a in get_args(annotation))


def _expect_once(names: Iterable[str], several: frozenset[str]) -> None:
    # one of two values would be passed over without a word
    twice = sorted(name for name, times in Counter(names).items() if times > 1 and name not in several)
    if twice:
        raise Unprocessable(
            "repeated_parameter",
            f"{', '.join(twice)}: given more than once. Where several values are taken, separate them by commas.",
            errors=[{"in": "query", "field": name, "code": "repeated", "message": "Repeated."} for name in twice],
        )


def _expect_nothing(body: bytes) -> None:
    if body.strip() not in (b"", b"{}"):
        raise Unprocessable("unexpected_body", "This request takes no body. Leave it out.")


def _expect_json(content_type: str) -> None:
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Problem(
            "unsupported_media_type",
            "Unsupported media type",
            415,
            f"The body is {kind[:100]!r}; send Content-Type: application/json."
            if kind
            else "Send Content-Type: application/json.",
        )


def _form_hash(content_type: str, body: bytes) -> bytes:
    # A client that sends a form again may draw another boundary; the content is what has to be the same.
    found = _BOUNDARY.search(content_type)
    return hashlib.sha256(body.replace(found[1].encode(), b"") if found else body).digest()


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
