"""PostgreSQL and Kafka from testcontainers, only where a Docker engine answers and has both images."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

POSTGRES_IMAGE = "postgres:17"
KAFKA_IMAGE = "apache/kafka:4.3.1"
PING_SECONDS = 2.0
# as Docker's API has it: an address and a port of the engine's choice; testcontainers itself only knows ports
LOOPBACK_ANY_PORT: Any = ("127.0.0.1", None)


class _Connection(http.client.HTTPConnection):
    """HTTP to the engine, over its Unix socket or TCP, as DOCKER_HOST says."""

    def __init__(self, host: str) -> None:
        self._parts = urlsplit(host)
        super().__init__(self._parts.hostname or "localhost", self._parts.port or 2375, timeout=PING_SECONDS)

    def connect(self) -> None:
        if self._parts.scheme != "unix":
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PING_SECONDS)
        self.sock.connect(self._parts.path)


def available() -> bool:
    """Whether the engine answers and both images are local: an engine alone may be unable to pull them."""
    host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    images = [f"/images/{quote(image, safe='')}/json" for image in (POSTGRES_IMAGE, KAFKA_IMAGE)]
    return all(_answers(host, path) for path in ("/_ping", *images))


def _answers(host: str, path: str) -> bool:
    connection = _Connection(host)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def pair(*, unsynced: bool) -> Iterator[tuple[str, str]]:
    """Both containers, running: (superuser URL, bootstrap address). `unsynced`: PostgreSQL waits for no disk."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # its image may be missing; we stop what we start
    if Path("/.dockerenv").exists():
        os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")
        os.environ.setdefault("TC_HOST", "127.0.0.1")
    from testcontainers.community.postgres import PostgresContainer

    from tests.kafka_container import ApacheKafkaContainer

    with contextlib.ExitStack() as started:
        kafka = started.enter_context(ApacheKafkaContainer(KAFKA_IMAGE, LOOPBACK_ANY_PORT))
        command = "postgres -c max_connections=300" + (" -c fsync=off" if unsynced else "")
        postgres = PostgresContainer(POSTGRES_IMAGE, driver=None).with_command(command)
        postgres.ports[str(postgres.port)] = LOOPBACK_ANY_PORT
        started.enter_context(postgres)
        yield postgres.get_connection_url(), kafka.get_bootstrap_server()
