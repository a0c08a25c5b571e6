"""Reply addresses: ours, of one person at one address, for a time, and saying nothing of anybody."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared import reply_address
from shared.ids import new_id
from shared.keyring import KeyRingError, new_entry

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DOMAIN = "reply.x.example"


def test_an_address_is_of_one_person_at_one_address() -> None:
    [key] = reply_address.keys_of(new_entry())
    thread, person = new_id(), new_id()
    made = reply_address.make(key, thread, person, "Bea@X.example", NOW, DOMAIN)
    assert len(made.rpartition("@")[0]) == 64
    assert person.hex not in made
    found = reply_address.read([b"another".ljust(32), key], made.upper(), DOMAIN)
    assert found is not None
    assert (found.conversation, found.ends) == (thread, (NOW + reply_address.LIFETIME).date())
    assert found.is_of(person, "bea@x.example")
    assert not found.is_of(person, "bea@y.example")
    assert not found.is_of(new_id(), "bea@x.example")


def test_what_we_did_not_make_is_nobodys() -> None:
    [key] = reply_address.keys_of(new_entry())
    made = reply_address.make(key, new_id(), new_id(), "bea@x.example", NOW, DOMAIN)
    local = made.partition("@")[0]
    for place in range(6, 48, 3):
        changed = local[:place] + ("b" if local[place] == "a" else "a") + local[place + 1 :]
        found = reply_address.read([key], f"{changed}@{DOMAIN}", DOMAIN)
        assert found is None
    for other in ("", "@", "reply+@" + DOMAIN, f"{local}@elsewhere.example", f"{local}=@{DOMAIN}", f"é{made}"):
        assert reply_address.read([key], other, DOMAIN) is None
    assert reply_address.read([], made, DOMAIN) is None


def test_keys_are_needed_whole() -> None:
    assert reply_address.keys_of(" ") == []
    with pytest.raises(KeyRingError, match="ORDERTRAIL_REPLY_KEYS"):
        reply_address.keys_of("k1:short")
