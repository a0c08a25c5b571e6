"""The door: every request goes through here once, and nothing reaches a route unidentified unless its path is public.

It continues the trace, finds the principal, counts it against its rate limit, adds the security headers, turns what
escapes the routes into a problem document, and writes the request's one log line. Plain ASGI: no task per request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from opentelemetry.trace import SpanKind
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import metrics
from shared.errors import BadRequest, Unauthenticated
from shared.logs import unit_of_work
from shared.telemetry import span
from shared.web.exchange import KEY, Exchange
from shared.web.limits import RateLimit
from shared.web.principal import Principal
from shared.web.problems import failure, problem_of, problem_response
from shared.web.tokens import Verifier

OPERATIONS: Final = frozenset({"/healthz", "/readyz", "/metrics"})
DOCS: Final = ("/docs", "/openapi.json")
# So much of a body that nobody wants is read and dropped before the refusal, as long as it takes no longer: a client
# that is still sending would otherwise find its connection reset and never read why. Beyond it the connection closes.
DRAINED_BYTES: Final = 16_000_000
DRAINED_SECONDS: Final = 3.0
_SECURITY: Final[Sequence[tuple[bytes, bytes]]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_POLICY: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_NO_STORE: Final = (b"cache-control", b"no-store")


class Door:
    """`public` are exact paths, or prefixes where they end with "/", that need no token.

    Whoever asks for those is counted by address, unless `known_by` knows them by something else that they show.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: str,
        verifier: Verifier,
        public: Sequence[str],
        known: RateLimit,
        unknown: RateLimit,
        known_by: Callable[[Mapping[bytes, bytes]], str | None] | None = None,
    ) -> None:
        self._app = app
        self._service = service
        self._verifier = verifier
        self._public = frozenset(p for p in (*OPERATIONS, *DOCS, *public) if not p.endswith("/"))
        self._prefixes = ("/docs/", *(p for p in public if p.endswith("/")))
        self._known, self._unknown, self._known_by = known, unknown, known_by

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        # Anything else (websocket) is left unanswered: the server then refuses the handshake.

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        headers = _headers(scope)
        method, path = scope["method"], scope["path"]
        ex: Exchange | None = None
        try:
            with (
                span(
                    method, kind=SpanKind.SERVER, traceparent=headers.get(b"traceparent", b"").decode("latin-1")
                ) as trace,
                unit_of_work("http.request", method=method, path=path[:500]) as line,
            ):
                ex = scope[KEY] = Exchange(self._service, line)
                try:
                    await self._answer(scope, receive, _Sending(send, ex, headers), ex, headers)
                finally:
                    route = _route(scope)
                    trace.update_name(f"{method} {route}")
                    line.add(route=route, status=ex.status)
                    if path in OPERATIONS and ex.status == 200:
                        line.drop()
        except Exception:
            if ex is None or ex.started:
                raise  # half an answer is out: only closing the connection tells the caller that it is not whole
            await problem_response(failure())(scope, receive, _Sending(send, ex, headers))
        finally:
            status = ex.status if ex is not None else 0
            metrics.HTTP_SECONDS.labels(method, _route(scope), str(status or 499)).observe(time.perf_counter() - began)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, ex: Exchange, headers: Mapping[bytes, bytes]
    ) -> None:
        try:
            await self._identify(scope, ex, headers)
            await self._app(scope, receive, send)
        except ClientDisconnect:
            ex.line.add(outcome="disconnected")
        except Exception as error:
            problem = problem_of(error)
            if problem is None or ex.started:
                ex.line.add(exc_info=error)
                raise
            ex.line.add(outcome="refused", code=problem.code, detail=problem.detail)
            if problem.status >= 500 and problem is not error:
                ex.line.add(error=f"{type(error).__name__}: {error}")
            await _drain(receive, ex, headers)
            await problem_response(problem)(scope, receive, send)

    async def _identify(self, scope: Scope, ex: Exchange, headers: Mapping[bytes, bytes]) -> None:
        path: str = scope["path"]
        if path in OPERATIONS:
            return
        if b"%00" in scope.get("query_string", b"") or "\x00" in path:
            raise BadRequest("malformed_request", "The address has a NUL character (%00). Leave it out.")
        if path in self._public or path.startswith(self._prefixes):
            caller = self._known_by(headers) if self._known_by is not None else None
            if caller is not None:
                self._take(self._known, caller, ex)
            else:
                self._take(self._unknown, _address(scope), ex)
            return
        try:
            token = _bearer(headers)
            principal = await self._verifier.principal(token)
        except Unauthenticated:
            self._take(self._unknown, _address(scope), ex)
            raise
        ex.principal, ex.holds = principal, partial(self._verifier.holds, token)
        _describe(ex, principal)
        self._take(self._known, principal.subject, ex)

    def _take(self, limit: RateLimit, caller: str, ex: Exchange) -> None:
        allowed, ex.headers = limit.take(caller)
        if not allowed:
            raise limit.refusal()


class _Sending:
    """`send` with our headers on the first message, and the status kept for the log line."""

    __slots__ = ("_ex", "_headers", "_send")

    def __init__(self, send: Send, ex: Exchange, headers: Mapping[bytes, bytes]) -> None:
        self._send, self._ex, self._headers = send, ex, headers

    async def __call__(self, message: Message) -> None:
        ex = self._ex
        if message["type"] == "http.response.start":
            ex.started, ex.status = True, message["status"]
            own = message.setdefault("headers", [])
            names = {name for name, _ in own}
            own.extend(_SECURITY)
            own.extend(ex.headers)
            own.extend(h for h in (_POLICY, _NO_STORE) if h[0] not in names)
            if not ex.body_read and _has_body(self._headers):
                own.append((b"connection", b"close"))
        await self._send(message)


def _headers(scope: Scope) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        # Two Authorization headers: joined, they are no valid one, so neither wins.
        found[name] = found[name] + b", " + value if name in found else value
    return found


def _bearer(headers: Mapping[bytes, bytes]) -> str:
    raw = headers.get(b"authorization")
    if raw is None:
        raise Unauthenticated("not_signed_in", "Send an access token: Authorization: Bearer TOKEN.")
    scheme, _, token = raw.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("invalid_token", "Authorization takes the scheme Bearer and one access token.")
    return token.strip()


def _describe(ex: Exchange, principal: Principal) -> None:
    fields: dict[str, Any] = {"marketplace": str(principal.marketplace_id), "caller": principal.subject}
    if principal.act is not None:
        fields["acting_person"] = str(principal.act.person_id)
    ex.line.add(**fields)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "unknown"


def _route(scope: Scope) -> str:
    path: str = getattr(scope.get("route"), "path_format", "") or "(none)"
    return path


def _has_body(headers: Mapping[bytes, bytes]) -> bool:
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


async def _drain(receive: Receive, ex: Exchange, headers: Mapping[bytes, bytes]) -> None:
    # With Expect: 100-continue the client waits for our word and has sent nothing yet.
    if ex.body_read or b"expect" in headers or not _has_body(headers):
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAINED_SECONDS):
            dropped = 0
            while dropped < DRAINED_BYTES:
                message = await receive()
                dropped += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    ex.body_read = True
                    return
