"""Endpoints over the API: secrets shown once, rotation, who may do what, what reaches whom."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from standardwebhooks import Webhook

from contracts.order import Note, OrderCreated, OrderUpdated
from shared.ids import new_id
from tests.builders import NOON, order_event
from tests.integration.webhook.receiver import Receiver, status
from tests.integration.webhook.world import World
from tests.waiting import until

URL = "http://127.0.0.1:9/hook"


async def test_the_secret_is_shown_once(world: World) -> None:
    key = {"Idempotency-Key": "first-endpoint"}
    code, made = await world.call("POST", "/v1/endpoints", {"url": URL, "headers": {"X-Token": "t0ken"}}, headers=key)
    assert code == 201
    secret = made["secret"]
    assert secret.startswith("whsec_")
    again_code, again = await world.call(
        "POST", "/v1/endpoints", {"url": URL, "headers": {"X-Token": "t0ken"}}, headers=key
    )
    assert (again_code, again["endpoint_id"], again["secret"]) == (201, made["endpoint_id"], None)
    path = f"/v1/endpoints/{made['endpoint_id']}"
    for method, where in (
        ("GET", path),
        ("GET", path + "/secret"),
        ("GET", "/v1/endpoints"),
        ("POST", path + "/pause"),
    ):
        _, shown = await world.call(method, where)
        assert secret not in str(shown)
        assert "t0ken" not in str(shown)
    assert made["header_names"] == ["x-token"]
    for table, column in (("secret", "box"), ("endpoint", "headers_box"), ("idempotency", "response")):
        for row in await world.admin.fetch(f"SELECT {column} AS c FROM webhook.{table}"):
            assert secret.encode() not in (row["c"] or b"")
            assert b"t0ken" not in (row["c"] or b"")


async def test_no_more_endpoints_than_allowed_even_where_they_are_made_at_one_moment(world: World) -> None:
    most = 50
    for _ in range(most - 3):
        await world.endpoint(URL)
    answers = await asyncio.gather(*(world.call("POST", "/v1/endpoints", {"url": URL}) for _ in range(12)))
    assert sorted(code for code, _ in answers) == [201] * 3 + [422] * 9
    assert {a["code"] for code, a in answers if code == 422} == {"too_many_endpoints"}
    assert (await world.call("POST", "/v1/endpoints", {"url": URL}, who="buyer-admin"))[0] == 201


async def test_change_and_list_and_delete(world: World) -> None:
    made = await world.endpoint(URL, description="one", filter={"channels": ["direct"]})
    path = f"/v1/endpoints/{made['endpoint_id']}"
    code, changed = await world.call(
        "PATCH", path, {"description": "two", "rate_limit": 5}, headers={"If-Match": '"1"'}
    )
    assert (code, changed["description"], changed["rate_limit"], changed["version"]) == (200, "two", 5.0, 2)
    assert changed["filter"]["channels"] == ["direct"]
    code, refused = await world.call("PATCH", path, {"description": "three"}, headers={"If-Match": '"1"'})
    assert (code, refused["status"]) == (412, 412)
    second = await world.endpoint(URL)
    code, page = await world.call("GET", "/v1/endpoints", params={"limit": "1"})
    assert [e["endpoint_id"] for e in page["items"]] == [second["endpoint_id"]]
    code, page = await world.call("GET", "/v1/endpoints", params={"limit": "1", "cursor": page["next_cursor"]})
    assert [e["endpoint_id"] for e in page["items"]] == [made["endpoint_id"]]
    assert (await world.call("DELETE", path))[0] == 204
    assert (await world.call("GET", path))[0] == 404
    assert (
        await world.admin.fetchval("SELECT count(*) FROM webhook.secret WHERE endpoint_id = $1", made["endpoint_id"])
        == 0
    )


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"url": "ftp://x/"}, 422, "url_not_allowed"),
        ({"url": "http://user:pw@127.0.0.1/"}, 422, "url_not_allowed"),
        ({"url": "http://10.0.0.1/"}, 422, "url_not_allowed"),
        ({"url": "http://169.254.169.254/latest/"}, 422, "url_not_allowed"),
        ({"url": "http://[::ffff:127.0.0.1]/"}, 422, "url_not_allowed"),
        ({"url": URL, "event_types": ["order.exploded"]}, 422, "unknown_event_type"),
        ({"url": URL, "event_types": ["payment.*"]}, 422, "unknown_event_type"),
        ({"url": URL, "headers": {"Host": "x"}}, 422, "reserved_header"),
        ({"url": URL, "headers": {"x": "a\r\nb: c"}}, 422, None),
        ({"url": URL, "headers": {"x y": "a"}}, 422, None),
        ({"url": URL, "secret": "whsec_short"}, 422, None),
        ({"url": URL, "retry_schedule": [0]}, 422, None),
        ({"url": URL, "unknown": 1}, 422, None),
        ({"url": URL, "timeout_ms": 10}, 422, None),
        ({}, 422, None),
    ],
)
async def test_wrong_input_is_refused(world: World, body: dict[str, Any], status: int, code: str | None) -> None:
    got, problem = await world.call("POST", "/v1/endpoints", body)
    assert got == status, problem
    assert code is None or problem["code"] == code
    assert "whsec_short" not in str(problem)
    assert (await world.call("GET", "/v1/endpoints"))[1]["items"] == []


async def test_rotation_signs_with_old_and_new(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url)
    path = f"/v1/endpoints/{endpoint['endpoint_id']}/secret"
    secrets = [endpoint["secret"]]
    for _ in range(2):
        code, rotated = await world.call("POST", path, {"expire_after_hours": 1})
        assert code == 201
        secrets.append(rotated["secret"])
    assert [k["expires_at"] is None for k in rotated["keys"]] == [True, False, False]
    await world.take_in(world.life())
    await until(lambda: receiver.hits)
    hit = receiver.hits[0]
    assert len(hit.headers["webhook-signature"].split(" ")) == 3
    for secret in secrets:
        Webhook(secret).verify(hit.body, hit.headers)
    await world.call("POST", path, {"expire_after_hours": 0})
    await world.take_in(world.life())
    await until(lambda: len(receiver.hits) == 2)
    # with no overlap only the newest signs
    assert len(receiver.hits[1].headers["webhook-signature"].split(" ")) == 1
    assert len((await world.call("GET", path))[1]["items"]) == 1


async def test_a_key_stops_signing_when_its_time_is_over(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url)
    path = f"/v1/endpoints/{endpoint['endpoint_id']}/secret"
    await world.call("POST", path, {"expire_after_hours": 1.5 / 3600})
    await world.take_in(world.life())
    await until(lambda: receiver.hits)
    assert len(receiver.hits[0].headers["webhook-signature"].split(" ")) == 2

    async def over() -> bool:
        return len((await world.call("GET", path))[1]["items"]) == 1

    await until(over)
    await world.take_in(world.life())
    await until(lambda: len(receiver.hits) == 2)
    assert len(receiver.hits[1].headers["webhook-signature"].split(" ")) == 1


async def test_both_kinds_of_signature_and_http_signature(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(
        receiver.url, signature="both", http_signature=True, headers={"Authorization": "Bearer x"}
    )
    assert endpoint["secrets"]["ed25519"].startswith("whsk_")
    assert [k["public_key"][:5] for k in endpoint["keys"] if k["kind"] == "ed25519"] == ["whpk_"]
    await world.take_in(world.life())
    await until(lambda: receiver.hits)
    headers = receiver.hits[0].headers
    assert sorted(s.partition(",")[0] for s in headers["webhook-signature"].split(" ")) == ["v1", "v1a"]
    assert headers["authorization"] == "Bearer x"
    assert {"signature", "signature-input", "content-digest"} <= set(headers)
    assert "whpk_" not in str(headers)


async def test_foreign_endpoints_are_absent(world: World, receiver: Receiver) -> None:
    made = await world.endpoint(receiver.url)
    path = f"/v1/endpoints/{made['endpoint_id']}"
    await world.take_in(world.life())
    delivery = (await until(lambda: world.deliveries(made)))[0]
    absent = f"/v1/endpoints/{new_id()}"
    other_org = {"organisation_id": new_id()}
    other_market = {"marketplace_id": new_id(), "organisation_id": world.seller}
    for claims, who in ((other_org, "seller"), (other_market, "seller"), (other_market, "operator")):
        for method, suffix, body in (
            ("GET", "", None), ("PATCH", "", {}), ("DELETE", "", None), ("GET", "/secret", None),
            ("POST", "/secret", {}), ("POST", "/pause", None), ("POST", "/disable", None), ("GET", "/deliveries", None),
            ("GET", "/stats", None), ("POST", "/test", {}),
        ):  # fmt: skip
            code, problem = await world.call(method, path + suffix, body, who=who, claims=claims)
            code2, problem2 = await world.call(method, absent + suffix, body, who=who, claims=claims)
            assert code == code2 == 404, (method, suffix, problem)
            assert problem["detail"] == problem2["detail"]
        for method, where in (("GET", ""), ("POST", "/retry")):
            code, _ = await world.call(
                method, f"/v1/deliveries/{delivery['delivery_id']}{where}", who=who, claims=claims
            )
            assert code == 404
        code, events = await world.call("GET", "/v1/events", who=who, claims=claims)
        assert events["items"] == []
        replay = {"endpoint_id": made["endpoint_id"], "received_from": "2026-01-01T00:00:00Z"}
        assert (await world.call("POST", "/v1/replays", replay, who=who, claims=claims))[0] == 404


async def test_what_may_be_a_secret_in_an_address_is_shown_to_its_owner_only(world: World) -> None:
    whole, hidden = f"{URL}?key=s3cret&ping&empty=", f"{URL}?key=***&***&empty="
    made = await world.endpoint(whole)
    path = f"/v1/endpoints/{made['endpoint_id']}"
    acting = {"act": {"sub": str(new_id()), "name": "Olga", "reason": "support"}}

    async def seen(who: str, claims: dict[str, Any] | None = None) -> set[str]:
        _, one = await world.call("GET", path, who=who, claims=claims or {})
        _, listed = await world.call("GET", "/v1/endpoints", who=who, claims=claims or {})
        [other] = [e["url"] for e in listed["items"] if e["endpoint_id"] == made["endpoint_id"]]
        return {one["url"], other}

    assert (made["url"], await seen("seller")) == (whole, {whole})
    assert await seen("operator") == {hidden}
    assert await seen("seller", acting) == {hidden}
    for verb in ("pause", "resume", "disable", "enable"):
        code, now = await world.call("POST", f"{path}/{verb}", who="operator")
        assert (code, now["url"]) == (200, hidden), verb
    late = {"if-match": '"99"'}
    code, refused = await world.call("DELETE", path, claims=acting, headers=late)
    assert (code, refused["current"]["url"]) == (412, hidden)
    assert (await world.call("DELETE", path, headers=late))[1]["current"]["url"] == whole


async def test_a_secret_of_ones_own_goes_with_both_kinds(world: World) -> None:
    own = "whsec_" + "c" * 43 + "="
    code, made = await world.call("POST", "/v1/endpoints", {"url": URL, "signature": "both", "secret": own})
    assert (code, made["secrets"]["hmac"], made["secrets"]["ed25519"][:5]) == (201, own, "whsk_")
    assert sorted(k["kind"] for k in made["keys"]) == ["ed25519", "hmac"]
    code, wrong = await world.call("POST", "/v1/endpoints", {"url": URL, "signature": "ed25519", "secret": own})
    assert (code, "the secret is for hmac" in wrong["detail"]) == (422, True)


async def test_roles(world: World) -> None:
    made = await world.endpoint(URL)
    path = f"/v1/endpoints/{made['endpoint_id']}"
    assert (await world.call("GET", path, who="member"))[0] == 200
    assert (await world.call("POST", path + "/pause", who="member"))[0] == 403
    assert (await world.call("GET", "/v1/endpoints", who="buyer"))[0] == 403
    # the operator sees and stops it, but reads no keys and changes no address
    assert (await world.call("GET", path, who="operator"))[0] == 200
    assert (await world.call("POST", path + "/pause", who="operator"))[0] == 200
    assert (await world.call("POST", path + "/secret", {}, who="operator"))[0] == 404
    assert (await world.call("PATCH", path, {"url": URL}, who="operator"))[0] == 404
    acting = {"act": {"sub": str(new_id()), "name": "Olga", "reason": "support"}}
    for method, where, body in (
        ("POST", "/v1/endpoints", {"url": URL}),
        ("POST", path + "/secret", {}),
        ("PATCH", path, {"url": URL}),
    ):
        code, problem = await world.call(method, where, body, claims=acting)
        assert (code, problem["code"]) == (403, "not_while_acting")
    key: dict[str, Any] = {"api_key_id": new_id(), "scopes": ["webhooks:read"]}
    assert (await world.call("GET", path, claims=key))[0] == 200
    assert (await world.call("POST", path + "/resume", claims=key))[0] == 403
    assert (await world.call("POST", path + "/resume", claims={**key, "scopes": ["webhooks:write"]}))[0] == 200


async def test_what_reaches_whom(world: World, receiver: Receiver) -> None:
    """A seller hears of nothing in approval and sees no buyer's note; a buyer sees no commission; others nothing."""
    for who, name in (("seller", "seller"), ("buyer-admin", "buyer"), ("operator", "operator")):
        await world.endpoint(receiver.url.replace("/hook", f"/{name}"), who=who)
    stranger = {"organisation_id": new_id()}
    strange_url = receiver.url.replace("/hook", "/stranger")
    code, _ = await world.call("POST", "/v1/endpoints", {"url": strange_url}, claims=stranger)
    assert code == 201
    notes = tuple(
        Note(note_id=new_id(), at=NOON, by="x", side="buyer", text=f"for {who}", audience=(who,))
        for who in ("buyer", "seller", "operator")
    )
    waiting = world.order(phase="approval", status="needs_approval", notes=notes)
    approval = order_event(OrderUpdated, waiting, audience=("buyer", "operator"))
    created = order_event(OrderCreated, waiting.model_copy(update={"sequence": 2, "phase": "pending"}))
    await world.take_in([approval, created])
    await until(lambda: len(receiver.hits) == 5)
    by_path: dict[str, list[Any]] = {}
    for hit in receiver.hits:
        by_path.setdefault(hit.path, []).append(hit)
    assert {path: [h.sequence for h in hits] for path, hits in by_path.items()} == {
        "/seller": [2], "/buyer": [1, 2], "/operator": [1, 2],
    }  # fmt: skip
    for path, hits in by_path.items():
        order = hits[-1].json["data"]["order"]
        assert [n["text"] for n in order["notes"]] == [f"for {path[1:]}"]
        assert ("commission" in order) == (path != "/buyer")
        assert "audience" not in hits[-1].json["data"]


