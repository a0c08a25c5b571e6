"""Signing in by the outside provider: what the console has to know again when a person comes back from there."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson

# As long as somebody may take to find a phone and a code; then the sign-in begins anew.
SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Ways:
    """How people sign in to this installation; `outside` is the provider's name, "" where there is none."""

    password: bool = True
    outside: str = ""

    @classmethod
    def of(cls, body: Any) -> Ways:
        """From identity's answer; of one that cannot be read, the password is left."""
        try:
            return cls(bool(body["password"]), str((body["outside"] or {}).get("name") or ""))
        except (KeyError, TypeError, AttributeError):
            return cls()


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that was begun: kept sealed by the browser that began it, so that none other can end it.

    `state` comes back in the address, `nonce` in the ID token, `verifier` is shown with the code (RFC 7636). `until` is
    in seconds since 1970, `wanted` the page that was asked for.
    """

    state: str
    nonce: str
    verifier: str
    wanted: str
    until: int

    @classmethod
    def begun(cls, wanted: str, now: float) -> Pending:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, wanted, int(now) + SECONDS)

    @property
    def challenge(self) -> str:
        """S256 of the verifier."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def is_of(self, state: str, now: float) -> bool:
        """Whether who comes back with this state has begun here, and not too long ago."""
        return hmac.compare_digest(self.state.encode(), state.encode()) and now < self.until

    def encoded(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def decoded(cls, content: bytes) -> Pending | None:
        """None for what an other version of the console has kept."""
        try:
            return cls(**orjson.loads(content))
        except (ValueError, TypeError):
            return None
