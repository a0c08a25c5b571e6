"""What identity refuses, in the words that callers get. Codes are stable."""

from __future__ import annotations

from shared.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)


def absent(what: str) -> NotFound:
    """The same for what is not there and what is somebody else's."""
    return NotFound("not_found", f"There is no such {what}, or it is not yours to see.")


def not_allowed(detail: str) -> Forbidden:
    return Forbidden("not_allowed", detail)


def not_while_logged_in_as() -> Forbidden:
    return Forbidden(
        "not_while_logged_in_as",
        "Logged in as somebody else, nobody changes secrets, roles or settings. Sign in as yourself for that.",
    )


def scope_missing(scope: str) -> Forbidden:
    return Forbidden("scope_missing", f"This API key has no scope {scope}. Make one that has it.")


def sign_in_failed() -> Unauthenticated:
    """One answer for a wrong password, an unknown address, and a person who may not sign in."""
    return Unauthenticated("sign_in_failed", "E-mail address and password do not belong together.")


def too_many_failures(seconds: int) -> TooManyRequests:
    return TooManyRequests(
        "too_many_failures", f"Too many failed sign-ins. Wait {max(1, seconds // 60)} minute(s).", retry_after=seconds
    )


def grant_refused(detail: str) -> BadRequest:
    return BadRequest("invalid_grant", detail)


def passwords_off(name: str) -> Forbidden:
    return Forbidden("password_sign_in_off", f"People sign in here with {name} only, not with a password.")


def outside_off() -> NotFound:
    return NotFound("outside_sign_in_off", "This installation names no outside provider to sign in with.")


def provider_away(name: str) -> Unavailable:
    return Unavailable("provider_unavailable", f"{name} does not answer at the moment. Try again.", retry_after=5)


def provider_unusable(name: str) -> Unavailable:
    """For what only whoever runs the installation can mend; the reason is in the log."""
    return Unavailable(
        "provider_unusable",
        f"{name} and this installation do not fit together. Whoever runs it finds the reason in identity's log.",
        retry_after=60,
    )


def outside_stale() -> BadRequest:
    return BadRequest("outside_sign_in_stale", "This sign-in has taken too long or was finished before. Start again.")


def outside_failed(name: str) -> Unauthenticated:
    """What the provider sent does not hold; which of it does not is in the log, and nobody's who sent it."""
    return Unauthenticated("outside_sign_in_failed", f"What {name} sent does not prove who you are. Start again.")


def outside_email_unverified(name: str) -> Forbidden:
    return Forbidden("outside_email_unverified", f"{name} does not say that your e-mail address is verified.")


def outside_unknown(name: str) -> Forbidden:
    return Forbidden("outside_person_unknown", f"Nobody here has the e-mail address that {name} gives for you.")


def outside_inactive() -> Forbidden:
    return Forbidden("outside_person_inactive", "You may not sign in here any more.")


def outside_other(name: str) -> Forbidden:
    return Forbidden(
        "outside_linked_to_another", f"Another account at {name} is yours here already. Sign in with that one."
    )


def email_taken() -> Conflict:
    return Conflict("email_taken", "Somebody has this e-mail address already. An address names one person everywhere.")


def too_many_views(most: int) -> Conflict:
    return Conflict(
        "too_many_views", f"You have {most} saved views, which is as many as there can be. Remove one first."
    )


def slug_taken(slug: str) -> Conflict:
    return Conflict("slug_taken", f"An organisation of this marketplace is called {slug} already. Choose another slug.")


def wrong_field(field: str, message: str) -> Unprocessable:
    """A rule over several fields, told like a wrong field."""
    errors = [{"in": "body", "field": field, "code": "rule", "message": message}]
    return Unprocessable("invalid_request", f"{field}: {message}", errors=errors)
