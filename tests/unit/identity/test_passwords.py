"""Password hashing: right, wrong, nobody, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from services.identity.passwords import Passwords
from services.identity.settings import Settings
from shared.errors import Unavailable


def cheap(*, threads: int = 2, queue: int = 50) -> Settings:
    return Settings.model_construct(argon2_memory_kib=8, argon2_passes=1, hashing_threads=threads, hashing_queue=queue)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(cheap())
    yield made
    made.close()


async def test_the_right_password_and_no_other(passwords: Passwords) -> None:
    kept = await passwords.hash("correct horse")
    assert kept.startswith("$argon2id$")
    assert await passwords.verify(kept, "correct horse")
    assert not await passwords.verify(kept, "correct horsE")
    assert not await passwords.verify(kept, "")


async def test_nobody_has_no_password(passwords: Passwords) -> None:
    assert not await passwords.verify(None, "nobody")
    assert not await passwords.verify("not a hash", "x")


async def test_the_same_password_has_another_hash_each_time(passwords: Passwords) -> None:
    assert len(set(await passwords.hash_all(["same"] * 4))) == 4


async def test_a_hash_of_other_costs_is_outdated(passwords: Passwords) -> None:
    kept = await passwords.hash("x")
    assert not passwords.outdated(kept)
    dearer = Passwords(cheap(threads=1))
    dearer._hasher = type(dearer._hasher)(time_cost=2, memory_cost=8, parallelism=1)
    assert dearer.outdated(kept)
    dearer.close()


async def test_more_than_the_queue_takes_are_turned_away() -> None:
    made = Passwords(cheap(threads=1, queue=3))
    answers = await asyncio.gather(*(made.hash("x") for _ in range(6)), return_exceptions=True)
    assert [isinstance(a, Unavailable) for a in answers] == [False] * 3 + [True] * 3
    made.close()
