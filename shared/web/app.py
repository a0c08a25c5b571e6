"""`create_app`: a service's routers behind the door, with problems, health, metrics and documentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import orjson
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, APIRouter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.process import Runtime
from shared.web.body import StrictRoute
from shared.web.docs import docs_routes
from shared.web.door import Door
from shared.web.exchange import exchange
from shared.web.health import health_routes
from shared.web.limits import RateLimit
from shared.web.openapi import openapi_of
from shared.web.principal import Principal
from shared.web.revoked import Revoked, revoked_at
from shared.web.settings import WebSettings
from shared.web.tokens import Verifier, keys_at

API_VERSION = "1"
# FastAPI's own spans, metrics and logs: the door writes one of each already.
_QUIET = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}


def create_app(
    *,
    title: str,
    service: str,
    runtime: Runtime,
    routers: Sequence[APIRouter],
    public: Sequence[str] = (),
    description: str = "",
    version: str = API_VERSION,
    verifier: Verifier | None = None,
    web: WebSettings | None = None,
) -> FastAPI:
    """The HTTP application of a service; `runtime` is found again as `app.state.runtime`.

    `public` are the paths (prefixes where they end with "/") that need no token. `verifier` is given by the identity
    service, which has its keys at hand. Raises TypeError for a router that would not read bodies strictly.
    """
    web = web or WebSettings()
    app = FastAPI(
        title=title, version=version, description=description, docs_url=None, redoc_url=None, openapi_url=None,
        redirect_slashes=False, telemetry=_QUIET,  # type: ignore[arg-type]
    )  # fmt: skip
    app.state.web = web
    app.state.runtime = runtime
    for router in routers:
        _add(app, router)
    app.router.routes.extend([*health_routes(runtime.readiness), *docs_routes(title)])
    _add_openapi(app, tuple(public))
    for refusal in (RequestValidationError, HTTPException):
        app.add_exception_handler(refusal, _to_the_door)
    settings = runtime.settings
    app.add_middleware(
        Door,
        service=service,
        verifier=verifier or _verifier(settings.identity_issuer, settings.jwks_address),
        public=tuple(public),
        known=RateLimit("caller", web.rate_per_second, web.rate_burst),
        unknown=RateLimit("address", web.anonymous_per_second, web.anonymous_burst),
    )
    return app


def _verifier(issuer: str, jwks_address: str) -> Verifier:
    return Verifier(issuer, keys_at(jwks_address), revoked=Revoked(revoked_at(jwks_address)))


def operations_app(service: str, runtime: Runtime) -> Starlette:
    """Health and metrics alone, for the processes of a service that serve no API."""
    return Starlette(routes=health_routes(runtime.readiness))


def _add(app: FastAPI, router: APIRouter) -> None:
    # The routes themselves, not an included router: that would match each path twice.
    for route in router.routes:
        if isinstance(route, APIRoute) and not isinstance(route, StrictRoute):
            raise TypeError(f"{route.path} is not on a shared.web.Router: its body would not be read strictly")
        app.router.routes.append(route)


def _add_openapi(app: FastAPI, public: tuple[str, ...]) -> None:
    async def document(_: Request) -> Response:
        return Response(orjson.dumps(openapi_of(app, public)), media_type="application/json")

    app.router.add_route("/openapi.json", document)


async def _to_the_door(_: Request, error: Exception) -> Response:
    # The framework would answer these itself; all problem documents are written in one place.
    raise error


async def caller_of(request: Request) -> Principal:
    """The caller. Only for paths that are not public."""
    found = exchange(request.scope).principal
    if found is None:
        raise RuntimeError(f"{request.url.path} is public and has no principal")
    return found


async def runtime_of(request: Request) -> Runtime:
    """The runtime that the application was made with."""
    runtime: Runtime = request.app.state.runtime
    return runtime


Caller = Annotated[Principal, Depends(caller_of)]
Run = Annotated[Runtime, Depends(runtime_of)]
