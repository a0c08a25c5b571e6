"""The notification service over a real database and a real mail server, with people and orders to tell of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import pytest

from deploy.embedded.mailbox import Mailbox
from tests.integration.notification.world import World, opened
from tests.stack import StackDatabase


@pytest.fixture
async def world(module_database: StackDatabase, mailbox: Mailbox) -> AsyncIterator[World]:
    """One marketplace with a buyer, sellers and an operator; handlers and workers are called by the test."""
    async with opened(module_database, mailbox) as made:
        yield made


@pytest.fixture
def make_world(module_database: StackDatabase, mailbox: Mailbox) -> Callable[..., Any]:
    """`async with make_world(**settings) as world`: with settings, or a clock, of the test's own."""

    def make(*, at: datetime | None = None, **settings: Any) -> Any:
        return opened(module_database, mailbox, at=at, **settings)

    return make
