"""Errors that a caller is told of, as RFC 9457 problems. Raised by actions, written out by `shared.web`."""

from __future__ import annotations

from typing import Any, ClassVar, Final

MOST_TOLD: Final = 9


class Problem(Exception):
    """A refusal with a stable `code`, an HTTP `status`, a `detail` that says how to mend, and extensions (JSON)."""

    def __init__(self, code: str, title: str, status: int, detail: str, **extensions: Any) -> None:
        super().__init__("; ".join([f"{code}: {detail}", *_further(extensions.get("errors"))]))
        self.code = code
        self.title = title
        self.status = status
        self.detail = detail
        self.extensions = extensions

    def document(self, instance: str | None = None) -> dict[str, Any]:
        """The problem+json document. `type` is a stable URN of the code."""
        return {
            **self.extensions,
            "type": f"urn:ordertrail:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **({"instance": instance} if instance else {}),
        }


def _further(errors: Any) -> list[str]:
    """What else is wrong: a dead letter or a log line has only the words, and the detail tells the first one."""
    rest = errors[1 : MOST_TOLD + 1] if isinstance(errors, list) else []
    return [f"{e['field']}: {e['message']}" for e in rest if "field" in e and "message" in e]


class _Kind(Problem):
    STATUS: ClassVar[int]
    TITLE: ClassVar[str]

    def __init__(self, code: str, detail: str, **extensions: Any) -> None:
        super().__init__(code, self.TITLE, self.STATUS, detail, **extensions)


class BadRequest(_Kind):
    STATUS, TITLE = 400, "Bad request"


class Unauthenticated(_Kind):
    STATUS, TITLE = 401, "Not signed in"


class Forbidden(_Kind):
    STATUS, TITLE = 403, "Not allowed"


class NotFound(_Kind):
    STATUS, TITLE = 404, "Not found"


class Conflict(_Kind):
    STATUS, TITLE = 409, "Conflict with the current state"


class PreconditionFailed(_Kind):
    STATUS, TITLE = 412, "Changed in the meantime"


class TooLarge(_Kind):
    STATUS, TITLE = 413, "Too large"


class Unprocessable(_Kind):
    STATUS, TITLE = 422, "Cannot be processed"


class PreconditionRequired(_Kind):
    STATUS, TITLE = 428, "Precondition required"


class TooManyRequests(_Kind):
    STATUS, TITLE = 429, "Too many requests"


class Unavailable(_Kind):
    STATUS, TITLE = 503, "Not available at the moment"
