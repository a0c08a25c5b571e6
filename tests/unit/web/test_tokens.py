"""The verifier: remembering, key rotation, an issuer that cannot be reached."""

from __future__ import annotations

import time

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from shared.errors import Unauthenticated, Unavailable
from shared.ids import new_id
from shared.web import tokens
from shared.web.tokens import KeysUnavailable, Verifier, keys_at, parse_keys
from tests.issuer import TokenIssuer, new_key
from tests.waiting import until


class Hand:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> TokenIssuer:
    return TokenIssuer()


async def test_every_claim_reaches_the_principal(issuer: TokenIssuer) -> None:
    marketplace, organisation, person, operator = (new_id() for _ in range(4))
    token = issuer.token(
        marketplace_id=marketplace, organisation_id=organisation, person_id=person, roles=["seller", "admin"],
        kind="seller", limit={"amount": "10.00", "currency": "EUR"}, name="Sam",
        act={"sub": str(operator), "name": "Olga", "reason": "ticket 7"},
    )  # fmt: skip
    who = await Verifier(issuer.url, issuer.keys).principal(token)
    assert (who.marketplace_id, who.organisation_id, who.person_id, who.api_key_id) == (
        marketplace, organisation, person, None
    )  # fmt: skip
    assert who.roles == {"seller", "admin"}
    assert who.purchasing_limit
    assert who.purchasing_limit.minor == 1000
    assert who.act
    assert (who.act.person_id, who.act.name, who.act.reason) == (operator, "Olga", "ticket 7")
    assert not who.is_operator
    assert who.has_scope("anything")


async def test_an_api_key_has_only_its_scopes(issuer: TokenIssuer) -> None:
    token = issuer.token(api_key_id=new_id(), scopes=["orders:read"])
    who = await Verifier(issuer.url, issuer.keys).principal(token)
    assert who.person_id is None
    assert who.api_key_id is not None
    assert who.has_scope("orders:read")
    assert not who.has_scope("orders:write")


async def test_keys_that_come_in_pieces_are_read_whole_and_endless_ones_are_not(issuer: TokenIssuer) -> None:
    document = orjson.dumps((await issuer.keys()).as_dict(private=False))
    padding = [200_000]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b" " * padding[0] + document)

    app = web.Application()
    app.router.add_get("/keys", answer)
    async with TestServer(app) as server:
        read = keys_at(str(server.make_url("/keys")))
        assert [k.kid for k in await read()] == [k.kid for k in await issuer.keys()]
        padding[0] = tokens.MAX_KEYS_BYTES
        with pytest.raises(KeysUnavailable, match="more than"):
            await read()


async def test_a_remembered_token_still_expires(issuer: TokenIssuer) -> None:
    hand = Hand()
    verifier = Verifier(issuer.url, issuer.keys, clock=hand)
    token = issuer.token(seconds=30)
    await verifier.principal(token)
    hand.now += 29
    await verifier.principal(token)
    hand.now += 2
    with pytest.raises(Unauthenticated, match="token_expired"):
        await verifier.principal(token)


async def test_a_new_key_is_found_and_an_unknown_one_does_not_hammer_the_issuer(
    issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = Verifier(issuer.url, issuer.keys)
    await verifier.principal(issuer.token())
    second = new_key("test-2")
    for _ in range(5):
        with pytest.raises(Unauthenticated, match="invalid_token"):
            await verifier.principal(issuer.token(key=second))
    assert issuer.fetches == 1
    monkeypatch.setattr(tokens, "UNKNOWN_KEY_SECONDS", 0.0)
    issuer.published.append(second)
    await verifier.principal(issuer.token(key=second))
    assert issuer.fetches == 2


async def test_a_key_that_is_no_longer_published_stops_working(
    issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = Verifier(issuer.url, issuer.keys)
    await verifier.principal(issuer.token())
    issuer.published = [new_key("test-2")]
    monkeypatch.setattr(tokens, "KEYS_FRESH_SECONDS", 0.0)
    monkeypatch.setattr(tokens, "UNKNOWN_KEY_SECONDS", 0.0)

    async def refused() -> bool:
        try:
            await verifier.principal(issuer.token())
        except Unauthenticated:
            return True
        return False

    await until(refused, seconds=5)


async def test_known_keys_outlive_an_issuer_that_is_away(issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    away = False

    async def keys():  # type: ignore[no-untyped-def]
        if away:
            raise KeysUnavailable("away")
        return await issuer.keys()

    verifier = Verifier(issuer.url, keys)
    away = True
    with pytest.raises(Unavailable, match="keys_unavailable"):
        await verifier.principal(issuer.token())
    away = False
    monkeypatch.setattr(tokens, "RETRY_SECONDS", 0.0)
    await verifier.principal(issuer.token())
    away = True
    monkeypatch.setattr(tokens, "KEYS_FRESH_SECONDS", 0.0)
    for _ in range(3):
        await verifier.principal(issuer.token())


async def test_the_memory_is_bounded(issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "REMEMBER_MOST", 3)
    verifier = Verifier(issuer.url, issuer.keys)
    for _ in range(10):
        await verifier.principal(issuer.token())
    assert len(verifier._known) == 3


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": [1]}', b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a"}]}'],
)
def test_what_is_no_key_set_is_not_taken(raw: bytes) -> None:
    with pytest.raises(KeysUnavailable):
        parse_keys(raw, "here")


def test_private_and_foreign_keys_are_left_out() -> None:
    import orjson

    good = new_key("good").as_dict(private=False)
    private = new_key("private").as_dict(private=True)
    other = {"kty": "oct", "k": "AAAA", "kid": "secret"}
    found = parse_keys(orjson.dumps({"keys": [good, private, other]}), "here")
    assert [k.kid for k in found] == ["good"]
