"""Intake: in one statement where it can be, by the handlers where not, and with the same outcome."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from contracts.envelope import Received, encode
from contracts.order import OrderEvent
from deploy.embedded.process import free_port
from services.webhook.deliver import queue
from services.webhook.deliver.content import Contents
from services.webhook.deliver.queue import claimed_from
from services.webhook.deliver.worker import Worker
from services.webhook.egress import Egress, client_context
from services.webhook.handlers import at_once as intake
from services.webhook.handlers import handlers, of_received
from services.webhook.hints import Hints
from services.webhook.store.intake import Incoming, Standing, Taken, take_in_at_once
from services.webhook.vault import Vault
from shared.clock import utc_now
from shared.ids import new_id
from shared.inbox import BackOff, Processor, RawRecord
from shared.postgres import Statements
from shared.stop import Stop
from tests.integration.webhook.receiver import Receiver
from tests.integration.webhook.world import World, webhook_world
from tests.issuer import TokenIssuer
from tests.stack import StackDatabase
from tests.waiting import until

By = Callable[[World], Processor]


def at_once(world: World) -> Processor:
    return world.processor


def by_handlers(world: World) -> Processor:
    return Processor(world.runtime.worker_db, handlers(Hints())(world.runtime), waits=False)


def by_either(world: World) -> Processor:
    return random.choice([at_once, by_handlers])(world)


@pytest.mark.parametrize("by", [at_once, by_handlers, by_either])
async def test_in_whatever_order_they_come_they_are_sent_in_sequence(world: World, receiver: Receiver, by: By) -> None:
    await world.endpoint(receiver.url)
    chance = random.Random(11)
    lives = [world.life(7) for _ in range(6)]
    known = [(e, new_id()) for events in lives for e in events]
    coming = known + chance.sample(known, 10)
    chance.shuffle(coming)
    while coming:
        batch, coming = coming[: (n := chance.randint(1, 6))], coming[n:]
        await world.take_in([e for e, _ in batch], [i for _, i in batch], by=by(world))
    await until(lambda: len(receiver.hits) >= len(known))
    for events in lives:
        assert receiver.of(events[0].order_id) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len(receiver.hits) == len(known)


async def test_nothing_overtakes_what_is_parked(world: World, receiver: Receiver) -> None:
    await world.endpoint(receiver.url)
    waiting, other = world.life(1), world.life()
    parked = encode(waiting[0], event_id=new_id(), source="/test", time=utc_now())
    await world.admin.execute(
        'INSERT INTO webhook.parked (event_id, marketplace_id, key, topic, partition, "offset", headers, value,'
        " next_attempt_at) VALUES ($1, $2, $3, $4, 0, 0, '[]', $5, now() + interval '1 hour')",
        parked.event_id, world.marketplace, parked.key, "order.updated", parked.value,
    )  # fmt: skip
    await world.take_in([waiting[1], *other])
    await until(lambda: receiver.of(other[0].order_id) == [1])
    keys = await world.admin.fetch("SELECT key FROM webhook.parked WHERE marketplace_id = $1", world.marketplace)
    assert [row["key"] for row in keys] == [parked.key, parked.key]
    assert receiver.of(waiting[0].order_id) == []
    await world.admin.execute("DELETE FROM webhook.parked WHERE marketplace_id = $1", world.marketplace)


async def test_an_event_that_cannot_be_written_is_parked_and_stops_nobody_else(
    world: World, receiver: Receiver
) -> None:
    await world.endpoint(receiver.url)
    good, bad = world.life(), world.life()
    records = []
    for n, (event, trace) in enumerate([(good[0], ""), (bad[0], "00-\x00")]):
        r = encode(event, event_id=new_id(), source="/test", time=utc_now(), traceparent=trace)
        records.append(RawRecord(r.topic, 0, n, r.key.encode(), r.headers, r.value))
    await world.processor.process(records)
    await until(lambda: receiver.of(good[0].order_id) == [1])
    parked = await world.admin.fetch("SELECT key FROM webhook.parked WHERE marketplace_id = $1", world.marketplace)
    assert [row["key"] for row in parked] == [str(bad[0].order_id)]
    await world.admin.execute("DELETE FROM webhook.parked WHERE marketplace_id = $1", world.marketplace)


@pytest.fixture
async def api_only(database: StackDatabase, issuer: TokenIssuer) -> AsyncIterator[World]:
    """A service without a worker: nobody claims but the test."""
    async with webhook_world(database, issuer, free_port, roles=("api",)) as world:
        yield world


async def test_an_intake_claims_for_who_is_ready_and_has_room(api_only: World) -> None:
    world = api_only
    wants, wants_not, paused, broken, small = [
        UUID((await world.endpoint("http://127.0.0.1:9/", **given))["endpoint_id"])
        for given in ({}, {"event_types": ["message.posted"]}, {}, {}, {"ordered": False})
    ]
    await world.admin.execute("UPDATE webhook.endpoint SET status = 'paused' WHERE endpoint_id = $1", paused)
    await world.admin.execute("UPDATE webhook.drain SET failures = 10 WHERE endpoint_id = $1", broken)
    takers = [wants, wants_not, paused, broken, small]
    standing = Standing(takers, [4, 4, 4, 4, 1], [0, 0, 0, 1, 0], 15.0, 10)
    first, second = incoming(world.life(1)), incoming(world.life())
    events = [*first, *second]
    async with world.runtime.worker_db.statements() as alone:
        taken = await take_in_at_once(alone, events, utc_now(), standing)
        assert taken is not None
        assert set(taken.ready) == {wants, broken, small}
        claimed = sorted((c.endpoint_id, c.event_id) for c in map(claimed_from, taken.claimed))
        heads = {first[0].event_id, second[0].event_id}
        assert {e for i, e in claimed if i == wants} == heads, "the second of a lane waits for the first"
        assert [i for i, _ in claimed if i == small] == [small], "no more than there is room for"
        assert {i for i, _ in claimed} == {wants, small}, "a broken endpoint has its one probe in hand"
        again = await take_in_at_once(alone, events, utc_now(), standing)
        assert again is None, "known events change nothing"
        others = await queue.claim(alone, {wants: (4, 0)}, utc_now(), 15.0)
        assert others == [], "what an intake claimed nobody else has"


@dataclass
class Idle:
    """A worker that has sent something and has nothing to do, and an intake of the same process."""

    worker: Worker
    take: Processor
    hints: Hints
    stop: Stop
    running: asyncio.Task[None]
    endpoint_id: UUID


@pytest.fixture
async def idle(api_only: World, receiver: Receiver) -> AsyncIterator[Idle]:
    world, hints, stop = api_only, Hints(), Stop()
    endpoint = await world.endpoint(receiver.url)
    take = Processor(
        world.runtime.worker_db, handlers(hints)(world.runtime), waits=False, at_once=intake(hints)(world.runtime)
    )
    settings = world.runtime.settings
    egress = Egress(client_context(None))
    contents = Contents(Vault.parse(settings.webhook_secret_keys.get_secret_value()), settings.policy())
    worker = Worker(world.runtime, world.runtime.worker_db, hints, contents, egress)
    running = asyncio.create_task(worker.run(stop))
    try:
        warm = world.life()
        await world.take_in(warm, by=take)
        await until(lambda: receiver.of(warm[0].order_id) == [1])
        yield Idle(worker, take, hints, stop, running, UUID(endpoint["endpoint_id"]))
    finally:
        stop.request()
        await running
        await egress.close()


async def test_an_idle_worker_need_not_ask_and_gives_back_at_its_end_what_it_cannot_send(
    api_only: World, idle: Idle, receiver: Receiver
) -> None:
    world, worker = api_only, idle.worker
    offers: list[Standing] = []
    await until(lambda: _offered(worker, offers), what="an offer of the idle worker")
    events = world.life()
    async with world.runtime.worker_db.statements() as alone:
        taken = await take_in_at_once(alone, incoming(events), utc_now(), offers[0])
    assert taken is not None
    assert [claimed_from(c).attempts for c in taken.claimed] == [0]
    worker.given(offers[0], taken)
    await until(lambda: receiver.of(events[0].order_id) == [1])
    # the next is on its way when the worker is asked to stop: it must be due at once for whoever comes next
    offers.clear()
    await until(lambda: _offered(worker, offers), what="another offer")
    late = world.life()
    async with world.runtime.worker_db.statements() as alone:
        taken = await take_in_at_once(alone, incoming(late), utc_now(), offers[0])
    idle.stop.request()
    await until(lambda: idle.hints.taker is None)
    worker.given(offers[0], taken)
    await idle.running
    assert receiver.of(late[0].order_id) == []
    due = await world.admin.fetchval(
        "SELECT next_attempt_at <= $2 FROM webhook.pending WHERE endpoint_id = $1", idle.endpoint_id, utc_now()
    )
    assert due is True


async def test_claims_of_an_intake_that_lost_its_connection_need_not_wait_for_their_lease(
    api_only: World, idle: Idle, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = api_only
    claimed: list[int] = []

    async def committed_unheard(alone: Statements, *args: Any) -> Taken | None:
        taken = await take_in_at_once(alone, *args)
        assert taken is not None
        claimed.append(len(taken.claimed))
        raise asyncpg.ConnectionDoesNotExistError("closed in the middle of operation")

    offers: list[Standing] = []
    await until(lambda: _offered(idle.worker, offers), what="an offer of the idle worker")
    idle.worker.given(offers[0], None)
    events = world.life()
    with monkeypatch.context() as patched:
        patched.setattr("services.webhook.handlers.take_in_at_once", committed_unheard)
        with pytest.raises(BackOff):
            await world.take_in(events, ids := [new_id() for _ in events], by=idle.take)
    assert claimed == [1]
    await until(lambda: receiver.of(events[0].order_id) == [1], seconds=world.runtime.settings.webhook_lease_seconds)
    await world.take_in(events, ids, by=idle.take)
    assert receiver.of(events[0].order_id) == [1], "the consumer's next try finds it taken in"


def _offered(worker: Worker, offers: list[Standing]) -> bool:
    standing = worker.standing(1)
    if standing is not None:
        offers.append(standing)
    return standing is not None


def incoming(events: Sequence[OrderEvent]) -> list[Incoming]:
    return [of_received(Received(new_id(), "/test", utc_now(), "", e)) for e in events]
