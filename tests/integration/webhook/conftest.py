"""A running webhook service for each module, and receivers on real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from deploy.embedded.process import free_port
from tests.integration.webhook.receiver import Receiver, receiving
from tests.integration.webhook.world import World, webhook_world
from tests.issuer import TokenIssuer, serving_issuer
from tests.stack import StackDatabase


@pytest.fixture(scope="module")
async def issuer() -> AsyncIterator[TokenIssuer]:
    async with serving_issuer() as serving:
        yield serving


@pytest.fixture(scope="module")
async def shared_world(module_database: StackDatabase, issuer: TokenIssuer) -> AsyncIterator[World]:
    async with webhook_world(module_database, issuer, free_port) as world:
        yield world


@pytest.fixture
def world(shared_world: World) -> World:
    """The module's service, with a marketplace of this test's own."""
    fresh = World(shared_world.runtime, shared_world.processor, shared_world.issuer, shared_world.http)
    fresh.admin = shared_world.admin
    return fresh


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as up:
        yield up