async def test_an_operator_reads_of_a_sellers_log_what_is_for_operators(world: World, receiver: Receiver) -> None:
    receiver.answer = status(200, b"thank you for TO OURSELVES")
    endpoint = await world.endpoint(receiver.url)
    notes = [
        Note(note_id=new_id(), at=NOON, by="Sam", side="seller", text=text, audience=audience)
        for text, audience in (("TO OURSELVES", ("seller",)), ("to all", ("buyer", "seller", "operator")))
    ]
    order = world.order(notes=tuple(notes))
    shared, own = order_event(OrderCreated, order), order_event(OrderUpdated, order.model_copy(update={"sequence": 2}))
    await world.take_in([shared, own.model_copy(update={"audience": ("seller",)})])
    await until(lambda: len(receiver.hits) == 2)
    assert all(b"TO OURSELVES" in hit.body for hit in receiver.hits)
    for delivery in await world.deliveries(endpoint):
        _, whole = await world.call("GET", f"/v1/deliveries/{delivery['delivery_id']}")
        assert "TO OURSELVES" in str(whole["payload"])
        _, seen = await world.call("GET", f"/v1/deliveries/{delivery['delivery_id']}", who="operator")
        if delivery["sequence"] == 1:
            assert [n["text"] for n in seen["payload"]["data"]["order"]["notes"]] == ["to all"]
        else:
            assert (seen["payload"], "TO OURSELVES" in str(seen)) == (None, False)


