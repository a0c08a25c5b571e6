"""The session cookie: closed to everybody else, whole or not at all."""

from __future__ import annotations

import base64
import secrets
from dataclasses import replace

import pytest
from starlette.responses import Response

from services.console.app import service
from services.console.calls import Services
from services.console.sealing import Sealer
from services.console.session import CHUNK, Cookies, Person, Session
from services.console.settings import Settings
from services.console.tokens import Tokens
from shared.keyring import KeyRingError
from shared.stop import Stop

NOW = 1_800_000_000.0
PERSON = Person(
    person_id="p", name="Sam <Seller>", email="seller@x.example", roles=("seller", "admin"), organisation="Søylen & Co",
    organisation_kind="seller", marketplace_id="m", marketplace="Market", lifecycle="storefront",
    time_zone="Europe/Oslo",
)  # fmt: skip
SESSION = replace(Session.fresh(), person=PERSON).with_tokens(
    "access.token", "refresh", int(NOW) + 900, int(NOW) + 9_000
)


def ring(*ids: str) -> str:
    return ",".join(f"{i}:{base64.b64encode(secrets.token_bytes(32)).decode()}" for i in ids)


def stored(response: Response) -> dict[str, str]:
    """Cookies as a browser has them after the answer; those that were taken back are gone."""
    kept: dict[str, str] = {}
    for header in response.headers.getlist("set-cookie"):
        name, _, value = header.partition(";")[0].partition("=")
        kept[name] = value.strip('"')
    return {n: v for n, v in kept.items() if v}


def kept(cookies: Cookies, session: Session, before: dict[str, str] | None = None) -> dict[str, str]:
    response = Response()
    cookies.keep(response, session, before or {}, NOW)
    return {**(before or {}), **stored(response)}


def test_what_is_kept_comes_back_whole() -> None:
    cookies = Cookies(Sealer.parse(ring("k1")), secure=False)
    assert cookies.session(kept(cookies, SESSION), NOW) == SESSION
    anonymous = Session.fresh()
    assert cookies.session(kept(cookies, anonymous), NOW) == anonymous


def test_the_way_back_is_kept_while_logged_in_as_somebody() -> None:
    cookies = Cookies(Sealer.parse(ring("k1")), secure=False)
    standing_in = replace(SESSION, csrf="other", refresh="", until=int(NOW) + 900, own=SESSION)
    stored_now = kept(cookies, standing_in)
    assert cookies.session(stored_now, NOW) == standing_in
    # the other's time is over, one's own is not
    assert cookies.session(stored_now, NOW + 1_000) == standing_in
    assert cookies.session(stored_now, NOW + 9_001) is None
    response = Response()
    cookies.keep(response, standing_in, {}, NOW)
    assert all("Max-Age=9000" in h for h in response.headers.getlist("set-cookie"))


async def test_who_was_logged_in_as_somebody_is_oneself_again_when_it_ends() -> None:
    standing_in = replace(SESSION, csrf="other", access="theirs", refresh="", own=SESSION)
    now = NOW
    # nothing is asked of any service: one's own token still lasts
    tokens = Tokens(Services(Settings(), Stop()), lambda: now)
    assert await tokens.fresh(standing_in) is standing_in
    longer = replace(standing_in, own=replace(SESSION, access_until=int(NOW) + 2_000))
    now = NOW + 880
    assert await tokens.fresh(longer) is longer.own


def test_nobody_can_read_it_and_two_are_never_alike() -> None:
    cookies = Cookies(Sealer.parse(ring("k1")), secure=False)
    first, second = kept(cookies, SESSION), kept(cookies, SESSION)
    assert first != second
    raw = base64.urlsafe_b64decode(first["ordertrail_session"].partition(".")[2] + "==")
    for secret in (b"access.token", b"refresh", b"seller@x.example", SESSION.csrf.encode()):
        assert secret not in raw


