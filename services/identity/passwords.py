"""Passwords: argon2id, a few at a time in threads, the same work whether or not there is anybody to compare with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from services.identity.settings import Settings
from shared.errors import Unavailable

MIN_LENGTH: Final = 10
# argon2 reads any length; this is what a person or a manager sends, and a bound on the work per request
MAX_LENGTH: Final = 256

T = TypeVar("T")


class Passwords:
    """Hashes and checks. At most `hashing_threads` at once; beyond `hashing_queue` waiting it raises Unavailable."""

    def __init__(self, settings: Settings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_passes, memory_cost=settings.argon2_memory_kib, parallelism=1
        )
        self._threads = ThreadPoolExecutor(settings.hashing_threads, thread_name_prefix="argon2")
        self._turns = asyncio.Semaphore(settings.hashing_threads)
        self._waiting, self._most = 0, settings.hashing_queue
        # Somebody's hash when there is nobody: an unknown address takes as long as a wrong password.
        self._nobody = self._hasher.hash("nobody")

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hasher.hash(password))

    async def hash_all(self, passwords: Sequence[str]) -> list[str]:
        """Many at once (first set-up); not bounded by the queue."""
        loop = asyncio.get_running_loop()
        return list(
            await asyncio.gather(*(loop.run_in_executor(self._threads, self._hasher.hash, p) for p in passwords))
        )

    async def verify(self, kept: str | None, password: str) -> bool:
        """Whether the password is the one whose hash was kept; False, after the same work, where none was."""
        return await self._run(lambda: self._verify(kept, password))

    def outdated(self, kept: str) -> bool:
        """Whether a hash was made with other costs than those that are set now."""
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, kept: str | None, password: str) -> bool:
        try:
            self._hasher.verify(kept or self._nobody, password)
        except (Argon2Error, InvalidHashError):
            return False
        return kept is not None

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._most:
            raise Unavailable("too_many_sign_ins", "Too many people sign in at this moment. Try again.", retry_after=2)
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False)
