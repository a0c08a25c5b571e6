"""A local installation of a test's own, worked with the same commands that make calls."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil

from deploy.embedded.installation import OTHER_PORTS, SERVICE_PORTS
from deploy.embedded.process import free_port
from deploy.embedded.status import Status, read_status

ROOT = Path(__file__).parents[3]
COMMAND_SECONDS = 700  # more than its own limits


class Site:
    """Ports and a directory of its own; `services` as in ORDERTRAIL_SERVICES."""

    def __init__(self, run: Path, services: str) -> None:
        self.run = run
        self.ports = {name: free_port() for name in {**SERVICE_PORTS, **OTHER_PORTS}}
        self.environment = {
            **os.environ,
            "ORDERTRAIL_RUN_DIR": str(run),
            "ORDERTRAIL_SERVICES": services,
            **{f"ORDERTRAIL_{name.upper()}_PORT": str(port) for name, port in self.ports.items()},
        }

    def command(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cli", *words],
            cwd=ROOT, env={**self.environment, **environment}, text=True, timeout=COMMAND_SECONDS, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def start(self, *words: str) -> subprocess.Popen[str]:
        """The same, without waiting for its end."""
        return subprocess.Popen(
            [sys.executable, "-m", "cli", *words],
            cwd=ROOT, env=self.environment, text=True, preexec_fn=_interruptible,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    @property
    def status(self) -> Status:
        return read_status(self.run)

    @property
    def supervisor(self) -> int:
        """Its process number, 0 when there was none yet."""
        found = self.status.supervisor
        return found.number if found else 0

    def pids(self) -> dict[str, int]:
        """Process number of each program that runs."""
        return {name: one.pid.number for name, one in self.status.programs.items() if one.pid}

    def all_ready(self) -> bool:
        now = self.status
        return now.phase == "ready" and all(one.state == "ready" for one in now.programs.values())

    async def administrator(self) -> asyncpg.Connection:
        described = json.loads((self.run / "stack.json").read_text())
        return await asyncpg.connect(described["admin_database_url"])


def _interruptible() -> None:
    # a shell gives its background jobs an ignored SIGINT, which every program started from there would inherit
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def site_in(directory: Path, services: str = "") -> Iterator[Site]:
    """A site that is stopped at the end, and left nothing running."""
    site = Site(directory / "run", services)
    try:
        yield site
    finally:
        before = [psutil.Process(pid) for pid in site.pids().values() if psutil.pid_exists(pid)]
        site.command("down")
        assert not [process for process in before if process.is_running()], "down left programs behind"
