"""What an installation may say of its outside provider, and what of a provider's words is no address."""

from __future__ import annotations

import runpy
import sys
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from services.identity.id_token import NotProven, address_of, subject_of
from services.identity.settings import Settings

WHOLE: dict[str, Any] = {
    "oidc_issuer": "https://login.contoso.example/v2", "oidc_client_id": "ordertrail",
    "oidc_client_secret": SecretStr("very secret"), "environment": "production",
}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"oidc_client_id": ""}, "ORDERTRAIL_OIDC_CLIENT_ID"),
        ({"oidc_client_secret": SecretStr("")}, "ordertrail_oidc_client_secret"),
        ({"oidc_issuer": "http://login.contoso.example"}, "has to be https"),
        ({"oidc_issuer": "http://127.evil.example"}, "has to be https"),
        ({"oidc_issuer": "https://contoso.example/?tenant=1"}, "oidc_issuer"),
        ({"oidc_issuer": "https://user@contoso.example"}, "oidc_issuer"),
        ({"oidc_issuer": "contoso"}, "oidc_issuer"),
        ({"oidc_issuer": "", "oidc_only": True}, "nobody could sign in"),
        ({"oidc_name": "two\nlines"}, "oidc_name"),
    ],
)
def test_half_a_provider_stops_the_start_without_telling_the_secret(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        Settings(**(WHOLE | more))
    assert "very secret" not in str(refused.value)


def test_what_stops_the_start_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERTRAIL_OIDC_ISSUER", "https://contoso.example")
    monkeypatch.setenv("ORDERTRAIL_OIDC_CLIENT_SECRET", "very secret")
    monkeypatch.setattr(sys, "argv", ["identity", "api"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("services.identity", run_name="__main__")
    said = str(stopped.value)
    assert said.startswith("identity: ")
    assert "ORDERTRAIL_OIDC_CLIENT_ID" in said
    assert "\n" not in said
    assert "very secret" not in said


def test_a_provider_is_named_by_its_host_and_people_come_back_to_the_console() -> None:
    assert Settings(**WHOLE).provider_name == "login.contoso.example"
    assert Settings(**WHOLE, oidc_name="Contoso").provider_name == "Contoso"
    there = Settings(**WHOLE, console_url="https://orders.example/")
    assert there.oidc_redirect_uri == "https://orders.example/sign-in/callback"
    for local in ("http://127.0.0.1:9400", "http://localhost:9400", "http://[::1]:9400"):
        assert Settings(**(WHOLE | {"oidc_issuer": local})).oidc_issuer == local
    assert Settings(**(WHOLE | {"oidc_issuer": "http://provider:9400", "environment": "development"})).oidc_issuer


@pytest.mark.parametrize("email", [None, "", 7, ["a@b.example"], "a@b.example\ud800", "a\n@b.example", "a" * 255])
def test_what_is_no_address(email: Any) -> None:
    assert address_of({"email": email, "email_verified": True})[0] is None


@pytest.mark.parametrize("subject", [None, "", 7, "a\ud800", "a\x00", "x" * 256])
def test_what_is_no_subject(subject: Any) -> None:
    with pytest.raises(NotProven):
        subject_of({"sub": subject})
