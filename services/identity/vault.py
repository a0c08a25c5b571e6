"""Sealing at rest: AES-256-GCM under the installation's key, bound to what is sealed and to whom it belongs."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE: Final = 12
_KEY: Final = 32
REMEDY: Final = (
    "set ORDERTRAIL_IDENTITY_KEY, or put a file ordertrail_identity_key into the secrets folder, with 32 random bytes "
    "in base64url: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
)


class VaultError(Exception):
    """A key that cannot be used, or a box that no key opens; the text holds neither."""


class Vault:
    """The key ring: the first key seals, every key opens, so that a new key can be put before the old one."""

    def __init__(self, text: str) -> None:
        """`text` is one or more keys separated by commas. Raises VaultError with the remedy."""
        keys = [_key(part.strip()) for part in text.split(",") if part.strip()]
        if not keys:
            raise VaultError(f"there is no key to seal signing keys with: {REMEDY}")
        self._keys = [AESGCM(k) for k in keys]

    def seal(self, content: bytes, name: str) -> bytes:
        """A box that opens under the same `name` only."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._keys[0].encrypt(nonce, content, name.encode())

    def open(self, box: bytes, name: str) -> bytes:
        """The content of a box. Raises VaultError where no key of the ring opens it under this name."""
        for key in self._keys:
            try:
                return key.decrypt(box[:_NONCE], box[_NONCE:], name.encode())
            except (InvalidTag, ValueError):
                continue
        raise VaultError(f"{name} was sealed with another key: put that key back, after the new one and a comma")


def _key(text: str) -> bytes:
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY:
        raise VaultError(f"the identity key is not 32 bytes in base64url: {REMEDY}")
    return key
