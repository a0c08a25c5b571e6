"""Nothing is lost: paused, disabled, exhausted, forgotten; and what there is to catch up with."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.envelope import Received
from services.webhook.handlers import handlers
from services.webhook.hints import Hints
from services.webhook.upkeep import rows, seldom
from services.webhook.vault import Vault
from shared.clock import utc_now
from shared.ids import new_id
from shared.keyring import new_entry
from shared.stop import Stop
from tests.integration.webhook.receiver import Hit, Receiver, receiving, status
from tests.integration.webhook.world import RING, World
from tests.waiting import until

DAYS = (
    "SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
    " WHERE c.relkind = 'r' AND c.relname LIKE 'attempt_%'"
)
EPOCH = "2020-01-01T00:00:00Z"


def path(endpoint: dict[str, Any], suffix: str = "") -> str:
    return f"/v1/endpoints/{endpoint['endpoint_id']}{suffix}"


async def settled(world: World, endpoint: dict[str, Any], **states: int) -> None:
    async def there() -> bool:
        return await world.states(endpoint) == states

    await until(there, what=f"states {states}")


async def events_published(world: World, endpoint: dict[str, Any]) -> list[str]:
    """Reasons of the webhook.endpoint_disabled events of an endpoint."""
    found = await world.admin.fetch(
        "SELECT convert_from(value, 'utf8')::jsonb ->> 'reason' AS reason FROM webhook.outbox WHERE key = $1"
        " ORDER BY seq", endpoint["endpoint_id"],
    )  # fmt: skip
    return [row["reason"] for row in found]


async def test_a_pause_holds_back_and_resume_sends_in_order(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url)
    assert (await world.call("POST", path(endpoint, "/pause")))[1]["status"] == "paused"
    events = world.life(3)
    await world.take_in(events)
    other = await world.endpoint(receiver.url.replace("/hook", "/other"))
    await world.take_in(world.life())
    await settled(world, other, delivered=1)
    assert [h.path for h in receiver.hits] == ["/other"]
    await world.call("POST", path(endpoint, "/resume"))
    await settled(world, endpoint, delivered=5)
    assert receiver.of(events[0].order_id) == [1, 2, 3, 4]


async def test_disabled_keeps_everything_and_enable_can_replay(world: World, receiver: Receiver) -> None:
    receiver.answer = status(500)
    endpoint = await world.endpoint(receiver.url, retry_schedule=[3600])
    events = world.life(4)
    await world.take_in(events[:3])
    await until(lambda: receiver.hits)
    assert (await world.call("POST", path(endpoint, "/disable")))[1]["status"] == "disabled"
    await world.take_in(events[3:])
    await settled(world, endpoint, held=5)
    receiver.hits.clear()
    receiver.answer = status(200)
    code, shown = await world.call("POST", path(endpoint, "/enable"), {"replay_missing": True})
    assert code == 200, shown
    await until(lambda: receiver.of(events[0].order_id) == [1, 2, 3, 4, 5])
    await settled(world, endpoint, held=5, delivered=5)
    assert (await world.call("GET", path(endpoint)))[1]["status"] == "active"
    assert await events_published(world, endpoint) in (["person"], [])  # the relay is not running: it stays


async def test_gone_disables_at_once(world: World, receiver: Receiver) -> None:
    receiver.answer = status(410)
    endpoint = await world.endpoint(receiver.url)
    await world.take_in([*world.life(1), *world.life()])
    await until(lambda: _status(world, endpoint, "disabled"))
    await settled(world, endpoint, held=3)
    assert await events_published(world, endpoint) == ["gone"]
    shown = (await world.call("GET", path(endpoint)))[1]
    assert shown["disabled_reason"] == "gone"


async def _status(world: World, endpoint: dict[str, Any], wanted: str) -> bool:
    return bool((await world.call("GET", path(endpoint)))[1]["status"] == wanted)


async def test_the_receiver_steers(world: World, receiver: Receiver) -> None:
    receiver.answer = status(422, webhook_delivery="abort-message")
    endpoint = await world.endpoint(receiver.url)
    events = world.life(1)
    await world.take_in(events[:1])
    await settled(world, endpoint, aborted=1)
    receiver.answer = status(200, webhook_delivery="disable")
    await world.take_in(events[1:])
    await until(lambda: _status(world, endpoint, "disabled"))
    await settled(world, endpoint, aborted=1, delivered=1)
    assert await events_published(world, endpoint) == ["receiver"]


async def test_exhausted_is_visible_and_can_be_sent_again(world: World, receiver: Receiver) -> None:
    receiver.answer = status(503)
    endpoint = await world.endpoint(receiver.url, retry_schedule=[])
    [event_id] = await world.take_in(world.life())
    await settled(world, endpoint, exhausted=1)
    [failed] = await world.deliveries(endpoint, state="exhausted")
    assert (failed["last_status"], failed["last_error"]) == (503, "answered 503")
    receiver.answer = status(200)
    code, again = await world.call("POST", f"/v1/deliveries/{failed['delivery_id']}/retry")
    assert (code, again["origin"]) == (202, "retry")
    await settled(world, endpoint, exhausted=1, delivered=1)
    assert {h.webhook_id for h in receiver.hits} == {f"msg_{event_id.hex}"}


async def test_replay_of_what_is_missing_and_of_all(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url, retry_schedule=[])
    good, bad = world.life(1), world.life(2)
    await world.take_in(good)
    await settled(world, endpoint, delivered=2)
    receiver.answer = status(500)
    await world.take_in(bad)
    await settled(world, endpoint, delivered=2, exhausted=3)
    receiver.answer = status(200)
    receiver.hits.clear()
    code, replay = await world.call(
        "POST", "/v1/replays", {"endpoint_id": endpoint["endpoint_id"], "received_from": EPOCH}
    )
    assert (code, replay["status"]) == (202, "running")
    await until(lambda: _replay_done(world, replay))
    await settled(world, endpoint, delivered=5, exhausted=3)
    assert receiver.of(bad[0].order_id) == [1, 2, 3]
    assert len(receiver.hits) == 3
    body = {
        "endpoint_id": endpoint["endpoint_id"],
        "received_from": EPOCH,
        "scope": "all",
        "event_types": ["order.created"],
    }
    _, second = await world.call("POST", "/v1/replays", body)
    await until(lambda: _replay_done(world, second))
    await until(lambda: len(receiver.hits) == 5)
    by_order = {
        "endpoint_id": endpoint["endpoint_id"],
        "received_from": EPOCH,
        "scope": "all",
        "order_id": str(good[0].order_id),
    }
    _, third = await world.call("POST", "/v1/replays", by_order)
    await until(lambda: len(receiver.hits) == 7)
    assert (await world.call("GET", f"/v1/replays/{third['replay_id']}"))[1]["queued"] == 2


async def _replay_done(world: World, replay: dict[str, Any]) -> bool:
    return bool((await world.call("GET", f"/v1/replays/{replay['replay_id']}"))[1]["status"] == "done")


async def test_a_new_endpoint_can_have_the_past(world: World, receiver: Receiver) -> None:
    events = world.life(2)
    ids = await world.take_in(events)
    endpoint = await world.endpoint(receiver.url)
    await world.call("POST", "/v1/replays", {"endpoint_id": endpoint["endpoint_id"], "received_from": EPOCH})
    await until(lambda: receiver.of(events[0].order_id) == [1, 2, 3])
    assert [h.webhook_id for h in receiver.hits] == [f"msg_{i.hex}" for i in ids]


async def _poll(world: World, after: dict[str, str], n: int) -> tuple[list[str], dict[str, str]]:
    """Poll, two at a time, until `n` ids have come: the feed stops before the oldest open transaction of the server."""
    got: list[str] = []
    place = dict(after)

    async def enough() -> bool:
        _, page = await world.call("GET", "/v1/events", params={"limit": "2", **place})
        got.extend(item["id"] for item in page["items"])
        place["after"] = page["next_after"]
        assert page["has_more"] is False or len(page["items"]) == 2
        return len(got) >= n

    await until(enough)
    return got, place


async def test_the_feed_gives_the_same_by_polling(world: World) -> None:
    ids = await world.take_in(world.life(4))
    got, place = await _poll(world, {}, len(ids))
    assert got == [f"msg_{i.hex}" for i in ids]
    more = await world.take_in(world.life())
    got, place = await _poll(world, place, 1)
    assert got == [f"msg_{i.hex}" for i in more]
    _, page = await world.call("GET", "/v1/events", params=place)
    assert page["items"] == []
    _, page = await world.call("GET", "/v1/events", params={"type": "order.created"}, who="operator")
    assert len(page["items"]) == 2
    assert (await world.call("GET", "/v1/events", params={"after": "nonsense"}))[0] == 400


async def test_the_feed_waits_for_who_commits_late(world: World) -> None:
    """An event whose transaction began first and commits last is not passed by."""
    first, second = world.life(), world.life()
    table = handlers(Hints())(world.runtime)
    early = Received(new_id(), "/x", utc_now(), "", first[0])
    async with world.runtime.worker_db.transaction() as tx:
        await table[type(first[0])](tx, [early])
        [late] = await world.take_in(second)
        _, page = await world.call("GET", "/v1/events")
        assert page["items"] == []
    got, _ = await _poll(world, {"after": page["next_after"]}, 2)
    assert got == [f"msg_{early.event_id.hex}", f"msg_{late.hex}"]


async def test_failing_for_days_warns_then_disables(world: World, receiver: Receiver) -> None:
    receiver.answer = status(500)
    endpoint = await world.endpoint(receiver.url)
    await world.take_in(world.life())
    await until(lambda: _failing(world, endpoint))
    for days, reasons in ((2, []), (3.1, ["warning"]), (3.2, ["warning"]), (5.1, ["warning", "failing"])):
        await world.admin.execute(
            "UPDATE webhook.drain SET failing_since = $2 WHERE endpoint_id = $1",
            UUID(endpoint["endpoint_id"]), datetime.now(UTC) - timedelta(days=days),
        )  # fmt: skip
        await seldom.look_after(world.runtime)
        assert await events_published(world, endpoint) == reasons
    await settled(world, endpoint, held=1)


async def _failing(world: World, endpoint: dict[str, Any]) -> bool:
    return bool((await world.call("GET", path(endpoint)))[1]["health"]["failing_since"])


async def test_breaker_opens_probes_and_closes(world: World, receiver: Receiver) -> None:
    receiver.answer = status(500)
    endpoint = await world.endpoint(receiver.url, retry_schedule=[1] * 20)
    await world.take_in([event for _ in range(12) for event in world.life()])

    async def opened() -> bool:
        return bool((await world.call("GET", path(endpoint)))[1]["health"]["breaker"] == "open")

    await until(opened)
    before = len(receiver.hits)
    await world.admin.execute(
        "UPDATE webhook.drain SET gate_until = now() + interval '1 hour' WHERE endpoint_id = $1",
        UUID(endpoint["endpoint_id"]),
    )
    await asyncio.sleep(1.6)  # retries are due by now; the open breaker costs them no attempt
    assert len(receiver.hits) <= before + 4
    receiver.answer = status(200)
    await world.admin.execute(
        "UPDATE webhook.drain SET gate_until = now(), due_at = now() WHERE endpoint_id = $1",
        UUID(endpoint["endpoint_id"]),
    )
    await settled(world, endpoint, delivered=12)

    async def closed() -> bool:
        return bool((await world.call("GET", path(endpoint)))[1]["health"]["breaker"] == "closed")

    # an endpoint's health is written down after the deliveries that say so
    await until(closed)


@pytest.mark.parametrize("code", [429, 503])
async def test_retry_after_holds_the_whole_endpoint_back(world: World, receiver: Receiver, code: int) -> None:
    answers = iter([status(code, retry_after="1")])

    async def once(hit: Hit, writer: asyncio.StreamWriter) -> bool:
        return await next(answers, status(200))(hit, writer)

    receiver.answer = once
    endpoint = await world.endpoint(receiver.url)
    await world.take_in(world.life())
    await until(lambda: receiver.hits)
    await settled(world, endpoint, delivered=1)
    [delivery] = await world.deliveries(endpoint)
    assert delivery["attempts"] == 2
    assert await world.admin.fetchval(
        "SELECT attempts FROM webhook.delivery WHERE delivery_id = $1", UUID(delivery["delivery_id"])
    ) == 1, "the first cost none"  # fmt: skip


async def test_rate_limit(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url, rate_limit=5)
    started = asyncio.get_running_loop().time()
    await world.take_in([event for _ in range(12) for event in world.life()])
    await settled(world, endpoint, delivered=12)
    # five at once, then five a second: the twelfth leaves after 1.4 s
    assert asyncio.get_running_loop().time() - started >= 1.2


async def test_a_hanging_endpoint_delays_nobody(world: World, receiver: Receiver) -> None:
    async def hang(_: Hit, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(120)
        return False

    async with receiving(hang) as hanging:
        stuck = await world.endpoint(hanging.url, timeout_ms=60_000)
        healthy = await world.endpoint(receiver.url)
        await world.take_in([event for _ in range(40) for event in world.life()])
        await settled(world, healthy, delivered=40)
        await until(lambda: hanging.hits)
        attempts = "SELECT count(*) FROM webhook.attempt WHERE endpoint_id = $1"
        assert await world.admin.fetchval(attempts, UUID(stuck["endpoint_id"])) == 0, "none has ended, not even one"
        assert len(hanging.hits) <= 4, "a window, not the whole budget"


async def test_cloudevents_handshake(world: World, receiver: Receiver) -> None:
    async def refusing(hit: Hit, writer: asyncio.StreamWriter) -> bool:
        return await status(200)(hit, writer)

    receiver.answer = refusing
    endpoint = await world.endpoint(
        receiver.url, format="cloudevents_structured", headers={"Authorization": "Bearer t"}
    )
    assert endpoint["handshake"] == "required"
    await world.take_in(world.life())
    await until(lambda: receiver.hits)
    assert {h.method for h in receiver.hits} == {"OPTIONS"}
    assert receiver.hits[0].headers["webhook-request-origin"]
    assert receiver.hits[0].headers["authorization"] == "Bearer t"

    async def agreeing(hit: Hit, writer: asyncio.StreamWriter) -> bool:
        origin = hit.headers.get("webhook-request-origin", "")
        return await status(200, webhook_allowed_origin=origin or "x", webhook_allowed_rate="600")(hit, writer)

    receiver.answer = agreeing
    # a changed address is asked anew at once, not after the growing pause
    await world.call("PATCH", path(endpoint), {"url": receiver.url + "2"})
    await settled(world, endpoint, delivered=1)
    event = next(h.json for h in receiver.hits if h.method == "POST")
    assert (event["specversion"], event["type"]) == ("1.0", "order.created")
    shown = (await world.call("GET", path(endpoint)))[1]
    assert (shown["handshake"], shown["rate_limit"]) == ("granted", 10.0)


async def test_stats_count_attempts(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url, retry_schedule=[])
    await world.take_in(world.life(2))
    await settled(world, endpoint, delivered=3)
    receiver.answer = status(500)
    await world.take_in(world.life())
    await settled(world, endpoint, delivered=3, exhausted=1)

    async def counted() -> dict[str, Any] | None:
        total = (await world.call("GET", path(endpoint, "/stats")))[1]["total"]
        return total if total["attempts"] == 4 else None

    total = await until(counted)
    assert (total["succeeded"], total["failed"], total["success_rate"]) == (3, 1, 0.75)
    assert total["p50_ms"] <= total["p99_ms"]


async def test_an_orders_trail(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url)
    events = world.life(1)
    await world.take_in(events)
    await settled(world, endpoint, delivered=2)
    _, page = await world.call("GET", "/v1/deliveries", params={"order_id": str(events[0].order_id)})
    assert [(d["sequence"], d["state"]) for d in page["items"]] == [(1, "delivered"), (2, "delivered")]
    _, foreign = await world.call(
        "GET", "/v1/deliveries", params={"order_id": str(events[0].order_id)}, who="buyer-admin"
    )
    assert foreign["items"] == []
    _, seen = await world.call("GET", "/v1/deliveries", params={"order_id": str(events[0].order_id)}, who="operator")
    assert len(seen["items"]) == 2


async def test_deleted_endpoints_send_nothing_more(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url)
    await world.call("POST", path(endpoint, "/pause"))
    await world.take_in(world.life(2))
    assert (await world.call("DELETE", path(endpoint)))[0] == 204
    await settled(world, endpoint, discarded=3)
    await world.take_in(world.life())
    await settled(world, endpoint, discarded=3)
    assert receiver.hits == []


async def test_retention_drops_days_and_keeps_the_rest(world: World) -> None:
    today = datetime.now(UTC).date()
    async with world.runtime.worker_db.transaction() as tx:
        await rows.make_partitions(tx, today - timedelta(days=45), today - timedelta(days=40))
    await world.admin.execute(
        "INSERT INTO webhook.attempt (delivery_id, number, marketplace_id, endpoint_id, started_at, duration_ms,"
        " connect_ms, outcome, response_truncated) SELECT gen_random_uuid(), 1, $1, $1, now() - interval '42 days',"
        " 1, 1, 'answered', false FROM generate_series(1, 1000)", world.marketplace,
    )  # fmt: skip
    await seldom.housekeep(world.runtime, Stop(), Vault.parse(RING))
    days = [r[0].rpartition("_")[2] for r in await world.admin.fetch(DAYS)]
    assert min(days) >= (today - timedelta(days=30)).strftime("%Y%m%d")
    # midnight may come in between
    last = {(day + timedelta(days=14)).strftime("%Y%m%d") for day in (today, datetime.now(UTC).date())}
    assert max(days) in last


async def test_keys_are_sealed_anew(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url, headers={"x-a": "b"})
    fresh = new_entry()
    vault = Vault.parse(f"{fresh},{RING}")
    async with world.runtime.worker_db.transaction() as tx:
        assert await rows.reseal(tx, vault, 10_000) >= 2
    found = await world.admin.fetch(
        "SELECT key_id FROM webhook.secret WHERE endpoint_id = $1 UNION ALL"
        " SELECT headers_key_id FROM webhook.endpoint WHERE endpoint_id = $1", UUID(endpoint["endpoint_id"]),
    )  # fmt: skip
    assert {row["key_id"] for row in found} == {fresh.partition(":")[0]}
