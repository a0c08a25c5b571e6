"""Links and return addresses that only we can make: HMAC over what they mean, with the keys in mail_key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.notification.telling.categories import CATEGORIES

# 128 bits of a SHA-256 MAC: out of reach of guessing, and short enough for a header line.
_MAC_BYTES: Final = 16
_BOUNCE_MAC_BYTES: Final = 8
MOST_TOKEN: Final = 200


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Whose mails of which category are to stop."""

    marketplace_id: UUID
    person_id: UUID
    category: str


def unsubscribe_token(secret: bytes, what: Unsubscribe) -> str:
    payload = what.marketplace_id.bytes + what.person_id.bytes + what.category.encode()
    return base64.urlsafe_b64encode(payload + _mac(secret, b"unsubscribe", payload)).rstrip(b"=").decode()


def read_unsubscribe_token(secrets: Sequence[bytes], token: str) -> Unsubscribe | None:
    """What the token says, or None where none of the keys signed it."""
    # b64decode takes the letters of the other alphabet too: each token has one spelling here
    if not token.isascii() or len(token) > MOST_TOKEN or any(c in token for c in "+/="):
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if len(payload) < 33 or not any(hmac.compare_digest(mac, _mac(s, b"unsubscribe", payload)) for s in secrets):
        return None
    category = payload[32:].decode("ascii", "replace")
    if category not in CATEGORIES:
        return None
    return Unsubscribe(UUID(bytes=payload[:16]), UUID(bytes=payload[16:32]), category)


def bounce_address(secret: bytes, delivery_id: UUID, domain: str) -> str:
    """The envelope sender of a mail: whatever comes back to it is about this delivery."""
    mac = _mac(secret, b"bounce", delivery_id.bytes)[:_BOUNCE_MAC_BYTES]
    return f"bounce+{delivery_id.hex}{mac.hex()}@{domain}"


def read_bounce_address(secrets: Sequence[bytes], address: str) -> UUID | None:
    """The delivery that a return address belongs to, or None where it is not one of ours."""
    local = address.rpartition("@")[0].lower()
    tag = local.removeprefix("bounce+")
    if tag == local or len(tag) != 48:
        return None
    try:
        raw = bytes.fromhex(tag)
    except ValueError:
        return None
    delivery, mac = raw[:16], raw[16:]
    genuine = (_mac(s, b"bounce", delivery)[:_BOUNCE_MAC_BYTES] for s in secrets)
    return UUID(bytes=delivery) if any(hmac.compare_digest(mac, g) for g in genuine) else None


def _mac(secret: bytes, purpose: bytes, payload: bytes) -> bytes:
    return hmac.new(secret, purpose + b"\0" + payload, hashlib.sha256).digest()[:_MAC_BYTES]
