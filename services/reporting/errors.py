"""Refusals of the reporting service, each with its stable code."""

from __future__ import annotations

from shared.errors import Forbidden, NotFound, Unprocessable


def not_for_buyers() -> Forbidden:
    return Forbidden(
        "no_reports_role",
        "Reports are for operators and for the people of selling organisations. Savings are for all.",
    )


def no_scope() -> Forbidden:
    return Forbidden("scope_missing", "This API key has no scope reports:read. Make one that has it.")


def bad_period(why: str) -> Unprocessable:
    return Unprocessable("invalid_period", why)


def not_your_figures() -> Forbidden:
    return Forbidden("not_your_figures", "You get figures of your own organisation. Leave seller out.")


def no_such_factors(version: str) -> NotFound:
    return NotFound("no_such_factors", f"There is no factor table of version {version[:20]!r}.")
