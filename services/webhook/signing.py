"""Signatures of webhook requests: Standard Webhooks 1.0.0 (`v1` HMAC-SHA256, `v1a` ed25519) and its keys.

Pure: keys, ids, times and bytes in, header values out. Who may see a key, and how it is kept, is elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KeyKind = Literal["hmac", "ed25519"]

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - a prefix, not a secret
PRIVATE_PREFIX: Final = "whsk_"
PUBLIC_PREFIX: Final = "whpk_"
# Standard Webhooks: between 24 and 64 random bytes.
MIN_SECRET, MAX_SECRET, NEW_SECRET = 24, 64, 32
_SEED: Final = 32


class KeyTextError(ValueError):
    """A key text that is not a key; says what is expected and never repeats the text."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key in use. `material` is the HMAC secret (24-64 bytes) or the ed25519 seed (32 bytes)."""

    kind: KeyKind
    material: bytes = field(repr=False)
    _private: Ed25519PrivateKey | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, kind: KeyKind, material: bytes) -> SigningKey:
        """A key of raw material. Raises KeyTextError where its length is not the kind's."""
        if kind == "hmac":
            if not MIN_SECRET <= len(material) <= MAX_SECRET:
                raise KeyTextError(f"a secret has {MIN_SECRET} to {MAX_SECRET} bytes, this one {len(material)}")
            return cls(kind, material)
        if len(material) != _SEED:
            raise KeyTextError(f"an ed25519 seed has {_SEED} bytes, this one {len(material)}")
        return cls(kind, material, Ed25519PrivateKey.from_private_bytes(material))

    @classmethod
    def generate(cls, kind: KeyKind) -> SigningKey:
        return cls.of(kind, secrets.token_bytes(NEW_SECRET if kind == "hmac" else _SEED))

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """The key of `whsec_...` or `whsk_...`. Raises KeyTextError."""
        if text.startswith(SECRET_PREFIX):
            return cls.of("hmac", _unbase64(text.removeprefix(SECRET_PREFIX)))
        if not text.startswith(PRIVATE_PREFIX):
            raise KeyTextError(f"a key starts with {SECRET_PREFIX} (HMAC) or {PRIVATE_PREFIX} (ed25519)")
        raw = _unbase64(text.removeprefix(PRIVATE_PREFIX))
        if len(raw) != 2 * _SEED:
            raise KeyTextError(
                f"{PRIVATE_PREFIX} holds seed and public key, {2 * _SEED} bytes together, not {len(raw)}"
            )
        key = cls.of("ed25519", raw[:_SEED])
        if not hmac.compare_digest(key.public_bytes, raw[_SEED:]):
            raise KeyTextError("the public half does not belong to the seed")
        return key

    @property
    def public_bytes(self) -> bytes:
        """The 32 public bytes of an ed25519 key. Raises KeyTextError for HMAC, which has none."""
        if self._private is None:
            raise KeyTextError("an HMAC secret has no public half")
        return self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def text(self) -> str:
        """The secret as it is shown once: `whsec_...` or `whsk_...` (seed and public key)."""
        if self.kind == "hmac":
            return SECRET_PREFIX + _base64(self.material)
        return PRIVATE_PREFIX + _base64(self.material + self.public_bytes)

    @property
    def public_text(self) -> str | None:
        """`whpk_...` of an ed25519 key; None for HMAC."""
        return None if self._private is None else PUBLIC_PREFIX + _base64(self.public_bytes)

    def raw_signature(self, content: bytes) -> bytes:
        if self._private is not None:
            return self._private.sign(content)
        return hmac.digest(self.material, content, hashlib.sha256)

    def signature(self, content: bytes) -> str:
        """`v1,<base64>` or `v1a,<base64>` over the signed content."""
        return ("v1," if self.kind == "hmac" else "v1a,") + _base64(self.raw_signature(content))


def webhook_id(event_id: UUID) -> str:
    """The `webhook-id` of an event: the same on every retry, replay and resend, and without a dot."""
    return f"msg_{event_id.hex}"


def signed_content(message_id: str, timestamp: int, body: bytes) -> bytes:
    """`{webhook-id}.{webhook-timestamp}.{raw body}`. Raises ValueError for an id with a dot (it would be ambiguous)."""
    if not message_id or "." in message_id:
        raise ValueError(f"a webhook-id is not empty and has no dot: {message_id!r}")
    return b"%s.%d.%s" % (message_id.encode(), timestamp, body)


def signature_header(keys: Sequence[SigningKey], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: one signature for each live key, separated by a space, newest first.

    `timestamp` is whole Unix seconds of this attempt. Raises ValueError where there is no key.
    """
    if not keys:
        raise ValueError("a webhook without any key cannot be signed")
    content = signed_content(message_id, timestamp, body)
    return " ".join(key.signature(content) for key in keys)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise KeyTextError("the key is not base64 after its prefix") from None
