"""The PostgreSQL and Kafka that the tests run against, and fresh databases and topics on them.

Order of preference: what ORDERTRAIL_TEST_DATABASE_URL and ORDERTRAIL_TEST_KAFKA name; containers where a Docker
engine answers and has the images; a private embedded pair in a temporary directory. All three are the real thing.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from contracts.topics import TOPICS
from shared.kafka import create_topics
from shared.postgres.migrate import SCHEMAS, app_role, bootstrap, migrate, worker_role
from tests import containers
from tests.waiting import until

ROOT = Path(__file__).parents[1]
DATABASE_ENV = "ORDERTRAIL_TEST_DATABASE_URL"
KAFKA_ENV = "ORDERTRAIL_TEST_KAFKA"
# "order,identity": migrate only these schemas (all when unset)
SERVICES_ENV = "ORDERTRAIL_TEST_SERVICES"
START_SECONDS = 180
STALE_SECONDS = 6 * 3600
# Roles belong to the whole server, so concurrent runs on one server have to agree on their passwords.
PASSWORDS: Mapping[str, str] = {
    role: f"test-{role}" for service in SCHEMAS for role in (app_role(service), worker_role(service))
}
CLUSTER_LOCK = 0x0D_E2_7A_12
DATABASE_PREFIX = "ordertrail_test"


@dataclass(frozen=True)
class Stack:
    """One PostgreSQL (superuser URL) and one Kafka."""

    admin_dsn: str
    kafka_bootstrap: str


@dataclass(frozen=True)
class StackDatabase:
    """A migrated database of one test's own."""

    name: str
    admin_dsn: str

    def app_dsn(self, service: str) -> str:
        """URL of the service's tenant-bound role."""
        return self.role_dsn(app_role(service))

    def worker_dsn(self, service: str) -> str:
        """URL of the role of the service's relay, consumers and workers."""
        return self.role_dsn(worker_role(service))

    def role_dsn(self, role: str) -> str:
        return with_database(self.admin_dsn, self.name, user=f"{role}:{PASSWORDS[role]}")


def with_database(dsn: str, database: str, *, user: str | None = None) -> str:
    """`dsn` for another database, and another "name:password"."""
    parts = urlsplit(dsn)
    netloc = f"{user}@{parts.netloc.rpartition('@')[2]}" if user else parts.netloc
    return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}"))


def chosen_kind() -> str:
    """Which of the three is used: "given", "containers" or "embedded". Starts nothing."""
    given = [name for name in (DATABASE_ENV, KAFKA_ENV) if os.environ.get(name)]
    if len(given) == 1:
        raise RuntimeError(f"{given[0]} is set: set {DATABASE_ENV} and {KAFKA_ENV} both, or neither")
    if given:
        return "given"
    return "containers" if containers.available() else "embedded"


def describe(kind: str) -> str:
    """One line for the head of the test report."""
    if kind == "given":
        host = urlsplit(os.environ[DATABASE_ENV]).netloc.rpartition("@")[2]
        return f"PostgreSQL at {host} and Kafka at {os.environ[KAFKA_ENV]} ({DATABASE_ENV}, {KAFKA_ENV})"
    if kind == "containers":
        return f"{containers.POSTGRES_IMAGE} and {containers.KAFKA_IMAGE} in containers (testcontainers)"
    return "embedded PostgreSQL and Kafka, private to this run"


@contextmanager
def running_stack(kind: str, *, unsynced: bool = False) -> Iterator[Stack]:
    """Start what `kind` says, and stop it at the end.

    `unsynced`: a PostgreSQL of ours does not wait for the disk. Only the machine's own crash could tell the difference.
    """
    if kind == "given":
        yield Stack(os.environ[DATABASE_ENV], os.environ[KAFKA_ENV])
    elif kind == "containers":
        with containers.pair(unsynced=unsynced) as (admin_dsn, kafka_bootstrap):
            yield Stack(admin_dsn, kafka_bootstrap)
    else:
        with _embedded(unsynced=unsynced) as stack:
            yield stack


@contextmanager
def _embedded(*, unsynced: bool) -> Iterator[Stack]:
    state = Path(tempfile.mkdtemp(prefix="ordertrail-test-"))
    state.chmod(0o711)  # PostgreSQL may run under another account
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.embedded", "--state", str(state), "--until-eof",
         *(["--unsynced"] if unsynced else [])],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the embedded pair did not start (exit code {process.wait(START_SECONDS)})")
        yield Stack(**json.loads(line))
    finally:
        process.stdin.close()
        try:
            process.wait(240)
        finally:
            shutil.rmtree(state, ignore_errors=True)


