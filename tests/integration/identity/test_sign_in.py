"""Signing in, refreshing, signing out: what works, and what every kind of misuse meets."""

from __future__ import annotations

import asyncio
import statistics
import time
from datetime import timedelta
from typing import Any

import pytest

from services.identity.app import service
from shared.process import running
from shared.web.tokens import Verifier, keys_at
from tests.integration.identity.conftest import PASSWORD, Desk, Namer, Who, settings_for


async def test_the_token_says_who_and_where(desk: Desk, buyer: Who) -> None:
    verifier = Verifier(desk.here.settings.identity_issuer, keys_at(desk.url + "/.well-known/jwks.json"))
    who = await verifier.principal(buyer.tokens["access_token"])
    assert (who.name, who.email, who.organisation_kind) == ("Bea Buyer", "buyer@alpha.example", "buyer")
    assert who.roles == {"buyer"}
    assert who.marketplace_slug == "alpha"
    assert who.purchasing_limit
    assert (who.purchasing_limit.minor, who.purchasing_limit.currency) == (10_000, "EUR")
    assert buyer.tokens["expires_in"] == 900
    assert buyer.tokens["token_type"] == "Bearer"


async def test_the_address_is_taken_in_any_case(desk: Desk) -> None:
    assert (await desk.sign_in(" BUYER@Alpha.Example ")).me["name"] == "Bea Buyer"


@pytest.mark.parametrize(
    ("email", "password"),
    [("buyer@alpha.example", "wrong"), ("nobody@alpha.example", PASSWORD), ("", ""), ("x" * 250, "y")],
)
async def test_every_failure_looks_the_same(desk: Desk, email: str, password: str) -> None:
    status, document, _ = await desk.call("POST", "/v1/sign-in", {"email": email, "password": password})
    assert (status, document["code"]) == (401, "sign_in_failed")
    assert document["detail"] == "E-mail address and password do not belong together."


async def test_an_unknown_address_takes_as_long_as_a_wrong_password(desk: Desk) -> None:
    async def seconds(email: str) -> float:
        # of work, the service's threads included: what the clock on the wall says depends on who else is busy
        began = time.process_time()
        await desk.call("POST", "/v1/sign-in", {"email": email, "password": "wrong"})
        return time.process_time() - began

    known, unknown = [], []
    for n in range(9):
        known.append(await seconds("seller@beta.example"))
        unknown.append(await seconds(f"nobody-{n}@beta.example"))
    # One argon2 hash is the bulk of both; without it an unknown address would take a tenth.
    assert 0.4 < statistics.median(unknown) / statistics.median(known) < 2.5


async def test_failures_are_throttled_per_address_of_the_person(desk: Desk, fresh_email: Namer) -> None:
    email = fresh_email()
    statuses = []
    for _ in range(12):
        status, document, headers = await desk.call("POST", "/v1/sign-in", {"email": email, "password": "wrong"})
        statuses.append(status)
    assert statuses == [401] * 10 + [429] * 2
    assert document["code"] == "too_many_failures"
    assert 0 < int(headers["retry-after"]) <= 900


async def test_the_right_password_does_not_get_through_a_throttled_address(
    desk: Desk, operator: Who, fresh_email: Namer
) -> None:
    email = fresh_email()
    body = {"email": email, "name": "Pat", "roles": ["seller"], "password": PASSWORD,
            "organisation_id": await organisation(operator, "alpha-seller")}  # fmt: skip
    assert (await operator.call("POST", "/v1/members", body))[0] == 201
    burst = [desk.call("POST", "/v1/sign-in", {"email": email, "password": "wrong"}) for _ in range(40)]
    answers = await asyncio.gather(*burst)
    assert {a[0] for a in answers} == {401, 429}
    assert (await desk.call("POST", "/v1/sign-in", {"email": email, "password": PASSWORD}))[0] == 429


async def test_a_host_that_fails_too_often_waits_too(desk: Desk, free_port: Any) -> None:
    settings = settings_for(desk.database, free_port(), sign_in_failures_per_address=3)
    async with running(service(settings), roles={"api"}):
        url = f"http://127.0.0.1:{settings.http_port}/v1/sign-in"

        async def attempt(n: int, host: str) -> int:
            body = {"email": f"guess-{n}@alpha.example", "password": "wrong"}
            async with desk.http.post(url, json=body, headers={"X-Forwarded-For": host}) as answer:
                return answer.status

        assert [await attempt(n, "192.0.2.7") for n in range(5)] == [401, 401, 401, 429, 429]
        assert await attempt(9, "192.0.2.8") == 401, "another host goes on"


async def test_a_success_forgives_earlier_slips(desk: Desk, operator: Who, fresh_email: Namer) -> None:
    email = fresh_email()
    body = {"email": email, "name": "Pat", "roles": ["seller"], "password": PASSWORD,
            "organisation_id": await organisation(operator, "alpha-seller")}  # fmt: skip
    await operator.call("POST", "/v1/members", body)
    for _ in range(3):
        for _ in range(6):
            await desk.call("POST", "/v1/sign-in", {"email": email, "password": "wrong"})
        await desk.sign_in(email)


async def organisation(who: Who, slug: str) -> str:
    _, found, _ = await who.call("GET", "/v1/organisations")
    return next(str(o["organisation_id"]) for o in found["items"] if o["slug"] == slug)


async def refresh(desk: Desk, token: str) -> tuple[int, Any]:
    status, document, _ = await desk.call("POST", "/v1/token", {"grant_type": "refresh_token", "refresh_token": token})
    return status, document


