"""Secrets that are handed out once and kept as hashes: refresh tokens, invitations, API key secrets.

They are 32 random bytes, so a plain SHA-256 is enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final, Literal

REFRESH: Final = "otr_"
INVITATION: Final = "oti_"
API_KEY: Final = "otk_"
Prefix = Literal["otr_", "oti_", "otk_"]


def new_secret(prefix: Prefix) -> str:
    """A new secret; the prefix says what it is, to people and to scanners for leaked secrets."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def same(kept: bytes | None, given: bytes) -> bool:
    """Comparison in constant time; False where nothing was kept."""
    return hmac.compare_digest(kept or b"", given)
