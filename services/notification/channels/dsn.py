"""Reading returned mail: delivery status notifications (RFC 3464) and what they say of each recipient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import Message
from typing import Final

from services.notification.channels.smtp import MOST_REASON
from services.notification.telling.plain import plain

MOST_BYTES: Final = 1_000_000
MOST_PARTS: Final = 100
_STATUS: Final = re.compile(r"^\s*([245])\.(\d{1,3})\.(\d{1,3})\b")


@dataclass(frozen=True, slots=True)
class Report:
    """What a returned mail says. `dead_address`: there is no such mailbox, so nothing more is to be sent there."""

    recipient: str
    reason: str
    dead_address: bool


def read(raw: bytes) -> Report | None:
    """The first final failure that a returned mail reports; None for anything else (delays, replies, nonsense)."""
    if len(raw) > MOST_BYTES:
        return None
    # compat32 never decodes a header, so a hostile one cannot make reading it fail
    message = message_from_bytes(raw, policy=policy.compat32)
    if message.get_content_type() != "multipart/report":
        return None
    parts = [part for part, _ in zip(message.walk(), range(MOST_PARTS), strict=False)]
    status = next((p for p in parts if p.get_content_type() == "message/delivery-status"), None)
    if status is None:
        return None
    for block in _blocks(status):
        if _field(block, "Action").lower() == "failed":
            return _report(block)
    return None


def _blocks(status: Message) -> Iterator[Message]:
    payload = status.get_payload()
    if isinstance(payload, list):
        yield from (p for p in payload[:MOST_PARTS] if isinstance(p, Message))


def _report(block: Message) -> Report:
    diagnostic = _field(block, "Diagnostic-Code")
    status = _STATUS.match(_field(block, "Status"))
    recipient = _field(block, "Final-Recipient").partition(";")[2].strip()
    said = diagnostic.partition(";")[2].strip() or diagnostic or "returned without a reason"
    code = f"{status[1]}.{status[2]}.{status[3]} " if status else ""
    return Report(
        recipient=plain(recipient),
        reason=plain(f"bounced: {code}{said}", MOST_REASON),
        dead_address=status is not None and status[1] == "5" and status[2] == "1",
    )


def _field(block: Message, name: str) -> str:
    value = block.get(name)
    return plain(str(value), 1_000) if value is not None else ""
