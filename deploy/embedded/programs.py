"""The programs of a local installation: what each is, how it is started, when it counts as ready."""

from __future__ import annotations

import http.client
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.installation import LOOPBACK, ROOT, Installation
from deploy.embedded.process import Command, Server, plain_environment

PROBE_SECONDS = 2.0
# A service finishes the requests and the batch in hand; its own limits are 15 (shutdown_seconds), and 5 for each of
# its two pools of connections.
SERVICE_STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Program:
    """One supervised program."""

    name: str
    port: int
    command: Callable[[], Command]
    ready: Callable[[], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = SERVICE_STOP_SECONDS
    stopped: Callable[[], None] = lambda: None


def of_server(name: str, server: Server) -> Program:
    return Program(
        name, server.port, server.command, server.ready, server.stop_signal, server.stop_seconds, server.stopped
    )


def mailbox(installation: Installation) -> Program:
    """The catch-all mailbox."""
    ports = installation.ports
    argv = [sys.executable, "-m", "deploy.embedded.mailbox",
            "--smtp-port", str(ports["smtp"]), "--http-port", str(ports["mailbox"])]  # fmt: skip
    environment = plain_environment(MALLOC_ARENA_MAX="2", PYTHONUNBUFFERED="1")
    return Program(
        "mailbox",
        ports["mailbox"],
        lambda: Command(argv, environment, cwd=ROOT),
        lambda: answers_200(ports["mailbox"], "/healthz"),
        stop_seconds=15.0,
    )


def services(installation: Installation) -> list[Program]:
    """The services of this installation, each with all its roles in one process."""
    return [_service(installation, name) for name in installation.services]


def _service(installation: Installation, name: str) -> Program:
    argv = [sys.executable, "-m", f"services.{name}", "all"]
    port = installation.ports[name]
    return Program(
        name,
        port,
        lambda: Command(argv, installation.service_environment(name), cwd=ROOT),
        lambda: answers_200(port, "/readyz"),
    )


def answers_200(port: int, path: str) -> bool:
    """Whether `http://127.0.0.1:port/path` answers 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def rotate(log: Path, most_bytes: int) -> None:
    """Keep a log and one older one of at most `most_bytes`. Programs append, so emptying it in place is safe."""
    if log.stat().st_size > most_bytes:
        log.with_suffix(".log.1").write_bytes(log.read_bytes())
        with log.open("r+b") as file:
            file.truncate(0)
