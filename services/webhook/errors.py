"""Refusals of the webhook service, each with its stable code."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import Conflict, NotFound, Unprocessable


def no_endpoint() -> NotFound:
    return NotFound("endpoint_not_found", "There is no such endpoint.")


def no_delivery() -> NotFound:
    return NotFound("delivery_not_found", "There is no such delivery.")


def no_replay() -> NotFound:
    return NotFound("replay_not_found", "There is no such replay.")


def no_event_type(name: str) -> NotFound:
    return NotFound("event_type_not_found", f"There is no event type {name[:100]!r}; GET /v1/event-types lists them.")


def bad_target(reason: str) -> Unprocessable:
    return Unprocessable("url_not_allowed", f"The endpoint's URL cannot be used: {reason}.")


def too_many_endpoints(most: int) -> Unprocessable:
    return Unprocessable("too_many_endpoints", f"An organisation has at most {most} endpoints. Delete one first.")


def wrong_status(status: str, wanted: str) -> Conflict:
    return Conflict(
        "wrong_status", f"The endpoint is {status}; this needs one that is {wanted}.", endpoint_status=status
    )


def types_not_taken(taken: Sequence[str]) -> Unprocessable:
    return Unprocessable(
        "event_types_not_taken",
        f"The endpoint takes none of these event types, so there is nothing to send. It takes: {', '.join(taken)}.",
    )


def nothing_received_yet() -> Unprocessable:
    return Unprocessable("range_in_future", "received_from must have passed: nothing after it has been received yet.")


def too_many_replays(most: int) -> Conflict:
    return Conflict(
        "too_many_replays", f"{most} replays of the organisation are under way already. Wait for one, or cancel one."
    )


def too_many_keys(most: int) -> Unprocessable:
    return Unprocessable(
        "too_many_keys",
        f"The endpoint has {most} live keys of this kind, and every request is signed with each. Wait until one has"
        " ended, or rotate with expire_after_hours 0, which ends the old ones at once.",
    )


def event_gone() -> Conflict:
    return Conflict("event_gone", "The event is older than what is kept; it cannot be sent again.")
