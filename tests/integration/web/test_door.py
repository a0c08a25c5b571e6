"""The door over real HTTP: failures, database trouble, health, documentation, limits, logs and traces."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
import structlog
from aiohttp import ClientTimeout

from shared.ids import new_id
from shared.postgres import Database
from shared.readiness import Readiness
from shared.web import WebSettings, create_app, revoked, streams
from tests.integration.web.conftest import LIMITS, Door, router, served
from tests.stack import StackDatabase
from tests.waiting import until

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(autouse=True)
def _every_level_is_logged() -> None:
    # other modules of the same run may have asked for errors alone
    structlog.reset_defaults()


async def test_a_failure_is_500_without_detail_and_its_log_line_has_all(door: Door) -> None:
    with structlog.testing.capture_logs() as lines:
        status, document, _ = await door.get("/v1/broken")
        # the line is written when the answer has left
        await until(lambda: [x for x in lines if x["event"] == "http.request"])
    assert (status, document["code"]) == (500, "internal_error")
    assert "secret" not in json.dumps(document)
    line = next(x for x in lines if x["event"] == "http.request")
    assert line["log_level"] == "error"
    assert line["route"] == "/v1/broken"
    assert "ZeroDivisionError" in line["error"]


async def test_half_an_answer_is_cut_off_and_not_passed_for_whole(door: Door) -> None:
    import aiohttp

    with pytest.raises(aiohttp.ClientPayloadError):
        async with door.http.get(door.url + "/v1/half", headers=door.issuer.bearer()) as answer:
            await answer.read()


async def test_what_the_database_refuses_is_422(door: Door) -> None:
    for note in ("99999999999", "not a number"):
        status, document, _ = await door.post("/v1/store", {"number": 1, "note": note})
        assert (status, document["code"]) == (422, "unstorable_value")


async def test_a_lost_database_connection_is_503_and_may_be_sent_again(door: Door) -> None:
    status, document, headers = await door.post("/v1/gone", b"")
    assert (status, document["code"]) == (503, "database_unavailable")
    assert headers["retry-after"] == "1"
    assert (await door.post("/v1/items", {"number": 1}))[0] == 201


async def test_one_log_line_with_the_trace_and_the_caller(door: Door) -> None:
    with structlog.testing.capture_logs() as lines:
        await door.post("/v1/echo", {"number": 1}, headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
        await until(lambda: [x for x in lines if x["event"] == "http.request"])
    mine = [x for x in lines if x["event"] == "http.request"]
    assert len(mine) == 1
    assert mine[0].items() >= {"method": "POST", "route": "/v1/echo", "status": 200, "outcome": "ok"}.items()
    assert {"marketplace", "caller", "duration_ms"} <= set(mine[0])


async def test_health_is_open_and_quiet(door: Door) -> None:
    with structlog.testing.capture_logs() as lines:
        async with door.http.get(door.url + "/healthz") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "alive"})
        async with door.http.get(door.url + "/metrics") as answer:
            assert "ordertrail_http_request_seconds_bucket" in await answer.text()
    assert not lines


async def test_ready_says_what_is_wrong(door: Door) -> None:
    state: dict[str, str | None] = {"broker": None}

    async def broker() -> str | None:
        return state["broker"]

    door.readiness.add("broker", broker)
    async with door.http.get(door.url + "/readyz") as answer:
        assert (answer.status, (await answer.json())["status"]) == (200, "ready")
    state["broker"] = "no answer"
    async with door.http.get(door.url + "/readyz") as answer:
        assert answer.status == 503
        assert (await answer.json())["checks"] == {"broker": "no answer"}
    state["broker"] = None


async def test_ready_is_who_has_connections_for_requests_too(door: Door, module_database: StackDatabase) -> None:
    """One role's connections may all be taken while the other still has some: then no request is answered."""
    worker = Database(module_database.worker_dsn("identity"), name="test-ready")
    refused = Database(
        module_database.app_dsn("identity").replace("ordertrail_identity:", "ordertrail_identity:no"),
        name="test-refused",
    )
    for others, good in (([door.db], True), ([refused], False)):
        checks = Readiness()
        checks.add_database(worker, [], others)
        await worker.open()
        await refused.open()
        try:
            assert ((await checks.check())["database"] == "ok") is good
        finally:
            await worker.close()
            await refused.close()


async def test_the_documentation_loads_everything_from_here(door: Door) -> None:
    async with door.http.get(door.url + "/docs") as answer:
        page = await answer.text()
        policy = answer.headers["content-security-policy"]
    assert "http://" not in page
    assert "https://" not in page
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js", "favicon-32x32.png"):
        async with door.http.get(f"{door.url}/docs/{name}") as answer:
            assert answer.status == 200, name
            assert len(await answer.read()) > 100
    async with door.http.get(f"{door.url}/docs/..%2f..%2fapp.py") as answer:
        assert answer.status == 404


