"""What a browser keeps for us and may not read or change: AES-256-GCM under a key that is named in the text.

Each use has a name of its own that is authenticated with the content, so a sealed notice is no session.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE: Final = 12
_KEY: Final = 32
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
# A session is some 2 kB; nothing that is sealed here comes near this.
MOST_TEXT: Final = 16_384
REMEDY: Final = (
    "Set ORDERTRAIL_CONSOLE_SESSION_KEYS (or the file ordertrail_console_session_keys in the secrets folder) to "
    "id:base64 of 32 random bytes, several separated by commas, newest first."
)


class KeyRingError(Exception):
    """The configured keys cannot be used; the text has the remedy and no key."""


class Sealer:
    """The key ring, newest key first."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        if not keys:
            raise KeyRingError(f"there is no key. {REMEDY}")
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = next(iter(keys))

    @classmethod
    def parse(cls, text: str) -> Sealer:
        """A ring written as `id:base64[,id:base64...]`. Raises KeyRingError."""
        keys: dict[str, bytes] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            key_id, _, encoded = part.partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if not _KEY_ID.fullmatch(key_id) or len(key) != _KEY or key_id in keys:
                raise KeyRingError(f"entry {len(keys) + 1} of the console's key ring is not usable. {REMEDY}")
            keys[key_id] = key
        return cls(keys)

    @classmethod
    def throwaway(cls) -> Sealer:
        """A ring that ends with the process."""
        return cls({"process": secrets.token_bytes(_KEY)})

    def seal(self, use: str, plain: bytes) -> str:
        """Text of letters, digits, `-`, `_` and one `.`: fit for a cookie."""
        nonce = secrets.token_bytes(_NONCE)
        box = nonce + self._keys[self._current].encrypt(nonce, plain, use.encode())
        return f"{self._current}.{base64.urlsafe_b64encode(box).decode().rstrip('=')}"

    def open(self, use: str, text: str) -> bytes | None:
        """The content, or None for a text that was not sealed here for this use."""
        key_id, _, encoded = text.partition(".")
        key = self._keys.get(key_id)
        if key is None or len(text) > MOST_TEXT:
            return None
        try:
            box = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            return key.decrypt(box[:_NONCE], box[_NONCE:], use.encode())
        except (binascii.Error, ValueError, InvalidTag):
            return None
