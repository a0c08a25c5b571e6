"""Process roles: what one process of a service runs, from start to graceful stop.

`python -m services.<name> api|relay|consumer|worker|migrate|all`. State is in PostgreSQL and Kafka alone, so
any number of processes of any role may run; relays stand by for each other, consumers share a group.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import uvicorn

import contracts.catalog  # noqa: F401  registers every event class
from shared import logs, metrics, telemetry
from shared.clock import Clock, utc_now
from shared.inbox import AtOnce, DiskWitness, Handlers, Patience, Processor, handled_topics, retry_parked
from shared.kafka import Consumer, Producer
from shared.logs import log
from shared.outbox import Outbox, Relay
from shared.postgres import Database, Queries
from shared.postgres.database import TRANSIENT
from shared.postgres.migrate import MigrationError, mechanism, migrate, read_directory
from shared.readiness import Readiness
from shared.settings import ServiceSettings
from shared.stop import Stop, Wakes

ROLES: Final = ("api", "relay", "consumer", "worker")
RESTART_FIRST: Final = 0.5
RESTART_MOST: Final = 30.0
JANITOR_SECONDS: Final = 600.0
JANITOR_ROWS: Final = 5_000
IDEMPOTENCY_DAYS: Final = 7
_inbox_q = Queries.load("shared.inbox")

Worker = Callable[["Runtime", Stop], Awaitable[None]]


@dataclass
class Runtime:
    """What the rooms of a service get: its databases, outbox, clock and wakes."""

    settings: Any
    db: Database
    worker_db: Database
    outbox: Outbox
    clock: Clock
    wakes: Wakes
    readiness: Readiness
    stop: Stop


@dataclass
class Service:
    """A service as its composition root (`services/<name>/app.py`) describes it."""

    name: str
    schema: str
    settings: ServiceSettings
    migrations: Path | None
    api: Callable[[Runtime], Any] | None = None
    handlers: Handlers | Callable[[Runtime], Handlers] = field(default_factory=dict)
    workers: Mapping[str, Worker] = field(default_factory=dict)
    clock: Clock = utc_now
    # Whether the effects of events are on the disk before anybody acts on them. Where not, what a crash of the database
    # forgets is read again from the topics: only for effects that nothing but the topics' own events tells of.
    consumer_waits: bool = True
    # Takes a whole batch in with one statement, inbox and all; the handlers are for those where it cannot.
    at_once: Callable[[Runtime], AtOnce] | None = None

    def group(self) -> str:
        """The Kafka consumer group: one for all consumer processes of the service."""
        return self.settings.consumer_group or f"{self.settings.topic_prefix}ordertrail-{self.name}"


def run(service: Service, argv: Sequence[str] | None = None) -> None:
    """The command line of a service; returns when the process is to end."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{service.name}")
    parser.add_argument("role", choices=[*ROLES, "migrate", "all"], help="what this process does")
    role = parser.parse_args(argv).role
    logs.setup(service.name, role, service.settings.log_level)
    if role == "migrate":
        sys.exit(_migrate(service))
    telemetry.setup(service.name)
    roles = set(ROLES) if role == "all" else {role}
    tune_gc()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_until_signalled(service, roles))
    except PortBusy as e:
        log.error("process.not_started", error=str(e))
        sys.exit(f"{service.name}: {e}")
    finally:
        telemetry.shutdown()


