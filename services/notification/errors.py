"""The service's own refusals."""

from __future__ import annotations

from shared.errors import Forbidden, NotFound, Unprocessable


def not_found() -> NotFound:
    """The same words for a notification that is not there and one that is somebody else's."""
    return NotFound("notification_not_found", "There is no such notification.")


def people_only() -> Forbidden:
    return Forbidden("people_only", "An API key has no notifications of its own. Sign in as a person.")


def not_while_acting() -> Forbidden:
    return Forbidden(
        "not_while_acting", "Settings are not changed while logged in as somebody else. Ask them to do it themselves."
    )


def unknown_person() -> NotFound:
    """member.changed has not arrived yet."""
    return NotFound("person_not_known_yet", "Nothing is known of you here yet. Try again in a moment.")


def required_category(category: str, channel: str) -> Unprocessable:
    return Unprocessable(
        "required_category", f"{category} cannot be switched off for {channel}.", category=category, channel=channel
    )


def bad_unsubscribe_link() -> NotFound:
    return NotFound(
        "unsubscribe_link_invalid", "The link is not one of ours or is cut short. Use the whole link of the e-mail."
    )
