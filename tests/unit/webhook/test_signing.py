"""Standard Webhooks signatures: the published vector, both kinds, rotation, and keys that are not keys."""

from __future__ import annotations

import base64
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as StandardWebhook
from svix.webhooks import Webhook as SvixWebhook

from services.webhook.signing import KeyKind, KeyTextError, SigningKey, signature_header, signed_content, webhook_id
from shared.ids import new_id

MESSAGE_ID, TIMESTAMP = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
BODY = b'{"test": 2432232314}'
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_published_vector() -> None:
    assert signature_header([SigningKey.parse(SECRET)], MESSAGE_ID, TIMESTAMP, BODY) == SIGNATURE


def test_ed25519_is_over_the_same_bytes() -> None:
    key = SigningKey.generate("ed25519")
    version, _, encoded = signature_header([key], MESSAGE_ID, TIMESTAMP, BODY).partition(",")
    assert version == "v1a"
    assert key.public_text is not None
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.public_text.removeprefix("whpk_")))
    public.verify(base64.b64decode(encoded), signed_content(MESSAGE_ID, TIMESTAMP, BODY))


def test_key_texts_survive_a_round_trip() -> None:
    kinds: tuple[KeyKind, ...] = ("hmac", "ed25519")
    for kind in kinds:
        key = SigningKey.generate(kind)
        assert SigningKey.parse(key.text) == key
    assert len(base64.b64decode(SigningKey.generate("ed25519").text.removeprefix("whsk_"))) == 64


@given(st.binary(max_size=2_000))
def test_foreign_libraries_accept_every_live_key(body: bytes) -> None:
    import datetime

    keys = [SigningKey.generate("hmac"), SigningKey.generate("ed25519"), SigningKey.generate("hmac")]
    now = datetime.datetime.now(datetime.UTC)
    payload = b'{"x":"' + base64.b64encode(body) + b'"}'
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    signature = signature_header(keys, "msg_1", int(now.timestamp()), payload)
    headers = dict(zip(names, ("msg_1", str(int(now.timestamp())), signature), strict=True))
    for key in (keys[0], keys[2]):
        for library in (StandardWebhook, SvixWebhook):
            library(key.text).verify(payload, headers)
            with pytest.raises(Exception, match=r"(?i)signature"):
                library(key.text).verify(payload + b" ", headers)
            with pytest.raises(Exception, match=r"(?i)signature"):
                library(SigningKey.generate("hmac").text).verify(payload, headers)


def test_webhook_id_is_stable_and_without_a_dot() -> None:
    event_id = new_id()
    assert webhook_id(event_id) == webhook_id(UUID(str(event_id)))
    assert "." not in webhook_id(event_id)
    for bad in ("", "msg.1"):
        with pytest.raises(ValueError, match="webhook-id"):
            signed_content(bad, 1, b"")


@pytest.mark.parametrize(
    "text",
    [
        "", "secret", "whsec_", "whsec_!!!", "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(), "whsk_" + base64.b64encode(b"x" * 32).decode(),
        "whsk_" + base64.b64encode(b"x" * 64).decode(), "whpk_" + base64.b64encode(b"x" * 32).decode(),
    ],
)  # fmt: skip
def test_bad_keys_are_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(KeyTextError) as refused:
        SigningKey.parse(text)
    assert len(text) < 8 or text[6:] not in str(refused.value)


def test_nothing_prints_a_key() -> None:
    key = SigningKey.generate("ed25519")
    assert repr(key) == "SigningKey(kind='ed25519')"


def test_no_key_no_signature() -> None:
    with pytest.raises(ValueError, match="without any key"):
        signature_header([], MESSAGE_ID, TIMESTAMP, BODY)
