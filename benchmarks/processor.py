"""The processor time that an api process and its database take for a request, whatever else the machine does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import asyncpg

_BACKENDS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


class Processor:
    """Counts what the kernel gave to a process's threads and to the backends of its database (Linux, one machine)."""

    def __init__(self, process: int, admin: asyncpg.Connection) -> None:
        self._process, self._admin = process, admin
        self._counted: list[Path] = []

    async def watch(self) -> None:
        """Count those that are there now."""
        self._count([row["pid"] for row in await self._admin.fetch(_BACKENDS)])

    def _count(self, backends: Sequence[int]) -> None:
        threads = Path(f"/proc/{self._process}/task").iterdir()
        self._counted = [*(t / "schedstat" for t in threads), *(Path(f"/proc/{pid}/schedstat") for pid in backends)]

    def milliseconds(self) -> float:
        """Of all that are counted, since they began."""
        total = 0
        for path in self._counted:
            try:
                total += int(path.read_text().split()[0])
            except FileNotFoundError:  # it has ended
                continue
        return total / 1e6
