"""Strong entity tags: a resource's version, and the preconditions that a caller sets on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Header

from shared.errors import PreconditionFailed, PreconditionRequired

_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


def etag(sequence: int) -> str:
    """The strong ETag of a resource's version: `etag(7)` is `"7"` with its quotes."""
    return f'"{sequence}"'


@dataclass(frozen=True, slots=True)
class Precondition:
    """The If-Match of a request, or None where it has none."""

    if_match: str | None

    def check(self, sequence: int, current: Any = None, *, required: bool = False) -> None:
        """Raise unless the caller's If-Match allows a change of version `sequence`.

        412 carries the ETag as it is now and, where given, the `current` state; 428 where `required` and absent.
        """
        if self.if_match is None:
            if required:
                raise PreconditionRequired(
                    "if_match_required", "Send If-Match with the ETag that you have read, so that no change is lost."
                )
            return
        if matches(self.if_match, sequence):
            return
        now = {} if current is None else {"current": current}
        raise PreconditionFailed(
            "changed_meanwhile",
            f"It has been changed since you read it; its ETag is {etag(sequence)} now. Read it again, then decide.",
            etag=etag(sequence),
            **now,
        )


def matches(header: str, sequence: int) -> bool:
    """Strong comparison (RFC 9110, 13.1.1): `*` always, weak tags never."""
    if header.strip() == "*":
        return True
    return any(not weak and tag == str(sequence) for weak, tag in _TAG.findall(header))


def not_modified(header: str | None, sequence: int) -> bool:
    """Whether If-None-Match names this version, so that 304 is the answer (weak comparison)."""
    if header is None:
        return False
    return header.strip() == "*" or any(tag == str(sequence) for _, tag in _TAG.findall(header))


async def precondition(
    if_match: Annotated[str | None, Header(description="The ETag that the change is based on.")] = None,
) -> Precondition:
    return Precondition(if_match)


IfMatch = Annotated[Precondition, Depends(precondition)]
