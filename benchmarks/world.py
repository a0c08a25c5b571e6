"""What every benchmark gets: a database and topics of its own, and a way to state a figure."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from shared.settings import ServiceSettings
from tests.stack import Databases, Stack, StackDatabase, fresh_topics


@dataclass(frozen=True)
class Figure:
    """One measured figure. `goal` reads as in the docs (">= 0.8"); `met` is None where there is no goal."""

    name: str
    value: float
    unit: str
    goal: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        if not self.goal:
            return None
        sign, _, limit = self.goal.partition(" ")
        return self.value >= float(limit) if sign == ">=" else self.value <= float(limit)


@dataclass(frozen=True)
class World:
    """A stack with a fresh migrated database and fresh topics; `small` is for the run within the tests."""

    stack: Stack
    database: StackDatabase
    prefix: str
    small: bool

    def common(self, service: str, **given: Any) -> dict[str, Any]:
        """The settings that every service needs here, as keyword arguments."""
        return {
            "database_url": SecretStr(self.database.app_dsn(service)),
            "worker_database_url": SecretStr(self.database.worker_dsn(service)),
            "kafka_bootstrap_servers": self.stack.kafka_bootstrap,
            "topic_prefix": self.prefix,
            "http_port": 0,
            "log_level": "warning",
            **given,
        }

    def settings(self, service: str, **given: Any) -> ServiceSettings:
        return ServiceSettings(**self.common(service, **given))


@asynccontextmanager
async def world(stack: Stack, databases: Databases, *, small: bool) -> AsyncIterator[World]:
    async with databases.fresh() as database, fresh_topics(stack.kafka_bootstrap) as prefix:
        yield World(stack, database, prefix, small)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


async def reached(condition: Callable[[], Awaitable[bool]], *, seconds: float = 300, every: float = 0.02) -> None:
    """Return once the condition is true. Raises TimeoutError after `seconds`: a benchmark ends by itself."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  the database has no event to wait for
            await asyncio.sleep(every)
