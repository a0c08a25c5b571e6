"""`make up` with everything: it is ready, private, comes back with its data, and starts again what dies."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator

import psutil
import pytest

from deploy.embedded.installation import SERVICE_PORTS
from deploy.embedded.process import wait_until
from tests.integration.deploy.site import Site, site_in

START_SECONDS = 240
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_in(tmp_path_factory.mktemp("full")) as site:
        done = site.command("up")
        assert done.returncode == 0, done.stdout
        assert f"http://127.0.0.1:{site.ports['console']}" in done.stdout
        assert "operator@storefront.example" in done.stdout
        yield site


def test_everything_is_ready_and_a_second_start_changes_nothing(running: Site) -> None:
    assert running.all_ready()
    before = running.pids()
    assert set(before) == {*SERVICE_PORTS, "kafka", "postgres", "mailbox"}
    done = running.command("up")
    assert done.returncode == 0
    assert "running already" in done.stdout
    assert running.pids() == before
    assert running.command("status").returncode == 0


def test_everything_listens_on_loopback_only(running: Site) -> None:
    supervisor = psutil.Process(running.supervisor)
    listening = [_listens_on(process) for process in [supervisor, *supervisor.children(recursive=True)]]
    assert any(listening)
    assert set.union(*listening) <= {"127.0.0.1", "::ffff:127.0.0.1"}


def _listens_on(process: psutil.Process) -> set[str]:
    """Addresses; none of one that has ended meanwhile, as PostgreSQL's sessions do at any moment."""
    try:
        connections = process.net_connections("inet")
    except psutil.NoSuchProcess:
        return set()
    return {c.laddr[0] for c in connections if c.status == psutil.CONN_LISTEN and c.laddr}


def test_secrets_and_accounts_are_private(running: Site) -> None:
    for name in ("stack.json", "status.json", "lock"):
        assert stat.S_IMODE((running.run / name).stat().st_mode) == 0o600, name
    secrets = running.run / "secrets"
    for path in secrets.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    passwords = [path.read_text() for path in (secrets / "roles").iterdir()]
    assert passwords
    for process in psutil.Process(running.supervisor).children():
        words = " ".join([*process.cmdline(), *process.environ().values()])
        assert not [password for password in passwords if password in words], process.name()


def test_logs_are_shown_with_their_program_and_hold_no_secret(running: Site) -> None:
    done = running.command("logs", "order", "kafka", "-n", "1")
    assert done.returncode == 0
    assert {line.split("|")[0].strip() for line in done.stdout.splitlines()} == {"order", "kafka"}
    wrong = running.command("logs", "ordr")
    assert wrong.returncode == 1
    assert "no log of ordr -- there are: " in wrong.stdout
    logged = "".join(path.read_text(errors="replace") for path in (running.run / "logs").iterdir())
    for path in (running.run / "secrets").rglob("*"):
        assert path.is_dir() or path.read_text() not in logged, path


def test_a_killed_service_is_started_again(running: Site) -> None:
    killed = running.pids()["order"]
    os.kill(killed, signal.SIGKILL)
    assert wait_until(lambda: running.status.programs["order"].restarts > 0, START_SECONDS)
    assert wait_until(running.all_ready, START_SECONDS), running.command("status").stdout
    assert running.pids()["order"] != killed
    assert running.status.programs["order"].last_exit == "signal 9"


async def test_after_down_it_comes_back_with_its_data(running: Site) -> None:
    conn = await running.administrator()
    await conn.execute("CREATE TABLE public.kept AS SELECT 42 AS answer")
    await conn.close()
    stopped = running.command("down")
    assert stopped.returncode == 0, stopped.stdout
    assert "killed" not in stopped.stdout
    assert "its data stays" in stopped.stdout
    assert running.command("status").returncode == 3
    assert running.command("down").stdout.strip() == "Ordertrail is not running."
    started = running.command("up")
    assert started.returncode == 0, started.stdout
    conn = await running.administrator()
    assert await conn.fetchval("SELECT answer FROM public.kept") == 42
    await conn.close()
