"""Nothing is lost: paused, disabled, exhausted, forgotten; and what there is to catch up with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.envelope import Received
from contracts.order import Party
from services.webhook.handlers import handlers
from services.webhook.hints import Hints
from services.webhook.upkeep import rows, seldom
from services.webhook.vault import Vault
from shared.clock import utc_now
from shared.ids import new_id
from shared.keyring import new_entry
from shared.stop import Stop
from tests.integration.webhook.receiver import Receiver, status
from tests.integration.webhook.world import RING, World, events_published, path, settled
from tests.waiting import until

DAYS = (
    "SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
    " WHERE c.relkind = 'r' AND c.relname LIKE 'attempt_%'"
)
EPOCH = "2020-01-01T00:00:00Z"


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


async def test_enabling_sends_what_was_kept_and_nothing_of_before(world: World, receiver: Receiver) -> None:
    past = world.life(1)
    await world.take_in(past)
    endpoint = await world.endpoint(receiver.url)
    await world.call("POST", path(endpoint, "/disable"))
    kept = world.life(2)
    await world.take_in(kept)
    await settled(world, endpoint, held=3)
    # long after: what is replayed begins with what was kept, not a moment ago
    await world.admin.execute(
        "UPDATE webhook.endpoint SET created_at = created_at - interval '2 minutes' WHERE endpoint_id = $1",
        UUID(endpoint["endpoint_id"]),
    )
    for table, column in (("message", "received_at"), ("delivery", "message_at")):
        await world.admin.execute(
            f"UPDATE webhook.{table} SET {column} = {column} - CASE WHEN order_id = $1 THEN interval '5 minutes'"
            " ELSE interval '90 seconds' END WHERE marketplace_id = $2", past[0].order_id, world.marketplace,
        )  # fmt: skip
    await world.call("POST", path(endpoint, "/enable"), {"replay_missing": True})
    await settled(world, endpoint, held=3, delivered=3)
    assert {h.order_id for h in receiver.hits} == {str(kept[0].order_id)}


async def test_what_the_receiver_refused_for_good_is_not_missing(world: World, receiver: Receiver) -> None:
    receiver.answer = status(422, webhook_delivery="abort-message")
    endpoint = await world.endpoint(receiver.url)
    await world.take_in(world.life(1))
    await settled(world, endpoint, aborted=2)
    receiver.answer = status(200)
    body = {"endpoint_id": endpoint["endpoint_id"], "received_from": EPOCH}
    _, replay = await world.call("POST", "/v1/replays", body)
    await until(lambda: _replay_done(world, replay))
    assert (await world.call("GET", f"/v1/replays/{replay['replay_id']}"))[1]["queued"] == 0
    _, replay = await world.call("POST", "/v1/replays", {**body, "scope": "all"})
    await settled(world, endpoint, aborted=2, delivered=2)


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


async def test_a_replay_that_waits_for_an_open_transaction_keeps_no_other_waiting(
    world: World, receiver: Receiver
) -> None:
    endpoint = await world.endpoint(receiver.url)
    await world.take_in(world.life())
    await settled(world, endpoint, delivered=1)
    between = utc_now().isoformat()
    body = {"endpoint_id": endpoint["endpoint_id"], "received_from": EPOCH, "scope": "all"}
    async with world.admin.transaction():
        # what is received from here on is sent again only after this: an earlier row may still come to light
        await world.admin.fetchval("SELECT pg_current_xact_id()")
        later = world.life()
        await world.take_in(later)
        await settled(world, endpoint, delivered=2)
        _, held = await world.call("POST", "/v1/replays", body)
        _, short = await world.call("POST", "/v1/replays", {**body, "received_to": between})
        await until(lambda: _replay_done(world, short), what="the one behind it to be done")
        assert not await _replay_done(world, held)
    await until(lambda: _replay_done(world, held), what="the one that was held back to be done")
    again = str(later[0].order_id)
    await until(lambda: [h.order_id for h in receiver.hits].count(again) == 2, what="what came meanwhile, once more")


async def test_an_organisation_has_so_many_replays_at_once(world: World, receiver: Receiver) -> None:
    """They take turns with those of others."""
    endpoint, other = await world.endpoint(receiver.url), await world.endpoint(receiver.url, who="buyer-admin")
    async with world.admin.transaction():
        # what is received from here on is looked at only after this, so they go on until then
        await world.admin.fetchval("SELECT pg_current_xact_id()")
        await world.take_in(world.life())
        asked = []
        for e, who in [(endpoint, "seller")] * 11 + [(other, "buyer-admin")]:
            body = {"endpoint_id": e["endpoint_id"], "received_from": EPOCH}
            asked.append(await world.call("POST", "/v1/replays", body, who=who))
        assert [code for code, _ in asked] == [202] * 10 + [409, 202]
        assert asked[10][1]["code"] == "too_many_replays"
    await until(lambda: _replay_done(world, asked[0][1]))
    body = {"endpoint_id": endpoint["endpoint_id"], "received_from": EPOCH}

    async def taken() -> bool:
        return (await world.call("POST", "/v1/replays", body))[0] == 202

    await until(taken)


async def test_a_replay_is_narrowed_to_types_and_one_order(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url, event_types=["order.*"])
    one, other = world.life(2), world.life(2)
    await world.take_in([*one, *other])
    await settled(world, endpoint, delivered=6)
    receiver.hits.clear()
    body = {
        "endpoint_id": endpoint["endpoint_id"], "received_from": EPOCH, "scope": "all",
        "event_types": ["order.updated"], "order_id": str(one[0].order_id),
    }  # fmt: skip
    code, replay = await world.call("POST", "/v1/replays", body)
    assert (code, replay["event_types"], replay["order_id"]) == (202, body["event_types"], body["order_id"])
    await until(lambda: _replay_done(world, replay))
    await settled(world, endpoint, delivered=8)
    assert (receiver.of(one[0].order_id), receiver.of(other[0].order_id)) == ([2, 3], [])
    page = (await world.call("GET", "/v1/replays", params={"endpoint_id": endpoint["endpoint_id"]}))[1]["items"]
    assert [(r["queued"], r["event_types"]) for r in page] == [(2, ["order.updated"])]


async def test_a_replay_of_what_cannot_be_is_refused(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url, event_types=["order.created", "message.*"])
    good = {"endpoint_id": endpoint["endpoint_id"], "received_from": EPOCH}
    for more, code, named in (
        ({"event_types": ["order.forgotten"]}, "unknown_event_type", "order.forgotten"),
        ({"event_types": ["order.canceled", "order.updated"]}, "event_types_not_taken", "message.*"),
        ({"event_types": []}, "validation", "event_types"),
        ({"event_types": ["Order Created"]}, "validation", "event_types.0"),
        ({"order_id": "ORD-1"}, "validation", "order_id"),
        ({"received_to": "2000-01-01T00:00:00Z"}, "validation", "received_to"),
        ({"received_from": "2026-01-01T00:00:00"}, "validation", "offset"),
    ):
        status, problem = await world.call("POST", "/v1/replays", {**good, **more})
        assert (status, problem["code"] if code != "validation" else code) == (422, code), problem
        assert named in problem["detail"] + str(problem.get("errors")), problem
    assert (await world.call("GET", "/v1/replays", params={"endpoint_id": endpoint["endpoint_id"]}))[1]["items"] == []


async def _replay_done(world: World, replay: dict[str, Any]) -> bool:
    return bool((await world.call("GET", f"/v1/replays/{replay['replay_id']}"))[1]["status"] == "done")


async def test_a_replay_counts_only_what_its_owner_may_know_of(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url)
    others = [world.life(2, seller=Party(organisation_id=new_id(), name="Another")) for _ in range(3)]
    await world.take_in([*world.life(1), *(event for life in others for event in life)])
    await settled(world, endpoint, delivered=2)
    body = {"endpoint_id": endpoint["endpoint_id"], "received_from": EPOCH, "scope": "all"}
    _, replay = await world.call("POST", "/v1/replays", body)
    await until(lambda: _replay_done(world, replay))
    _, done = await world.call("GET", f"/v1/replays/{replay['replay_id']}")
    assert (done["examined"], done["queued"]) == (2, 2)


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


async def test_deleted_endpoints_send_nothing_more(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url)
    await world.call("POST", path(endpoint, "/pause"))
    await world.take_in(world.life(2))
    assert (await world.call("DELETE", path(endpoint)))[0] == 204
    await settled(world, endpoint, discarded=3)
    await world.take_in(world.life())
    await settled(world, endpoint, discarded=3)
    assert receiver.hits == []


async def test_the_log_of_a_deleted_endpoint_stays(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url)
    [event] = world.life()
    await world.take_in([event])
    await settled(world, endpoint, delivered=1)
    [sent] = await world.deliveries(endpoint)
    await world.call("DELETE", path(endpoint))
    for who, n in (("seller", 1), ("operator", 1), ("buyer-admin", 0)):
        _, trail = await world.call("GET", "/v1/deliveries", params={"order_id": str(event.order_id)}, who=who)
        assert [d["state"] for d in trail["items"]] == ["delivered"] * n
        code, _ = await world.call("GET", f"/v1/deliveries/{sent['delivery_id']}", who=who)
        assert code == (200 if n else 404)
    code, problem = await world.call("POST", f"/v1/deliveries/{sent['delivery_id']}/retry")
    assert (code, problem["code"]) == (409, "wrong_status")


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
