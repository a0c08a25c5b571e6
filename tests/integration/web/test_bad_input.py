"""Wrong input over real HTTP: the right 4xx problem document, never 500, and the service goes on."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from shared.web import WebSettings
from tests.integration.web.conftest import Door
from tests.issuer import new_key

DEEP = b'{"number":1,"tags":' + b'{"a":' * 40 + b"1" + b"}" * 41
WORSE = b"[" * 5_000

BODIES: list[tuple[str, bytes, int, str]] = [
    ("no JSON", b"hello", 400, "malformed_json"),
    ("cut off", b'{"number": 1', 400, "malformed_json"),
    ("trailing comma", b'{"number": 1,}', 400, "malformed_json"),
    ("two texts", b'{"number": 1} {"number": 2}', 400, "malformed_json"),
    ("byte order mark", b'\xef\xbb\xbf{"number": 1}', 400, "malformed_json"),
    ("not UTF-8", b'{"number": 1, "note": "\xff\xfe"}', 400, "malformed_json"),
    ("UTF-8 surrogate", b'{"number": 1, "note": "\xed\xa0\x80"}', 400, "malformed_json"),
    ("lone surrogate", b'{"number": 1, "note": "\\ud800"}', 400, "malformed_json"),
    ("raw control character", b'{"number": 1, "note": "a\nb"}', 400, "malformed_json"),
    ("NaN", b'{"number": NaN}', 400, "malformed_json"),
    ("Infinity", b'{"number": Infinity}', 400, "malformed_json"),
    ("minus Infinity", b'{"number": -Infinity}', 400, "malformed_json"),
    ("a key twice", b'{"number": 1, "number": 2}', 422, "duplicate_key"),
    ("a key twice, escaped", b'{"note": "a", "n\\u006fte": "b", "number": 1}', 422, "duplicate_key"),
    ("a key twice, deep down", b'{"number": 1, "tags": {"a": {"b": 1, "b": 2}}}', 422, "duplicate_key"),
    ("deep", DEEP, 422, "nested_too_deeply"),
    ("very deep", WORSE, 422, "nested_too_deeply"),
    ("NUL", b'{"number": 1, "note": "a\\u0000b"}', 422, "nul_character"),
    ("NUL in a key", b'{"number": 1, "tags": {"a\\u0000": 1}}', 422, "nul_character"),
    ("beyond 2^53", b'{"number": 1, "tags": {"a": 9007199254740993}}', 422, "number_out_of_range"),
    ("beyond a double", b'{"number": 1, "tags": {"a": 1e400}}', 422, "number_out_of_range"),
    ("5,000 digits", b'{"number": ' + b"9" * 5_000 + b"}", 422, "number_out_of_range"),
    ("unknown field", b'{"number": 1, "colour": "red"}', 422, "invalid_request"),
    ("missing field", b"{}", 422, "invalid_request"),
    ("wrong type", b'{"number": "many"}', 422, "invalid_request"),
    ("below the least", b'{"number": -1}', 422, "invalid_request"),
    ("fraction for a whole", b'{"number": 1.5}', 422, "invalid_request"),
    ("no object", b"[1]", 422, "invalid_request"),
    ("null", b"null", 422, "invalid_request"),
    ("no body", b"", 422, "invalid_request"),
]


@pytest.mark.parametrize(("body", "status", "code"), [b[1:] for b in BODIES], ids=[b[0] for b in BODIES])
async def test_a_wrong_body_is_refused_with_the_reason(door: Door, body: bytes, status: int, code: str) -> None:
    got, document, headers = await door.post("/v1/echo", body)
    assert (got, document["code"]) == (status, code), document
    assert headers["content-type"] == "application/problem+json"
    assert set(document) >= {"type", "title", "status", "code", "detail"}
    assert document["status"] == status
    assert document["type"] == f"urn:ordertrail:problem:{code}"


async def test_field_errors_say_where_and_never_echo_the_input(door: Door) -> None:
    status, document, _ = await door.post("/v1/echo", {"number": -5, "quantity": "secret-value", "colour": 1})
    assert status == 422
    assert {(e["in"], e["field"]) for e in document["errors"]} == {
        ("body", "number"), ("body", "quantity"), ("body", "colour")
    }  # fmt: skip
    assert "secret-value" not in json.dumps(document)


async def test_many_wrong_fields_make_a_bounded_answer(door: Door) -> None:
    body = {f"field-{n}-{'x' * 20}": 1 for n in range(250)}
    _, document, _ = await door.post("/v1/echo", body)
    assert len(document["errors"]) == 50


async def test_exact_numbers_reach_the_model(door: Door) -> None:
    status, document, _ = await door.post(
        "/v1/echo", b'{"number": 1, "quantity": 0.1, "tags": {"n": 9007199254740991}}'
    )
    assert status == 200
    assert document["quantity"] == "0.1"
    assert document["tags"] == {"n": 9007199254740991}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "", "json"])
async def test_another_content_type_is_415(door: Door, kind: str) -> None:
    status, document, _ = await door.post("/v1/echo", {"number": 1}, headers={"content-type": kind})
    assert (status, document["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"])
async def test_json_content_types_are_taken(door: Door, kind: str) -> None:
    status, _, _ = await door.post("/v1/echo", {"number": 1}, headers={"content-type": kind})
    assert status == 200


async def test_whoever_sends_ten_megabytes_can_read_why_they_are_refused(door: Door) -> None:
    head = (
        f"POST /v1/echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {door.issuer.token()}\r\n"
        "Content-Type: application/json\r\nContent-Length: 10000000\r\nConnection: close\r\n\r\n"
    )
    # all of it is sent before anything is read, as simple clients do
    answer = await door.raw(head.encode() + b"x" * 10_000_000)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"body_too_large"' in answer


async def test_a_large_body_is_413_whether_declared_or_chunked(door: Door) -> None:
    status, document, _ = await door.post("/v1/echo", b'"' + b"x" * 20_000 + b'"')
    assert (status, document["code"], document["limit"]) == (413, "body_too_large", 10_000)

    token = door.issuer.token()
    head = f"POST /v1/echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    answer = await door.raw(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 40)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer


async def test_an_upload_route_may_take_more_and_has_its_own_limit(door: Door) -> None:
    import aiohttp

    for size, wanted in ((40_000, 200), (60_000, 413)):
        form = aiohttp.FormData()
        form.add_field("file", b"x" * size, filename="a.bin")
        async with door.http.post(door.url + "/v1/upload", data=form, headers=door.issuer.bearer()) as answer:
            assert answer.status == wanted, await answer.text()


async def test_a_body_where_none_belongs(door: Door) -> None:
    assert (await door.post("/v1/nothing", b""))[0] == 200
    assert (await door.post("/v1/nothing", b"{}"))[0] == 200
    status, document, _ = await door.post("/v1/nothing", {"a": 1})
    assert (status, document["code"]) == (422, "unexpected_body")


async def test_half_a_body_is_408_and_the_connection_ends(door: Door) -> None:
    token = door.issuer.token()
    answer = await door.raw(
        f"POST /v1/echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        'Content-Length: 70000\r\n\r\n{"number"'.encode()
    )
    assert answer.startswith(b"HTTP/1.1 413 "), "declared too large: refused without waiting for the rest"
    async with door.another(WebSettings(body_seconds=1.0)) as hasty:
        began = time.monotonic()
        answer = await hasty.raw(
            f"POST /v1/echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            'Transfer-Encoding: chunked\r\n\r\n5\r\n{"num\r\n'.encode()
        )
        assert time.monotonic() - began > 0.9
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"body_too_slow"' in answer


async def test_a_client_that_leaves_half_way_hurts_nobody(door: Door) -> None:
    token = door.issuer.token()
    for _ in range(5):
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(
            f"POST /v1/echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
        )
        await writer.drain()
        writer.close()
    assert (await door.post("/v1/echo", {"number": 1}))[0] == 200


JUNK: list[tuple[str, bytes]] = [
    ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ("version", b"GET / HTTP/9.9\r\n\r\n"),
    ("bytes in the path", b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("space in a header name", b"GET / HTTP/1.1\r\nHost: x\r\nBad Header : 1\r\n\r\n"),
    ("two lengths", b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    ("length and chunks", b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("bad chunk size", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"),
    ("negative length", b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n"),
    ("NUL in a header", b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n"),
]


@pytest.mark.parametrize("junk", [j[1] for j in JUNK], ids=[j[0] for j in JUNK])
async def test_what_is_not_http_is_400(door: Door, junk: bytes) -> None:
    answer = await door.raw(junk)
    assert b" 400 " in answer.split(b"\r\n")[0] or b" 401 " in answer.split(b"\r\n")[0], answer
    assert b"application/problem+json" in answer


async def test_an_endless_header_is_431(door: Door) -> None:
    answer = await door.raw(b"GET /open/hello HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 40_000 + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(b"GET / HTTP/1.1\r\nA: ")
    sent = 0
    try:
        async with asyncio.timeout(10):
            while sent < 100_000_000:
                writer.write(b"a" * 100_000)
                await writer.drain()
                sent += 100_000
    except (ConnectionError, OSError):
        pass
    assert sent < 20_000_000
    writer.close()
    del reader


PATHS: list[tuple[str, int, str]] = [
    ("/v1/items/not-a-uuid", 404, "not_found"),
    ("/v1/items/00000000-0000-7000-8000-00000000000g", 404, "not_found"),
    ("/v1/items/0190b5a0-0000-7000-8000-000000000000", 404, "not_found"),
    ("/v1/nowhere", 404, "not_found"),
    ("/v1/items/", 404, "not_found"),
    ("/v1/items?limit=0", 422, "invalid_request"),
    ("/v1/items?limit=201", 422, "invalid_request"),
    ("/v1/items?limit=ten", 422, "invalid_request"),
    ("/v1/items?limit=1e3", 422, "invalid_request"),
    ("/v1/items?cursor=%00", 400, "malformed_request"),
    ("/v1/it%00ems", 400, "malformed_request"),
    ("/v1/items?cursor=nonsense", 400, "invalid_cursor"),
    ("/v1/items?limt=5", 422, "unknown_parameter"),
    ("/v1/items?limit=5&limit=6", 422, "repeated_parameter"),
    ("/v1/items?number=5&number=x", 422, "invalid_request"),
    ("/v1/items?limit=5&" + "x" * 500 + "=1", 422, "unknown_parameter"),
    ("/v1/items?cursor=", 400, "invalid_cursor"),
    ("/v1/items?cursor=%F0%9F%98%80", 400, "invalid_cursor"),
    ("/v1/items?cursor=" + "A" * 2_000, 400, "invalid_cursor"),
    ("/v1/items?cursor=WyJvdGhlci5saXN0IiwxXQ", 400, "invalid_cursor"),
    ("/v1/items?cursor=WyJpdGVtcy5udW1iZXIiLCJ0ZXh0Il0", 400, "invalid_cursor"),
    ("/v1/items?cursor=WyJpdGVtcy5udW1iZXIiLHRydWVd", 400, "invalid_cursor"),
    ("/v1/items?cursor=WyJpdGVtcy5udW1iZXIiXQ", 400, "invalid_cursor"),
]


@pytest.mark.parametrize(("path", "status", "code"), PATHS, ids=[p[0][:40] for p in PATHS])
async def test_wrong_addresses(door: Door, path: str, status: int, code: str) -> None:
    from yarl import URL

    async with door.http.get(URL(door.url + path, encoded=True), headers=door.issuer.bearer()) as answer:
        document = await answer.json(content_type="application/problem+json")
        assert (answer.status, document["code"]) == (status, code), document


async def test_a_wrong_method_is_405_and_says_which_are_right(door: Door) -> None:
    async with door.http.delete(door.url + "/v1/items", headers=door.issuer.bearer()) as answer:
        assert answer.status == 405
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["allow"]


async def test_a_foreign_id_and_an_absent_path_have_the_same_body(door: Door) -> None:
    first = await door.get("/v1/items/0190b5a0-0000-7000-8000-000000000000")
    second = await door.get("/v1/items/0190b5a0-0000-7000-8000-000000000001")
    assert first[:2] == second[:2]


def _tampered(token: str) -> str:
    head, payload, signature = token.split(".")
    return f"{head}.{payload[:-2]}{'AA' if payload[-2:] != 'AA' else 'BB'}.{signature}"


def _tokens(door: Door) -> dict[str, tuple[str | None, str]]:
    issue = door.issuer.token
    return {
        "none": (None, "not_signed_in"),
        "another scheme": ("Basic YTpi", "invalid_token"),
        "empty": ("Bearer ", "invalid_token"),
        "no JWT": ("Bearer abc", "invalid_token"),
        "not ASCII": ("Bearer \xff\xfe", "invalid_token"),
        "two of them": (f"Bearer {issue()}, Bearer {issue()}", "invalid_token"),
        "expired": (f"Bearer {issue(seconds=-1)}", "token_expired"),
        "from the future": (f"Bearer {issue(iat=time.time() + 600)}", "invalid_token"),
        "not yet": (f"Bearer {issue(nbf=time.time() + 600)}", "invalid_token"),
        "tampered": (f"Bearer {_tampered(issue())}", "invalid_token"),
        "alg none": ("Bearer eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0Iiwia2lkIjoidGVzdC0xIn0.e30.", "invalid_token"),
        "alg HS256": ("Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6InRlc3QtMSJ9.e30.AAAA", "invalid_token"),
        "another typ": (f"Bearer {issue(header={'typ': 'JWT'})}", "invalid_token"),
        "no typ": (f"Bearer {issue(header={'typ': None})}", "invalid_token"),
        "no kid": (f"Bearer {issue(header={'kid': None})}", "invalid_token"),
        "a foreign key of the same name": (f"Bearer {issue(key=new_key('test-1'))}", "invalid_token"),
        "an unknown key": (f"Bearer {issue(key=new_key('other'))}", "invalid_token"),
        "another issuer": (f"Bearer {issue(iss='http://evil.example')}", "invalid_token"),
        "another audience": (f"Bearer {issue(aud='somebody-else')}", "invalid_token"),
        "no exp": (f"Bearer {issue(without=['exp'])}", "invalid_token"),
        "exp as text": (f"Bearer {issue(exp='tomorrow')}", "invalid_token"),
        "no marketplace": (f"Bearer {issue(without=['mkt'])}", "invalid_token"),
        "sub no UUID": (f"Bearer {issue(sub='me')}", "invalid_token"),
        "unknown role": (f"Bearer {issue(roles=['king'])}", "invalid_token"),
        "oversized": (f"Bearer {issue(name='x' * 400, junk='y' * 9_000)}", "invalid_token"),
    }


async def test_every_wrong_token_is_401_with_a_reason(door: Door) -> None:
    async def one(name: str, header: str | None, code: str) -> None:
        sent = f"Authorization: {header}" if header else "A: b"
        lines = f"GET /v1/items HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{sent}\r\n\r\n"
        answer = await door.raw(lines.encode("latin-1"))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 401 "), (name, answer)
        assert b"www-authenticate: Bearer " in head, name
        assert json.loads(body)["code"] == code, (name, body)

    for name, (header, code) in _tokens(door).items():
        await one(name, header, code)


async def test_two_authorization_headers_are_refused(door: Door) -> None:
    good = door.issuer.token()
    answer = await door.raw(
        f"GET /v1/items HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {good}\r\n"
        f"Authorization: Bearer {good}\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_a_good_token_works_however_the_scheme_is_written(door: Door) -> None:
    headers: Any = {"authorization": f"bEaReR {door.issuer.token()}"}
    async with door.http.get(door.url + "/v1/items", headers=headers) as answer:
        assert answer.status == 200


async def test_half_a_head_is_408(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.web.server import BoundedHttp

    monkeypatch.setattr(BoundedHttp, "head_seconds", 0.3)
    answer = await door.raw(b"GET /open/hello HTTP/1.1\r\nHost: x\r\n")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"head_too_slow"' in answer
    assert await door.raw(b"") == b"", "a silent connection is closed without a word"
