"""What the two servers have in common: how they are started, awaited and stopped."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from deploy.embedded.errors import SetupError, explained

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Command:
    """How to run a server in the foreground; `env` is the whole environment; `uid` None means the caller's own."""

    argv: list[str]
    env: Mapping[str, str] = field(default_factory=dict)
    uid: int | None = None
    gid: int | None = None
    cwd: Path | None = None


class Server(Protocol):
    """A server that keeps its state in a directory. Every method may be called again after an interruption."""

    name: str
    port: int
    stop_signal: signal.Signals
    start_seconds: float
    stop_seconds: float

    def prepare(self) -> None:
        """Make the data directory, unless it is there. What was half made is made anew."""

    def command(self) -> Command:
        """The foreground process."""

    def ready(self) -> bool:
        """Whether it answers, by its own protocol."""

    def stopped(self) -> None:
        """Called once after a clean stop."""


class Running:
    """One started server process."""

    def __init__(self, server: Server, log_file: Path) -> None:
        self.server = server
        self.log_file = log_file
        self.process = spawn(server.command(), log_file)

    def wait_ready(self) -> None:
        """Until the server answers. Raises SetupError when it dies first or takes longer than it may."""
        deadline = time.monotonic() + self.server.start_seconds
        while not self.server.ready():
            if self.process.poll() is not None:
                raise SetupError(
                    f"{self.server.name} stopped while starting: {last_line(self.log_file)}", f"see {self.log_file}"
                )
            if time.monotonic() > deadline:
                self.stop()
                raise SetupError(
                    f"{self.server.name} did not answer within {self.server.start_seconds:.0f} s",
                    f"see {self.log_file}",
                )
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Ask it to stop, wait, kill it when it does not listen."""
        if self.process.poll() is None:
            self.process.send_signal(self.server.stop_signal)
            try:
                self.process.wait(self.server.stop_seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                return
        self.server.stopped()


def spawn(command: Command, log_file: Path) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own (a Ctrl-C in the terminal is for us, not for it)."""
    with explained(log_file), log_file.open("ab") as log:
        return subprocess.Popen(
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(command.env),
            cwd=command.cwd,
            user=command.uid,
            group=command.gid,
            extra_groups=[] if command.uid is not None else None,
            start_new_session=True,
        )


def plain_environment(**extra: str) -> dict[str, str]:
    """PATH, HOME and a neutral locale, plus `extra`: the servers need nothing else of ours, least of all secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", **extra}


# Below the ports that systems give to outgoing connections, any of which could take one before its program listens.
_PORTS: Final = range(10_240, 32_000)
_mine: range = _PORTS
_given: set[int] = set()


def keep_to(part: int, of: int) -> None:
    """From now on `free_port` gives the `part`th (from 0) of every `of` ports only.

    Processes that work side by side and listen long after they were given a port thus never get the same one.
    """
    global _mine
    _mine = _PORTS[part::of]


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free at this moment, and that this process has not been given before.

    Raises SetupError where none is found.
    """
    for _ in range(1_000):
        port = secrets.choice(_mine)
        if port not in _given and port_is_free(port):
            _given.add(port)
            return port
    raise SetupError("no free port on 127.0.0.1", f"free some of {_PORTS.start} to {_PORTS.stop - 1}")


def port_is_free(port: int) -> bool:
    """Whether we could listen on 127.0.0.1:`port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def last_line(path: Path, limit: int = 300) -> str:
    """The last non-empty line of a log, for a message that has to be one line."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 8192))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    except OSError:
        return "it wrote no log"
    return lines[-1][:limit] if lines else "it logged nothing"


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll `condition` until it holds or `seconds` are over; returns whether it held."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
