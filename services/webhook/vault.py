"""Secrets at rest: AES-256-GCM, each sealed to its tenant and row, under a key that is named beside it.

A sealed value opened with another marketplace's or row's name fails, so copying ciphertext between rows is useless.
Keys come from settings; the newest seals, older ones still open, and rows are sealed anew in the background.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE: Final = 12
_KEY: Final = 32
_RING: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")


class VaultError(Exception):
    """A secret that cannot be opened, or a key ring that cannot be used; never holds key or secret."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed value: the id of the key, and nonce and ciphertext in one."""

    key_id: str
    box: bytes


class Vault:
    """The key ring, newest key first."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        if not keys:
            raise VaultError(_REMEDY)
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.current = next(iter(keys))

    @classmethod
    def parse(cls, text: str) -> Vault:
        """A ring written as `id:base64[,id:base64...]`, newest first. Raises VaultError with the remedy."""
        keys: dict[str, bytes] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            key_id, _, encoded = part.partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if not _RING.fullmatch(key_id) or len(key) != _KEY or key_id in keys:
                raise VaultError(f"entry {len(keys) + 1} of the key ring is not usable. {_REMEDY}")
            keys[key_id] = key
        return cls(keys)

    def seal(self, plain: bytes, marketplace_id: UUID, row_id: UUID, use: str) -> Sealed:
        nonce = secrets.token_bytes(_NONCE)
        box = self._keys[self.current].encrypt(nonce, plain, _bound(marketplace_id, row_id, use))
        return Sealed(self.current, nonce + box)

    def open(self, sealed: Sealed, marketplace_id: UUID, row_id: UUID, use: str) -> bytes:
        """The plain bytes. Raises VaultError where the key is gone or the value is not this row's."""
        key = self._keys.get(sealed.key_id)
        if key is None:
            raise VaultError(f"the key {sealed.key_id!r} is not in the ring; put it back behind the current one")
        try:
            return key.decrypt(sealed.box[:_NONCE], sealed.box[_NONCE:], _bound(marketplace_id, row_id, use))
        except InvalidTag:
            raise VaultError(f"a sealed {use} does not belong to its row, or was changed") from None


def new_ring_entry() -> str:
    """A fresh `id:base64` entry for the ring."""
    return f"k{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(_KEY)).decode()}"


def _bound(marketplace_id: UUID, row_id: UUID, use: str) -> bytes:
    return f"ordertrail/webhook/{use}/{marketplace_id}/{row_id}".encode()


_REMEDY: Final = (
    "ORDERTRAIL_WEBHOOK_SECRET_KEYS (or the file webhook_secret_keys in ORDERTRAIL_SECRETS_DIR) holds "
    "`id:base64 of 32 bytes`, newest first, separated by commas; `python -m services.webhook new-key` prints one"
)
