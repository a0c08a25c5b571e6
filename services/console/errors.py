"""What can go wrong between the console and the services, told apart by what the person can do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.console.codes import refusal
from services.console.language import tr
from services.console.parts import PARTS, ServiceName
from services.console.sentences import sentence


class SignedOut(Exception):
    """Nobody is signed in (any more): the sign-in page is next."""


class ServiceDown(Exception):
    """A service did not answer, in time or in sense. `retry_after` seconds where it named a time, `code` where it said
    by a problem document what of its own it is waiting for."""

    def __init__(self, service: ServiceName, why: str, retry_after: int | None = None, code: str = "") -> None:
        super().__init__(f"{service}: {why}")
        self.service = service
        self.part = PARTS[service]
        self.why = why
        self.retry_after = retry_after
        self.code = code


@dataclass
class Refused(Exception):
    """A service's refusal (RFC 9457). `fields` maps the path of a wrong field to what is wrong.

    `detail` is for people, in their language where there is a text in it; `said` is the service's own, for the log.
    """

    service: ServiceName
    status: int
    code: str
    title: str
    detail: str
    document: Mapping[str, Any] = field(default_factory=dict)
    said: str = field(init=False)

    def __post_init__(self) -> None:
        self.said = self.detail
        self.title, self.detail = tr(self.title), refusal(self.code, self.detail)
        # back in the browser and sent once more, with something else in it
        if self.code == "idempotency_key_reused":
            self.detail = tr(
                "This form was sent before, with something else in it, and that was done. "
                "If you want this as well, send it once more."
            )

    def __str__(self) -> str:
        return f"{self.service} {self.status} {self.code}: {self.said}"

    @property
    def fields(self) -> dict[str, str]:
        errors: Sequence[Any] = self.document.get("errors") or ()
        return {
            str(e.get("field", "")): sentence(str(e.get("message") or "")) or tr("is not valid")
            for e in errors[:100]
            if isinstance(e, dict)
        }


class BadForm(Exception):
    """A form that cannot be taken as it came. `status` is 400, 403 (not from our page) or 413 (too large).

    Title and detail are given in English, with values for what has to be filled in; people read them in theirs.
    """

    def __init__(self, status: int, title: str, detail: str, **values: Any) -> None:
        super().__init__(detail % values if values else detail)
        self.status, self.title, self.detail = status, tr(title), tr(detail, **values)


class NoSuchPage(Exception):
    """The address is well-formed and leads nowhere."""