async def test_openapi_says_tokens_problems_and_keys(door: Door) -> None:
    async with door.http.get(door.url + "/openapi.json") as answer:
        document: Any = await answer.json()
    place = document["paths"]["/v1/items"]["post"]
    assert place["security"] == [{"token": []}]
    assert place["parameters"][0]["name"] == "Idempotency-Key"
    assert place["responses"]["422"]["content"]["application/problem+json"]["schema"]["$ref"].endswith("/Problem")
    assert document["paths"]["/open/hello"]["get"]["security"] == []
    assert "text/event-stream" in document["paths"]["/v1/stream"]["get"]["responses"]["200"]["content"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_security_headers_on_answers_and_refusals(door: Door) -> None:
    for path in ("/open/hello", "/v1/items", "/nowhere"):
        async with door.http.get(door.url + path) as answer:
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")


async def test_a_public_path_needs_no_token_and_its_neighbours_do(door: Door) -> None:
    for path, wanted in (("/open/hello", 200), ("/open", 401), ("/opennow", 401), ("/v1/items", 401), ("/x", 401)):
        async with door.http.get(door.url + path) as answer:
            assert answer.status == wanted, path


@pytest.mark.parametrize("why", ["expired", "revoked"])
async def test_a_stream_ends_with_its_token(door: Door, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    monkeypatch.setattr(streams, "HOLDS_SECONDS", 0.05)
    monkeypatch.setattr(revoked, "FRESH_SECONDS", 0.05)
    who = new_id()
    lasting = door.issuer.bearer(person_id=who, seconds=1.0 if why == "expired" else 900)
    async with (
        door.another(LIMITS) as other,
        door.http.get(other.url + "/v1/stream", headers=lasting, timeout=ClientTimeout(total=30)) as answer,
    ):
        assert await answer.content.readline() == b": still here\n"
        door.issuer.revoked[revoked.mark_of(str(who))] = time.time() + (60 if why == "revoked" else -60)
        await answer.content.read()
        assert answer.content.at_eof()
        async with door.http.get(other.url + "/v1/items", headers=lasting) as after:
            assert after.status == 401
            assert (await after.json())["code"] == f"token_{why}"


async def test_rate_limits_are_told_and_kept_per_caller(door: Door) -> None:
    from types import SimpleNamespace

    settings = SimpleNamespace(identity_issuer=door.issuer.url, jwks_address=door.issuer.url + "/.well-known/jwks.json")
    runtime: Any = SimpleNamespace(settings=settings, readiness=door.readiness)
    limits = WebSettings(rate_per_second=0.01, rate_burst=3, anonymous_per_second=0.01, anonymous_burst=2)
    app = create_app(title="T", service="t", runtime=runtime, routers=[router], public=["/open/"], web=limits)
    async with served(app) as port:
        url = f"http://127.0.0.1:{port}"
        mine, other = door.issuer.bearer(), door.issuer.bearer()
        seen = []
        for _ in range(4):
            async with door.http.get(url + "/v1/items", headers=mine) as answer:
                seen.append((answer.status, answer.headers["ratelimit"].split(";")[1]))
        assert seen == [(200, "r=2"), (200, "r=1"), (200, "r=0"), (429, "r=0")]
        assert answer.headers["ratelimit-policy"] == '"caller";q=3;w=300'
        assert int(answer.headers["retry-after"]) == 100
        async with door.http.get(url + "/v1/items", headers=other) as answer:
            assert answer.status == 200
        statuses = []
        for _ in range(4):
            async with door.http.get(url + "/v1/items") as answer:
                statuses.append(answer.status)
        assert statuses == [401, 401, 429, 429]
        async with door.http.get(url + "/v1/items", headers=other) as answer:
            assert answer.status == 200, "a valid caller at a noisy address goes on"


async def test_pages_follow_each_other(door: Door) -> None:
    found: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        _, document, _ = await door.get(f"/v1/items?limit=3{'&cursor=' + cursor if cursor else ''}")
        found += document["items"]
        cursor = document["next_cursor"]
    assert found == list(range(7))


async def test_etags(door: Door) -> None:
    path = "/v1/items/0190b5a0-0000-7000-8000-000000000000"
    for header, wanted in (
        (None, 428),
        ('"6"', 412),
        ('W/"7"', 412),
        ('"7"', 200),
        ("*", 200),
        ('"1", "7"', 200),
        ("7", 412),
    ):
        headers = door.issuer.bearer() | ({"If-Match": header} if header else {})
        async with door.http.put(door.url + path, json={"number": 1}, headers=headers) as answer:
            assert answer.status == wanted, header
            if wanted == 412:
                document = await answer.json(content_type="application/problem+json")
                assert document["current"] == {"number": 1}
                assert document["etag"] == '"7"'


async def test_keys_are_fetched_once_for_many_first_requests(door: Door) -> None:
    from types import SimpleNamespace

    settings = SimpleNamespace(identity_issuer=door.issuer.url, jwks_address=door.issuer.url + "/.well-known/jwks.json")
    app = create_app(
        title="T", service="t", routers=[router], web=WebSettings(),
        runtime=SimpleNamespace(settings=settings, readiness=door.readiness),  # type: ignore[arg-type]
    )  # fmt: skip
    before = door.issuer.fetches
    async with served(app) as port:

        async def one() -> int:
            async with door.http.get(f"http://127.0.0.1:{port}/v1/items", headers=door.issuer.bearer()) as answer:
                return answer.status

        assert set(await asyncio.gather(*(one() for _ in range(30)))) == {200}
    assert door.issuer.fetches == before + 1
