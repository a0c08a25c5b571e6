"""Rights that were taken away: what is left of the tokens that were out, here and elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.web.revoked import Revoked, revoked_at
from shared.web.tokens import Verifier, keys_at
from tests.integration.identity.conftest import PASSWORD, Desk, Namer, Who
from tests.integration.identity.test_keys_and_standing_in import exchange, make_key, stand_in

KEY = {"name": "Back door", "roles": ["admin"], "scopes": ["*"]}


@pytest.fixture
def elsewhere(desk: Desk) -> Verifier:
    """A verifier of another service, which asks anew each time."""
    listed = Revoked(revoked_at(desk.url + "/.well-known/jwks.json"), fresh_seconds=0.0)
    return Verifier(desk.here.settings.identity_issuer, keys_at(desk.url + "/.well-known/jwks.json"), revoked=listed)


@pytest.fixture
def hire(desk: Desk, seller_admin: Who, fresh_email: Namer) -> Callable[..., Awaitable[Who]]:
    """Another admin of the sellers, signed in."""

    async def hired(roles: tuple[str, ...] = ("admin",)) -> Who:
        body = {"email": fresh_email(), "name": "Ed Ex", "roles": list(roles), "password": PASSWORD}
        status, made, _ = await seller_admin.call("POST", "/v1/members", body)
        assert status == 201, made
        return await desk.sign_in(str(body["email"]))

    return hired


async def edited(by: Who, who: Who, **changes: Any) -> None:
    path = f"/v1/members/{who.person_id}"
    _, shown, headers = await by.call("GET", path)
    fields = ("name", "roles", "language", "time_zone", "active", "purchasing_limit")
    body = {**{name: shown[name] for name in fields}, **changes}
    status, answer, _ = await by.call("PUT", path, body, if_match=headers["etag"])
    assert status == 200, answer


async def gone(who: Who, elsewhere: Verifier) -> None:
    """The person's token counts nowhere, and makes nothing that would last."""
    for method, path, body in (("GET", "/v1/me", None), ("POST", "/v1/api-keys", KEY), ("GET", "/v1/members", None)):
        status, answer, _ = await who.call(method, path, body)
        assert (status, answer["code"]) == (401, "token_revoked"), path
    assert not await elsewhere.holds(who.tokens["access_token"])


async def test_who_is_deactivated_makes_no_back_door(
    seller_admin: Who, hire: Callable[..., Awaitable[Who]], elsewhere: Verifier
) -> None:
    ex = await hire()
    assert await elsewhere.holds(ex.tokens["access_token"])
    await edited(seller_admin, ex, active=False)
    await gone(ex, elsewhere)
    assert await elsewhere.holds(seller_admin.tokens["access_token"])


async def test_other_rights_hold_with_the_next_token_and_not_before(
    desk: Desk, seller_admin: Who, hire: Callable[..., Awaitable[Who]], elsewhere: Verifier
) -> None:
    ex = await hire()
    await edited(seller_admin, ex, name="Ed Exeter")
    assert (await ex.call("GET", "/v1/me"))[0] == 200, "a name is no right"
    await edited(seller_admin, ex, roles=["seller"])
    await gone(ex, elsewhere)
    body = {"grant_type": "refresh_token", "refresh_token": ex.tokens["refresh_token"]}
    status, tokens, _ = await desk.call("POST", "/v1/token", body)
    assert status == 200
    now = await desk.as_bearer(ex.email, tokens)
    assert now.me["roles"] == ["seller"]
    assert await elsewhere.holds(tokens["access_token"])
    assert (await now.call("POST", "/v1/api-keys", KEY))[0] == 403


async def test_signing_out_ends_this_session_and_no_other(
    desk: Desk, hire: Callable[..., Awaitable[Who]], elsewhere: Verifier
) -> None:
    here = await hire()
    there = await desk.sign_in(here.email)
    status, _, _ = await desk.call("POST", "/v1/sign-out", {"refresh_token": here.tokens["refresh_token"]})
    assert status == 204
    await gone(here, elsewhere)
    assert await elsewhere.holds(there.tokens["access_token"])


async def test_a_new_password_and_being_erased_end_every_token(
    desk: Desk, seller_admin: Who, hire: Callable[..., Awaitable[Who]], elsewhere: Verifier
) -> None:
    ex = await hire()
    other = {"current_password": PASSWORD, "new_password": PASSWORD + "!"}
    assert (await ex.call("POST", "/v1/me/password", other))[0] == 204
    await gone(ex, elsewhere)
    again = await desk.sign_in(ex.email, PASSWORD + "!")
    assert (await seller_admin.call("POST", f"/v1/members/{ex.person_id}/erase"))[0] == 200
    await gone(again, elsewhere)


async def test_a_revoked_key_is_gone_with_its_tokens(desk: Desk, seller_admin: Who, elsewhere: Verifier) -> None:
    key = await make_key(seller_admin, roles=["admin"], scopes=["*"])
    _, tokens = await exchange(desk, key)
    assert await elsewhere.holds(tokens["access_token"])
    assert (await seller_admin.call("POST", f"/v1/api-keys/{key['api_key_id']}/revoke"))[0] == 200
    assert not await elsewhere.holds(tokens["access_token"])


async def test_being_logged_in_as_somebody_ends_with_either_of_the_two(
    desk: Desk, seller_admin: Who, hire: Callable[..., Awaitable[Who]], elsewhere: Verifier
) -> None:
    admin, seller = await hire(), await hire(("seller",))
    _, first = await stand_in(admin, seller.person_id)
    assert await elsewhere.holds(first["access_token"])
    await desk.call("POST", "/v1/sign-out", {"refresh_token": admin.tokens["refresh_token"]})
    assert not await elsewhere.holds(first["access_token"]), "signed out"
    _, second = await stand_in(await desk.sign_in(admin.email), seller.person_id)
    await edited(seller_admin, seller, active=False)
    assert not await elsewhere.holds(second["access_token"]), "of nobody"


async def test_guessing_ones_own_password_is_counted(hire: Callable[..., Awaitable[Who]]) -> None:
    who = await hire()
    body = {"current_password": "wrong", "new_password": PASSWORD + "!"}
    statuses = [(await who.call("POST", "/v1/me/password", body))[0] for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
