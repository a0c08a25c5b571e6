"""AES-256-GCM under keys of a ring: the newest seals, older ones still open. What is sealed is bound to its place."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE: Final = 12
KEY_BYTES: Final = 32
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")


class KeyRingError(Exception):
    """A ring that cannot be used, or a box that it does not open; the text holds neither key nor secret."""


def parse_keys(text: str, remedy: str) -> dict[str, bytes]:
    """Keys by their ids, written as `id:base64[,id:base64...]`. Raises KeyRingError, which ends with the remedy."""
    keys: dict[str, bytes] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        key_id, _, encoded = part.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not _KEY_ID.fullmatch(key_id) or len(key) != KEY_BYTES or key_id in keys:
            raise KeyRingError(f"entry {len(keys) + 1} of the key ring is not usable. {remedy}")
        keys[key_id] = key
    if not keys:
        raise KeyRingError(f"there is no key. {remedy}")
    return keys


class KeyRing:
    """Keys by their ids, the newest first. `current` is the id of the one that seals."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """`keys` are 32 bytes each, at least one."""
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.current = next(iter(keys))

    @classmethod
    def parse(cls, text: str, remedy: str) -> Self:
        """A ring written as `id:base64[,id:base64...]`. Raises KeyRingError, which ends with the remedy."""
        return cls(parse_keys(text, remedy))

    @classmethod
    def throwaway(cls) -> Self:
        """A ring that ends with the process."""
        return cls({"process": secrets.token_bytes(KEY_BYTES)})

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Nonce and ciphertext, to be kept beside `current`; they open for the same place only."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._keys[self.current].encrypt(nonce, plain, place)

    def open(self, key_id: str, box: bytes, place: bytes) -> bytes:
        """The plain bytes. Raises KeyRingError where the key is gone or the box is not of this place."""
        key = self._keys.get(key_id)
        if key is None:
            raise KeyRingError(f"the key {key_id!r} is not in the ring; put it back behind the current one")
        try:
            return key.decrypt(box[:_NONCE], box[_NONCE:], place)
        except (InvalidTag, ValueError):
            raise KeyRingError("what was sealed does not belong here, or was changed") from None


def new_entry() -> str:
    """A fresh `id:base64` entry for a ring."""
    return f"k{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"
