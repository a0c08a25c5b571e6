"""The OpenAPI document: what every service says in the same words (tokens, problems, idempotency keys)."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "A refusal (RFC 9457). `code` is stable; `detail` says what to do; `errors` lists wrong fields.",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:ordertrail:problem:invalid_request"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "examples": ["invalid_request"]},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("in", "field", "code", "message")},
            },
        },
    },
}
_IDEMPOTENCY_KEY: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 printable ASCII characters: the same key and body get the same answer for seven days.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_COMMON: Final = {
    "401": "Not signed in",
    "404": "Absent, or not yours",
    "422": "Cannot be processed",
    "429": "Too many requests",
}


def openapi_of(app: FastAPI, public: tuple[str, ...]) -> dict[str, Any]:
    """The document of an application; made once, at the first request for it."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, openapi_version="3.1.0"
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    for path, operations in document.get("paths", {}).items():
        open_to_all = path in public or any(p.endswith("/") and path.startswith(p) for p in public)
        for method, operation in operations.items():
            if method == "post" and not open_to_all:
                operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
            operation["security"] = [] if open_to_all else [{"token": []}]
            answers = operation.setdefault("responses", {})
            for status, words in _COMMON.items():
                answers[status] = {
                    "description": words,
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
    app.openapi_schema = document
    return document
