"""What receivers say decides what becomes of their endpoint: gone, steering, failing, throttling, agreeing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from services.webhook.upkeep import seldom
from tests.integration.webhook.receiver import Hit, Receiver, status
from tests.integration.webhook.world import World, events_published, path, settled
from tests.waiting import until


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


async def test_who_has_been_warned_keeps_nobody_elses_warning(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seldom, "FAILING_AT_ONCE", 1)
    receiver.answer = status(500)
    several = [await world.endpoint(receiver.url) for _ in range(2)]
    await world.take_in(world.life())
    for endpoint in several:
        await until(partial(_failing, world, endpoint))
    await world.admin.execute(
        "UPDATE webhook.drain SET failing_since = now() - interval '4 days' WHERE endpoint_id = ANY ($1)",
        [UUID(endpoint["endpoint_id"]) for endpoint in several],
    )
    for _ in range(2):
        await seldom.look_after(world.runtime)
    assert [await events_published(world, endpoint) for endpoint in several] == [["warning"]] * 2


async def _failing(world: World, endpoint: dict[str, Any]) -> bool:
    return bool((await world.call("GET", path(endpoint)))[1]["health"]["failing_since"])


async def test_breaker_opens_probes_and_closes(world: World, receiver: Receiver) -> None:
    receiver.answer = status(500)
    endpoint = await world.endpoint(receiver.url, retry_schedule=[1] * 20)
    await world.take_in([event for _ in range(12) for event in world.life()])

    async def opened() -> bool:
        return bool((await world.call("GET", path(endpoint)))[1]["health"]["breaker"] == "open")

    await until(opened)
    await world.admin.execute(
        "UPDATE webhook.drain SET gate_until = now() + interval '1 hour' WHERE endpoint_id = $1",
        UUID(endpoint["endpoint_id"]),
    )
    await until(lambda: _rests(world, endpoint), what="what was under way is over")
    before = len(receiver.hits)
    # all retries are due now, and the worker is called: the open breaker costs them no attempt
    await world.admin.execute(
        "WITH due AS (UPDATE webhook.pending SET next_attempt_at = now() WHERE endpoint_id = $1)"
        " UPDATE webhook.drain SET due_at = now() WHERE endpoint_id = $1",
        UUID(endpoint["endpoint_id"]),
    )
    await until(lambda: _rests(world, endpoint), what="the worker has looked again")
    assert len(receiver.hits) == before
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


async def _rests(world: World, endpoint: dict[str, Any]) -> bool:
    """Whether the worker has looked, found nothing that may be sent before the gate opens, and nothing is under way."""
    return bool(
        await world.admin.fetchval(
            "SELECT due_at >= gate_until AND NOT EXISTS (SELECT FROM webhook.pending AS p"
            " WHERE p.endpoint_id = d.endpoint_id AND p.leased) FROM webhook.drain AS d WHERE endpoint_id = $1",
            UUID(endpoint["endpoint_id"]),
        )
    )


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
