"""The part of an endpoint's form that says how events are sent to it: shape, pace, patience, and headers of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.console import entered
from services.console.language import N_, Texts, tr
from services.console.posted import Posted
from services.console.schemas import Endpoint

FORMATS: Final[Mapping[str, str]] = {
    "standard": "Standard Webhooks",
    "cloudevents_binary": "CloudEvents, binary",
    "cloudevents_structured": "CloudEvents, structured",
}
SIGNATURES: Final[Mapping[str, str]] = Texts(
    {
        "hmac": N_("A shared secret (HMAC-SHA256)"),
        "ed25519": N_("A key pair (ed25519)"),
        "both": N_("Both, one beside the other"),
    }
)
# The form's names of the service's fields, where they differ.
FIELDS: Final[Mapping[str, str]] = {"timeout_ms": "timeout", "retry_schedule": "retries"}
_WAITS: Final = re.compile(r"[,\s]+")


@dataclass(frozen=True, slots=True)
class Sending:
    """What was typed, or what is kept, as texts. What is left empty is the service's own choice, or stays as it is.

    Values of headers are never read back: those that are there can only be replaced, all of them, or taken away.
    """

    format: str = "standard"
    signature: str = "hmac"
    ordered: bool = True
    http_signature: bool = False
    rate_limit: str = ""
    retries: str = ""
    timeout: str = ""
    headers: str = ""
    no_headers: bool = False

    @classmethod
    def posted(cls, p: Posted) -> Sending:
        return cls(
            p.one("format") or "standard", p.one("signature") or "hmac",
            p.one("ordered") == "yes", p.one("http_signature") == "yes",
            p.one("rate_limit"), p.one("retries"), p.one("timeout"), p.one("headers"), p.one("no_headers") == "yes",
        )  # fmt: skip

    @classmethod
    def kept(cls, e: Endpoint) -> Sending:
        return cls(
            e.format, e.signature, e.ordered, e.http_signature, "" if e.rate_limit is None else f"{e.rate_limit:g}",
            ", ".join(str(s) for s in e.retry_schedule) or "0", f"{e.timeout_ms / 1_000:g}",
        )  # fmt: skip

    @property
    def problems(self) -> dict[str, str]:
        """What can be said before the service is asked, by field."""
        found = {}
        for name, text, told in (
            ("rate_limit", self.rate_limit, N_("Enter a number how many are sent in a second, such as 2 or 0.5.")),
            ("timeout", self.timeout, N_("Enter a number of seconds, such as 2 or 0.5.")),
        ):
            try:
                if text:
                    entered.quantity(text)
            except entered.Wrong:
                found[name] = tr(told)
        if not all(wait.isdecimal() for wait in _apart(self.retries)):
            found["retries"] = tr("Enter whole seconds with commas between them, such as 5, 300, 3600.")
        if any(":" not in line for line in _lines(self.headers)):
            found["headers"] = tr("Enter one header on each line, as Name: value.")
        return found

    def body(self, *, new: bool) -> dict[str, Any]:
        """What the service is asked for."""
        asked: dict[str, Any] = {
            "format": self.format,
            "signature": self.signature,
            "ordered": self.ordered,
            "http_signature": self.http_signature,
            "rate_limit": float(entered.quantity(self.rate_limit)) if self.rate_limit else None,
        }
        if self.retries:
            waits = [int(wait) for wait in _apart(self.retries)]
            asked["retry_schedule"] = [] if waits == [0] else waits
        if self.timeout:
            asked["timeout_ms"] = round(1_000 * float(entered.quantity(self.timeout)))
        given = dict(line.split(":", 1) for line in _lines(self.headers))
        if given or (self.no_headers and not new):
            asked["headers"] = {name.strip(): value.strip() for name, value in given.items()}
        return asked


def _apart(text: str) -> list[str]:
    return [wait for wait in _WAITS.split(text) if wait]


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]