async def test_types_and_filters(world: World, receiver: Receiver) -> None:
    wanted: dict[str, dict[str, Any]] = {
        "all": {},
        "created": {"event_types": ["order.created"]},
        "orders": {"event_types": ["order.*"]},
        "messages": {"event_types": ["message.posted"]},
        "channel": {"filter": {"channels": ["shopify"]}},
        "action": {"filter": {"actions": ["ship"]}},
        "phase": {"filter": {"phases": ["in_transit"]}},
        "seller": {"filter": {"sellers": [str(world.seller)]}},
        "other": {"filter": {"sellers": [str(new_id())]}},
    }
    for name, settings in wanted.items():
        await world.endpoint(receiver.url.replace("/hook", f"/{name}"), who="operator", **settings)
    direct, shopify = world.order(), world.order(channel="shopify")
    await world.take_in([order_event(OrderCreated, o, action="place") for o in (direct, shopify)])
    shipped = direct.model_copy(update={"sequence": 2, "phase": "in_transit"})
    await world.take_in([order_event(OrderUpdated, shipped, action="ship")])
    expected = {"/all": 3, "/created": 2, "/orders": 3, "/channel": 1, "/action": 1, "/phase": 1, "/seller": 3}
    counts: dict[str, int] = {}

    def arrived() -> bool:
        counts.clear()
        for hit in receiver.hits:
            counts[hit.path] = counts.get(hit.path, 0) + 1
        return sum(counts.values()) >= sum(expected.values())

    await until(arrived)
    assert counts == expected


