"""Odd requests of the webhook API: each gets a clear refusal, or does what was meant, and is never a fault of ours."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from tests.integration.webhook.receiver import Receiver
from tests.integration.webhook.world import World, path, settled
from tests.waiting import until

URL = "http://127.0.0.1:9/hook"


@pytest.mark.parametrize(
    "field",
    [
        "url", "description", "event_types", "headers", "format", "signature", "http_signature", "ordered",
        "retry_schedule", "timeout_ms", "max_in_flight",
    ],
)  # fmt: skip
async def test_null_is_no_setting(world: World, field: str) -> None:
    endpoint = await world.endpoint(URL)
    code, problem = await world.call("PATCH", path(endpoint), {field: None})
    assert (code, problem["code"]) == (422, "invalid_request")
    assert f"{field} cannot be null" in problem["detail"]
    assert (await world.call("GET", path(endpoint)))[1]["version"] == endpoint["version"]


async def test_null_takes_a_limit_and_a_filter_away(world: World) -> None:
    endpoint = await world.endpoint(URL, rate_limit=5, filter={"channels": ["direct"]})
    code, changed = await world.call("PATCH", path(endpoint), {"rate_limit": None, "filter": None})
    assert (code, changed["rate_limit"], changed["filter"]["channels"]) == (200, None, None)


def _cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(["events.position", *values])).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "values", [("²", 0), ("٣", 0), (None, 0), ("1", None), ("1", 2**31), ("1", -2), ("-1", 0), ("9" * 20, 0), ("", 0)]
)
async def test_a_cursor_that_is_none_of_ours(world: World, values: tuple[object, object]) -> None:
    code, problem = await world.call("GET", "/v1/events", params={"after": _cursor(*values)})
    assert (code, problem["code"]) == (400, "invalid_cursor")


async def test_an_empty_cursor_is_the_beginning(world: World) -> None:
    await world.take_in(world.life())
    code, page = await world.call("GET", "/v1/events", params={"after": ""})
    assert (code, len(page["items"])) == (200, 1)


@pytest.mark.parametrize("text", ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"])
async def test_ids_that_nobody_has(world: World, text: str) -> None:
    for method, kind, more in (
        ("GET", "deliveries", ""),
        ("POST", "deliveries", "/retry"),
        ("GET", "endpoints", "/deliveries"),
        ("GET", "endpoints", "/stats"),
        ("GET", "replays", ""),
        ("POST", "replays", "/cancel"),
    ):
        code, problem = await world.call(method, f"/v1/{kind}/{text}{more}")
        assert (code, problem["code"].endswith("_not_found")) == (404, True)


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"x-a": "1\r\nx-b: 2"}, "on one line"),
        ({"x-a": "ü"}, "ASCII"),
        ({"x a": "1"}, "without spaces"),
        ({"x-a": "1", "X-A": "2"}, "given twice"),
        ({"Webhook-Signature": "1"}, "set by the sender"),
    ],
)
async def test_a_refused_header_says_why(world: World, headers: dict[str, str], says: str) -> None:
    code, problem = await world.call("POST", "/v1/endpoints", {"url": URL, "headers": headers})
    assert code == 422
    assert says in problem["detail"]


async def test_nothing_of_the_future_can_be_sent_again(world: World) -> None:
    endpoint = await world.endpoint(URL)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"endpoint_id": endpoint["endpoint_id"], "received_from": later}
    code, problem = await world.call("POST", "/v1/replays", body)
    assert (code, problem["code"]) == (422, "range_in_future")


async def test_a_request_that_is_made_again_has_one_effect(world: World) -> None:
    """Whose answer was lost asks again with the same key: that is no conflict with what it has done itself."""
    endpoint = await world.endpoint(URL)
    for verb, body in (("pause", None), ("resume", None), ("disable", None), ("enable", {"replay_missing": True})):
        key = {"Idempotency-Key": f"once-{verb}"}
        first = await world.call("POST", path(endpoint, f"/{verb}"), body, headers=key)
        assert (first[0], first) == (200, await world.call("POST", path(endpoint, f"/{verb}"), body, headers=key))
    _, replays = await world.call("GET", "/v1/replays", params={"endpoint_id": endpoint["endpoint_id"]})
    assert len(replays["items"]) == 1


async def test_who_has_read_an_older_state_deletes_nothing(world: World) -> None:
    endpoint = await world.endpoint(URL)
    code, _ = await world.call("PATCH", path(endpoint), {"description": "other"})
    assert code == 200
    assert (await world.call("DELETE", path(endpoint), headers={"If-Match": '"1"'}))[0] == 412
    assert (await world.call("DELETE", path(endpoint), headers={"If-Match": '"2"'}))[0] == 204


async def test_a_body_that_would_say_nothing_may_be_left_out(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url)
    code, key = await world.call("POST", path(endpoint, "/secret"))
    assert (code, key["kind"], len(key["keys"])) == (201, "hmac", 2)
    assert (await world.call("POST", path(endpoint, "/test")))[0] == 202
    await until(lambda: receiver.hits)
    assert receiver.hits[0].json["type"] == "order.created"


async def test_no_more_keys_than_headers_hold(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url)
    answers = [await world.call("POST", path(endpoint, "/secret"), {}) for _ in range(10)]
    assert [code for code, _ in answers] == [201] * 9 + [422]
    assert answers[-1][1]["code"] == "too_many_keys"
    code, key = await world.call("POST", path(endpoint, "/secret"), {"expire_after_hours": 0})
    assert (code, [k["key_id"] for k in key["keys"]]) == (201, [key["key_id"]])


async def test_another_kind_of_signature_shows_its_key_once(world: World) -> None:
    endpoint = await world.endpoint(URL, signature="ed25519")
    code, changed = await world.call("PATCH", path(endpoint), {"signature": "both"})
    assert code == 200
    assert set(changed["secrets"]) == {"hmac"}
    assert changed["secrets"]["hmac"].startswith("whsec_")
    code, again = await world.call("PATCH", path(endpoint), {"signature": "both"})
    assert (code, "secrets" in again) == (200, False)


@pytest.mark.parametrize(
    "network",
    [
        "127.0.0.0/8",
        "169.254.169.254/32",
        "169.254.0.0/16",
        "::/16",
        "64:ff9b::/96",
        "fe80::/16",
        "8.8.8.0/24",
        "10.0.0.0/7",
    ],
)
async def test_a_marketplace_allows_itself_private_networks_only(world: World, network: str) -> None:
    entry = {"network": network, "reason": "we would like to"}
    code, problem = await world.call("PUT", "/v1/allowed-networks", entry, who="operator")
    assert code == 422
    assert problem["errors"][0]["field"] == "network"


async def test_a_test_event_holds_no_more_than_a_real_one(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url, who="buyer-admin")
    code, _ = await world.call("POST", path(endpoint, "/test"), who="buyer-admin")
    assert code == 202
    await until(lambda: receiver.hits)
    order: dict[str, Any] = receiver.hits[0].json["data"]["order"]
    assert "commission" not in order
    await settled(world, endpoint, delivered=1)
