"""What is sent in each format, and RFC 9421 signatures as a foreign library checks them."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from cryptography.exceptions import InvalidSignature as BadEd25519
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, InvalidSignature, algorithms

from services.webhook.formats import Content, Format, Style, check_custom_headers, render
from services.webhook.signing import SigningKey, signature_header, webhook_id
from shared.errors import Problem
from shared.ids import new_id

AT = datetime(2026, 3, 2, 9, 30, 0, 123_456, tzinfo=UTC)
DATA = json.dumps({"order_id": "x", "sequence": 7, "text": 'Grüße "z" \u2028'}).encode()
CONTENT = Content(new_id(), "order.updated", 1, AT, "the-order", 7, DATA, "00-" + "a" * 32 + "-" + "b" * 16 + "-01")


def style(format: Format, *keys: SigningKey, **given: Any) -> Style:
    pairs = [(f"key-{n}", key) for n, key in enumerate(keys or (SigningKey.generate("hmac"),))]
    return Style("https://shop.example/hook?a=1", format, pairs, **given)


def test_standard_body_and_headers() -> None:
    key = SigningKey.generate("hmac")
    headers, body = render(CONTENT, style("standard", key, custom={"x-tenant": "7"}), 1_700_000_000)
    assert json.loads(body) == {
        "type": "order.updated",
        "timestamp": "2026-03-02T09:30:00.123456Z",
        "data": json.loads(DATA),
    }
    assert headers["webhook-id"] == webhook_id(CONTENT.event_id)
    assert headers["webhook-timestamp"] == "1700000000"
    assert headers["webhook-signature"] == signature_header([key], headers["webhook-id"], 1_700_000_000, body)
    assert headers["content-type"] == "application/json"
    assert headers["x-tenant"] == "7"
    assert headers["traceparent"] == CONTENT.traceparent
    assert "webhook-test" not in headers


def test_cloudevents_binary_and_structured_say_the_same() -> None:
    binary, raw = render(CONTENT, style("cloudevents_binary"), 1)
    structured, body = render(CONTENT, style("cloudevents_structured"), 1)
    event = json.loads(body)
    assert raw == DATA
    assert structured["content-type"] == "application/cloudevents+json"
    assert event.pop("data") == json.loads(DATA)
    assert event.pop("datacontenttype") == binary["content-type"] == "application/json"
    assert {f"ce-{name}": value for name, value in event.items()} == {
        k: v for k, v in binary.items() if k.startswith("ce-")
    }
    assert event["specversion"] == "1.0"
    assert event["id"] == binary["webhook-id"]
    assert event["sequence"] == "7"


class Resolver(HTTPSignatureKeyResolver):
    def __init__(self, keys: dict[str, SigningKey]) -> None:
        self.keys = keys

    def resolve_public_key(self, key_id: str) -> Any:
        key = self.keys[key_id]
        if key.kind == "hmac":
            return key.material
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        return Ed25519PublicKey.from_public_bytes(key.public_bytes)


@pytest.mark.parametrize(("kind", "algorithm"), [("hmac", algorithms.HMAC_SHA256), ("ed25519", algorithms.ED25519)])
def test_http_message_signature(kind: Any, algorithm: Any) -> None:
    key, chosen = SigningKey.generate(kind), int(datetime.now(UTC).timestamp())
    wanted = style("standard", key, http_signature=True)
    headers, body = render(CONTENT, wanted, chosen)
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert headers["content-digest"] == f"sha-256=:{digest}:"
    request = requests.Request("POST", wanted.url, data=body, headers=headers).prepare()
    verifier = HTTPMessageVerifier(signature_algorithm=algorithm, key_resolver=Resolver({"key-0": key}))
    [result] = verifier.verify(request)
    assert {'"@method"', '"@target-uri"', '"content-digest"', '"webhook-id"'} <= set(result.covered_components)
    request.headers["webhook-id"] = "msg_other"
    with pytest.raises((InvalidSignature, BadEd25519)):
        verifier.verify(request)


def test_attributes_in_headers_are_signed_too() -> None:
    key = SigningKey.generate("ed25519")
    wanted = style("cloudevents_binary", key, http_signature=True)
    headers, body = render(CONTENT, wanted, int(datetime.now(UTC).timestamp()))
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=Resolver({"key-0": key}))
    for name in ("ce-type", "ce-sequence", "ce-subject"):
        request = requests.Request("POST", wanted.url, data=body, headers=headers).prepare()
        assert verifier.verify(request)
        request.headers[name] = "8"
        with pytest.raises((InvalidSignature, BadEd25519)):
            verifier.verify(request)


@pytest.mark.parametrize(
    "name", ["Host", "webhook-id", "Content-Length", "ce-id", "Signature", "proxy-connection", "TE"]
)
def test_reserved_headers_are_refused(name: str) -> None:
    with pytest.raises(Problem) as refused:
        check_custom_headers({name: "x"})
    assert refused.value.status == 422


def test_a_header_name_stands_once() -> None:
    with pytest.raises(Problem):
        check_custom_headers({"X-A": "1", "x-a": "2"})
