"""kill -9 in the middle of sending.

What this proves: real worker processes are killed at random moments, most of them with mails between DATA and the
server's answer. Afterwards every mail has an end; none reached the mail server twice; each that counts as sent is
there once; and those of which nobody can know (`unknown`) are no more than were in flight when a process died.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from deploy.embedded.mailbox import Behaviour
from tests.integration.notification.world import World
from tests.waiting import until

ROOT = Path(__file__).parents[3]
ORDERS = 40
KILLS = 4
CONNECTIONS = 2


async def worker(world: World) -> asyncio.subprocess.Process:
    """A real worker process of the service, with short leases."""
    environment = {
        **os.environ,
        "ORDERTRAIL_DATABASE_URL": world.database.app_dsn("notification"),
        "ORDERTRAIL_WORKER_DATABASE_URL": world.database.worker_dsn("notification"),
        "ORDERTRAIL_SMTP_PORT": str(world.mailbox.smtp_port),
        "ORDERTRAIL_SMTP_CONNECTIONS": str(CONNECTIONS),
        "ORDERTRAIL_SMTP_LEASE_SECONDS": "5",
        "ORDERTRAIL_SMTP_ANSWER_SECONDS": "6",
        "ORDERTRAIL_SMTP_SETTLE_SECONDS": "4",
        "ORDERTRAIL_LOG_LEVEL": "error",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.notification", "worker", cwd=ROOT, env=environment
    )


async def test_killed_workers_send_nothing_twice(world: World) -> None:
    world.mailbox.behave(Behaviour(mode="tarpit", stage="data", seconds=0.1))
    await world.tell(*(world.created(world.order(number=f"ORD-{n}")) for n in range(ORDERS)))
    chance = random.Random(20260322)
    for _ in range(KILLS):
        more = len(world.mailbox.mails()) + 1
        process = await worker(world)
        await asyncio.to_thread(world.mailbox.store.wait_for, more, seconds=90)
        assert len(world.mailbox.mails()) >= more, "the worker sent nothing"
        await asyncio.sleep(chance.uniform(0.05, 0.3))
        process.send_signal(signal.SIGKILL)
        await process.wait()
    world.mailbox.behave(Behaviour())
    process = await worker(world)
    try:
        await until(lambda: _settled(world), seconds=120, what="every mail to have an end")
    finally:
        process.terminate()
        await process.wait()

    arrived = [m.message["Message-ID"] for m in world.mailbox.mails()]
    mails = [m for m in await world.mails() if m["state"] != "skipped"]
    sent = {m["message_id"] for m in mails if m["state"] == "sent"}
    unknown = {m["message_id"] for m in mails if m["state"] == "unknown"}
    assert len(arrived) == len(set(arrived)), "a mail arrived twice"
    assert len(mails) == 2 * ORDERS
    assert sent | unknown == {m["message_id"] for m in mails}
    assert sent <= set(arrived) <= sent | unknown
    assert len(unknown) <= KILLS * CONNECTIONS
    assert await world.outbox("notification.delivered") == 3 * ORDERS + len(sent)
    assert await world.outbox("notification.failed") == len(unknown)


async def _settled(world: World) -> bool:
    return "pending" not in await world.states()
