"""What was committed without waiting for the disk: whether it has come there, or a crash may have forgotten it."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

from shared.inbox.processor import BackOff
from shared.postgres import Queries
from shared.postgres.database import TRANSIENT, connect

_q = Queries.load(__package__)
CONFIRM_SECONDS: Final = 5.0


class DiskWitness:
    """A session of its own that does nothing but wait for the disk.

    A crash of the server, and a switch to another one, end every session: as long as this one lives, all that was
    committed since it began is still there, and its own commit is on the disk only behind all of that.
    """

    def __init__(self, dsn: str, *, name: str) -> None:
        self._dsn, self._name = dsn, name
        self._conn: asyncpg.Connection | None = None
        self.lost = False

    async def watch(self) -> None:
        """Begin, or begin again where the session has ended: then something may be lost. BackOff where it cannot."""
        if self._conn is not None and not self._conn.is_closed():
            return
        self.lost = self.lost or self._conn is not None
        try:
            self._conn = await connect(self._dsn, name=self._name)
        except TRANSIENT as e:
            raise BackOff(f"{type(e).__name__}: {e}") from e

    async def confirm(self) -> bool:
        """Wait until all that was committed is on the disk. False, and `lost`, where the session has ended."""
        if self.lost or self._conn is None or self._conn.is_closed():
            self.lost = True
            return False
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await self._conn.execute(_q.reach_the_disk)
        except TRANSIENT:
            self._conn.terminate()
            self.lost = True
        return not self.lost

    async def close(self) -> None:
        """End the session."""
        if self._conn is not None:
            self._conn.terminate()
