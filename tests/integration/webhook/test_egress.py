"""Hostile and odd receivers on real sockets: each costs one attempt, bounded in time and memory, and rightly named."""

from __future__ import annotations

import asyncio
import gzip
import os
import resource
import socket
import ssl
import struct
import warnings
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from services.webhook import names as names_module
from services.webhook.addresses import LOOPBACK, Policy, parse_target
from services.webhook.egress import Egress, Outcome, client_context
from services.webhook.exchange import BODY_KEPT
from services.webhook.schedule import Failure
from shared.ids import new_id
from tests.integration.webhook.certificates import Authority
from tests.integration.webhook.receiver import Hit, receiving, status

POLICY = Policy(https_only=False, ports=frozenset(), allowed=LOOPBACK)
PLACE = new_id()
# For what is to be answered: more than a busy machine needs. For what is not: short of what each of them takes by far,
# and long enough for the machine not to stand still for a quarter of it by itself.
PATIENT, IMPATIENT = 30.0, 3.0
Raw = Callable[[Hit, asyncio.StreamWriter], Awaitable[bool]]


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    made = Egress()
    yield made
    await made.close()


async def post(
    egress: Egress, url: str, *, deadline: float = PATIENT, body: bytes = b"{}", policy: Policy = POLICY
) -> Outcome:
    return await egress.send(PLACE, parse_target(url, policy), policy, {"x": "y"}, body, deadline=deadline)


def raw(*parts: bytes, close: bool = True, pause: float = 0) -> Raw:
    """Exactly these bytes."""

    async def answer(_: Hit, writer: asyncio.StreamWriter) -> bool:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        return not close

    return answer


async def silence(_: Hit, writer: asyncio.StreamWriter) -> bool:
    await asyncio.sleep(60)
    return False


async def drip(_: Hit, writer: asyncio.StreamWriter) -> bool:
    for byte in b"HTTP/1.1 200 OK\r\nx-slow: " + b"y" * 1_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)
    return False


async def dripping_body(_: Hit, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    for _n in range(1_000):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)
    return False


