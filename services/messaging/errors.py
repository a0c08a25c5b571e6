"""Refusals of the messaging service, each with its stable code."""

from __future__ import annotations

from shared.errors import NotFound, Unprocessable


def no_thread() -> NotFound:
    """The same for orders that do not exist, are another's, or have not reached their seller yet."""
    return NotFound("thread_not_found", "There is no such message thread. It opens when the order reaches its seller.")


def no_such_message(last_seq: int) -> Unprocessable:
    return Unprocessable(
        "message_not_found", f"The thread has messages 1 to {last_seq}; name one of them.", last_seq=last_seq
    )
