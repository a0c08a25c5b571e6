"""What must hold of every schema, looked up in the migrated database itself."""

from __future__ import annotations

import importlib
import pkgutil
from itertools import permutations
from typing import Any

import asyncpg
import pytest

import services
from shared.postgres import Queries
from shared.postgres.migrate import SCHEMAS, app_role, worker_role
from tests.stack import StackDatabase

# Tables without a tenant, each with its reason.
WITHOUT_TENANT = {
    "schema_migration": "names of migrations; nothing of any marketplace",
    "mail_key": "the installation's own signing keys; they sign for every marketplace",
}


@pytest.fixture
async def admin(module_database: StackDatabase) -> Any:
    conn = await asyncpg.connect(module_database.admin_dsn)
    yield conn
    await conn.close()


async def _tables(admin: asyncpg.Connection) -> list[asyncpg.Record]:
    rows = await admin.fetch(
        """
        SELECT n.nspname AS schema, c.relname AS name, c.relrowsecurity AS rls, c.relforcerowsecurity AS forced,
               pg_get_userbyid(c.relowner) AS owner, c.relkind AS kind,
               EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'marketplace_id'
                       AND a.attnotnull AND NOT a.attisdropped) AS tenant
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        """,
        list(SCHEMAS.values()),
    )
    assert len(rows) > 6 * len(SCHEMAS)
    return rows


async def test_every_table_carries_the_marketplace_and_is_under_row_level_security(admin: asyncpg.Connection) -> None:
    faults = [
        f"{t['schema']}.{t['name']}"
        for t in await _tables(admin)
        if not (t["tenant"] and t["rls"] and t["forced"]) and t["name"] not in WITHOUT_TENANT
    ]
    assert faults == []


async def test_partitions_are_reached_through_their_table_only(admin: asyncpg.Connection) -> None:
    reachable = await admin.fetch(
        """
        SELECT c.oid::regclass::text AS partition, r.rolname FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN pg_roles r
        WHERE n.nspname = ANY ($1) AND c.relispartition AND c.relkind = 'r' AND r.rolname = ANY ($2)
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
          AND has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
        """,
        list(SCHEMAS.values()),
        [role(s) for s in SCHEMAS for role in (app_role, worker_role)],
    )
    assert [tuple(r) for r in reachable] == []


async def test_the_services_roles_own_nothing_and_cannot_step_over_the_policies(admin: asyncpg.Connection) -> None:
    roles = [role(s) for s in SCHEMAS for role in (app_role, worker_role)]
    owned = [f"{t['schema']}.{t['name']}" for t in await _tables(admin) if t["owner"] in roles]
    assert owned == []
    powerful = await admin.fetch(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY ($1)"
        " AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)",
        roles,
    )
    assert powerful == []
    memberships = await admin.fetch(
        "SELECT 1 FROM pg_auth_members WHERE member IN (SELECT oid FROM pg_roles WHERE rolname = ANY ($1))", roles
    )
    assert memberships == []


@pytest.mark.parametrize(("reader", "owner"), list(permutations(SCHEMAS, 2)))
async def test_no_service_can_read_another_services_schema(
    admin: asyncpg.Connection, module_database: StackDatabase, reader: str, owner: str
) -> None:
    tables = [t["name"] for t in await _tables(admin) if t["schema"] == SCHEMAS[owner]]
    for dsn in (module_database.app_dsn(reader), module_database.worker_dsn(reader)):
        conn = await asyncpg.connect(dsn)
        try:
            for table in tables:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await conn.fetch(f'SELECT * FROM {SCHEMAS[owner]}."{table}" LIMIT 1')
        finally:
            await conn.close()


@pytest.mark.parametrize("service", SCHEMAS)
async def test_without_a_marketplace_the_services_role_sees_no_row(
    admin: asyncpg.Connection, module_database: StackDatabase, service: str
) -> None:
    conn = await asyncpg.connect(module_database.app_dsn(service))
    try:
        readable = await conn.fetch(
            "SELECT table_name FROM information_schema.role_table_grants"
            " WHERE table_schema = $1 AND grantee = current_user AND privilege_type = 'SELECT'",
            SCHEMAS[service],
        )
        for (table,) in readable:
            if table not in WITHOUT_TENANT:
                assert await conn.fetchval(f'SELECT count(*) FROM {SCHEMAS[service]}."{table}"') == 0
    finally:
        await conn.close()


@pytest.mark.parametrize("service", SCHEMAS)
async def test_every_query_can_be_prepared_on_the_migrated_schema(module_database: StackDatabase, service: str) -> None:
    worker = await asyncpg.connect(module_database.worker_dsn(service))
    try:
        for origin, queries in _queries(service):
            for name, sql in queries.items().items():
                try:
                    await worker.prepare(sql)
                except asyncpg.PostgresError as e:
                    pytest.fail(f"{origin}: {name}: {e}")
    finally:
        await worker.close()


def _queries(service: str) -> list[tuple[str, Queries]]:
    """All Queries objects of a service's modules and of the mechanism."""
    found: dict[str, Queries] = {}
    package = importlib.import_module(f"services.{service}", services.__name__)
    names = [m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    for name in [*(n for n in names if not n.endswith("__main__")), "shared.outbox.relay", "shared.inbox.processor"]:
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, Queries):
                found[value.origin] = value
    assert len(found) >= 2
    return list(found.items())