async def test_catalogue_and_test_event(world: World, receiver: Receiver) -> None:
    code, page = await world.call("GET", "/v1/event-types")
    assert code == 200
    names = [t["type"] for t in page["items"]]
    assert {"order.created", "order.completed", "order.canceled", "message.posted"} <= set(names)
    assert (await world.call("GET", "/v1/event-types/order.exploded"))[0] == 404
    endpoint = await world.endpoint(receiver.url)
    for name in names:
        code, queued = await world.call("POST", f"/v1/endpoints/{endpoint['endpoint_id']}/test", {"type": name})
        assert (code, queued["origin"]) == (202, "test")
    await until(lambda: len(receiver.hits) == len(names))
    for hit in receiver.hits:
        assert hit.headers["webhook-test"] == "true"
        Webhook(endpoint["secret"]).verify(hit.body, hit.headers)
    assert {h.json["type"] for h in receiver.hits} == set(names)
    assert (await world.call("GET", "/v1/events"))[1]["items"] == []


async def test_allowed_networks_are_the_operators(world: World) -> None:
    entry = {"network": "10.20.0.0/16", "reason": "the ERP of the house"}
    assert (await world.call("PUT", "/v1/allowed-networks", entry))[0] == 403
    assert (await world.call("PUT", "/v1/allowed-networks", {**entry, "network": "0.0.0.0/0"}, who="operator"))[
        0
    ] == 422
    assert (await world.call("PUT", "/v1/allowed-networks", entry, who="operator"))[0] == 204
    assert (await world.call("POST", "/v1/endpoints", {"url": "http://10.20.3.4/"}))[0] == 201
    assert (await world.call("POST", "/v1/endpoints", {"url": "http://10.21.3.4/"}))[0] == 422
    elsewhere = {"marketplace_id": new_id()}
    assert (await world.call("POST", "/v1/endpoints", {"url": "http://10.20.3.4/"}, claims=elsewhere))[0] == 422
    assert (await world.call("DELETE", "/v1/allowed-networks", params={"network": "10.20.0.0/16"}, who="operator"))[
        0
    ] == 204