def tune_gc() -> None:
    """What start-up made lives as long as the process, so the collector need not look at it again and again.

    Batches make some ten thousand short-lived tuples each; the default threshold of 700 collects in the middle of
    every batch, at a quarter of the relay's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _migrate(service: Service) -> int:
    dsn = os.environ.get("ORDERTRAIL_ADMIN_DATABASE_URL", "")
    if not dsn:
        log.error("migrate.no_database", error="set ORDERTRAIL_ADMIN_DATABASE_URL to the administrator's address")
        return 2
    if service.migrations is None:
        return 0
    try:
        applied = asyncio.run(migrate(dsn, service.name, service.schema, service.migrations))
    except MigrationError as e:
        log.error("migrate.failed", error=str(e))
        return 1
    log.info("migrate.done", applied=applied)
    return 0


async def _until_signalled(service: Service, roles: set[str]) -> None:
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.request)
    async with running(service, roles=roles, stop=stop):
        while not await stop.wait(3600):
            pass
        log.info("process.stopping")


@asynccontextmanager
async def running(
    service: Service, *, roles: set[str] | frozenset[str] = frozenset(ROLES), stop: Stop | None = None
) -> AsyncIterator[Runtime]:
    """Run the roles in this process while the block lasts; then stop gracefully, within `shutdown_seconds`."""
    unknown = set(roles) - set(ROLES)
    if unknown:
        raise ValueError(f"unknown role(s): {', '.join(sorted(unknown))}")
    runtime = _runtime(service, stop or Stop())
    await runtime.db.open()
    await runtime.worker_db.open()
    tasks: list[asyncio.Task[None]] = []
    try:
        jobs = _jobs(service, runtime, roles)
        server = await _server(service, runtime, roles)
        tasks += [asyncio.create_task(_kept_running(name, job, runtime.stop), name=name) for name, job in jobs.items()]
        if server is not None:
            tasks.append(asyncio.create_task(server.serve_quietly(), name="http"))
        log.info("process.started", roles=sorted(roles), jobs=sorted(jobs))
        yield runtime
    finally:
        runtime.stop.request()
        await _ended(tasks, service.settings.shutdown_seconds)
        await runtime.db.close()
        await runtime.worker_db.close()
        log.info("process.stopped")


def _runtime(service: Service, stop: Stop) -> Runtime:
    s = service.settings
    wakes = Wakes()
    db, worker_db = (
        Database(
            dsn.get_secret_value(),
            name=f"ordertrail-{service.name}{suffix}",
            max_size=size,
            statement_timeout_ms=s.statement_timeout_ms,
        )
        for dsn, suffix, size in (
            (s.database_url, "", s.database_pool_size),
            (s.worker_database_url, "-worker", s.worker_pool_size),
        )
    )
    outbox = Outbox(f"/ordertrail/{service.name}", service.clock, wakes.get("relay").set)
    return Runtime(s, db, worker_db, outbox, service.clock, wakes, Readiness(), stop)


def _jobs(
    service: Service, runtime: Runtime, roles: set[str] | frozenset[str]
) -> dict[str, Callable[[Stop], Awaitable[None]]]:
    """The loops of this process by name. A service without a schema (the console) has none."""
    jobs: dict[str, Callable[[Stop], Awaitable[None]]] = {}
    if service.migrations is not None:
        names = [m.name for m in [*mechanism(), *read_directory(service.migrations)]]
        runtime.readiness.add_database(runtime.worker_db, names, [runtime.db] if "api" in roles else [])
        if "relay" in roles:
            jobs["relay"] = _relay(service, runtime).run
        if "worker" in roles:
            jobs["janitor"] = lambda stop: _janitor(service, runtime, stop)
    if "consumer" in roles:
        jobs.update(_consumer_jobs(service, runtime))
    if "worker" in roles:
        for name, worker in service.workers.items():
            jobs[name] = _bound(worker, runtime)
    return jobs


def _bound(worker: Worker, runtime: Runtime) -> Callable[[Stop], Awaitable[None]]:
    return lambda stop: worker(runtime, stop)


def _relay(service: Service, runtime: Runtime) -> Relay:
    s = service.settings
    return Relay(
        s.worker_database_url.get_secret_value(),
        lambda: Producer(s.kafka_bootstrap_servers, client_id=f"ordertrail-{service.name}-relay"),
        prefix=s.topic_prefix,
        batch=s.relay_batch,
        poll=s.relay_poll_seconds,
        wake=runtime.wakes.get("relay"),
    )


def _consumer_jobs(service: Service, runtime: Runtime) -> dict[str, Callable[[Stop], Awaitable[None]]]:
    handlers = service.handlers(runtime) if callable(service.handlers) else service.handlers
    if not handlers:
        return {}
    s = service.settings
    topics = handled_topics(handlers)
    processor = processor_of(service, runtime, handlers)
    witness = DiskWitness(s.worker_database_url.get_secret_value(), name=f"ordertrail-{service.name}-witness")
    consumer = Consumer(
        s.kafka_bootstrap_servers,
        processor.process,
        topics=topics,
        group=service.group(),
        prefix=s.topic_prefix,
        batch=s.consumer_batch,
        session_timeout_ms=s.consumer_session_timeout_ms,
        linger_ms=s.consumer_linger_ms,
        witness=None if service.consumer_waits else witness,
    )
    runtime.readiness.add_consumer(consumer)
    runtime.readiness.add_topics(s.kafka_bootstrap_servers, [s.topic_prefix + t for t in topics])
    # half of the keys that may be parked at once: those that only wait must not stop the consumer
    patience = Patience(
        s.parked_attempts, s.parked_first_delay, timedelta(hours=s.parked_waiting_hours), s.parked_limit // 2
    )
    return {"consumer": consumer.run, "parked": lambda stop: retry_parked(processor, stop, patience)}


def processor_of(service: Service, runtime: Runtime, handlers: Handlers) -> Processor:
    """What becomes of the batches that the service consumes."""
    s = service.settings
    return Processor(
        runtime.worker_db,
        handlers,
        clock=runtime.clock,
        parked_limit=s.parked_limit,
        first_delay=s.parked_first_delay,
        waits=service.consumer_waits,
        at_once=service.at_once(runtime) if service.at_once is not None else None,
    )


async def _kept_running(name: str, job: Callable[[Stop], Awaitable[None]], stop: Stop) -> None:
    """A loop that fails is started again with a growing pause; it never takes the process with it."""
    pause = RESTART_FIRST
    while not stop.requested:
        started = asyncio.get_running_loop().time()
        try:
            await job(stop)
            return
        except asyncio.CancelledError:
            raise
        except Exception as e:
            metrics.WORKER_RESTARTS.labels(name).inc()
            level = log.warning if isinstance(e, TRANSIENT) else log.exception
            level("worker.failed", worker=name, error=f"{type(e).__name__}: {e}", pause_s=pause)
        if asyncio.get_running_loop().time() - started > RESTART_MOST:
            pause = RESTART_FIRST
        await stop.wait(pause)
        pause = min(pause * 2, RESTART_MOST)


async def _janitor(service: Service, runtime: Runtime, stop: Stop) -> None:
    """Forget inbox and idempotency rows past their time, some thousand at a time."""
    while not await stop.wait(JANITOR_SECONDS):
        now = runtime.clock()
        for sql, days in (
            (_inbox_q.prune_inbox, service.settings.inbox_retention_days),
            (_inbox_q.prune_idempotency, IDEMPOTENCY_DAYS),
        ):
            full = True
            while full and not stop.requested:
                async with runtime.worker_db.transaction() as tx:
                    full = (await tx.execute(sql, now - timedelta(days=days), JANITOR_ROWS)) == f"DELETE {JANITOR_ROWS}"


async def _ended(tasks: Sequence[asyncio.Task[None]], seconds: float) -> None:
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        log.warning("process.cut_off", job=task.get_name())
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=2)


class PortBusy(Exception):
    """The HTTP port is taken; the text says by which setting another can be chosen."""


class _Server(uvicorn.Server):
    """uvicorn inside our own process: signals are ours, and it stops when the runtime does."""

    def __init__(self, config: uvicorn.Config, bound: socket.socket, stop: Stop) -> None:
        super().__init__(config)
        self._bound, self._stop = bound, stop

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def serve_quietly(self) -> None:
        watcher = asyncio.create_task(self._watch())
        try:
            await self.serve(sockets=[self._bound])
        finally:
            watcher.cancel()
            self._bound.close()

    async def _watch(self) -> None:
        while not await self._stop.wait(3600):
            pass
        self.should_exit = True


async def _server(service: Service, runtime: Runtime, roles: set[str] | frozenset[str]) -> _Server | None:
    from shared.web.server import BoundedHttp  # shared.web knows Runtime, so it cannot be imported above

    s = service.settings
    if "api" in roles and service.api is not None:
        app, port = service.api(runtime), s.http_port
    elif s.operations_port:
        from shared.web import operations_app

        app, port = operations_app(service.name, runtime), s.operations_port
    else:
        return None
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        http=BoundedHttp,
        ws="none",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=max(1, int(s.shutdown_seconds) - 2),
        limit_concurrency=s.http_concurrency,
    )
    return _Server(config, _bind(s, port), runtime.stop)


def _bind(s: ServiceSettings, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in s.http_host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if s.http_reuse_port:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((s.http_host, port))
    except OSError as e:
        bound.close()
        raise PortBusy(
            f"cannot listen on {s.http_host}:{port} ({e.strerror}). Free the port or set ORDERTRAIL_HTTP_PORT."
        ) from None
    bound.listen(1024)
    bound.setblocking(False)
    return bound
