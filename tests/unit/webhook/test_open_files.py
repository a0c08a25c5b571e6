"""A process that sends much asks the system for the open files that this takes."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from services.webhook.egress import IDLE_MOST, OTHER_FILES, make_room


@pytest.fixture
def hard() -> Iterator[int]:
    """The hard limit, with the soft one as low as it usually is; both as they were afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_as_many_as_are_needed_and_as_the_system_allows(hard: int) -> None:
    needed = 1_000 + IDLE_MOST + OTHER_FILES
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    assert make_room(1_000) == most
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, hard)
    assert make_room(10) == most, "never fewer than there were"
    if hard != resource.RLIM_INFINITY:
        assert make_room(hard) == hard
