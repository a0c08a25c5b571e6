"""`make up` when something is in the way: each is mended by itself, or told in one line with its remedy.

One small installation for the whole module; the tests follow each other.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from deploy.embedded.process import wait_until
from tests.integration.deploy.site import ROOT, Site, site_in

START_SECONDS = 240
RUN = "ORDERTRAIL_RUN_DIR"
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_in(tmp_path_factory.mktemp("small"), services="identity") as made:
        yield made


@pytest.fixture
def running(site: Site) -> Site:
    done = site.command("up")
    assert done.returncode == 0, done.stdout
    return site


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refused start ends with."""
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stdout
    last = done.stdout.strip().splitlines()[-1]
    assert " -- " in last
    return last


def test_a_busy_port_is_named_with_its_owner_and_the_remedy(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(site.command("up", ORDERTRAIL_IDENTITY_PORT=str(port)))
    assert f"port {port} (identity) is in use by" in said
    assert f"(process {os.getpid()})" in said
    assert "make up ORDERTRAIL_IDENTITY_PORT=<port>" in said
    assert not site.status.alive


def test_a_wrong_setting_is_named(site: Site) -> None:
    assert "ORDERTRAIL_KAFKA_PORT is 'none'" in refused(site.command("up", ORDERTRAIL_KAFKA_PORT="none"))
    assert "ORDERTRAIL_SERVICES names ordr" in refused(site.command("up", ORDERTRAIL_SERVICES="ordr"))


def test_a_first_start_that_was_killed_half_way_is_no_obstacle(site: Site) -> None:
    started = subprocess.Popen(
        [sys.executable, "-m", "deploy.embedded.supervisor"], cwd=ROOT, env=site.environment, stdin=subprocess.DEVNULL
    )
    assert wait_until(lambda: site.supervisor == started.pid and bool(site.pids()), START_SECONDS)
    left = site.pids()
    started.kill()
    started.wait()
    done = site.command("up")
    assert done.returncode == 0, done.stdout
    assert "An earlier run ended without cleaning up" in done.stdout
    assert not set(left.values()) & set(site.pids().values())


def test_two_starts_at_once_are_one(site: Site) -> None:
    assert site.command("down").returncode == 0
    both = [site.start("up") for _ in range(2)]
    said = [one.communicate(timeout=START_SECONDS)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert site.all_ready()
    assert len([process for process in psutil.process_iter() if _supervises(process, site)]) == 1


def _supervises(process: psutil.Process, site: Site) -> bool:
    try:
        return "deploy.embedded.supervisor" in process.cmdline() and process.environ().get(RUN) == str(site.run)
    except psutil.Error:
        return False


def test_an_interrupted_start_stops_what_it_started(site: Site) -> None:
    assert site.command("down").returncode == 0
    starting = site.start("up")
    assert wait_until(lambda: site.status.alive and bool(site.pids()), START_SECONDS)
    started = site.pids()
    starting.send_signal(signal.SIGINT)
    said = starting.communicate(timeout=START_SECONDS)[0]
    assert starting.returncode == 130, said
    assert "Interrupted: stopping what was started" in said
    assert not site.status.alive
    assert not [pid for pid in started.values() if psutil.pid_exists(pid)]


@pytest.mark.parametrize("name", ["postgres", "kafka", "mailbox"])
def test_a_killed_server_is_started_again(running: Site, name: str) -> None:
    killed = running.pids()[name]
    before = running.status.programs[name].restarts
    os.kill(killed, signal.SIGKILL)
    assert wait_until(lambda: running.status.programs[name].restarts > before, START_SECONDS)
    assert wait_until(running.all_ready, START_SECONDS), running.command("status").stdout
    assert running.pids()[name] != killed


def test_a_killed_supervisor_leaves_nothing_that_the_next_start_cannot_mend(running: Site) -> None:
    before = running.pids()
    os.kill(running.supervisor, signal.SIGKILL)
    assert wait_until(lambda: not running.status.alive, START_SECONDS)
    status = running.command("status")
    assert status.returncode == 3
    assert "run without their supervisor" in status.stdout
    done = running.command("up")
    assert done.returncode == 0, done.stdout
    assert f"stopping {len(before)} programs it left behind" in done.stdout
    assert running.all_ready()
    assert not set(before.values()) & set(running.pids().values())


def test_a_directory_deleted_under_it_ends_it(running: Site) -> None:
    supervisor = psutil.Process(running.supervisor)
    family = supervisor.children()
    mailbox = running.pids()["mailbox"]
    moved = running.run.rename(running.run.with_name("moved"))
    os.kill(mailbox, signal.SIGKILL)  # a change to write down
    _, alive = psutil.wait_procs([supervisor, *family], timeout=START_SECONDS)
    assert not alive
    moved.rename(running.run)


def test_lost_passwords_are_said_to_be_lost(site: Site) -> None:
    lost = site.run / "postgres" / "superuser-password"
    kept = lost.rename(lost.with_suffix(".kept"))
    said = refused(site.command("up"))
    kept.rename(lost)
    assert "superuser-password is missing" in said
    assert "make clean" in said


def test_clean_deletes_everything(site: Site) -> None:
    done = site.command("clean", "--yes")
    assert done.returncode == 0, done.stdout
    assert not site.run.exists()
    assert "nothing to delete" in site.command("clean", "--yes").stdout
