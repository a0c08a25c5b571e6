"""Access tokens that stopped counting before their time: somebody signed out, was deactivated, got other rights.

The issuer publishes marks of people, sessions and API keys, each with the moment before which tokens of theirs do not
count. A mark is a hash: the list is open to everybody, and says nothing to who does not know the id.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import orjson

from shared.errors import Unavailable
from shared.logs import log
from shared.postgres.database import TRANSIENT
from shared.web.fetching import FetchError, fetch

# A change is known everywhere after this long at the latest, while the issuer answers.
FRESH_SECONDS: Final = 2.0
# A silent issuer holds up one request for so long; the next ones go on with what is known.
PATIENCE_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 1.0
# No access token lives longer (identity's settings), and clocks of two machines are within a minute.
KEPT_SECONDS: Final = 3_660.0
MAX_BYTES: Final = 16_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """`marks` that were published after the moment asked for, and `at`, the moment to ask for next (since 1970)."""

    at: float
    marks: Mapping[str, float]


Source = Callable[[float | None], Awaitable[Found]]


def mark_of(identifier: str) -> str:
    """What a person, session or API key is called in the list."""
    return hashlib.blake2b(identifier.encode(), digest_size=16).hexdigest()


def revoked_at(jwks_address: str) -> Source:
    """The list beside the issuer's keys, over HTTP."""
    address = f"{jwks_address.rsplit('/', 1)[0]}/revoked-tokens.json"

    async def read(after: float | None) -> Found:
        query = f"?{urlencode({'after': repr(after)})}" if after is not None else ""
        raw = await fetch(address + query, MAX_BYTES)
        try:
            document = orjson.loads(raw)
            return Found(float(document["at"]), {str(m): float(t) for m, t in document["revoked"].items()})
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise FetchError(f"{address} is not a list of revoked tokens: {e}") from e

    return read


class Revoked:
    """The list as this process knows it. One per process; safe to share between tasks.

    It is read again when a token is to be checked and it is older than `fresh_seconds`. While it cannot be had, what
    is known goes on being used, as the issuer's keys do; where `strict`, Unavailable is raised instead.
    """

    def __init__(self, source: Source, *, fresh_seconds: float | None = None, strict: bool = False) -> None:
        self._source, self._strict = source, strict
        self._fresh = FRESH_SECONDS if fresh_seconds is None else fresh_seconds
        self._marks: dict[str, float] = {}
        self._at: float | None = None
        self._read_at = self._tried = -float("inf")
        self._reading: asyncio.Task[None] | None = None
        self._late = False

    def refuses(self, marks: Iterable[str], issued: float) -> bool:
        """Whether tokens of these that were issued at that moment have stopped counting, as far as is known."""
        known = self._marks
        return bool(known) and any(issued < known.get(mark, 0.0) for mark in marks)

    @property
    def fresh(self) -> bool:
        return time.monotonic() - self._read_at < self._fresh

    async def look(self) -> None:
        """Read the list, or wait for who is reading it. Raises Unavailable where `strict` and it cannot be had."""
        if self._reading is None:
            if self._late and not self._strict and time.monotonic() - self._tried < RETRY_SECONDS:
                return
            self._tried = time.monotonic()
            self._reading = asyncio.create_task(self._read(self._tried))
        reading = self._reading
        if self._late and not self._strict:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(None if self._strict else PATIENCE_SECONDS):
                await asyncio.shield(reading)
        if not reading.done():
            self._late = True
        elif self._late and self._strict:
            raise Unavailable("sign_ins_unavailable", "Who may still come in cannot be looked up just now. Try again.")

    async def _read(self, began: float) -> None:
        try:
            found = await self._source(self._at)
        except (FetchError, TimeoutError, *TRANSIENT) as e:
            if not self._late:
                log.warning("revoked.unavailable", reason=f"{type(e).__name__}: {e}")
            self._late = True
        except Exception:
            # it runs behind the requests, and a fault of ours is to show in the log and shut nobody out
            self._late = True
            log.exception("revoked.failed")
        else:
            for mark, before in found.marks.items():
                self._marks[mark] = max(before, self._marks.get(mark, 0.0))
            over = found.at - KEPT_SECONDS
            self._marks = {m: t for m, t in self._marks.items() if t > over} if self._marks else self._marks
            self._at, self._read_at, self._late = found.at, began, False
        finally:
            self._reading = None
