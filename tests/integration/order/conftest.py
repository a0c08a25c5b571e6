"""The order service's API on a real port with a real database; a marketplace of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from services.order.app import service
from services.order.settings import Settings
from shared.process import Runtime, running
from tests.integration.order.market import Market
from tests.issuer import TokenIssuer, serving_issuer
from tests.stack import StackDatabase

MakeMarket = Callable[..., Awaitable[Market]]


@pytest.fixture(scope="module")
async def issuer() -> AsyncIterator[TokenIssuer]:
    async with serving_issuer() as found:
        yield found


def settings_of(database: StackDatabase, issuer: TokenIssuer, **given: Any) -> Settings:
    fields: dict[str, Any] = {
        "database_url": SecretStr(database.app_dsn("order")),
        "worker_database_url": SecretStr(database.worker_dsn("order")),
        "http_port": 0,
        "identity_issuer": issuer.url,
        "database_pool_size": 16,
    }
    return Settings(**(fields | given))


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200)) as session:
        yield session


@pytest.fixture(scope="module")
async def runtime(module_database: StackDatabase, issuer: TokenIssuer) -> AsyncIterator[Runtime]:
    """The API alone: the outbox keeps what was told."""
    from deploy.embedded.process import free_port

    settings = settings_of(module_database, issuer, http_port=free_port())
    async with running(service(settings), roles={"api"}) as found:
        yield found


@pytest.fixture
async def make_market(runtime: Runtime, issuer: TokenIssuer, http: aiohttp.ClientSession) -> MakeMarket:
    async def make(**given: Any) -> Market:
        url = f"http://127.0.0.1:{runtime.settings.http_port}"
        return await Market(url, http, issuer, runtime, **given).open()

    return make


@pytest.fixture
async def market(make_market: MakeMarket) -> Market:
    """A storefront marketplace in USD."""
    return await make_market()
