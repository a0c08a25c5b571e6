"""Keeps a local installation running: `python -m deploy.embedded.supervisor`, started by `make up`.

Starts PostgreSQL and Kafka, provisions them, starts the mailbox and the services; starts what dies again; on SIGTERM
stops them in the opposite order. It answers no requests: what it knows is in `run`/status.json.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from deploy.embedded import programs
from deploy.embedded.child import Child
from deploy.embedded.errors import SetupError
from deploy.embedded.installation import Installation
from deploy.embedded.kafka import KafkaServer
from deploy.embedded.postgres import PostgresServer
from deploy.embedded.process import Server, last_line, port_is_free
from deploy.embedded.provisioning import Provisioning
from deploy.embedded.status import (
    ALREADY_SUPERVISED,
    Phase,
    Pid,
    Status,
    left_behind,
    lock,
    read_status,
    stop_left_behind,
    write_status,
)

START_SECONDS = 240.0
STARTS_ALLOWED = 5  # deaths of one program before a first start is given up
TICK_SECONDS = 0.1
IDLE_TICK_SECONDS = 1.0
ROTATE_EVERY_SECONDS = 30.0
LOG_BYTES = 20 * 1024 * 1024  # twice that with the older one: 10 programs, at most 400 MB
LEAST_FREE_BYTES = 500 * 1024 * 1024


class Asked(Exception):
    """We were asked to stop."""


class Supervisor:
    """One run of an installation, from the first program's start to the last one's end."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._children: list[Child] = []
        self._status = Status(supervisor=Pid.of(os.getpid()))
        self._begun = time.monotonic()
        self._asked = False
        self._wake, wake_write = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to wake the loop
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _ask(self, *_: object) -> None:
        self._asked = True

    def run(self) -> int:
        """Returns the exit code: 0 after a stop we were asked for, 1 after a start that failed."""
        self._publish("starting")
        try:
            self._start()
            self._publish("ready")
            self._supervise()
        except Asked:
            self._stop()
            self._publish("stopped")
            return 0
        except SetupError as error:
            self._stop()
            self._publish("failed", error=str(error))
            return 1
        except BaseException:
            self._stop()
            raise
        return 0

    # --- starting

    def _start(self) -> None:
        installation = self._installation
        installation.secrets.ensure()
        servers = self._servers()
        self._check_ports(servers)
        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(server.prepare) for server in servers.values()]:
                done.result()
        self._check_asked()
        children = {name: self._launch(programs.of_server(name, server)) for name, server in servers.items()}
        if "postgres" in children:
            self._await([children["postgres"]])
        postgres = servers.get("postgres")
        given = str(installation.given_database_url)
        provisioning = Provisioning(installation, postgres.url() if isinstance(postgres, PostgresServer) else given)
        try:
            self._start_services(provisioning, [child for child in children.values() if not child.ready])
        finally:
            provisioning.stop()

    def _start_services(self, provisioning: Provisioning, starting: list[Child]) -> None:
        """Provision and start the services: at once where this release was provisioned before, else one by one."""
        at_once = provisioning.done_before
        provisioning.start()
        if not at_once:
            self._say("bringing the database and the topics up to date")
            self._await(starting, provisioning.finished)
            starting = []
        installation = self._installation
        started = [programs.mailbox(installation), *programs.services(installation)]
        self._await([*starting, *(self._launch(program) for program in started)], provisioning.finished)

    def _servers(self) -> dict[str, Server]:
        installation = self._installation
        ports = installation.ports
        servers: dict[str, Server] = {}
        if not installation.given_kafka:
            servers["kafka"] = KafkaServer(
                installation.run / "kafka", ports["kafka"], ports["kafka_controller"], report=self._say
            )
        if not installation.given_database_url:
            servers["postgres"] = PostgresServer(installation.run / "postgres", ports["postgres"])
        return servers

    def _check_ports(self, servers: dict[str, Server]) -> None:
        wanted = {name: server.port for name, server in servers.items()}
        if "kafka" in servers:
            wanted["kafka_controller"] = self._installation.ports["kafka_controller"]
        for program in [programs.mailbox(self._installation), *programs.services(self._installation)]:
            wanted[program.name] = program.port
        wanted["smtp"] = self._installation.ports["smtp"]
        wanted["reply"] = self._installation.ports["reply"]
        for name, port in wanted.items():
            if not port_is_free(port):
                raise SetupError(
                    f"port {port} ({name}) is in use{by_whom(port)}",
                    f"stop that, or choose another: make up ORDERTRAIL_{name.upper()}_PORT=<port>",
                )

    def _launch(self, program: programs.Program) -> Child:
        child = Child(program, self._installation.logs / f"{program.name}.log")
        self._children.append(child)
        return child

    def _await(self, starting: Sequence[Child], also: Callable[[], bool] = lambda: True) -> None:
        """Go on when all of these are ready and `also` holds."""
        waiting = list(starting)
        deadline = time.monotonic() + START_SECONDS
        while waiting or not also():
            self._turn(TICK_SECONDS)
            for child in [child for child in waiting if child.ready]:
                waiting.remove(child)
                self._say(f"{child.program.name} is ready")
            for child in waiting:
                if child.restarts >= STARTS_ALLOWED:
                    how = f"{child.last_exit}, {last_line(child.log)}"
                    raise SetupError(f"{child.program.name} keeps stopping: {how}", f"see {child.log}")
            if waiting and time.monotonic() > deadline:
                names = ", ".join(child.program.name for child in waiting)
                raise SetupError(
                    f"not ready after {START_SECONDS:.0f} s: {names}: {last_line(waiting[0].log)}",
                    f"see {waiting[0].log}",
                )

    # --- running

    def _supervise(self) -> None:
        rotated = time.monotonic()
        while True:
            busy = any(not child.ready for child in self._children)
            self._turn(TICK_SECONDS if busy else IDLE_TICK_SECONDS)
            if time.monotonic() - rotated > ROTATE_EVERY_SECONDS:
                rotated = time.monotonic()
                self._rotate()

    def _rotate(self) -> None:
        for log in self._installation.logs.glob("*.log"):
            try:
                programs.rotate(log, LOG_BYTES)
            except OSError as trouble:
                _note(f"cannot rotate {log}: {trouble}")

    def _turn(self, seconds: float) -> None:
        """Look after every child, then wait for a signal or `seconds`."""
        self._check_asked()
        changed = [child.tick() for child in self._children]
        if any(changed):
            self._publish(self._status.phase)
        if select.select([self._wake], [], [], seconds)[0]:
            os.read(self._wake, 4096)
        self._check_asked()

    def _check_asked(self) -> None:
        if self._asked:
            raise Asked

    # --- stopping

    def _stop(self) -> None:
        """Services and mailbox first, then the servers that they use."""
        self._publish("stopping", forget_progress=True)
        servers = [child for child in self._children if child.program.name in ("kafka", "postgres")]
        for group in ([child for child in self._children if child not in servers], servers):
            running = [child for child in group if child.running]
            for child in running:
                child.ask_to_stop()
            now = time.monotonic()
            for child in group:
                clean = child.wait_stopped(now + child.program.stop_seconds)
                if child in running:
                    self._say(f"{child.program.name} {'stopped' if clean else 'did not stop in time and was killed'}")

    # --- telling

    def _say(self, line: str) -> None:
        self._status.progress.append(f"{time.monotonic() - self._begun:5.1f} s  {line}")
        self._publish(self._status.phase)

    def _publish(self, phase: Phase, *, error: str = "", forget_progress: bool = False) -> None:
        self._status.phase = phase
        self._status.error = error
        if forget_progress:
            self._status.progress = []
            self._begun = time.monotonic()
        self._status.programs = {child.program.name: child.status() for child in self._children}
        try:
            write_status(self._installation.run, self._status)
        except (SetupError, OSError) as trouble:
            # A full disk is no reason to stop what still runs; a directory that was deleted under us is.
            _note(f"cannot write the status: {trouble}")
            self._asked = self._asked or not self._installation.run.exists()


