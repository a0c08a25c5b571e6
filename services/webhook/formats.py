"""The request of a delivery: body and headers in each format, signed. Pure.

Standard Webhooks is the default; CloudEvents 1.0 over HTTP in binary or structured mode by choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from contracts.envelope import schema_uri
from services.webhook.message_signatures import sign
from services.webhook.signing import SigningKey, signature_header, webhook_id
from shared.errors import Problem

Format = Literal["standard", "cloudevents_binary", "cloudevents_structured"]

SOURCE: Final = "/ordertrail/webhook"
USER_AGENT: Final = "Ordertrail-Webhooks/1"
JSON: Final = "application/json"
CLOUDEVENT: Final = "application/cloudevents+json"
# Names that a custom header must not take: they are ours, or they steer the connection.
RESERVED: Final = frozenset(
    [
        "accept",
        "accept-encoding",
        "connection",
        "content-digest",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "signature",
        "signature-input",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ]
)
RESERVED_PREFIXES: Final = ("webhook-", "ce-", "proxy-", ":")


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent: an event as one audience may see it. `data` is its JSON, exactly as it will be signed."""

    event_id: UUID
    type: str
    version: int
    occurred_at: datetime
    subject: str
    sequence: int
    data: bytes = field(repr=False)
    traceparent: str = ""
    test: bool = False


@dataclass(frozen=True, slots=True)
class Style:
    """How an endpoint wants it. `keys` are the live keys with their ids, newest first; `custom` its own headers."""

    url: str
    format: Format
    keys: Sequence[tuple[str, SigningKey]] = field(repr=False)
    custom: Mapping[str, str] = field(default_factory=dict, repr=False)
    http_signature: bool = False


def rfc3339(at: datetime) -> str:
    """UTC with `Z`, to the microsecond where there is any."""
    return at.isoformat().replace("+00:00", "Z")


def standard_body(content: Content) -> bytes:
    """`{"type": ..., "timestamp": ..., "data": ...}`; the data's bytes go in as they are."""
    head = f'{{"type":"{content.type}","timestamp":"{rfc3339(content.occurred_at)}","data":'
    return head.encode() + content.data + b"}"


def render(content: Content, style: Style, timestamp: int) -> tuple[dict[str, str], bytes]:
    """Headers (lower-case names) and body of an attempt at `timestamp` (Unix seconds), signed."""
    message_id = webhook_id(content.event_id)
    headers = {**style.custom, "user-agent": USER_AGENT, "accept": "*/*", "content-type": JSON}
    if style.format == "standard":
        body = standard_body(content)
    else:
        attributes = _attributes(content, message_id)
        if style.format == "cloudevents_binary":
            headers |= {f"ce-{name}": value for name, value in attributes.items()}
            body = content.data
        else:
            headers["content-type"] = CLOUDEVENT
            body = _structured(attributes, content.data)
    headers["webhook-id"] = message_id
    headers["webhook-timestamp"] = str(timestamp)
    headers["webhook-signature"] = signature_header([key for _, key in style.keys], message_id, timestamp, body)
    if content.traceparent:
        headers["traceparent"] = content.traceparent
    if content.test:
        headers["webhook-test"] = "true"
    if style.http_signature:
        headers |= sign(style.keys, url=style.url, headers=headers, body=body, created=timestamp)
    return headers, body


def _attributes(content: Content, message_id: str) -> dict[str, str]:
    return {
        "specversion": "1.0",
        "id": message_id,
        "source": SOURCE,
        "type": content.type,
        "time": rfc3339(content.occurred_at),
        "subject": content.subject,
        "dataschema": schema_uri(content.type, content.version),
        # the CloudEvents extension "sequence"; text, compared as an integer
        "sequence": str(content.sequence),
    }


def _structured(attributes: Mapping[str, str], data: bytes) -> bytes:
    # every attribute is made of ids, registered names and times: nothing in it needs JSON escaping
    head = ",".join(f'"{name}":"{value}"' for name, value in attributes.items())
    return f'{{{head},"datacontenttype":"{JSON}","data":'.encode() + data + b"}"


def check_custom_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Custom headers with lower-case names. Raises Problem 422 for reserved names or unsafe values."""
    checked: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        if lower in checked:
            raise Problem("repeated_header", "Cannot be processed", 422, f"the header {name!r} is given twice")
        if lower in RESERVED or lower.startswith(RESERVED_PREFIXES):
            raise Problem("reserved_header", "Cannot be processed", 422, f"the header {name!r} is set by the sender")
        checked[lower] = value
    return checked
