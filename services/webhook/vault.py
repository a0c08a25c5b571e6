"""Secrets at rest, each sealed to its tenant and row, under a key that is named beside it.

A sealed value opened with another marketplace's or row's name fails, so copying ciphertext between rows is useless.
Keys come from settings; the newest seals, older ones still open, and rows are sealed anew in the background.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from shared.keyring import KeyRing

_REMEDY: Final = (
    "ORDERTRAIL_WEBHOOK_SECRET_KEYS (or the file webhook_secret_keys in ORDERTRAIL_SECRETS_DIR) holds "
    "`id:base64 of 32 bytes`, newest first, separated by commas; `python -m services.webhook new-key` prints one"
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed value: the id of the key, and nonce and ciphertext in one."""

    key_id: str
    box: bytes


class Vault:
    """The service's key ring; `current` is the id of the key that seals."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self.current = ring.current

    @classmethod
    def parse(cls, text: str) -> Vault:
        """A ring written as `id:base64[,id:base64...]`, newest first. Raises KeyRingError with the remedy."""
        return cls(KeyRing.parse(text, _REMEDY))

    def seal(self, plain: bytes, marketplace_id: UUID, row_id: UUID, use: str) -> Sealed:
        return Sealed(self.current, self._ring.seal(plain, _bound(marketplace_id, row_id, use)))

    def open(self, sealed: Sealed, marketplace_id: UUID, row_id: UUID, use: str) -> bytes:
        """The plain bytes. Raises KeyRingError where the key is gone or the value is not this row's."""
        return self._ring.open(sealed.key_id, sealed.box, _bound(marketplace_id, row_id, use))


def _bound(marketplace_id: UUID, row_id: UUID, use: str) -> bytes:
    return f"ordertrail/webhook/{use}/{marketplace_id}/{row_id}".encode()