def _note(line: str) -> None:
    with contextlib.suppress(OSError):  # our own log may be on the full disk, too
        print(line, file=sys.stderr, flush=True)


def by_whom(port: int) -> str:
    """ " by NAME (process N)" for the program that listens on a port, or "" where it cannot be told."""
    try:
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.pid and found.laddr and found.laddr[1] == port:
                return f" by {psutil.Process(found.pid).name()} (process {found.pid})"
    except psutil.Error:
        return ""
    return ""


def check_disk(run: Path) -> None:
    """Kafka and PostgreSQL stop hard on a full disk: rather not start."""
    free = shutil.disk_usage(run).free
    if free < LEAST_FREE_BYTES:
        raise SetupError(
            f"only {free // 2**20} MB are free on the disk that holds {run}",
            f"free {(LEAST_FREE_BYTES - free) // 2**20 + 1} MB, or set ORDERTRAIL_RUN_DIR to a directory elsewhere",
        )


def main() -> int:
    """Supervise the installation of this checkout; ALREADY_SUPERVISED when somebody else does."""
    installation = Installation.current()
    installation.make_directories()
    held = lock(installation.run)
    if held is None:
        return ALREADY_SUPERVISED
    try:
        check_disk(installation.run)
        stop_left_behind(left_behind(read_status(installation.run)))
    except SetupError as error:
        write_status(installation.run, Status(phase="failed", supervisor=Pid.of(os.getpid()), error=str(error)))
        return 1
    return Supervisor(installation).run()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SetupError as error:
        sys.exit(str(error))
