"""Every query is accepted by the migrated schema, as the role that runs it."""

from __future__ import annotations

import pytest

from shared.postgres import Queries
from shared.postgres.database import connect
from tests.stack import StackDatabase

PACKAGES = {
    "services.webhook": "app",
    "services.webhook.store": "worker",
    "services.webhook.deliver": "worker",
    "services.webhook.upkeep": "worker",
}


@pytest.mark.parametrize("package", PACKAGES)
async def test_every_query_is_prepared(module_database: StackDatabase, package: str) -> None:
    dsn = module_database.app_dsn if PACKAGES[package] == "app" else module_database.worker_dsn
    conn = await connect(dsn("webhook"), name="test-prepare")
    refused = []
    try:
        for name, sql in Queries.load(package).items().items():
            try:
                await conn.prepare(sql)
            except Exception as e:
                refused.append(f"{name}: {e}")
    finally:
        await conn.close()
    assert not refused
