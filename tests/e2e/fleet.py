"""Real processes of the services on a broker of their own: started, killed at random, started again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from contracts.topics import TOPICS
from deploy.embedded.kafka import KafkaServer
from deploy.embedded.process import Running, free_port
from shared.kafka import create_topics
from tests.issuer import TokenIssuer, serving_issuer
from tests.stack import ROOT, StackDatabase
from tests.waiting import until

READY_SECONDS = 180
# its own limits are 15 for what it does (shutdown_seconds) and 5 for each of its two pools of connections
STOP_SECONDS = 60


@dataclass
class Process:
    """One process of a service in one role (or several, with `all`)."""

    service: str
    role: str
    environment: dict[str, str]
    log: Path
    port: int
    popen: subprocess.Popen[bytes] | None = None
    kills: int = 0

    @property
    def name(self) -> str:
        return f"{self.service}-{self.role}"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", f"services.{self.service}", self.role],
                cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        assert self.popen is not None
        self.popen.kill()
        self.popen.wait()
        self.kills += 1

    def stop(self) -> None:
        """Ask it to stop; a process that does not within STOP_SECONDS is killed and the test told."""
        if self.popen is None or self.popen.poll() is not None:
            return
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(
                f"{self.name} did not stop within {STOP_SECONDS} s of SIGTERM; see {self.log}"
            ) from None


@dataclass
class Fleet:
    """All processes of one installation, its broker, and the issuer that its services trust."""

    database: StackDatabase
    issuer: TokenIssuer
    kafka: KafkaServer
    directory: Path
    http: aiohttp.ClientSession
    processes: dict[str, Process] = field(default_factory=dict)
    broker: Running | None = None
    ports: dict[str, int] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)

    def start_broker(self) -> None:
        self.broker = Running(self.kafka, self.directory / "kafka.log")

    def kill_broker(self) -> None:
        assert self.broker is not None
        self.broker.process.kill()
        self.broker.process.wait()

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def add(self, service: str, role: str, *, number: int = 1, **environment: str) -> Process:
        """Start a process and remember it; several of one role differ by `number`."""
        serves = role in ("api", "all")
        port = self.ports.setdefault(service, free_port()) if serves else free_port()
        env = {
            **{n: os.environ[n] for n in ("PATH", "HOME", "LANG", "TZ") if n in os.environ},
            "ORDERTRAIL_DATABASE_URL": self.database.app_dsn(service),
            "ORDERTRAIL_WORKER_DATABASE_URL": self.database.worker_dsn(service),
            "ORDERTRAIL_KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap,
            "ORDERTRAIL_HTTP_PORT": str(port),
            "ORDERTRAIL_OPERATIONS_PORT": str(0 if serves else port),
            "ORDERTRAIL_IDENTITY_ISSUER": self.issuer.url,
            "ORDERTRAIL_CONSUMER_SESSION_TIMEOUT_MS": "6000",
            "ORDERTRAIL_LOG_LEVEL": "info",
            # one caller places all the orders here
            "ORDERTRAIL_HTTP_RATE_PER_SECOND": "100000",
            "ORDERTRAIL_HTTP_RATE_BURST": "100000",
            # what waits for a connection or a lock on a busy machine waits
            "ORDERTRAIL_STATEMENT_TIMEOUT_MS": "60000",
            **self.extra,
            **environment,
        }
        name = f"{service}-{role}-{number}"
        process = Process(service, role, env, self.directory / f"{name}.log", port)
        self.processes[name] = process
        process.start()
        return process

    async def ready(self, *processes: Process) -> None:
        """Until each answers /readyz with 200."""
        for process in processes or self.processes.values():
            await until(partial(self._is_ready, process), seconds=READY_SECONDS, what=f"{process.name} to be ready")

    async def _is_ready(self, process: Process) -> bool:
        assert process.popen is not None
        assert process.popen.poll() is None, f"{process.name} ended: {process.log.read_text()[-2_000:]}"
        with suppress(aiohttp.ClientError, asyncio.TimeoutError):
            async with self.http.get(f"http://127.0.0.1:{process.port}/readyz") as answer:
                return answer.status == 200
        return False

    async def restart(self, process: Process) -> None:
        """kill -9, start again, wait until it is ready."""
        process.kill()
        process.start()
        await self.ready(process)

    def stop(self) -> None:
        late = []
        for process in self.processes.values():
            try:
                process.stop()
            except AssertionError as e:
                late.append(str(e))
        if self.broker is not None:
            self.broker.stop()
        assert late == []

    def errors(self) -> str:
        """The last error lines of every process's log, for the report of a failed test."""
        lines = [
            f"{process.name}: {line[:600]}"
            for process in self.processes.values()
            for line in process.log.read_text(errors="replace").splitlines()
            if '"level":"error"' in line and "aiokafka" not in line
        ]
        return "\n".join(lines[-30:])


@asynccontextmanager
async def fleet(database: StackDatabase, **extra: str) -> AsyncIterator[Fleet]:
    """A broker with all topics, an issuer, and no services yet. Everything is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="ordertrail-fleet-") as folder:
        directory = Path(folder)
        kafka = KafkaServer(directory / "kafka", free_port(), free_port(), report=lambda _: None)
        kafka.prepare()
        async with serving_issuer() as issuer, aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=60)
        ) as http:  # fmt: skip
            made = Fleet(database, issuer, kafka, directory, http, extra=extra)
            try:
                made.start_broker()
                assert made.broker is not None
                await asyncio.to_thread(made.broker.wait_ready)
                await create_topics(kafka.bootstrap, TOPICS)
                yield made
            finally:
                await asyncio.to_thread(made.stop)


def describe(fleet: Fleet) -> dict[str, Any]:
    """How often each process was killed, for the printed figures."""
    return {p.name: p.kills for p in fleet.processes.values() if p.kills}
