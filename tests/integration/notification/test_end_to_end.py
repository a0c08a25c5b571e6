"""The whole service over real Kafka, PostgreSQL and SMTP, as `python -m services.notification all` runs it.

    topics ─ consumer ─ notifications and deliveries ─ mail workers ─ SMTP
                                                    └─ outbox ─ relay ─ notification.delivered

What this proves: events that are produced through the contracts reach people by mail and in the feed, what became
of them is told on a topic, and the topics replayed from the beginning by a new consumer group send nothing again.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from contracts.envelope import Event, decode, encode
from contracts.notification import NotificationDelivered
from deploy.embedded.mailbox import Mailbox
from deploy.embedded.process import free_port
from shared.clock import utc_now
from shared.ids import new_id
from tests.integration.notification.world import World, opened
from tests.stack import Stack, StackDatabase
from tests.waiting import until

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def everything(world: World, stack: Stack, prefix: str, group: str = "") -> AsyncIterator[None]:
    """A process with all roles, once it is ready; it must end cleanly."""
    port = free_port()
    environment = {
        **os.environ,
        "ORDERTRAIL_DATABASE_URL": world.database.app_dsn("notification"),
        "ORDERTRAIL_WORKER_DATABASE_URL": world.database.worker_dsn("notification"),
        "ORDERTRAIL_KAFKA_BOOTSTRAP_SERVERS": stack.kafka_bootstrap,
        "ORDERTRAIL_TOPIC_PREFIX": prefix,
        "ORDERTRAIL_CONSUMER_GROUP": group,
        "ORDERTRAIL_SMTP_PORT": str(world.mailbox.smtp_port),
        "ORDERTRAIL_HTTP_PORT": str(port),
        "ORDERTRAIL_LOG_LEVEL": "error",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.notification", "all", cwd=ROOT, env=environment
    )
    try:
        await until(lambda: ready(port, process), seconds=120, what="the service to be ready")
        yield
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 90) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ready(port: int, process: asyncio.subprocess.Process) -> bool:
    assert process.returncode is None, "the service has ended"
    with suppress(aiohttp.ClientError):
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200
    return False


async def produce(stack: Stack, prefix: str, *events: Event) -> list[UUID]:
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap)
    await producer.start()
    try:
        ids = [new_id() for _ in events]
        for event, event_id in zip(events, ids, strict=True):
            record = encode(event, event_id=event_id, source="/ordertrail/test", time=utc_now())
            await producer.send_and_wait(
                prefix + record.topic, record.value, key=record.key.encode(), headers=record.headers
            )
        return ids
    finally:
        await producer.stop()


async def test_from_the_topics_to_the_mailbox_and_back(
    database: StackDatabase, mailbox: Mailbox, stack: Stack, topic_prefix: str
) -> None:
    async with opened(database, mailbox) as world:
        await world.admin.execute("TRUNCATE notification.member, notification.marketplace, notification.inbox")
        order = world.order(number="ORD-E2E")
        members = [
            world.member("buyer", "buyer-org", "buyer"),
            world.member("seller", "seller-org", "seller", language="nb"),
        ]
        async with everything(world, stack, topic_prefix):
            # the order first: people may become known after what concerns them
            [created] = await produce(stack, topic_prefix, world.created(order))
            await produce(stack, topic_prefix, *members)
            talk = world.message(order, world.actor("buyer", "buyer"), "buyer", "Is it still there?")
            await produce(stack, topic_prefix, talk)
            await asyncio.to_thread(mailbox.store.wait_for, 3, seconds=90)
            if len(mailbox.mails()) != 3:
                pytest.fail(f"{len(mailbox.mails())} of 3 mails came: {await standing(world)}", pytrace=False)
            delivered = await outcomes(stack, topic_prefix, 6)
        assert {m.subject.partition(" ORD")[0] for m in mailbox.mails()} == {
            "Your order", "Ny ordre", "Ny melding fra Buyer Person om ordre",
        }  # fmt: skip
        assert sorted(e.channel for e in delivered) == ["email"] * 3 + ["in_app"] * 3
        assert {e.cause_event_id for e in delivered if e.category == "order_confirmation"} == {created}

        # everything again from the first offset, with an inbox that has forgotten all
        await world.admin.execute("TRUNCATE notification.inbox")
        async with everything(world, stack, topic_prefix, group=f"{topic_prefix}replay"):
            await until(lambda: _replayed(world, 4), seconds=90, what="the topics to be replayed")
        assert len(mailbox.mails()) == 3
        assert len(await world.mails()) == 3


async def standing(world: World) -> dict[str, list[str]]:
    """Where everything is: what a failure needs to be understood."""
    tables = ("inbox", "parked", "dead_letter", "awaited_party", "member", "notification", "delivery", "outbox")
    return {t: [str(dict(r)) for r in await world.admin.fetch(f"SELECT * FROM notification.{t}")] for t in tables}


async def _replayed(world: World, events: int) -> bool:
    return int(await world.admin.fetchval("SELECT count(*) FROM notification.inbox")) == events


async def outcomes(stack: Stack, prefix: str, count: int) -> list[NotificationDelivered]:
    """The first notification.delivered events of the topic."""
    consumer = AIOKafkaConsumer(
        f"{prefix}notification.delivered", bootstrap_servers=stack.kafka_bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        found: list[NotificationDelivered] = []
        async with asyncio.timeout(90):
            async for record in consumer:
                event = decode(record.headers, record.value).event
                assert isinstance(event, NotificationDelivered)
                found.append(event)
                if len(found) == count:
                    return found
        return found
    finally:
        await consumer.stop()