class Databases:
    """Makes databases by cloning one template that was migrated once per run."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._run = f"{DATABASE_PREFIX}_{int(time.time()):x}_{secrets.token_hex(3)}"
        self._template = f"{self._run}_template"
        self._made = 0
        self._strategy = "WAL_LOG"

    async def open(self) -> None:
        """Drop what killed runs left behind and make the template."""
        admin = await asyncpg.connect(self._stack.admin_dsn)
        try:
            await _drop_stale(admin)
            if await admin.fetchval("SHOW fsync") == "off":
                # a fifth of the time of writing each page into the log, where the checkpoints before and after
                # need not wait for the disk
                self._strategy = "FILE_COPY"
            await admin.execute(f"CREATE DATABASE {self._template}")
            dsn = with_database(self._stack.admin_dsn, self._template)
            # ALTER ROLE from two runs at once fails with "tuple concurrently updated"
            await admin.execute("SELECT pg_advisory_lock($1)", CLUSTER_LOCK)
            try:
                await bootstrap(dsn, PASSWORDS)
            finally:
                await admin.execute("SELECT pg_advisory_unlock($1)", CLUSTER_LOCK)
        finally:
            await admin.close()
        for service, schema in _wanted_services():
            await migrate(dsn, service, schema, ROOT / "services" / service / "migrations")

    async def close(self) -> None:
        await self._drop(self._template)

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[StackDatabase]:
        """A database of its own, dropped at the end with whatever is still connected to it."""
        self._made += 1
        name = f"{self._run}_{self._made}"
        admin = await asyncpg.connect(self._stack.admin_dsn)
        try:
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY {self._strategy}")
            await _copy_role_settings(admin, self._template, name)
        finally:
            await admin.close()
        try:
            yield StackDatabase(name, with_database(self._stack.admin_dsn, name))
        finally:
            await self._drop(name)

    async def _drop(self, name: str) -> None:
        admin = await asyncpg.connect(self._stack.admin_dsn)

        async def dropped() -> bool:
            try:
                await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            except asyncpg.ObjectInUseError:
                return False  # a session that waits for a busy disk ends when the disk has answered
            return True

        try:
            await until(dropped, what=f"{name} to be dropped")
        finally:
            await admin.close()


def _wanted_services() -> Iterable[tuple[str, str]]:
    chosen = os.environ.get(SERVICES_ENV)
    wanted = set(chosen.split(",")) if chosen else set(SCHEMAS)
    return [(service, schema) for service, schema in SCHEMAS.items() if service in wanted]


async def _drop_stale(admin: asyncpg.Connection) -> None:
    for row in await admin.fetch("SELECT datname FROM pg_database WHERE datname LIKE $1", f"{DATABASE_PREFIX}_%"):
        made = int(row["datname"].split("_")[2], 16)
        if time.time() - made > STALE_SECONDS:
            await admin.execute(f"DROP DATABASE IF EXISTS {row['datname']} WITH (FORCE)")


async def _copy_role_settings(admin: asyncpg.Connection, template: str, name: str) -> None:
    """Settings per role and database, and rights on the database itself, are not part of a template's copy."""
    await admin.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    rows = await admin.fetch(
        "SELECT s.setrole::regrole::text AS role, unnest(s.setconfig) AS setting FROM pg_db_role_setting s"
        " JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = $1 AND s.setrole <> 0",
        template,
    )
    statements = [f"GRANT CONNECT ON DATABASE {name} TO {', '.join(PASSWORDS)}"]
    for row in rows:
        setting, _, value = row["setting"].partition("=")
        statements.append(f"ALTER ROLE {row['role']} IN DATABASE {name} SET {setting} = {value}")
    await admin.execute(";".join(statements))


@asynccontextmanager
async def fresh_topics(bootstrap_servers: str, partitions: int | None = None) -> AsyncIterator[str]:
    """A prefix of its own under which every topic of the catalogue exists; the topics go at the end.

    `partitions`: of each topic; None takes the catalogue's number.
    """
    prefix = f"t{secrets.token_hex(5)}."
    topics = [replace(topic, partitions=partitions or topic.partitions) for topic in TOPICS]
    await create_topics(bootstrap_servers, topics, prefix=prefix)
    yield prefix
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics([prefix + topic.name for topic in topics])
    finally:
        await admin.close()
