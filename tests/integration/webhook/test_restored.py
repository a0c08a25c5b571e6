"""After a dump was restored, a new server counts its transactions anew: the feed and replays lose nothing over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.integration.webhook.receiver import Receiver
from tests.integration.webhook.world import World, path, settled
from tests.waiting import until

EPOCH = "2020-01-01T00:00:00Z"


async def _restore(world: World) -> None:
    """What a restore leaves: rows whose transactions have numbers that this server has not come to yet."""
    await world.admin.execute(
        "UPDATE webhook.message SET tx = (tx::text::numeric + 1000000000)::text::xid8 WHERE marketplace_id = $1",
        world.marketplace,
    )


async def _polled(world: World, **params: str) -> tuple[list[tuple[str, int]], Mapping[str, Any]]:
    code, page = await world.call("GET", "/v1/events", params={"limit": "2", **params})
    assert code == 200, page
    return [(i["data"]["order_id"], i["data"]["sequence"]) for i in page["items"]], page


async def _all(world: World, after: str = "") -> tuple[list[tuple[str, int]], str]:
    """Everything from a place on, two at a time, and the place after it."""
    found: list[tuple[str, int]] = []
    while True:
        items, page = await _polled(world, after=after)
        found, after = found + items, page["next_after"]
        if not page["has_more"]:
            return found, after


async def test_pollers_see_what_comes_after_a_restore(world: World) -> None:
    old, new = world.life(2), world.life(3)
    await world.take_in(old)
    await _restore(world)
    before = [(str(e.order_id), e.sequence) for e in old]
    first, page = await _polled(world)
    assert first == before[:2]
    rest, end = await _all(world, page["next_after"])
    assert rest == before[2:]
    assert (await _all(world, end))[0] == []
    await world.take_in(new)
    after = [(str(e.order_id), e.sequence) for e in new]
    # in the middle of what was restored, at its end, and from the beginning
    for place, expected in ((page["next_after"], before[2:] + after), (end, after), ("", before + after)):
        found, last = await _all(world, place)
        assert found == expected
        assert (await _all(world, last))[0] == []
    more = world.life()
    await world.take_in(more)
    assert (await _all(world, last))[0] == [(str(more[0].order_id), 1)]


async def test_replays_of_what_was_restored_end(world: World, receiver: Receiver) -> None:
    endpoint = await world.endpoint(receiver.url)
    await world.call("POST", path(endpoint, "/disable"))
    kept = world.life(2)
    await world.take_in(kept)
    await settled(world, endpoint, held=3)
    await _restore(world)
    code, _ = await world.call("POST", path(endpoint, "/enable"), {"replay_missing": True})
    assert code == 200
    await until(lambda: receiver.of(kept[0].order_id) == [1, 2, 3])

    async def active() -> bool:
        return bool((await world.call("GET", path(endpoint)))[1]["status"] == "active")

    await until(active)
