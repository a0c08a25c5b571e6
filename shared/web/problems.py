"""Problem documents (RFC 9457): every refusal and failure leaves the service as one of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from shared.errors import Conflict, NotFound, Problem, TooManyRequests, Unavailable, Unprocessable
from shared.postgres.database import TRANSIENT

MEDIA_TYPE: Final = "application/problem+json"
MAX_FIELD_ERRORS: Final = 50
MAX_TEXT: Final = 300

_PLAIN: Final[Mapping[int, tuple[str, str]]] = {
    400: ("bad_request", "Bad request"),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
    413: ("body_too_large", "Too large"),
}


def problem_response(problem: Problem) -> Response:
    """The problem as an answer. 401, 429 and 503 get the header that says how to go on."""
    extra = dict(problem.headers) if isinstance(problem, _Framework) else {}
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
    errors = _without_echoes(errors)
    fields = [_field(e) for e in errors[:MAX_FIELD_ERRORS]]
    first = fields[0] if fields else {"field": "request", "message": "is not valid"}
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Unprocessable("invalid_request", f"{first['field']}: {first['message']}{more}", errors=fields)


def _without_echoes(errors: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Without what only follows from another mistake: a list whose one item is wrong is not also too short."""
    places = [e["loc"] for e in errors]
    return [
        e
        for e in errors
        if e.get("type") != "too_short" or not any(p != e["loc"] and p[: len(e["loc"])] == e["loc"] for p in places)
    ]


def _message(error: Mapping[str, Any]) -> str:
    counted = error.get("ctx") or {}
    if error.get("type") == "too_long" and "max_length" in counted:
        return f"has too many items: at most {counted['max_length']} are taken"
    if error.get("type") == "too_short" and "min_length" in counted:
        return f"has too few items: at least {counted['min_length']} is needed"
    return str(error.get("msg", "is not valid")).removeprefix("Value error, ")


def _field(error: Mapping[str, Any]) -> dict[str, str]:
    place, *path = [str(p)[:MAX_TEXT] for p in error["loc"]] or ["request"]
    return {
        "in": place,
        "field": ".".join(path)[:MAX_TEXT] or place,
        "code": str(error.get("type", "invalid")),
        "message": _message(error)[:MAX_TEXT],
    }


class _Framework(Problem):
    """A refusal of the framework's, with its headers (Allow)."""

    def __init__(self, code: str, title: str, status: int, detail: str, headers: Mapping[str, str] | None) -> None:
        super().__init__(code, title, status, detail)
        self.headers = headers or {}


def http_problem(error: HTTPException) -> Problem:
    """The framework's own refusals (no such route or method) in our words."""
    code, title = _PLAIN.get(error.status_code, ("refused", "Refused"))
    detail = {
        404: "There is nothing at this address, or it is not yours to see.",
        405: "This address does not take that method; the Allow header lists those it takes.",
    }.get(error.status_code, str(error.detail)[:MAX_TEXT])
    return _Framework(code, title, error.status_code, detail, error.headers)


def problem_of(error: Exception) -> Problem | None:
    """What the caller is told of an error, or None where the fault is ours (500).

    Values that the database cannot store are 422; trouble on the way to it is 503 and may be sent again.
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return validation_problem(error.errors())
    if isinstance(error, HTTPException):
        return http_problem(error)
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
