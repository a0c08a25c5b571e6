"""A running reporting service: what the tests ask over HTTP, and the worker's database to put events in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from pydantic import SecretStr

from contracts.order import OrderEvent
from deploy.embedded.process import free_port
from services.reporting.app import service
from services.reporting.projections import orders
from services.reporting.settings import Settings
from shared.ids import new_id
from shared.process import Runtime, running
from tests.issuer import TokenIssuer, serving_issuer
from tests.stack import Stack, StackDatabase


@dataclass
class Desk:
    url: str
    http: aiohttp.ClientSession
    issuer: TokenIssuer
    runtime: Runtime
    stack: Stack
    prefix: str
    database: StackDatabase

    async def project(self, events: Sequence[OrderEvent], size: int = 100) -> None:
        for start in range(0, len(events), size):
            async with self.runtime.worker_db.transaction() as tx:
                await orders.project(tx, events[start : start + size])

    async def get(self, marketplace_id: UUID, path: str, **claims: Any) -> tuple[int, Any]:
        """As an operator of the marketplace, unless the claims say otherwise."""
        given = {"marketplace_id": marketplace_id, "roles": ["operator"], "kind": "operator"} | claims
        async with self.http.get(self.url + path, headers=self.issuer.bearer(**given)) as answer:
            return answer.status, await answer.json(content_type=None)

    async def as_seller(self, marketplace_id: UUID, organisation_id: UUID, path: str) -> tuple[int, Any]:
        claims = {"roles": ["seller"], "kind": "seller", "organisation_id": organisation_id}
        return await self.get(marketplace_id, path, **claims)


def settings_for(stack: Stack, database: StackDatabase, prefix: str, **given: Any) -> Settings:
    fields: dict[str, Any] = {
        "database_url": SecretStr(database.app_dsn("reporting")),
        "worker_database_url": SecretStr(database.worker_dsn("reporting")),
        "kafka_bootstrap_servers": stack.kafka_bootstrap,
        "topic_prefix": prefix,
        "http_port": free_port(),
        "reporting_zone_poll_seconds": 0.1,
        "parked_first_delay": 0.2,
    }
    return Settings(**(fields | given))


@pytest.fixture(scope="module")
async def running_reporting(
    stack: Stack, module_database: StackDatabase, module_topic_prefix: str
) -> AsyncIterator[tuple[Runtime, TokenIssuer, str]]:
    async with serving_issuer() as issuer:
        settings = settings_for(stack, module_database, module_topic_prefix, identity_issuer=issuer.url)
        async with running(service(settings), roles={"api", "consumer", "worker"}) as runtime:
            yield runtime, issuer, f"http://127.0.0.1:{settings.http_port}"


@pytest.fixture
async def desk(
    running_reporting: tuple[Runtime, TokenIssuer, str],
    stack: Stack,
    module_database: StackDatabase,
    module_topic_prefix: str,
) -> AsyncIterator[Desk]:
    runtime, issuer, url = running_reporting
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
        yield Desk(url, http, issuer, runtime, stack, module_topic_prefix, module_database)


def stranger() -> dict[str, Any]:
    """Claims of a seller that has nothing here."""
    return {"roles": ["seller"], "kind": "seller", "organisation_id": new_id()}
