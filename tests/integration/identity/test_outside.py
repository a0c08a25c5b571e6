"""Signing in by an outside provider: who comes in, who does not, and what a provider may send without any effect."""

from __future__ import annotations

import asyncio
import logging
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from aiohttp import web
from joserfc.jwk import ECKey, OKPKey, RSAKey

from services.identity import provider as provider_module
from services.identity.app import service
from services.identity.context import Context
from shared.process import running
from tests.integration.identity.conftest import PASSWORD, Desk, Namer, Who
from tests.integration.identity.outside import BACK, CONSOLE, Door, code_of, outside_settings
from tests.integration.identity.test_people import editable, make
from tests.provider import CLIENT, KID, RSA, SECRET, moved, resigned, serving_provider

EVIL = "https://evil.example/"


@pytest.fixture(scope="module")
async def opened(desk: Desk) -> AsyncIterator[Door]:
    async with serving_provider(BACK) as provider:
        settings = outside_settings(desk, provider)
        async with running(service(settings), roles={"api"}) as run:
            url = f"http://127.0.0.1:{settings.http_port}"
            yield Door(Desk(url, desk.http, run, Context.of(run), desk.database), provider)


@pytest.fixture
def door(opened: Door, monkeypatch: pytest.MonkeyPatch) -> Door:
    """Its provider does everything right, and nothing of it is remembered."""
    opened.provider.reset()
    for name in ("FRESH_SECONDS", "STALE_SECONDS", "UNKNOWN_KEY_SECONDS", "RETRY_SECONDS"):
        monkeypatch.setattr(provider_module, name, 0)
    return opened


@pytest.fixture
async def pat(seller_admin: Who, fresh_email: Namer) -> dict[str, Any]:
    """Somebody who has never signed in."""
    return await make(seller_admin, fresh_email())


@pytest.fixture(scope="module")
async def una(desk: Desk) -> dict[str, Any]:
    """Somebody for tests in which nothing comes of it."""
    return await make(await desk.sign_in("admin@alpha.example"), "una@alpha.example")


async def links(door: Door, person: dict[str, Any]) -> list[str]:
    async with door.desk.run.worker_db.transaction() as tx:
        rows = await tx.fetch("SELECT subject FROM outside_identity WHERE person_id = $1", person["person_id"])
    return [row["subject"] for row in rows]


