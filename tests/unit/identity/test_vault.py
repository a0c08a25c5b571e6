"""Sealing: opens under the same name and key only."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.vault import Vault, VaultError

KEY, OTHER = secrets.token_urlsafe(32), secrets.token_urlsafe(32)


@given(st.binary(max_size=200), st.text(max_size=50))
def test_what_was_sealed_opens(content: bytes, name: str) -> None:
    vault = Vault(KEY)
    box = vault.seal(content, name)
    assert vault.open(box, name) == content
    assert len(box) >= len(content) + 28


@pytest.mark.parametrize("name", ["another", ""])
def test_another_name_does_not_open_it(name: str) -> None:
    vault = Vault(KEY)
    with pytest.raises(VaultError):
        vault.open(vault.seal(b"x", "name"), name)


@pytest.mark.parametrize("box", [b"", b"short", bytes(40)])
def test_what_is_no_box_does_not_open(box: bytes) -> None:
    with pytest.raises(VaultError):
        Vault(KEY).open(box, "name")


def test_an_older_key_still_opens_and_the_first_seals() -> None:
    old = Vault(OTHER).seal(b"x", "name")
    both = Vault(f"{KEY}, {OTHER}")
    assert both.open(old, "name") == b"x"
    assert Vault(KEY).open(both.seal(b"y", "name"), "name") == b"y"
    with pytest.raises(VaultError, match="sealed with another key"):
        Vault(KEY).open(old, "name")


@pytest.mark.parametrize("text", ["", " , ", "short", "not base64!", secrets.token_urlsafe(31), f"{KEY},x"])
def test_an_unusable_key_is_told_with_the_remedy_and_without_the_key(text: str) -> None:
    with pytest.raises(VaultError, match="ORDERTRAIL_IDENTITY_KEY") as caught:
        Vault(text)
    assert not text.strip(" ,") or text not in str(caught.value)
