"""Refusals of the messaging service, each with its stable code."""

from __future__ import annotations

import math

from shared.errors import Conflict, NotFound, Problem, Unprocessable


def no_thread() -> NotFound:
    """The same for orders that do not exist, are another's, or have not reached their seller yet."""
    return NotFound("thread_not_found", "There is no such message thread. It opens when the order reaches its seller.")


def no_such_message(last_seq: int) -> Unprocessable:
    return Unprocessable(
        "message_not_found", f"The thread has messages 1 to {last_seq}; name one of them.", last_seq=last_seq
    )


def no_attachment() -> NotFound:
    """The same for files that do not exist, are another's, or are not posted yet."""
    return NotFound("attachment_not_found", "There is no such attachment.")


def _of_file(status: int, code: str, detail: str) -> Problem:
    title = {413: "Too large", 415: "Unsupported media type"}.get(status, "Cannot be processed")
    told = [{"in": "body", "field": "file", "code": code, "message": detail}]
    return Problem(code, title, status, detail, errors=told)


def empty_file() -> Problem:
    return _of_file(422, "empty_file", "The file is empty. Choose another one.")


def unsupported_file(*, phone: bool) -> Problem:
    hint = " This is a photo in a phone's own format (HEIC): save it as JPEG." if phone else ""
    return _of_file(415, "unsupported_media_type", f"Only JPEG, PNG and WebP images and PDFs are taken.{hint}")


def attachment_too_large(size: int, most: int) -> Problem:
    return _of_file(
        413, "attachment_too_large", f"The file has {_megabytes(size)}; at most {_megabytes(most)} are taken."
    )


def image_too_large(width: int, height: int, most: int) -> Problem:
    told = f"The image has {width} x {height} pixels; at most {most / 1e6:g} million are taken. Make it smaller."
    return _of_file(422, "image_too_large", told)


def unreadable_file(detail: str) -> Problem:
    return _of_file(422, "attachment_unreadable", detail)


def attachment_not_allowed(kinds: frozenset[str]) -> Problem:
    taken = {"image": "Only images are taken.", "pdf": "Only PDFs are taken."}
    which = taken[next(iter(kinds))] if len(kinds) == 1 else "Send a text alone."
    return _of_file(422, "attachment_not_allowed", f"This marketplace takes no such attachments. {which}")


def too_many_uploads(detail: str) -> Conflict:
    return Conflict("too_many_attachments", detail)


def attachments_gone() -> Unprocessable:
    return Unprocessable(
        "attachment_not_found",
        "An attachment is not there: it is another's, of another thread, posted already, or older than a day. "
        "Upload it again.",
        errors=[{"in": "body", "field": "attachment_ids", "code": "not_found", "message": "Upload it again."}],
    )


def attachments_too_large(size: int, most: int) -> Unprocessable:
    told = f"The attachments have {_megabytes(size)} together; a message takes {_megabytes(most)}."
    return Unprocessable(
        "attachments_too_large",
        told,
        errors=[{"in": "body", "field": "attachment_ids", "code": "too_large", "message": told}],
    )


def _megabytes(size: int) -> str:
    """Rounded up: what is too large never reads as what is taken."""
    return f"{math.ceil(size / 1e5) / 10:.1f} MB"
