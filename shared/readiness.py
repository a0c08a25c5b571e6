"""Whether this process can do its work: what `/readyz` answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from shared.kafka import Consumer, missing_topics
from shared.postgres import Database

# Probes come every second or so; a broker or database need not be asked each time.
TOPICS_SECONDS: Final = 10.0

# Docker's health check and most others wait five seconds for all of it.
CHECK_SECONDS: Final = 3.0

Check = Callable[[], Awaitable[str | None]]


class Readiness:
    """Named checks; each answers None (good) or the reason why not."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        self._checks[name] = check

    async def check(self) -> dict[str, str]:
        """Each check's result: "ok" or the reason. Ready where all are "ok". A silent one says so for itself."""
        results = await asyncio.gather(*(_result(check) for check in self._checks.values()))
        return dict(zip(self._checks, results, strict=True))

    def add_database(self, db: Database, migrations: Sequence[str], others: Sequence[Database] = ()) -> None:
        """The database answers, also as the roles of `others`, and every migration that this release has was applied.

        Each role has connections of its own: while one has some, the other may be refused any.
        """
        complete = False

        async def check() -> str | None:
            nonlocal complete
            for other in others:
                async with other.transaction() as tx:
                    await tx.fetchval("SELECT 1")
            async with db.transaction() as tx:
                if complete:
                    await tx.fetchval("SELECT 1")
                    return None
                done = {r["name"] for r in await tx.fetch("SELECT name FROM schema_migration")}
            lacking = [m for m in migrations if m not in done]
            if lacking:
                return f"{len(lacking)} migration(s) are missing, the first is {lacking[0]}: run the migrate role"
            complete = True
            return None

        self.add("database", check)

    def add_topics(self, bootstrap: str, names: Sequence[str]) -> None:
        """The broker answers and has the topics; asked at most every ten seconds."""
        last: tuple[float, str | None] = (-TOPICS_SECONDS, None)

        async def check() -> str | None:
            nonlocal last
            if last[1] is not None or time.monotonic() - last[0] > TOPICS_SECONDS:
                lacking = await missing_topics(bootstrap, names)
                last = time.monotonic(), (f"missing topics: {', '.join(lacking)}" if lacking else None)
            return last[1]

        self.add("broker", check)

    def add_consumer(self, consumer: Consumer) -> None:
        """The consumer is a member of its group and its batch in hand is not meeting trouble."""

        async def check() -> str | None:
            if consumer.stalled:
                return "the batch in hand meets trouble; see consumer.back_off in the log"
            if not consumer.joined:
                return "the consumer has not joined its group yet"
            return None

        self.add("consumer", check)


async def _result(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check() or "ok"
    except TimeoutError:
        return f"no answer in {CHECK_SECONDS:g} s"
    except Exception as e:
        return f"{type(e).__name__}: {e}"[:300]
