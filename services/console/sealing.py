"""What a browser keeps for us and may not read or change, under a key that is named in the text.

Each use has a name of its own that is authenticated with the content, so a sealed notice is no session.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from shared.keyring import KeyRing, KeyRingError

# A session is some 2 kB; nothing that is sealed here comes near this.
MOST_TEXT: Final = 16_384
REMEDY: Final = (
    "Set ORDERTRAIL_CONSOLE_SESSION_KEYS (or the file ordertrail_console_session_keys in the secrets folder) to "
    "id:base64 of 32 random bytes, several separated by commas, newest first."
)


class Sealer:
    """The console's key ring."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    @classmethod
    def parse(cls, text: str) -> Sealer:
        """A ring written as `id:base64[,id:base64...]`. Raises KeyRingError."""
        return cls(KeyRing.parse(text, REMEDY))

    @classmethod
    def throwaway(cls) -> Sealer:
        """A ring that ends with the process."""
        return cls(KeyRing.throwaway())

    def seal(self, use: str, plain: bytes) -> str:
        """Text of letters, digits, `-`, `_` and one `.`: fit for a cookie."""
        box = self._ring.seal(plain, use.encode())
        return f"{self._ring.current}.{base64.urlsafe_b64encode(box).decode().rstrip('=')}"

    def open(self, use: str, text: str) -> bytes | None:
        """The content, or None for a text that was not sealed here for this use."""
        if len(text) > MOST_TEXT:
            return None
        key_id, _, encoded = text.partition(".")
        try:
            box = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            return self._ring.open(key_id, box, use.encode())
        except (binascii.Error, ValueError, KeyRingError):
            return None
