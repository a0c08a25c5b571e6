"""A producing and a consuming service on the real pair, with one table that shows every effect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import structlog
from pydantic import SecretStr

from contracts.envelope import Received
from contracts.order import OrderCreated, OrderUpdated
from shared.inbox import Handlers
from shared.postgres import Transaction
from shared.process import Service
from shared.settings import ServiceSettings
from tests.stack import Stack, StackDatabase

# Plain tracebacks (the default prints every local variable), and no caching: other tests capture the log.
structlog.configure(
    processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)],
    cache_logger_on_first_use=False,
)

EFFECT = """
CREATE TABLE IF NOT EXISTS reporting.effect
    (n bigint GENERATED ALWAYS AS IDENTITY, event_id uuid, key text, sequence int);
GRANT SELECT, INSERT ON reporting.effect TO ordertrail_reporting_worker;
"""


class World:
    """The pair of services and what can be asked of their databases."""

    def __init__(self, stack: Stack, database: StackDatabase, prefix: str, empty: Path) -> None:
        self.stack, self.database, self.prefix, self.empty = stack, database, prefix, empty
        self.admin: asyncpg.Connection

    def settings(self, service: str, **given: Any) -> ServiceSettings:
        fields: dict[str, Any] = {
            "database_url": SecretStr(self.database.app_dsn(service)),
            "worker_database_url": SecretStr(self.database.worker_dsn(service)),
            "kafka_bootstrap_servers": self.stack.kafka_bootstrap,
            "topic_prefix": self.prefix,
            "parked_first_delay": 0.2,
            "parked_attempts": 3,
            "consumer_session_timeout_ms": 3_000,
            "http_port": 0,
        }
        return ServiceSettings(**(fields | given))

    def producer(self, **given: Any) -> Service:
        return Service("order", "orders", self.settings("order", **given), migrations=self.empty)

    def consumer(self, handlers: Handlers | None = None, **given: Any) -> Service:
        return Service(
            "reporting", "reporting", self.settings("reporting", **given), migrations=self.empty,
            handlers=handlers or {OrderCreated: record_effect, OrderUpdated: record_effect},
        )  # fmt: skip

    async def effects(self) -> list[tuple[str, int]]:
        rows = await self.admin.fetch("SELECT key, sequence FROM reporting.effect ORDER BY n")
        return [(r["key"], r["sequence"]) for r in rows]

    async def count(self, table: str) -> int:
        return int(await self.admin.fetchval(f"SELECT count(*) FROM {table}"))


async def record_effect(tx: Transaction, events: Sequence[Received[Any]]) -> None:
    await tx.execute(
        "INSERT INTO effect (event_id, key, sequence) SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[])",
        [e.event_id for e in events],
        [e.event.key() for e in events],
        [e.event.sequence for e in events],
    )


def failing_on(order_id: UUID, fail: Callable[[], bool]) -> Handlers:
    """Handlers that refuse one order while `fail()` is true."""

    async def handler(tx: Transaction, events: Sequence[Received[Any]]) -> None:
        if fail() and any(e.event.order_id == order_id for e in events):
            raise ValueError("this order cannot be handled")
        await record_effect(tx, events)

    return {OrderCreated: handler, OrderUpdated: handler}


@pytest.fixture
async def world(stack: Stack, database: StackDatabase, topic_prefix: str, tmp_path: Path) -> AsyncIterator[World]:
    w = World(stack, database, topic_prefix, tmp_path)
    w.admin = await asyncpg.connect(database.admin_dsn)
    await w.admin.execute(EFFECT)
    yield w
    await w.admin.close()


Until = Callable[..., Awaitable[None]]