async def test_a_verified_address_links_the_first_time_and_the_subject_counts_from_then_on(
    door: Door, pat: dict[str, Any], operator: Who
) -> None:
    assert (await door.desk.call("GET", "/v1/sign-in"))[1] == {"password": True, "outside": {"name": "Contoso"}}
    subject = door.provider.account(pat["email"].upper())
    status, tokens = await door.through(subject)
    assert status == 200, tokens
    who = await door.desk.as_bearer(pat["email"], tokens)
    assert (who.person_id, who.tokens["expires_in"]) == (pat["person_id"], 900)
    # the address at the provider is another's by now, or none: it is not looked at any more
    door.provider.accounts[subject] = {"sub": subject, "email": "seller@alpha.example", "email_verified": False}
    assert (await door.desk.as_bearer("", (await door.through(subject))[1])).person_id == pat["person_id"]
    status, again, _ = await door.desk.call(
        "POST", "/v1/token", {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    )
    assert status == 200, again
    linked = [
        e for e in await door.desk.audit(who.marketplace_id, "outside_linked") if str(e["subject_id"]) == who.person_id
    ]
    assert [e["detail"] for e in linked] == [{"issuer": door.provider.url}]
    assert (await links(door, pat)) == [subject]


async def test_signing_out_tells_where_the_provider_does_too(door: Door, pat: dict[str, Any]) -> None:
    async def signed_out(**described: Any) -> tuple[int, Any]:
        tokens = (await door.through(subject))[1]
        door.provider.discovery = described
        out = {"refresh_token": tokens["refresh_token"]}
        status, answer, _ = await door.desk.call("POST", "/v1/sign-out", out)
        # a session ends once, and nothing of the provider's stays with it
        assert (await door.desk.call("POST", "/v1/sign-out", out))[0] == 204
        async with door.desk.run.worker_db.transaction() as tx:
            assert not await tx.fetchval(
                "SELECT count(*) FROM session WHERE outside_token IS NOT NULL AND ended_at < now()"
            )
        return status, answer

    subject = door.provider.account(pat["email"])
    status, answer = await signed_out()
    parts = urlsplit(answer["address"])
    assert (status, f"{parts.scheme}://{parts.netloc}{parts.path}") == (200, f"{door.provider.url}/end")
    sent = parse_qs(parts.query)
    assert (sent["client_id"], sent["post_logout_redirect_uri"]) == ([CLIENT], [f"{CONSOLE}/sign-in"])
    assert sent["id_token_hint"][0].count(".") == 2
    # a provider that has no such address, has one that nothing may be sent to, or is away
    assert (await signed_out(end_session_endpoint=None))[0] == 204
    assert (await signed_out(end_session_endpoint="ftp://evil.example/"))[0] == 204
    assert (await signed_out(issuer="https://another.example"))[0] == 204


async def test_nobody_is_made_and_nobody_is_taken(
    door: Door, pat: dict[str, Any], seller_admin: Who, fresh_email: Namer
) -> None:
    provider = door.provider
    assert await door.refused(provider.account(fresh_email())) == (403, "outside_person_unknown")
    assert await door.refused(provider.account(None)) == (403, "outside_email_unverified")
    for lie in (False, None, "true", 1, ["true"]):
        assert await door.refused(provider.account(pat["email"], verified=lie)) == (403, "outside_email_unverified")
    # folded, the Kelvin sign would be a k
    keeper = await make(seller_admin, f"k{fresh_email()}")
    forged = provider.account("\N{KELVIN SIGN}" + keeper["email"][1:])
    assert await door.refused(forged) == (403, "outside_person_unknown")
    for odd in ("\x00", "a" * 300, 7, {"a": 1}):
        assert (await door.refused(provider.account(odd)))[0] == 403  # type: ignore[arg-type]  # what is no address
    assert await links(door, pat) == await links(door, keeper) == []
    refused = await door.desk.audit(seller_admin.marketplace_id, "outside_refused")
    assert {"issuer": provider.url, "because": "outside_email_unverified"} in [
        e["detail"] for e in refused if str(e["subject_id"]) == pat["person_id"]
    ]


async def test_who_is_linked_to_one_account_is_not_linked_to_another(
    door: Door, pat: dict[str, Any], seller_admin: Who, buyer: Who
) -> None:
    mine, other = (door.provider.account(pat["email"]) for _ in range(2))
    _, tokens = await door.through(mine)
    assert await door.refused(other) == (403, "outside_linked_to_another")
    path = f"/v1/members/{pat['person_id']}/outside-identity"
    assert (await buyer.call("DELETE", path))[0] == 404
    who = await door.desk.as_bearer(pat["email"], tokens)
    assert (await who.call("DELETE", path))[0] == 403
    assert (await seller_admin.call("DELETE", path))[0] == 204
    assert (await seller_admin.call("DELETE", path))[0] == 204
    noted = await door.desk.audit(seller_admin.marketplace_id, "outside_unlinked")
    assert [str(e["actor_id"]) for e in noted if str(e["subject_id"]) == pat["person_id"]] == [seller_admin.person_id]
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert (await door.desk.call("POST", "/v1/token", refresh))[0] == 400, "its sessions ended"
    assert (await door.through(other))[0] == 200
    assert await door.refused(mine) == (403, "outside_linked_to_another")


async def test_first_sign_ins_at_once_make_one_link(door: Door, pat: dict[str, Any]) -> None:
    subjects = [door.provider.account(pat["email"]) for _ in range(2)]
    answers = await asyncio.gather(*(door.through(s) for s in [*subjects, *subjects]))
    assert sorted(status for status, _ in answers) == [200, 200, 403, 403]
    assert len(await links(door, pat)) == 1


async def test_who_may_not_sign_in_or_was_erased_stays_out(door: Door, pat: dict[str, Any], seller_admin: Who) -> None:
    subject, path = door.provider.account(pat["email"]), f"/v1/members/{pat['person_id']}"
    assert (await seller_admin.call("PUT", path, editable(pat, active=False)))[0] == 200
    assert await door.refused(subject) == (403, "outside_person_inactive")
    assert await links(door, pat) == []
    assert (await seller_admin.call("PUT", path, editable(pat)))[0] == 200
    assert (await door.through(subject))[0] == 200
    assert (await seller_admin.call("PUT", path, editable(pat, active=False)))[0] == 200
    assert await door.refused(subject) == (403, "outside_person_inactive")
    assert (await seller_admin.call("POST", f"{path}/erase"))[0] == 200
    assert await links(door, pat) == []
    assert await door.refused(subject) == (403, "outside_person_unknown")


FAILED = (401, "outside_sign_in_failed")
UNUSABLE = (503, "provider_unusable")
AWAY = (503, "provider_unavailable")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    SMALL = RSAKey.generate_key(1_024, {"kid": "small"})
WRONG: dict[str, dict[str, Any]] = {
    "another nonce": {"claims": {"nonce": "x" * 43}}, "no nonce": {"claims": {"nonce": None}},
    "another client": {"claims": {"aud": "another"}}, "no audience": {"claims": {"aud": None}},
    "several, for nobody": {"claims": {"aud": [CLIENT, "another"]}},
    "for another of several": {"claims": {"aud": [CLIENT, "another"], "azp": "another"}},
    "given to another": {"claims": {"azp": "another"}},
    "another issuer": {"claims": {"iss": "https://evil.example"}}, "no issuer": {"claims": {"iss": None}},
    "expired": {"claims": {"exp": time.time() - 60}}, "endless": {"claims": {"exp": None}},
    "for ever": {"claims": {"exp": 10**400}}, "text for a time": {"claims": {"exp": "tomorrow"}},
    "of tomorrow": {"claims": {"iat": time.time() + 86_400}}, "of yesterday": {"claims": {"iat": time.time() - 86_400}},
    "undated": {"claims": {"iat": None}}, "not yet": {"claims": {"nbf": time.time() + 3_600}},
    "nobody": {"claims": {"sub": None}}, "an empty name": {"claims": {"sub": ""}}, "a number": {"claims": {"sub": 7}},
    "a name without end": {"claims": {"sub": "x" * 256}}, "NUL": {"claims": {"sub": "a\x00"}},
    "much": {"claims": {"more": "x" * 20_000}},
    "a key of somebody's own": {"key": RSAKey.generate_key(2_048, {"kid": KID}), "published": [RSA]},
    "a key along with it": {
        "key": OKPKey.generate_key("Ed25519", {"kid": KID}), "alg": "Ed25519", "published": [RSA],
        "header": {"jwk": {}, "jku": EVIL}},
    "an unknown key": {"header": {"kid": "another"}}, "no keys": {"published": []},
    "two keys and no name": {"header": {"kid": None}, "published": [RSA, RSAKey.generate_key(2_048, {"kid": "rsa-2"})]},
    "a weak key": {"key": SMALL},
    "an algorithm that is not taken": {"alg": "RS512"},
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG)
async def test_an_id_token_that_does_not_hold_proves_nothing(door: Door, una: dict[str, Any], fault: str) -> None:
    subject = door.provider.account(una["email"])
    for name, value in WRONG[fault].items():
        setattr(door.provider, name, value)
    assert await door.refused(subject) == FAILED
    assert await links(door, una) == []


async def test_what_nobody_signed_and_what_is_no_token_proves_nothing(
    door: Door, una: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = door.provider.account(una["email"])
    # the classics: what anybody can sign who has read the public key, and what our own secret signs
    signed = [resigned(door.provider, "HS256", key) for key in (RSA.as_pem(private=False), SECRET.encode())]
    unsigned = [resigned(door.provider, alg, None) for alg in ("none", "None", "RS256")]
    for made in (*signed, *unsigned, lambda _: "a.b.c", lambda _: "", lambda _: "\u00e6.b.c"):
        monkeypatch.setattr(door.provider, "id_token", made)
        assert await door.refused(subject) == FAILED
    nothings: list[Any] = [None, 7, {}]
    for nothing in nothings:
        monkeypatch.setattr(door.provider, "id_token", lambda _, given=nothing: given)
        assert await door.refused(subject) == UNUSABLE


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("PS256", RSA),
        ("ES256", ECKey.generate_key("P-256", {"kid": "ec-1"})),
        ("EdDSA", OKPKey.generate_key("Ed25519", {"kid": "ed-1"})),
        ("Ed25519", OKPKey.generate_key("Ed25519", {"kid": "ed-2", "alg": "Ed25519"})),
    ],
)
async def test_each_asymmetric_algorithm_is_taken(door: Door, pat: dict[str, Any], alg: str, key: Any) -> None:
    door.provider.alg, door.provider.key = alg, key
    door.provider.published = [key, OKPKey.generate_key("Ed25519", {"kid": "another"})]
    assert (await door.through(door.provider.account(pat["email"])))[0] == 200


