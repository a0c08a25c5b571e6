"""`ordertrail doctor`: what this machine has and lacks for running Ordertrail, each with its remedy."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable

import typer

from deploy.embedded.cache import cache_directory
from deploy.embedded.errors import SetupError
from deploy.embedded.installation import Installation
from deploy.embedded.jars import locked_jars
from deploy.embedded.java import find_java
from deploy.embedded.postgres import PostgresServer
from deploy.embedded.process import port_is_free
from deploy.embedded.status import read_status
from deploy.embedded.supervisor import by_whom, check_disk

LEAST_MEMORY_BYTES = 2 * 2**30


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor() -> None:
    """Check Python, Java, Kafka, PostgreSQL, ports, disk and memory. Exit code 1 when something is missing."""
    checks: dict[str, Callable[[], str]] = {
        "Python": _python,
        "Java": _java,
        "Kafka": _kafka,
        "PostgreSQL": _postgres,
        "ports": _ports,
        "disk": _disk,
        "memory": _memory,
        "containers": _containers,
    }
    failed = False
    for name, check in checks.items():
        try:
            typer.echo(f"ok      {name:<12} {check()}")
        except SetupError as error:
            failed = True
            typer.echo(f"MISSING {name:<12} {error}")
    raise typer.Exit(1 if failed else 0)


def _python() -> str:
    return f"{sys.version.split()[0]} in {sys.prefix}"


def _java() -> str:
    installation = Installation.current()
    if installation.given_kafka:
        return f"not needed: Kafka is at {installation.given_kafka}"
    java = find_java()
    return f"{java.major} at {java.path}"


def _kafka() -> str:
    installation = Installation.current()
    if installation.given_kafka:
        return f"at {installation.given_kafka}"
    directory = cache_directory("jars")
    jars = locked_jars()
    missing = [jar for jar in jars if not (directory / jar.file_name).exists()]
    return f"{len(jars) - len(missing)} of {len(jars)} jars in {directory}" + (
        "; the rest is fetched at the first start" if missing else ""
    )


def _postgres() -> str:
    installation = Installation.current()
    if installation.given_database_url:
        return f"at {installation.given_database_url.rpartition('@')[2]}"
    installation.make_directories()
    server = PostgresServer(installation.run / "postgres", installation.ports["postgres"])
    return f"{server.version()}, as {'nobody' if os.geteuid() == 0 else 'you'}"


def _ports() -> str:
    installation = Installation.current()
    if read_status(installation.run).alive:
        return "in use by this installation, which is running"
    busy = [(name, port) for name, port in installation.ports.items() if not port_is_free(port)]
    if busy:
        said = ", ".join(f"{port} ({name}{by_whom(port)})" for name, port in busy)
        raise SetupError(f"in use: {said}", "stop those, or choose others: ORDERTRAIL_<NAME>_PORT")
    return f"all {len(installation.ports)} free on 127.0.0.1"


def _disk() -> str:
    installation = Installation.current()
    installation.make_directories()
    check_disk(installation.run)
    return f"{shutil.disk_usage(installation.run).free // 2**20} MB free for {installation.run}"


def _memory() -> str:
    import psutil

    available = psutil.virtual_memory().available
    if available < LEAST_MEMORY_BYTES:
        raise SetupError(
            f"{available // 2**20} MB are available", f"everything together wants {LEAST_MEMORY_BYTES // 2**20} MB"
        )
    return f"{available // 2**20} MB available"


def _containers() -> str:
    found = shutil.which("docker")
    return f"{found} (docker compose up --build --wait)" if found else "no docker, and none is needed"
