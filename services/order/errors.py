"""Refusals of the order service itself, as problems with stable codes. The engine's own: actions/refusing.py."""

from __future__ import annotations

from shared.errors import NotFound, Unprocessable


def absent() -> NotFound:
    """What is not there and what is not the caller's to see look the same."""
    return NotFound("not_found", "There is nothing at this address, or it is not yours to see.")


def wrong_fields(*errors: tuple[str, str], code: str = "bad_order") -> Unprocessable:
    """422 with one entry per wrong field: (path in the body, what is wrong and how to mend it)."""
    first = f"{errors[0][0]}: {errors[0][1]}" if errors else "is not valid"
    rest = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    fields = [{"in": "body", "field": path, "code": code, "message": message} for path, message in errors[:50]]
    return Unprocessable(code, first + rest, errors=fields)