async def test_a_code_is_good_once_and_for_who_began(door: Door, pat: dict[str, Any]) -> None:
    subject = door.provider.account(pat["email"])
    address, kept = await door.begun()
    code = code_of(door.provider.consent(address, subject))
    assert (await door.finished(code, kept, iss="https://evil.example"))[1]["code"] == "outside_sign_in_failed"
    assert (await door.finished(code, kept, iss=door.provider.url))[0] == 200
    stale = (400, "outside_sign_in_stale")
    status, answer = await door.finished(code, kept)
    assert (status, answer["code"]) == stale
    # a code that was taken from somebody is of no use without what they keep
    stolen = code_of(door.provider.consent((await door.begun())[0], subject))
    status, answer = await door.finished(stolen, kept)
    assert (status, answer["code"]) == stale
    for body in ({}, {"code": ""}, {"code": "x", "code_verifier": "short", "nonce": "short"}):
        assert (await door.desk.call("POST", "/v1/sign-in/outside", body))[0] == 422
        assert (await door.desk.call("POST", "/v1/sign-in/outside/start", body))[0] == 422


async def test_keys_may_change_and_are_asked_for_seldom(
    door: Door, pat: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, subject = door.provider, door.provider.account(pat["email"])
    assert (await door.through(subject))[0] == 200
    monkeypatch.setattr(provider_module, "FRESH_SECONDS", 300)
    monkeypatch.setattr(provider_module, "STALE_SECONDS", 86_400)
    provider.hits.clear()
    assert (await door.through(subject))[0] == 200
    assert set(provider.hits) == {"/token"}
    provider.key = RSAKey.generate_key(2_048, {"kid": "next"})
    assert (await door.through(subject))[0] == 200
    assert provider.hits.count("/keys") == 1
    # known ones go on being used where new ones cannot be had
    provider.instead["/keys"] = provider.instead["/.well-known/openid-configuration"] = answering(503)
    monkeypatch.setattr(provider_module, "FRESH_SECONDS", 0)
    assert (await door.through(subject))[0] == 200


def answering(status: int, body: bytes = b"{}", **headers: str) -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={n.replace("_", "-"): v for n, v in headers.items()})

    return answer


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(100):
        await response.write(b" " * 10_000)
    return response


