"""Refusals of the order service: the engine's own, and the service's, as problems with stable codes."""

from __future__ import annotations

from typing import Any, Final

from services.order import workflow
from shared.errors import Conflict, Forbidden, NotFound, Problem, Unprocessable

_TITLES: Final = {
    403: Forbidden.TITLE,
    404: NotFound.TITLE,
    409: Conflict.TITLE,
    422: Unprocessable.TITLE,
}
# A refusal's own words that mean something else in a problem document (RFC 9457).
_RENAMED: Final = {"status": "order_status", "title": "order_title", "type": "kind", "code": "reason_code"}


def absent() -> NotFound:
    """What is not there and what is not the caller's to see look the same."""
    return NotFound("not_found", "There is nothing at this address, or it is not yours to see.")


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


def wrong_fields(*errors: tuple[str, str], code: str = "bad_order") -> Unprocessable:
    """422 with one entry per wrong field: (path in the body, what is wrong and how to mend it)."""
    first = f"{errors[0][0]}: {errors[0][1]}" if errors else "is not valid"
    rest = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    fields = [{"in": "body", "field": path, "code": code, "message": message} for path, message in errors[:50]]
    return Unprocessable(code, first + rest, errors=fields)
