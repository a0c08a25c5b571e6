"""What the database itself holds: every query prepares, tenants see their own, secrets stay with the worker role."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.identity.actions.setting_up import set_up
from services.identity.plan import Plan
from services.identity.store import q
from tests.integration.identity.conftest import PASSWORD, Desk, Who, plan

SECRET = ("refresh_token", "signing_key", "throttle")
# of these a tenant sees whom a row belongs to
OWNED = ("credential", "outside_identity")


async def test_every_query_prepares(desk: Desk) -> None:
    conn = await asyncpg.connect(desk.database.worker_dsn("identity"))
    try:
        for name, sql in q.items().items():
            try:
                await conn.prepare(sql)
            except asyncpg.PostgresError as e:
                pytest.fail(f"{name}: {e}")
    finally:
        await conn.close()


async def _tables(desk: Desk) -> list[str]:
    conn = await asyncpg.connect(desk.database.admin_dsn)
    try:
        rows = await conn.fetch(
            "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity FROM pg_class c "
            "WHERE c.relnamespace = 'identity'::regnamespace AND c.relkind = 'r' AND c.relname <> 'schema_migration'"
        )
    finally:
        await conn.close()
    assert all(r["relrowsecurity"] and r["relforcerowsecurity"] for r in rows), "row-level security on every table"
    return [r["relname"] for r in rows]


async def test_a_tenant_sees_no_row_of_another(desk: Desk, operator: Who) -> None:
    tables = await _tables(desk)
    beta = (await desk.sign_in("operator@beta.example")).marketplace_id
    for table in set(tables) - set(SECRET):
        columns = "person_id, marketplace_id" if table in OWNED else "*"
        async with desk.run.db.tenant(UUID(operator.marketplace_id)) as tx:
            rows = await tx.fetch(f"SELECT {columns} FROM {table}")
        assert not [r for r in rows if str(r["marketplace_id"]) != operator.marketplace_id], table
        async with desk.run.db.transaction() as tx:
            assert not await tx.fetch(f"SELECT {columns} FROM {table}"), f"{table} without a tenant"
    async with desk.run.db.tenant(UUID(operator.marketplace_id)) as tx:
        assert await tx.execute("UPDATE person SET name = 'x' WHERE marketplace_id = $1", UUID(beta)) == "UPDATE 0"


async def test_a_tenant_writes_no_row_for_another(desk: Desk, operator: Who) -> None:
    beta = UUID((await desk.sign_in("operator@beta.example")).marketplace_id)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _insert_foreign(desk, UUID(operator.marketplace_id), beta)


async def _insert_foreign(desk: Desk, mine: UUID, theirs: UUID) -> None:
    async with desk.run.db.tenant(mine) as tx:
        await tx.execute("INSERT INTO republication (marketplace_id, requested_at) VALUES ($1, now())", theirs)


@pytest.mark.parametrize("table", [*SECRET, *OWNED])
async def test_the_tenant_bound_role_reads_no_secret(desk: Desk, operator: Who, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _read_all(desk, operator, table)


async def _read_all(desk: Desk, operator: Who, table: str) -> None:
    async with desk.run.db.tenant(UUID(operator.marketplace_id)) as tx:
        await tx.fetch(f"SELECT * FROM {table}")


async def test_a_plan_can_be_carried_out_again_and_mends_what_is_missing(desk: Desk) -> None:
    wanted = {"marketplaces": [plan("gamma", "GBP")]}
    first = await set_up(desk.here, Plan.model_validate(wanted), PASSWORD)
    assert (first.marketplaces, len(first.organisations), len(first.people), first.passwords_set) == (
        ["gamma"],
        3,
        5,
        5,
    )
    again = await set_up(desk.here, Plan.model_validate(wanted), PASSWORD)
    assert (again.marketplaces, again.organisations, again.people, again.passwords_set) == ([], [], [], 0)
    wanted["marketplaces"][0]["organisations"][1]["people"].append(
        {"email": "new@gamma.example", "name": "Nina", "roles": ["buyer"]}
    )
    more = await set_up(desk.here, Plan.model_validate(wanted), PASSWORD)
    assert (more.people, more.passwords_set) == (["new@gamma.example"], 1)
    changed = await set_up(desk.here, Plan.model_validate(wanted), "another password")
    assert (changed.people, changed.passwords_set) == ([], 6)
    await desk.sign_in("new@gamma.example", "another password")


async def test_a_plan_without_a_password_gives_invitations(desk: Desk) -> None:
    report = await set_up(desk.here, Plan.model_validate({"marketplaces": [plan("delta", "EUR")]}))
    token = report.invitations["operator@delta.example"]
    status, _, _ = await desk.call("POST", "/v1/password", {"token": token, "password": PASSWORD})
    assert status == 200
    await desk.sign_in("operator@delta.example")


async def test_a_plan_does_not_take_somebody_elses_address(desk: Desk) -> None:
    wanted: dict[str, Any] = plan("epsilon", "EUR")
    wanted["organisations"][0]["people"][0]["email"] = "operator@alpha.example"
    with pytest.raises(Exception, match="email_taken"):
        await set_up(desk.here, Plan.model_validate({"marketplaces": [wanted]}), PASSWORD)
    async with desk.run.worker_db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM marketplace WHERE slug = 'epsilon'") == 0


def test_a_module_of_actions_never_reads_secrets_as_a_tenant() -> None:
    """The queries that read credentials are used under the worker role only; a tenant's role could not anyway."""
    here = Path(__file__).parents[3] / "services" / "identity" / "actions"
    for path in here.glob("*.py"):
        text = path.read_text()
        for part in text.split("async with here.run.db.tenant(")[1:]:
            body = part.split("\nasync def ")[0]
            assert "password_hash(" not in body, path
            assert "signing_in(" not in body, path