TROUBLE: dict[str, tuple[str, Any, tuple[int, str]]] = {
    "keys elsewhere": ("/keys", moved("keys"), AWAY), "keys without end": ("/keys", endless, AWAY),
    "too many keys": ("/keys", answering(200, b'{"keys":[' + b",".join([b"{}"] * 101) + b"]}"), AWAY),
    "no keys at all": ("/keys", answering(200, b"[]"), AWAY),
    "packed": ("/token", answering(200, b"\x1f\x8b", content_encoding="gzip"), AWAY),
    "a token elsewhere": ("/token", moved("token"), AWAY),
    "a token without end": ("/token", endless, AWAY),
    "away": ("/token", answering(503), AWAY), "busy": ("/token", answering(429), AWAY),
    "no JSON": ("/token", answering(200, b"<html>"), AWAY), "nothing": ("/token", answering(200), UNUSABLE),
    "not our client": ("/token", answering(401, b'{"error":"invalid_client"}'), UNUSABLE),
    "odd words": ("/token", answering(400, b'{"error":"\\u0000\\n"}'), UNUSABLE),
}  # fmt: skip


@pytest.fixture
def told() -> Iterator[list[Any]]:
    """All that is logged, whatever other tests have set in this process."""
    former = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG), cache_logger_on_first_use=False
    )
    try:
        with structlog.testing.capture_logs() as lines:
            yield lines
    finally:
        structlog.configure(**former)


@pytest.mark.parametrize("what", TROUBLE)
async def test_a_provider_in_trouble_is_told_as_that_and_not_counted(door: Door, what: str, told: list[Any]) -> None:
    path, handler, expected = TROUBLE[what]
    subject = door.provider.account("buyer@alpha.example", subject="of-the-buyer")
    door.provider.instead[path] = handler
    assert await door.refused(subject) == expected
    assert [line for line in told if line["event"].startswith("provider.")]
    assert not [word for word in (SECRET, "code_verifier", *door.provider.codes) if word in str(told)]
    door.provider.reset()
    assert (await door.through(subject))[0] == 200


