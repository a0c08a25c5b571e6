"""Addresses that take a person's answer to one conversation: made by whoever sends the mail, read by whoever takes it.

`reply+TOKEN@domain`. The token names the conversation and the day on which it ends, and carries two MACs: one that
shows without a look at anything that it is ours, and one over the person and the address that the mail went to, which
are not in it. So it says nothing about anybody, and is of no use to another person.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from shared.keyring import parse_keys

# How long an address takes answers.
LIFETIME: Final = timedelta(days=30)
REMEDY: Final = (
    "Set ORDERTRAIL_REPLY_KEYS of notification and messaging to the same id:base64 of 32 random bytes, newest first."
)
_PREFIX: Final = "reply+"
_EPOCH: Final = date(2020, 1, 1)
# A mailbox's name has at most 64 characters: "reply+" and 58 of base32, which hold 16 + 2 + 8 + 10 bytes.
_NAMED, _OURS, _PERSONS = 18, 8, 10
_LETTERS: Final = 58


@dataclass(frozen=True, slots=True)
class Reply:
    """A genuine address: its conversation, and what shows whose it is."""

    conversation: UUID
    ends: date
    _key: bytes
    _named: bytes
    _mac: bytes

    def is_of(self, person: UUID, address: str) -> bool:
        """Whether the mail went to this person at this address."""
        return hmac.compare_digest(self._mac, _persons(self._key, self._named, person, address))


def keys_of(text: str) -> list[bytes]:
    """The keys of the setting, the newest first; none where it is empty. Raises KeyRingError."""
    return list(parse_keys(text, REMEDY).values()) if text.strip() else []


def make(key: bytes, conversation: UUID, person: UUID, address: str, now: datetime, domain: str) -> str:
    """Where a person who got a mail at an address may answer in a conversation."""
    day = (now + LIFETIME).astimezone(UTC).date()
    named = conversation.bytes + (day - _EPOCH).days.to_bytes(2, "big")
    raw = named + _mac(key, b"ours", named)[:_OURS] + _persons(key, named, person, address)
    return f"{_PREFIX}{base64.b32encode(raw).decode().rstrip('=').lower()}@{domain}"


def read(keys: Sequence[bytes], address: str, domain: str) -> Reply | None:
    """What an address says, or None where none of the keys made it. Capitals are as good as small letters."""
    local, _, where = address.lower().rpartition("@")
    token = local.removeprefix(_PREFIX)
    if where != domain.lower() or token == local or len(token) != _LETTERS or not token.isascii():
        return None
    try:
        raw = base64.b32decode(token.upper() + "======")
    except binascii.Error:
        return None
    named, ours, persons = raw[:_NAMED], raw[_NAMED : _NAMED + _OURS], raw[_NAMED + _OURS :]
    for key in keys:
        if hmac.compare_digest(ours, _mac(key, b"ours", named)[:_OURS]):
            ends = _EPOCH + timedelta(days=int.from_bytes(named[16:], "big"))
            return Reply(UUID(bytes=named[:16]), ends, key, named, persons)
    return None


def _persons(key: bytes, named: bytes, person: UUID, address: str) -> bytes:
    return _mac(key, b"person", named + person.bytes + address.strip().lower().encode())[:_PERSONS]


def _mac(key: bytes, purpose: bytes, what: bytes) -> bytes:
    return hmac.new(key, b"reply " + purpose + b"\0" + what, hashlib.sha256).digest()
