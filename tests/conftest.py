"""Fixtures that every test may use: the real PostgreSQL and Kafka, a database and topics of its own, free ports."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from deploy.embedded import process
from deploy.embedded.mailbox import Mailbox
from deploy.embedded.process import free_port as find_free_port
from tests.stack import Databases, Stack, StackDatabase, chosen_kind, describe, fresh_topics, running_stack

KIND = pytest.StashKey[str]()
# Files that take minutes go first: at the end, no process works on one of them while the others have nothing to do.
LONGEST = ("tests/e2e/", "tests/integration/order/test_lists_by_every_way.py", "tests/integration/deploy/test_up")

# The same examples in every run, and as long as they take: neither chance nor a busy machine decides a run. Others are
# looked for with --hypothesis-profile default.
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("steady")


# A busy machine may keep many callers waiting for one row longer than people would: that is no failure of a test.
STATEMENT_TIMEOUT_MS = 60_000


def pytest_configure(config: pytest.Config) -> None:
    os.environ.setdefault("ORDERTRAIL_STATEMENT_TIMEOUT_MS", str(STATEMENT_TIMEOUT_MS))
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):  # gw0, gw1, ...
        process.keep_to(int(worker[2:]), int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    config.stash[KIND] = chosen_kind()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_report_header(config: pytest.Config) -> str:
    return f"stack: {describe(config.stash[KIND])}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.write_line(f"stack: {describe(config.stash[KIND])}")


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Iterator[Stack]:
    """PostgreSQL (`admin_dsn`) and Kafka (`kafka_bootstrap`), started when the first test asks for them."""
    with running_stack(pytestconfig.stash[KIND], unsynced=True) as running:
        yield running


@pytest.fixture(scope="session")
async def databases(stack: Stack) -> AsyncIterator[Databases]:
    """`async with databases.fresh() as database`: as many migrated databases as a test wants."""
    made = Databases(stack)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[StackDatabase]:
    """A migrated database of this test's own: `app_dsn(service)`, `worker_dsn(service)`, `admin_dsn`."""
    async with databases.fresh() as fresh:
        yield fresh


@pytest.fixture(scope="module")
async def module_database(databases: Databases) -> AsyncIterator[StackDatabase]:
    """One migrated database for all tests of a module."""
    async with databases.fresh() as fresh:
        yield fresh


@pytest.fixture
async def topic_prefix(stack: Stack) -> AsyncIterator[str]:
    """A prefix of this test's own under which every topic exists (for `Settings(topic_prefix=...)`)."""
    async with fresh_topics(stack.kafka_bootstrap) as prefix:
        yield prefix


@pytest.fixture(scope="module")
async def module_topic_prefix(stack: Stack) -> AsyncIterator[str]:
    """One prefix with topics for all tests of a module."""
    async with fresh_topics(stack.kafka_bootstrap) as prefix:
        yield prefix


@pytest.fixture
def free_port() -> Callable[[], int]:
    """`free_port()` gives a TCP port of 127.0.0.1 that nobody uses."""
    return find_free_port


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A real SMTP server that keeps what it gets: `smtp_port`, `store.wait_for(...)`, `behave(...)`."""
    with Mailbox() as running:
        yield running