async def test_a_description_that_is_not_the_providers_is_not_used(door: Door) -> None:
    body = {"state": "s" * 43, "nonce": "n" * 43, "code_challenge": "c" * 43}
    for wrong in (
        {"issuer": "https://evil.example"}, {"issuer": door.provider.url + "/"}, {"token_endpoint": None},
        {"token_endpoint": "ftp://127.0.0.1/"}, {"jwks_uri": "http://"}, {"authorization_endpoint": "javascript:x"},
        {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
    ):  # fmt: skip
        door.provider.discovery = wrong
        status, answer, _ = await door.desk.call("POST", "/v1/sign-in/outside/start", body)
        assert (status, answer["code"]) == UNUSABLE, wrong
    door.provider.instead["/.well-known/openid-configuration"] = moved("describe")
    assert (await door.desk.call("POST", "/v1/sign-in/outside/start", body))[1]["code"] == "provider_unavailable"
    door.provider.reset()
    door.provider.discovery = {"authorization_endpoint": f"{door.provider.url}/authorize?tenant=1"}
    address = (await door.desk.call("POST", "/v1/sign-in/outside/start", body))[1]["address"]
    assert "/authorize?tenant=1&response_type=code&" in address


async def test_other_ways_that_providers_have(door: Door, pat: dict[str, Any]) -> None:
    """The secret in the form, the address at the UserInfo endpoint, the issuer in the browser's answer."""
    provider = door.provider
    provider.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    subject = provider.account(pat["email"])
    provider.claims = {"email": None, "email_verified": None}
    provider.userinfo = {"sub": "another", "email": pat["email"], "email_verified": True}
    assert await door.refused(subject) == FAILED
    provider.userinfo = None
    assert (await door.through(subject))[0] == 200
    provider.discovery = {"authorization_response_iss_parameter_supported": True}
    assert await door.refused(subject) == FAILED, "it always says who it is, so an answer without that is another's"


async def test_a_host_that_fails_too_often_waits(desk: Desk, door: Door, pat: dict[str, Any]) -> None:
    settings = outside_settings(desk, door.provider, sign_in_failures_per_address=2)
    body = {"code": "made-up", "code_verifier": "v" * 43, "nonce": "n" * 43}
    async with running(service(settings), roles={"api"}):
        url = f"http://127.0.0.1:{settings.http_port}/v1/sign-in/outside"

        async def attempt(host: str) -> int:
            async with desk.http.post(url, json=body, headers={"X-Forwarded-For": host}) as answer:
                return answer.status

        assert [await attempt("192.0.2.77") for _ in range(4)] == [400, 400, 429, 429]
        assert await attempt("192.0.2.78") == 400


async def test_where_the_provider_is_the_only_way_no_password_counts(
    desk: Desk, door: Door, pat: dict[str, Any], seller_admin: Who
) -> None:
    settings = outside_settings(desk, door.provider, oidc_only=True, oidc_name="")
    async with running(service(settings), roles={"api"}) as run:
        only = Desk(f"http://127.0.0.1:{settings.http_port}", desk.http, run, Context.of(run), desk.database)
        assert (await only.call("GET", "/v1/sign-in"))[1] == {"password": False, "outside": {"name": "localhost"}}
        right = {"email": "seller@alpha.example", "password": PASSWORD}
        invitation = {"token": pat["invitation"]["token"], "password": PASSWORD}
        for path, body in (("/v1/sign-in", right), ("/v1/password", invitation)):
            status, document, _ = await only.call("POST", path, body)
            assert (status, document["code"]) == (403, "password_sign_in_off")
        assert (await Door(only, door.provider).through(door.provider.account(pat["email"])))[0] == 200


async def test_without_a_provider_there_is_no_such_way(desk: Desk) -> None:
    assert (await desk.call("GET", "/v1/sign-in"))[1] == {"password": True, "outside": None}
    body = {"state": "s" * 43, "nonce": "n" * 43, "code_challenge": "c" * 43}
    status, document, _ = await desk.call("POST", "/v1/sign-in/outside/start", body)
    assert (status, document["code"]) == (404, "outside_sign_in_off")
    status, document, _ = await desk.call(
        "POST", "/v1/sign-in/outside", {"code": "x", "code_verifier": "v" * 43, "nonce": "n" * 43}
    )
    assert (status, document["code"]) == (404, "outside_sign_in_off")