async def test_a_refresh_token_is_exchanged_and_then_spent(desk: Desk, buyer: Who) -> None:
    first = buyer.tokens["refresh_token"]
    status, second = await refresh(desk, first)
    assert status == 200
    assert second["refresh_token"] != first
    assert (await desk.as_bearer("buyer", second)).me["name"] == "Bea Buyer"


async def test_a_reused_refresh_token_ends_the_whole_session(desk: Desk, buyer: Who) -> None:
    stolen = buyer.tokens["refresh_token"]
    _, second = await refresh(desk, stolen)
    status, document = await refresh(desk, stolen)
    assert (status, document["code"]) == (400, "invalid_grant")
    assert "used before" in document["detail"]
    assert (await refresh(desk, second["refresh_token"]))[0] == 400, "the rightful holder is out as well"
    ended = await desk.audit(buyer.marketplace_id, "session_ended")
    assert ended[-1]["detail"] == {"because": "refresh_token_reused"}
    assert str(ended[-1]["subject_id"]) == buyer.person_id


async def test_of_two_refreshes_at_once_one_wins(desk: Desk, buyer: Who) -> None:
    answers = await asyncio.gather(*(refresh(desk, buyer.tokens["refresh_token"]) for _ in range(5)))
    assert sorted(a[0] for a in answers) == [200, 400, 400, 400, 400]


async def test_sessions_do_not_share_their_fate(desk: Desk) -> None:
    phone, laptop = await desk.sign_in("seller@beta.example"), await desk.sign_in("seller@beta.example")
    await refresh(desk, phone.tokens["refresh_token"])
    await refresh(desk, phone.tokens["refresh_token"])
    assert (await refresh(desk, laptop.tokens["refresh_token"]))[0] == 200


async def test_signing_out_ends_the_session_and_is_harmless_twice(desk: Desk, buyer: Who) -> None:
    token = buyer.tokens["refresh_token"]
    for _ in range(2):
        assert (await desk.call("POST", "/v1/sign-out", {"refresh_token": token}))[0] == 204
    assert (await desk.call("POST", "/v1/sign-out", {"refresh_token": "nonsense"}))[0] == 204
    assert (await refresh(desk, token))[0] == 400


async def test_a_session_ends_when_nobody_refreshes_it(desk: Desk, buyer: Who) -> None:
    async with desk.run.worker_db.transaction() as tx:
        await tx.execute("UPDATE refresh_token SET expires_at = now() - interval '1 second'")
    assert (await refresh(desk, buyer.tokens["refresh_token"]))[0] == 400


@pytest.mark.parametrize(
    "body",
    [
        {"grant_type": "refresh_token"},
        {"grant_type": "refresh_token", "refresh_token": "otr_made-up"},
        {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "0190b5a0-0000-7000-8000-000000000000"},
        {"grant_type": "client_credentials"},
        {"grant_type": "client_credentials", "client_id": "0190b5a0-0000-7000-8000-000000000000", "client_secret": "x"},
    ],
)
async def test_what_is_no_grant_is_refused(desk: Desk, body: dict[str, str]) -> None:
    status, document, _ = await desk.call("POST", "/v1/token", body)
    assert (status, document["code"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"grant_type": "password"},
        {"grant_type": "client_credentials", "client_id": "no-uuid", "client_secret": "x"},
    ],
)
async def test_a_malformed_token_request_is_422(desk: Desk, body: dict[str, str]) -> None:
    assert (await desk.call("POST", "/v1/token", body))[0] == 422


async def test_a_new_signing_key_is_published_before_it_signs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = desk.here.ring
    old = await ring.signing()
    now = desk.run.clock()
    monkeypatch.setattr(ring, "_clock", lambda: now + timedelta(days=31))
    await ring.renew()
    assert (await ring.signing()).kid == old.kid
    assert len([k async for k in aiter_keys(ring)]) == 2
    monkeypatch.setattr(ring, "_clock", lambda: now + timedelta(days=31, minutes=16))
    await ring.renew()
    new = await ring.signing()
    assert new.kid != old.kid
    assert {k.kid async for k in aiter_keys(ring)} == {old.kid, new.kid}
    monkeypatch.setattr(ring, "_clock", lambda: now + timedelta(days=31, minutes=90))
    await ring.renew()
    assert {k.kid async for k in aiter_keys(ring)} == {new.kid}


async def aiter_keys(ring: Any) -> Any:
    for key in await ring.published():
        yield key


async def test_signing_keys_are_sealed(desk: Desk) -> None:
    async with desk.run.worker_db.transaction() as tx:
        rows = await tx.fetch("SELECT public, sealed FROM signing_key")
    assert rows
    for row in rows:
        assert "d" not in row["public"]
        assert b'"d"' not in row["sealed"]


async def test_no_sign_in_needs_a_second_connection_while_it_holds_one(desk: Desk, free_port: Any) -> None:
    """With one connection for all of them, whoever asked for another would wait for itself."""
    settings = settings_for(desk.database, free_port(), worker_pool_size=1)
    async with running(service(settings), roles={"api"}):
        url = f"http://127.0.0.1:{settings.http_port}"

        async def everything() -> None:
            body = {"email": "admin@beta.example", "password": PASSWORD}
            async with desk.http.post(url + "/v1/sign-in", json=body) as answer:
                assert answer.status == 200, await answer.text()
                tokens = await answer.json()
            body = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
            async with desk.http.post(url + "/v1/token", json=body) as answer:
                assert answer.status == 200, await answer.text()

        await asyncio.gather(*(everything() for _ in range(8)))
