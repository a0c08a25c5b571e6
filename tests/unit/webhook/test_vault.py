"""Sealed values open in their own row only, and the ring says how to mend itself."""

from __future__ import annotations

import base64

import pytest

from services.webhook.vault import Sealed, Vault
from shared.ids import new_id
from shared.keyring import KeyRingError, new_entry

TENANT, ROW = new_id(), new_id()


def test_opens_only_where_it_belongs() -> None:
    vault = Vault.parse(new_entry())
    sealed = vault.seal(b"secret", TENANT, ROW, "secret")
    assert vault.open(sealed, TENANT, ROW, "secret") == b"secret"
    assert b"secret" not in sealed.box
    changed = Sealed(sealed.key_id, sealed.box[:-1] + bytes([sealed.box[-1] ^ 1]))
    for box, tenant, row, use in (
        (sealed, new_id(), ROW, "secret"), (sealed, TENANT, new_id(), "secret"), (sealed, TENANT, ROW, "headers"),
        (changed, TENANT, ROW, "secret"),
    ):  # fmt: skip
        with pytest.raises(KeyRingError):
            vault.open(box, tenant, row, use)


def test_newest_key_seals_and_older_ones_open() -> None:
    old, new = new_entry(), new_entry()
    sealed = Vault.parse(old).seal(b"x", TENANT, ROW, "secret")
    both = Vault.parse(f"{new}, {old}")
    assert both.open(sealed, TENANT, ROW, "secret") == b"x"
    assert both.seal(b"x", TENANT, ROW, "secret").key_id == new.partition(":")[0]
    with pytest.raises(KeyRingError, match="not in the ring"):
        Vault.parse(new).open(sealed, TENANT, ROW, "secret")


@pytest.mark.parametrize(
    "ring",
    [
        "",
        " ",
        "k1",
        "k1:",
        "k1:AAAA",
        ":" + base64.b64encode(b"x" * 32).decode(),
        "k1:!!!!",
        new_entry() + ",k2:x",
    ],
)
def test_a_bad_ring_names_the_remedy_and_no_key(ring: str) -> None:
    with pytest.raises(KeyRingError, match="new-key") as refused:
        Vault.parse(ring)
    assert not ring.strip() or len(ring) < 5 or ring not in str(refused.value)