def test_every_changed_character_makes_it_worthless() -> None:
    cookies = Cookies(Sealer.parse(ring("k1")), secure=False)
    text = kept(cookies, SESSION)["ordertrail_session"]
    for i in range(0, len(text), 97):
        changed = text[:i] + ("A" if text[i] != "A" else "B") + text[i + 1 :]
        assert cookies.session({"ordertrail_session": changed}, NOW) is None, i
    for junk in ("", ".", "k1.", "k1.!!!", "k2." + text[3:], text[:-4], text + "AAAA", "\x00", "k1." + "A" * 20_000):
        assert cookies.session({"ordertrail_session": junk}, NOW) is None, junk


def test_a_sealed_text_opens_for_its_own_use_only() -> None:
    sealer = Sealer.parse(ring("k1"))
    cookies = Cookies(sealer, secure=False)
    assert cookies.session({"ordertrail_session": sealer.seal("notice", SESSION.encoded())}, NOW) is None
    assert cookies.opened("secret of b", cookies.sealed("secret of a", "whsec")) is None
    assert cookies.opened("secret of a", cookies.sealed("secret of a", "whsec")) == "whsec"


def test_it_ends_when_it_ends() -> None:
    cookies = Cookies(Sealer.parse(ring("k1")), secure=False)
    held = kept(cookies, SESSION)
    assert cookies.session(held, SESSION.until - 1) is not None
    assert cookies.session(held, SESSION.until) is None


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    old, new = ring("old"), ring("new")
    held = kept(Cookies(Sealer.parse(old), secure=False), SESSION)
    both = Cookies(Sealer.parse(f"{new},{old}"), secure=False)
    assert both.session(held, NOW) == SESSION
    assert kept(both, SESSION)["ordertrail_session"].startswith("new.")
    assert Cookies(Sealer.parse(new), secure=False).session(held, NOW) is None


def test_a_long_session_takes_several_cookies_and_gives_them_back() -> None:
    cookies = Cookies(Sealer.parse(ring("k1")), secure=False)
    long = replace(SESSION, access="x" * 8_000)
    held = kept(cookies, long)
    assert len(held) == 3
    assert all(len(v) <= CHUNK for v in held.values())
    assert cookies.session(held, NOW) == long
    response = Response()
    cookies.keep(response, SESSION, held, NOW)
    dropped = [h for h in response.headers.getlist("set-cookie") if "Max-Age=0" in h]
    assert {h.partition("=")[0] for h in dropped} == {"ordertrail_session_1", "ordertrail_session_2"}
    with pytest.raises(ValueError, match="does not fit"):
        cookies.keep(Response(), replace(SESSION, access="x" * 20_000), {}, NOW)


def test_cookies_are_for_this_host_and_no_script_and_over_https_where_there_is_https() -> None:
    for secure, name in ((False, "ordertrail_session"), (True, "__Host-ordertrail_session")):
        response = Response()
        Cookies(Sealer.parse(ring("k1")), secure=secure).keep(response, SESSION, {}, NOW)
        [header] = response.headers.getlist("set-cookie")
        attributes = {a.strip().lower() for a in header.split(";")[1:]}
        assert header.startswith(f"{name}=")
        assert {"httponly", "samesite=lax", "path=/", "max-age=9000"} <= attributes
        assert ("secure" in attributes) is secure
        assert not any(a.startswith("domain") for a in attributes)


@pytest.mark.parametrize("text", ["", "k1", "k1:", "k1:AAAA", f"{ring('a')},{ring('a')}", f"bad id:{'A' * 44}"])
def test_a_key_ring_that_cannot_be_used_is_refused_with_the_remedy_and_without_the_key(text: str) -> None:
    with pytest.raises(KeyRingError, match="ORDERTRAIL_CONSOLE_SESSION_KEYS") as refused:
        Sealer.parse(text)
    assert "AAAA" not in str(refused.value)


def test_production_does_not_start_without_a_key() -> None:
    with pytest.raises(KeyRingError):
        service(Settings(environment="production"))
