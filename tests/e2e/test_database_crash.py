"""The database crashes under load, with what it had not yet written to the disk.

An immediate shutdown is a crash by PostgreSQL's own definition: nothing is flushed, and starting again recovers from
the log. What consumers had stored without waiting for the disk is gone then, and has to be read from the topics again.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.embedded.postgres import PostgresServer
from deploy.embedded.process import Running, free_port
from shared.inbox import DiskWitness
from shared.postgres import Database
from tests.e2e.fleet import fleet
from tests.e2e.market import Market, Receiver, place_orders
from tests.e2e.test_faults import RATE, SECONDS, SEED, arrived_everywhere_once
from tests.stack import Databases, Stack, StackDatabase
from tests.waiting import until

pytestmark = pytest.mark.timeout(SECONDS + 900)
CRASHES = 2 if SECONDS < 30 else 6


class Crashing:
    """A PostgreSQL server of this test's own."""

    def __init__(self, directory: Path) -> None:
        # the log reaches the disk only where somebody waits for it: what nobody waited for is lost for certain
        self._server = PostgresServer(directory, free_port(), settings={"wal_writer_delay": "10s", "autovacuum": "off"})
        self._server.prepare()
        self._log = directory / "postgres.log"
        self._running = Running(self._server, self._log)
        self._running.wait_ready()

    @property
    def dsn(self) -> str:
        return self._server.url()

    def crash(self) -> None:
        self._running.process.send_signal(signal.SIGQUIT)
        self._running.process.wait(60)
        self._running = Running(self._server, self._log)
        self._running.wait_ready()

    def stop(self) -> None:
        self._running.stop()


@pytest.fixture
def server() -> Iterator[Crashing]:
    with tempfile.TemporaryDirectory(prefix="ordertrail-crash-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL may run under another account
        made = Crashing(Path(folder))
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture
async def database_that_crashes(server: Crashing) -> AsyncIterator[StackDatabase]:
    databases = Databases(Stack(server.dsn, ""))
    await databases.open()
    async with databases.fresh() as fresh:
        yield fresh
    await databases.close()


async def test_the_witness_knows_that_a_crash_forgot_something(
    server: Crashing, database_that_crashes: StackDatabase
) -> None:
    dsn = database_that_crashes.worker_dsn("webhook")
    witness, db = DiskWitness(dsn, name="witness"), Database(dsn, name="lazy")
    await db.open()
    try:
        await witness.watch()
        await _note(db)
        assert await witness.confirm()
        await _note(db)
        await asyncio.to_thread(server.crash)
        async with db.transaction() as tx:
            assert await tx.fetchval("SELECT count(*) FROM inbox") == 1, (
                "the first one was confirmed, the second was not"
            )
        await witness.watch()
        assert not await witness.confirm()
        assert witness.lost
    finally:
        await db.close()
        await witness.close()


async def _note(db: Database) -> None:
    async with db.transaction(waits=False) as tx:
        await tx.execute("INSERT INTO inbox (event_id, marketplace_id) VALUES (gen_random_uuid(), gen_random_uuid())")


async def test_a_database_that_crashes_under_load_loses_and_doubles_nothing(
    server: Crashing, database_that_crashes: StackDatabase
) -> None:
    keys = f"k1:{base64.b64encode(os.urandom(32)).decode()}"
    rng = random.Random(f"{SEED}-crash")
    async with fleet(
        database_that_crashes, ORDERTRAIL_WEBHOOK_ALLOW_LOOPBACK="true", ORDERTRAIL_WEBHOOK_SECRET_KEYS=keys
    ) as f:
        for service, role in [("order", "all"), ("reporting", "all"), ("messaging", "all"), ("webhook", "all")]:
            f.add(service, role)
        await f.ready()
        market, receiver = Market(f), Receiver()
        await market.announce()
        runner = await receiver.start()
        try:
            await _known(database_that_crashes)
            await receiver.subscribe(market)
            load = asyncio.create_task(
                place_orders(market, per_second=RATE, seconds=SECONDS, seed=rng.randrange(10**9))
            )
            for _ in range(CRASHES):
                await _some_arrive(receiver)
                await asyncio.to_thread(server.crash)
            placed = await load
            assert placed.unknown == set(), "every request has an answer once the fault is over"
            await arrived_everywhere_once(database_that_crashes, f, placed, receiver)
            rewound = f.processes["webhook-all-1"].log.read_text().count("consumer.rewound")
            duplicates = len(receiver.seen) - len({w for w, *_ in receiver.seen})
            print(
                f"\n{len(placed.orders)} orders at {RATE:.0f}/s, {CRASHES} crashes, {rewound} times read again, 0 lost,"
                f" {duplicates} webhook duplicates with the same id"
            )
            assert rewound >= 1
        finally:
            await runner.cleanup()


async def _some_arrive(receiver: Receiver) -> None:
    seen = len(receiver.seen)
    await until(lambda: len(receiver.seen) > seen + RATE, what="a second's worth of webhooks")


async def _known(database: StackDatabase) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    try:
        await until(lambda: admin.fetchval("SELECT count(*) = 3 FROM orders.member"), what="the people to be known")
    finally:
        await admin.close()
