"""Roles, schemas and migrations.

`bootstrap` makes the roles and schemas (administrator), `migrate` brings one schema up to date (as its owner).
A migration is a file `NNNN_name.sql`, run once, in order, in one transaction with its own record; a file that
changed after it landed is refused. See docs/decisions on why this is not a library.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import asyncpg

from shared.postgres.database import connect

# One key for all: two migrating processes wait for each other instead of colliding.
_LOCK: Final = 0x0D_E2_7A_11
_BLOCK: Final = re.compile(r"^-- block: (\d{4})\s*$", re.MULTILINE)
_FILE: Final = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
LOCK_SECONDS: Final = 120

SCHEMAS: Final[Mapping[str, str]] = {
    "order": "orders",
    "notification": "notification",
    "messaging": "messaging",
    "reporting": "reporting",
    "webhook": "webhook",
    "identity": "identity",
}
EXTENSIONS: Final = ("pg_trgm", "btree_gin", "unaccent", "citext")


class MigrationError(Exception):
    """A migration that cannot be applied; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def app_role(service: str) -> str:
    """The tenant-bound login role of a service."""
    return f"ordertrail_{service}"


def worker_role(service: str) -> str:
    """The login role of a service's relay, consumers and workers."""
    return f"ordertrail_{service}_worker"


def owner_role(service: str) -> str:
    """The role that owns a service's schema; nobody signs in with it."""
    return f"ordertrail_{service}_owner"


async def bootstrap(admin_dsn: str, passwords: Mapping[str, str]) -> None:
    """Make (or bring up to date) every role and schema. `passwords` is by role name; idempotent.

    Roles belong to the whole server, so several databases on it share them.
    """
    missing = [r for s in SCHEMAS for r in (app_role(s), worker_role(s)) if not passwords.get(r)]
    if missing:
        raise MigrationError(f"no password for the database role(s) {', '.join(missing)}")
    conn = await connect(admin_dsn, name="ordertrail-bootstrap")
    try:
        await _locked(conn)
        async with conn.transaction():
            database = await conn.fetchval("SELECT quote_ident(current_database())")
            await conn.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
            await conn.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
            for extension in EXTENSIONS:
                await conn.execute(f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA public")
            for service, schema in SCHEMAS.items():
                await _service_roles(conn, service, schema, database, passwords)
    finally:
        await conn.close()


async def _service_roles(
    conn: asyncpg.Connection, service: str, schema: str, database: str, passwords: Mapping[str, str]
) -> None:
    owner, app, worker = owner_role(service), app_role(service), worker_role(service)
    await _role(conn, owner, "NOLOGIN")
    for role in (app, worker):
        await _role(conn, role, "LOGIN")
        # ALTER ROLE takes no parameters; quote_literal is the server's own quoting.
        literal = await conn.fetchval("SELECT quote_literal($1::text)", passwords[role])
        await conn.execute(f"ALTER ROLE {role} PASSWORD {literal}")
        await conn.execute(f"GRANT CONNECT ON DATABASE {database} TO {role}")
        await conn.execute(f"ALTER ROLE {role} IN DATABASE {database} SET search_path = {schema}, public")
    await conn.execute(f"GRANT {owner} TO CURRENT_USER")
    await conn.execute(f"CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner}")
    await conn.execute(f"GRANT USAGE ON SCHEMA {schema} TO {app}, {worker}")
    await conn.execute(f"GRANT USAGE ON SCHEMA public TO {owner}, {app}, {worker}")
    # Sequences of identity columns: whoever may insert may also number.
    await conn.execute(
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT USAGE ON SEQUENCES TO {app}, {worker}"
    )


async def _role(conn: asyncpg.Connection, role: str, login: str) -> None:
    if not await conn.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await conn.execute(f"CREATE ROLE {role} {login}")
    await conn.execute(
        f"ALTER ROLE {role} {login} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT"
    )


async def migrate(admin_dsn: str, service: str, schema: str, directory: Path) -> list[str]:
    """Apply what is missing to one schema and return the names. The administrator acts as the schema's owner."""
    wanted = [*mechanism(), *read_directory(directory)]
    conn = await connect(admin_dsn, name=f"ordertrail-migrate-{service}")
    try:
        await _locked(conn)
        await conn.execute(f"SET ROLE {owner_role(service)}")
        await conn.execute(f"SET search_path = {schema}, public")
        await conn.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration (name text PRIMARY KEY, checksum text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
        await conn.execute(f"GRANT SELECT ON schema_migration TO {app_role(service)}, {worker_role(service)}")
        done = {r["name"]: r["checksum"] for r in await conn.fetch("SELECT name, checksum FROM schema_migration")}
        _refuse_changes(service, wanted, done)
        applied = []
        for migration in wanted:
            if migration.name in done:
                continue
            await _apply(conn, service, migration)
            applied.append(migration.name)
        return applied
    finally:
        await conn.close()


async def _apply(conn: asyncpg.Connection, service: str, migration: Migration) -> None:
    try:
        async with conn.transaction():
            await conn.execute(migration.sql)
            await conn.execute(
                "INSERT INTO schema_migration (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
            )
    except asyncpg.PostgresError as e:
        raise MigrationError(f"{service}: {migration.name} failed and was undone: {e}") from e


def _refuse_changes(service: str, wanted: list[Migration], done: Mapping[str, str]) -> None:
    for migration in wanted:
        if done.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationError(
                f"{service}: {migration.name} was changed after it had been applied. "
                "Restore its text and put the change into a new migration."
            )
    unknown = sorted(set(done) - {m.name for m in wanted})
    if unknown:
        raise MigrationError(
            f"{service}: the database has {', '.join(unknown)}, which this release does not know. "
            "Run the release that made it, or a newer one."
        )


def mechanism() -> list[Migration]:
    """The blocks of mechanism.sql, as migrations named mechanism_NNNN."""
    text = files("shared.postgres").joinpath("mechanism.sql").read_text(encoding="utf-8")
    parts = _BLOCK.split(text)[1:]
    return [Migration(f"mechanism_{n}", sql.strip()) for n, sql in zip(parts[::2], parts[1::2], strict=True)]


def read_directory(directory: Path) -> list[Migration]:
    """A service's migrations in order. Raises MigrationError for a bad or doubled number."""
    found: dict[str, Migration] = {}
    for path in sorted(directory.glob("*.sql")):
        match = _FILE.match(path.name)
        if not match:
            raise MigrationError(f"{path.name}: a migration is named NNNN_name.sql")
        if match[1] in found:
            raise MigrationError(f"{path.name}: the number {match[1]} stands twice in {directory.name}")
        found[match[1]] = Migration(path.stem, path.read_text(encoding="utf-8"))
    return list(found.values())


async def pending(conn_dsn: str, directory: Path) -> list[str]:
    """Names of migrations that the database lacks, as the service's own role sees it (for readiness)."""
    conn = await connect(conn_dsn, name="ordertrail-ready")
    try:
        done = {r["name"] for r in await conn.fetch("SELECT name FROM schema_migration")}
    finally:
        await conn.close()
    return [m.name for m in [*mechanism(), *read_directory(directory)] if m.name not in done]


async def _locked(conn: asyncpg.Connection) -> None:
    await conn.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
    await conn.execute(f"SELECT pg_advisory_lock({_LOCK})")
