"""`make up` with real processes: start, no-op, deaths, stop, return with its data, and what is in the way.

One installation of its own (own ports, own directory) for the whole module; the tests follow each other.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from deploy.embedded.installation import OTHER_PORTS, SERVICE_PORTS
from deploy.embedded.process import free_port, wait_until
from deploy.embedded.status import Status, read_status

ROOT = Path(__file__).parents[3]
START_SECONDS = 120
pytestmark = pytest.mark.timeout(300)


class Site:
    """An installation in a directory, worked with the same commands that make calls."""

    def __init__(self, run: Path, ports: dict[str, int]) -> None:
        self.run = run
        self.ports = ports
        self.environment = {
            **os.environ,
            "ORDERTRAIL_RUN_DIR": str(run),
            "ORDERTRAIL_DEMO_PASSWORD": "demo password of this test",
            **{f"ORDERTRAIL_{name.upper()}_PORT": str(port) for name, port in ports.items()},
        }

    def command(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cli", *words],
            cwd=ROOT, env={**self.environment, **environment}, text=True, timeout=START_SECONDS, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    @property
    def status(self) -> Status:
        return read_status(self.run)

    def pid(self, name: str) -> int:
        found = self.status.programs[name].pid
        assert found, name
        return found.number

    def all_ready(self) -> bool:
        now = self.status
        return now.phase == "ready" and all(one.state == "ready" for one in now.programs.values())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    run = tmp_path_factory.mktemp("site") / "run"
    made = Site(run, {name: free_port() for name in {**SERVICE_PORTS, **OTHER_PORTS}})
    yield made
    made.command("down")
    left = [one.pid.process() for one in made.status.programs.values() if one.pid]
    assert not [process for process in left if process], "down left programs behind"


@pytest.fixture(scope="module")
def running(site: Site) -> Site:
    done = site.command("up")
    assert done.returncode == 0, done.stdout
    assert f"http://127.0.0.1:{site.ports['console']}" in done.stdout
    assert "operator@storefront.example" in done.stdout
    return site


async def admin(site: Site) -> asyncpg.Connection:
    described = json.loads((site.run / "stack.json").read_text())
    return await asyncpg.connect(described["admin_database_url"])


def test_a_busy_port_is_named_with_its_owner_and_the_remedy(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = site.command("up", ORDERTRAIL_IDENTITY_PORT=str(port))
    assert done.returncode == 1
    assert f"port {port} (identity) is in use by" in done.stdout
    assert f"(process {os.getpid()})" in done.stdout
    assert "make up ORDERTRAIL_IDENTITY_PORT=<port>" in done.stdout
    assert "Traceback" not in done.stdout
    assert not site.status.alive


def test_a_first_start_that_was_killed_half_way_is_no_obstacle(site: Site) -> None:
    started = subprocess.Popen(
        [sys.executable, "-m", "deploy.embedded.supervisor"], cwd=ROOT, env=site.environment, stdin=subprocess.DEVNULL
    )
    # as early as there is something to leave behind
    assert wait_until(lambda: bool(site.status.programs) and started.pid == _supervisor(site), START_SECONDS)
    started.kill()
    started.wait()
    assert not site.status.alive
    done = site.command("up")
    assert done.returncode == 0, done.stdout
    assert "An earlier run ended without cleaning up" in done.stdout


def _supervisor(site: Site) -> int:
    supervisor = site.status.supervisor
    return supervisor.number if supervisor else 0


def test_everything_is_ready_and_a_second_start_changes_nothing(running: Site) -> None:
    assert running.all_ready()
    before = {name: running.pid(name) for name in running.status.programs}
    done = running.command("up")
    assert done.returncode == 0
    assert "running already" in done.stdout
    assert {name: running.pid(name) for name in running.status.programs} == before
    assert running.command("status").returncode == 0


def test_everything_listens_on_loopback_only(running: Site) -> None:
    supervisor = psutil.Process(_supervisor(running))
    family = [supervisor, *supervisor.children(recursive=True)]
    listening = {
        connection.laddr[0]
        for process in family
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN and connection.laddr
    }
    assert listening
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1"}


def test_secrets_and_accounts_are_private(running: Site) -> None:
    for name in ("stack.json", "status.json", "lock"):
        assert stat.S_IMODE((running.run / name).stat().st_mode) == 0o600, name
    for path in (running.run / "secrets").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    for process in psutil.Process(_supervisor(running)).children():
        words = " ".join(process.cmdline()) + " ".join(process.environ().values())
        for secret in (running.run / "secrets" / "roles").iterdir():
            assert secret.read_text() not in words, process.name()


@pytest.mark.parametrize("name", ["order", "postgres", "kafka"])
def test_what_is_killed_comes_back(running: Site, name: str) -> None:
    killed = running.pid(name)
    os.kill(killed, signal.SIGKILL)
    assert wait_until(lambda: running.status.programs[name].restarts > 0, 30)
    assert wait_until(running.all_ready, START_SECONDS), running.command("status").stdout
    assert running.pid(name) != killed
    assert running.status.programs[name].last_exit == "signal 9"


async def test_after_down_it_comes_back_with_its_data(running: Site) -> None:
    conn = await admin(running)
    await conn.execute("CREATE TABLE IF NOT EXISTS public.kept AS SELECT 42 AS answer")
    await conn.close()
    stopped = running.command("down")
    assert stopped.returncode == 0, stopped.stdout
    assert "its data stays" in stopped.stdout
    assert running.command("status").returncode == 3
    assert running.command("down").stdout.strip() == "Ordertrail is not running."
    started = running.command("up")
    assert started.returncode == 0, started.stdout
    conn = await admin(running)
    assert await conn.fetchval("SELECT answer FROM public.kept") == 42
    await conn.close()


def test_a_killed_supervisor_leaves_nothing_that_the_next_start_cannot_mend(running: Site) -> None:
    supervisor = _supervisor(running)
    programs = {name: running.pid(name) for name in running.status.programs}
    os.kill(supervisor, signal.SIGKILL)
    assert wait_until(lambda: not running.status.alive, 10)
    status = running.command("status")
    assert status.returncode == 3
    assert "run without their supervisor" in status.stdout
    done = running.command("up")
    assert done.returncode == 0, done.stdout
    assert f"stopping {len(programs)} programs it left behind" in done.stdout
    assert running.all_ready()
    assert not set(programs.values()) & {running.pid(name) for name in programs}


def test_logs_are_shown_with_their_program(running: Site) -> None:
    done = running.command("logs", "order", "kafka", "-n", "1")
    assert done.returncode == 0
    assert {line.split("|")[0].strip() for line in done.stdout.splitlines()} == {"order", "kafka"}
    wrong = running.command("logs", "ordr")
    assert wrong.returncode == 1
    assert "no log of ordr -- there are: " in wrong.stdout


def test_lost_passwords_are_said_to_be_lost(running: Site) -> None:
    assert running.command("down").returncode == 0
    lost = running.run / "postgres" / "superuser-password"
    kept = lost.rename(lost.with_suffix(".kept"))
    done = running.command("up")
    assert done.returncode == 1
    assert "superuser-password is missing" in done.stdout
    assert "make clean" in done.stdout
    assert "Traceback" not in done.stdout
    kept.rename(lost)


def test_clean_deletes_everything(running: Site) -> None:
    done = running.command("clean", "--yes")
    assert done.returncode == 0, done.stdout
    assert not running.run.exists()
    assert "nothing to delete" in running.command("clean", "--yes").stdout
