"""Refusals of the workflow engine, as problems."""

from __future__ import annotations

from typing import Any, Final

from services.order import workflow
from services.order.errors import absent
from shared.errors import Conflict, Forbidden, NotFound, Problem, Unprocessable

_TITLES: Final = {403: Forbidden.TITLE, 404: NotFound.TITLE, 409: Conflict.TITLE, 422: Unprocessable.TITLE}
# A refusal's own words that mean something else in a problem document (RFC 9457).
_RENAMED: Final = {"status": "order_status", "title": "order_title", "type": "kind", "code": "reason_code"}


def refusal(refused: workflow.Refused, **more: Any) -> Problem:
    """The problem of a refusal by the workflow. `more` is added to what the refusal itself tells."""
    if isinstance(refused, workflow.NotVisible):
        return absent()
    told = {_RENAMED.get(k, k): v for k, v in {**refused.more, **more}.items()}
    if "errors" in told:
        told["errors"] = [
            {"in": "body", "field": e["path"], "code": refused.code, "message": e["message"]} for e in told["errors"]
        ]
    return Problem(refused.code, _TITLES[refused.STATUS], refused.STATUS, refused.detail, **told)
