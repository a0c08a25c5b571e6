"""Pools and transactions. Actions and the inbox open transactions; stores get one and never commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from shared.errors import Unavailable

Row = asyncpg.Record
CONNECT_SECONDS: Final = 10.0
RELEASE_SECONDS: Final = 5.0
NO_WAIT: Final = "SET LOCAL synchronous_commit = off"
# Errors of the way to the database, or that another try may not meet: nothing was decided.
TRANSIENT: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that the server closed between two of our messages
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    OSError,
    asyncio.TimeoutError,
)


class Statements:
    """Where statements go: one after the other, each by itself unless this is a Transaction."""

    __slots__ = ("_conn",)

    def __init__(self, conn: asyncpg.Connection | PoolConnectionProxy) -> None:
        self._conn = conn

    async def fetch(self, sql: str, *args: Any) -> list[Row]:
        return await self._conn.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: Any) -> Row | None:
        return await self._conn.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        return await self._conn.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        return await self._conn.execute(sql, *args)

    async def executemany(self, sql: str, args: Iterable[Sequence[Any]]) -> None:
        await self._conn.executemany(sql, args)


class Transaction(Statements):
    """One open transaction. `marketplace_id` is the tenant it is bound to, or None for the worker role."""

    __slots__ = ("_after", "_savepoints", "marketplace_id")

    def __init__(self, conn: asyncpg.Connection | PoolConnectionProxy, marketplace_id: UUID | None) -> None:
        super().__init__(conn)
        self.marketplace_id = marketplace_id
        self._after: list[Callable[[], None]] = []
        self._savepoints = 0

    async def stream(self, sql: str, *args: Any, prefetch: int = 500) -> AsyncIterator[Row]:
        """Rows one by one through a server-side cursor: memory stays flat whatever the size of the answer."""
        name = f"stream_{id(self)}_{self._savepoints}"
        self._savepoints += 1
        await self._conn.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}", *args)
        while rows := await self._conn.fetch(f"FETCH {int(prefetch)} FROM {name}"):
            for row in rows:
                yield row
        await self._conn.execute(f"CLOSE {name}")

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call this once the transaction has been committed; never if it was not. It must not raise."""
        self._after.append(callback)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What is done inside is undone where it raises; the transaction itself lives on."""
        self._savepoints += 1
        name = f"sp_{self._savepoints}"
        kept = len(self._after)
        await self._conn.execute(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            del self._after[kept:]
            if not self._conn.is_closed():
                await self._conn.execute(f"ROLLBACK TO SAVEPOINT {name}")
            raise
        await self._conn.execute(f"RELEASE SAVEPOINT {name}")

    def committed(self) -> None:
        """Run the callbacks; called by `Database` only."""
        for callback in self._after:
            callback()


async def _prepare(conn: asyncpg.Connection) -> None:
    await conn.set_type_codec("jsonb", encoder=_to_jsonb, decoder=_from_jsonb, schema="pg_catalog", format="binary")


def _to_jsonb(value: Any) -> bytes:
    # Bytes are JSON that was serialised already (an event's or an aggregate's own serializer).
    return b"\x01" + (value if isinstance(value, bytes) else orjson.dumps(value))


def _from_jsonb(raw: bytes) -> Any:
    return orjson.loads(raw[1:])


async def connect(dsn: str, *, name: str) -> asyncpg.Connection:
    """A connection outside any pool (advisory locks, one-shot commands), prepared as the pools' are."""
    conn = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, server_settings={"application_name": name})
    await _prepare(conn)
    return conn


