"""Problem documents (RFC 9457): every refusal and failure leaves the service as one of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.errors import BadRequest, Conflict, NotFound, Problem, TooManyRequests, Unavailable, Unprocessable
from shared.postgres.database import TRANSIENT
from shared.web.exchange import exchange

MEDIA_TYPE: Final = "application/problem+json"
MAX_FIELD_ERRORS: Final = 50
MAX_TEXT: Final = 300

_PLAIN: Final[Mapping[int, tuple[str, str]]] = {
    400: ("bad_request", "Bad request"),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
    413: ("body_too_large", "Too large"),
}


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as an answer. 401, 429 and 503 get the header that says how to go on."""
    extra = dict(headers or {})
    if problem.status == 401:
        extra.setdefault("www-authenticate", f'Bearer realm="ordertrail", error="{problem.code}"')
    if isinstance(problem, TooManyRequests | Unavailable):
        extra.setdefault("retry-after", str(problem.extensions.get("retry_after", 1)))
    body = orjson.dumps(problem.document(), default=str)
    return Response(body, status_code=problem.status, headers=extra, media_type=MEDIA_TYPE)


def failure() -> Problem:
    """What a caller is told where we are at fault: nothing of the inside."""
    return Problem(
        "internal_error",
        "Internal error",
        500,
        "Something went wrong on our side. The log line of this request says what.",
    )


def validation_problem(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """422 with one entry per wrong field (the first 50); 404 where only the path is wrong. Input is never echoed."""
    if errors and all(e["loc"][:1] == ("path",) for e in errors):
        return NotFound("not_found", "There is nothing at this address: an id in the path is not well-formed.")
    fields = [_field(e) for e in errors[:MAX_FIELD_ERRORS]]
    first = fields[0] if fields else {"field": "request", "message": "is not valid"}
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Unprocessable("invalid_request", f"{first['field']}: {first['message']}{more}", errors=fields)


def _field(error: Mapping[str, Any]) -> dict[str, str]:
    place, *path = [str(p)[:MAX_TEXT] for p in error["loc"]] or ["request"]
    return {
        "in": place,
        "field": ".".join(path)[:MAX_TEXT] or place,
        "code": str(error.get("type", "invalid")),
        "message": str(error.get("msg", "is not valid"))[:MAX_TEXT],
    }


def http_problem(error: HTTPException) -> Problem:
    """The framework's own refusals (no such route or method) in our words."""
    code, title = _PLAIN.get(error.status_code, ("refused", "Refused"))
    detail = {
        404: "There is nothing at this address, or it is not yours to see.",
        405: "This address does not take that method; the Allow header lists those it takes.",
    }.get(error.status_code, str(error.detail)[:MAX_TEXT])
    return Problem(code, title, error.status_code, detail)


def problem_of(error: Exception) -> Problem | None:
    """What the caller is told of an error that is no Problem, or None where the fault is ours (500).

    Values that the database cannot store are 422; trouble on the way to it is 503 and may be sent again.
    """
    if isinstance(error, asyncpg.UniqueViolationError) and error.constraint_name == "idempotency_pkey":
        return Conflict(
            "idempotency_in_flight",
            "A request with this Idempotency-Key is being worked on, or has just been answered. Send it again.",
        )
    if isinstance(error, asyncpg.DataError) and not isinstance(error, asyncpg.DivisionByZeroError):
        return Unprocessable("unstorable_value", "A value is outside what can be stored: too large, or not valid text.")
    if isinstance(error, TRANSIENT):
        return Unavailable(
            "database_unavailable", "The database did not answer in time. Nothing is known to be lost: try again."
        )
    return None


async def on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    exchange(request.scope).line.add(outcome="refused", code=error.code, detail=error.detail[:MAX_TEXT])
    return problem_response(error)


async def on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return await on_problem(request, validation_problem(error.errors()))


async def on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    problem = http_problem(error)
    exchange(request.scope).line.add(outcome="refused", code=problem.code)
    return problem_response(problem, error.headers)


def malformed(detail: str) -> BadRequest:
    return BadRequest("malformed_request", detail)
