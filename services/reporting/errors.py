"""Refusals of the reporting service, each with its stable code."""

from __future__ import annotations

from shared.errors import Forbidden, Unprocessable


def not_for_buyers() -> Forbidden:
    return Forbidden(
        "no_reports_role",
        "Reports are for operators and for the people of selling organisations. Savings are for all.",
    )


def no_scope() -> Forbidden:
    return Forbidden("scope_missing", "This API key has no scope reports:read. Make one that has it.")


def bad_period(why: str) -> Unprocessable:
    return Unprocessable("invalid_period", why)
