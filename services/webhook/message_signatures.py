"""HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530), as an option beside Standard Webhooks.

Covers method, target, content digest, content type, the webhook id and time, and the event's attributes where they are
headers (CloudEvents binary): the body's signature does not reach those. Pure.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from services.webhook.signing import SigningKey

_ALGORITHM: Final = {"hmac": "hmac-sha256", "ed25519": "ed25519"}
COVERED: Final = ("@method", "@target-uri", "content-digest", "content-type", "webhook-id", "webhook-timestamp")


def content_digest(body: bytes) -> str:
    """`sha-256=:<base64>:` of the exact bytes sent."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def sign(
    keys: Sequence[tuple[str, SigningKey]], *, url: str, headers: Mapping[str, str], body: bytes, created: int
) -> dict[str, str]:
    """The headers `content-digest`, `signature-input` and `signature` of a POST.

    `keys` pairs each live key with its id (what the receiver knows it by); `headers` has lower-case names and must
    hold every covered one; `created` is Unix seconds.
    """
    digest = content_digest(body)
    values = {**headers, "content-digest": digest, "@method": "POST", "@target-uri": url}
    covered = [
        *(name for name in COVERED if name in values),
        *sorted(name for name in headers if name.startswith("ce-")),
    ]
    inputs, signatures = [], []
    for number, (key_id, key) in enumerate(keys, start=1):
        components = " ".join(f'"{name}"' for name in covered)
        parameters = f'({components});created={created};keyid="{key_id}";alg="{_ALGORITHM[key.kind]}"'
        base = "".join(f'"{name}": {values[name].strip()}\n' for name in covered)
        base += f'"@signature-params": {parameters}'
        inputs.append(f"sig{number}={parameters}")
        signatures.append(f"sig{number}=:{base64.b64encode(key.raw_signature(base.encode())).decode()}:")
    return {"content-digest": digest, "signature-input": ", ".join(inputs), "signature": ", ".join(signatures)}