class Database:
    """A pool of connections of one role. Idle connections are closed after a minute, so `min_size` may be 0."""

    def __init__(
        self, dsn: str, *, name: str, min_size: int = 0, max_size: int = 8, statement_timeout_ms: int = 10_000
    ) -> None:
        self._dsn, self._name = dsn, name
        self._min, self._max = min_size, max_size
        self._statement_timeout_ms = statement_timeout_ms
        # a connection is waited for as long as a lock
        self._acquire_seconds = statement_timeout_ms / 2_000
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Make the pool. With `min_size` 0 this connects to nothing yet."""
        self._pool = await asyncpg.create_pool(
            self._dsn,
            min_size=self._min,
            max_size=self._max,
            init=_prepare,
            timeout=CONNECT_SECONDS,
            max_inactive_connection_lifetime=60,
            # each pooled connection keeps its prepared statements; 200 covers a service's queries.sql
            statement_cache_size=200,
            server_settings={
                "application_name": self._name,
                "statement_timeout": str(self._statement_timeout_ms),
                "lock_timeout": str(self._statement_timeout_ms // 2),
                "idle_in_transaction_session_timeout": str(self._statement_timeout_ms * 3),
                "jit": "off",
            },
            reset=_no_reset,
        )

    async def close(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            try:
                await asyncio.wait_for(pool.close(), 5)
            except TimeoutError:
                pool.terminate()

    @asynccontextmanager
    async def tenant(self, marketplace_id: UUID) -> AsyncIterator[Transaction]:
        """A transaction that sees and writes one marketplace's rows only (row-level security)."""
        # A UUID's text is hex and dashes, so it can stand in the one statement string that saves a round trip.
        begin = f"BEGIN; SET LOCAL app.marketplace = '{UUID(str(marketplace_id))}'"
        async with self._transaction(begin, marketplace_id) as tx:
            yield tx

    @asynccontextmanager
    async def transaction(self, *, waits: bool = True) -> AsyncIterator[Transaction]:
        """A transaction without a tenant: for the worker role, whose policies let it see its own schema.

        One that does not wait for the disk is forgotten if the server crashes within the next half second.
        """
        async with self._transaction("BEGIN" if waits else f"BEGIN; {NO_WAIT}", None) as tx:
            yield tx

    @asynccontextmanager
    async def statements(self) -> AsyncIterator[Statements]:
        """For statements that stand alone, each a transaction of its own: two round trips less. For the worker role."""
        pool = self._opened()
        conn = await _begun(pool, None, self._acquire_seconds)
        try:
            yield Statements(conn)
        finally:
            await pool.release(conn, timeout=RELEASE_SECONDS)

    def _opened(self) -> asyncpg.Pool:
        if self._pool is None:
            raise RuntimeError(f"the database {self._name} is not open")
        return self._pool

    @asynccontextmanager
    async def _transaction(self, begin: str, marketplace_id: UUID | None) -> AsyncIterator[Transaction]:
        pool = self._opened()
        conn = await _begun(pool, begin, self._acquire_seconds)
        try:
            tx = Transaction(conn, marketplace_id)
            try:
                yield tx
            except BaseException:
                await _rollback(conn)
                raise
            await conn.execute("COMMIT")
        finally:
            await pool.release(conn, timeout=RELEASE_SECONDS)  # shields itself against cancellation
        tx.committed()


async def _begun(pool: asyncpg.Pool, begin: str | None, seconds: float) -> PoolConnectionProxy:
    """A connection on which `begin` was executed. Those that the server hung up on while they idled are replaced.

    Without `begin` such a connection is given all the same: its first statement fails.
    """
    tries = pool.get_size() + 1
    for attempt in range(1, tries + 1):
        try:
            # asyncpg's own timeout costs a task for every transaction
            async with asyncio.timeout(seconds):
                conn = await pool.acquire()
        except TimeoutError:
            raise Unavailable("database_busy", "All database connections are in use. Try again in a moment.") from None
        try:
            if begin is not None:
                await conn.execute(begin)
            return conn
        except BaseException as e:
            _terminate(conn)
            await pool.release(conn, timeout=RELEASE_SECONDS)
            if attempt == tries or not isinstance(e, TRANSIENT):
                raise
    raise AssertionError("unreachable")


async def _rollback(conn: PoolConnectionProxy) -> None:
    # A connection whose rollback cannot be sent is closed: the server then rolls back by itself.
    try:
        await asyncio.wait_for(conn.execute("ROLLBACK"), 5)
    except Exception:
        _terminate(conn)


def _terminate(conn: PoolConnectionProxy) -> None:
    # The pool takes a connection back by itself when the server hangs up; there is then nothing to terminate.
    with suppress(asyncpg.InterfaceError):
        conn.terminate()


async def _no_reset(conn: asyncpg.Connection) -> None:
    # Every use is one transaction with transaction-local settings, so there is nothing to reset; asyncpg's own
    # reset would cost a round trip each. A connection left inside a transaction must not be used again.
    if conn.is_in_transaction():
        conn.terminate()