async def endless(_: Hit, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        await writer.drain()


async def endless_headers(_: Hit, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x-filler: " + b"y" * 1_000 + b"\r\n")
        await writer.drain()


async def endless_interim(_: Hit, writer: asyncio.StreamWriter) -> bool:
    while True:
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n" * 50)
        await writer.drain()


async def reset_mid_body(_: Hit, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    await writer.drain()
    await asyncio.sleep(0.05)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


BOMB = gzip.compress(b"\0" * 50_000_000, 9)


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (silence, Failure.TIMEOUT),
        (drip, Failure.TIMEOUT),
        (dripping_body, Failure.TIMEOUT),
        (endless_headers, Failure.HEADERS_TOO_LARGE),
        (endless_interim, Failure.HEADERS_TOO_LARGE),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 101 + b"\r\n"), Failure.HEADERS_TOO_LARGE),
        (raw(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 40_000 + b"\r\n\r\n"), Failure.HEADERS_TOO_LARGE),
        (reset_mid_body, Failure.RESET),
        (raw(b""), Failure.RESET),
        (raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"), Failure.RESET),
        (raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel"), Failure.RESET),
        (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), Failure.PROTOCOL),
        (raw(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"), Failure.PROTOCOL),
        (raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"), Failure.PROTOCOL),
        (raw(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"), Failure.PROTOCOL),
        (raw(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope"), Failure.PROTOCOL),
    ],
)
async def test_hostile_answers_fail_in_time(egress: Egress, answer: Raw, failure: Failure) -> None:
    deadline = IMPATIENT if failure is Failure.TIMEOUT else PATIENT
    async with receiving(answer) as receiver:
        outcome = await post(egress, receiver.url, deadline=deadline)
    assert outcome.failure is failure, outcome
    assert outcome.error
    assert outcome.status is None
    # what drips takes twenty seconds, silence a minute
    assert outcome.seconds < 15


@pytest.mark.parametrize(
    ("answer", "code", "kept"),
    [
        (status(200, b"ok"), 200, b"ok"),
        (status(204), 204, b""),
        (raw(b"HTTP/1.1 204 No Content\r\n\r\n", close=False), 204, b""),
        (raw(b"HTTP/1.0 200 OK\r\n\r\nuntil the end"), 200, b"until the end"),
        (raw(b"HTTP/1.1 200 OK\r\n\r\nuntil the end"), 200, b"until the end"),
        (
            raw(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", pause=0.02),
            200,
            b"ok",
        ),
        (raw(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n"), 500, b""),
        (status(301, b"moved", location="http://127.0.0.1:1/"), 301, b"moved"),
        (status(307, b"", location="/elsewhere"), 307, b""),
        (status(410), 410, b""),
        (
            raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n", close=False),
            200,
            b"ok",
        ),
        (status(200, gzip.compress(b"small"), content_encoding="gzip"), 200, b"small"),
        (status(200, zlib.compress(b"small"), content_encoding="deflate"), 200, b"small"),
        (endless, 200, b"x" * BODY_KEPT),
        (status(200, b"y" * 100_000), 200, b"y" * BODY_KEPT),
        (status(200, BOMB, content_encoding="gzip"), 200, b"\0" * BODY_KEPT),
    ],
)
async def test_answers_that_count(egress: Egress, answer: Raw, code: int, kept: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with receiving(answer) as receiver:
        outcome = await post(egress, receiver.url)
        assert len(receiver.hits) == 1, "nothing is followed or repeated"
    assert outcome.status == code, outcome
    assert outcome.response is not None
    assert outcome.response.body == kept
    assert outcome.response.truncated == (len(kept) == BODY_KEPT)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000, "kilobytes"


async def test_connections_are_kept_and_replaced(egress: Egress) -> None:
    async with receiving() as receiver:
        for _ in range(5):
            assert (await post(egress, receiver.url)).status == 200
        assert receiver.connections == 1
        receiver.answer = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")  # says keep, and hangs up
        assert (await post(egress, receiver.url)).status == 200
        await asyncio.sleep(0.05)
        assert (await post(egress, receiver.url)).status == 200
        assert len(receiver.hits) == 7


async def test_a_reused_connection_is_not_another_endpoints(egress: Egress) -> None:
    async with receiving() as receiver:
        await post(egress, receiver.url)
        strict = Policy(https_only=False, ports=frozenset(), allowed=LOOPBACK)
        await egress.send(new_id(), parse_target(receiver.url, POLICY), strict, {}, b"", deadline=PATIENT)
        assert receiver.connections == 2


async def test_an_unasked_answer_ends_the_connection(egress: Egress) -> None:
    twice = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n", close=False)
    async with receiving(twice) as receiver:
        assert (await post(egress, receiver.url)).status == 200
        assert (await post(egress, receiver.url)).status == 200
        assert receiver.connections == 2


async def test_nobody_listens(egress: Egress) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        outcome = await post(egress, f"http://127.0.0.1:{held.getsockname()[1]}/")
    assert outcome.failure is Failure.CONNECT


async def test_unknown_name(egress: Egress, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(names_module, "_addresses", fails)
    assert (await post(egress, "http://shop.example/")).failure is Failure.DNS


async def test_a_name_that_resolves_to_a_private_address(egress: Egress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_module, "_addresses", lambda host, port: ["8.8.8.8", "169.254.169.254"])
    assert (
        await post(egress, "http://shop.example/", policy=Policy(False, frozenset()))
    ).failure is Failure.FORBIDDEN_ADDRESS


async def test_a_name_that_changes_its_mind_is_connected_where_it_was_vetted(
    egress: Egress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is resolved once per connection; the second answer, a metadata address, is never looked at."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"], ["169.254.169.254"]])
    monkeypatch.setattr(names_module, "_addresses", lambda host, port: next(answers))
    async with receiving() as receiver:
        assert (await post(egress, f"http://shop.example:{receiver.port}/")).status == 200
        assert receiver.hits[0].headers["host"] == f"shop.example:{receiver.port}"
    assert next(answers) == ["169.254.169.254"]


async def test_an_address_that_swallows_packets_leaves_time_for_the_next(
    egress: Egress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with IPv6 that leads nowhere: a listener whose queue is full answers no more than a black hole."""
    monkeypatch.setattr(names_module, "_addresses", lambda host, port: ["127.0.0.2", "127.0.0.1"])
    async with receiving() as receiver:
        with socket.socket() as full:
            full.bind(("127.0.0.2", receiver.port))
            full.listen(0)
            waiting = []
            for _ in range(4):
                waiting.append(caller := socket.socket())
                caller.setblocking(False)
                caller.connect_ex(("127.0.0.2", receiver.port))
            assert (await post(egress, f"http://shop.example:{receiver.port}/")).status == 200
            for caller in waiting:
                caller.close()


async def test_proxies_in_the_environment_are_ignored(egress: Egress, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with receiving() as receiver:
        assert (await post(egress, receiver.url)).status == 200


async def test_header_injection_is_impossible(egress: Egress) -> None:
    async with receiving() as receiver:
        target = parse_target(receiver.url, POLICY)
        outcome = await egress.send(PLACE, target, POLICY, {"x": "a\r\nevil: 1"}, b"", deadline=PATIENT)
        assert outcome.failure is Failure.CONFIGURATION
        assert receiver.connections == 0


@asynccontextmanager
async def few_descriptors(spare: int) -> AsyncIterator[None]:
    """Only so many more files may be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + spare, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_too_few_descriptors_is_our_own_trouble(egress: Egress) -> None:
    async with receiving() as receiver:
        held = []
        async with few_descriptors(3):
            try:
                while True:
                    held.append(os.dup(0))
            except OSError:
                outcome = await post(egress, receiver.url)
        for fd in held:
            os.close(fd)
        assert outcome.failure is Failure.LOCAL
        assert (await post(egress, receiver.url)).status == 200


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


async def test_tls_is_verified(authority: Authority) -> None:
    trusted = client_context()
    trusted.load_verify_locations(cadata=authority.pem)
    cases = {
        "good": (authority.server("127.0.0.1"), None),
        "expired": (authority.server("127.0.0.1", expired=True), Failure.TLS),
        "another name": (authority.server("shop.example"), Failure.TLS),
        "self-signed": (Authority().server("127.0.0.1"), Failure.TLS),
    }
    for name, (context, failure) in cases.items():
        egress = Egress(trusted)
        async with receiving(tls=context) as receiver:
            outcome = await post(egress, receiver.url)
        await egress.close()
        assert outcome.failure is failure, (name, outcome)
        assert len(receiver.hits) == (0 if failure else 1), name


async def test_plain_http_and_old_tls_behind_https(authority: Authority) -> None:
    trusted = client_context()
    trusted.load_verify_locations(cadata=authority.pem)
    egress = Egress(trusted)
    async with receiving() as receiver:
        outcome = await post(egress, receiver.url.replace("http:", "https:"), deadline=IMPATIENT)
    assert outcome.failure in (Failure.TLS, Failure.RESET, Failure.TIMEOUT), outcome
    old = authority.server("127.0.0.1")
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with warnings.catch_warnings(action="ignore"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with receiving(tls=old) as receiver:
        outcome = await post(egress, receiver.url)
    assert outcome.failure in (Failure.TLS, Failure.RESET, Failure.CONNECT), outcome
    await egress.close()


async def test_sni_and_host_are_the_name_not_the_address(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_module, "_addresses", lambda host, port: ["127.0.0.1"])
    trusted = client_context()
    trusted.load_verify_locations(cadata=authority.pem)
    egress, context, names = Egress(trusted), authority.server("shop.example"), []
    context.sni_callback = lambda _s, name, _c: names.append(name)
    async with receiving(tls=context) as receiver:
        assert (await post(egress, f"https://shop.example:{receiver.port}/")).status == 200
        assert receiver.hits[0].headers["host"] == f"shop.example:{receiver.port}"
    assert names == ["shop.example"]
    await egress.close()
