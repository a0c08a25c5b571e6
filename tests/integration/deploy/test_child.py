"""A supervised program over its lives, with real processes."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.embedded import child as child_module
from deploy.embedded.child import Child
from deploy.embedded.process import Command, plain_environment, wait_until
from deploy.embedded.programs import Program, rotate

SECONDS = 60.0
SAYS_UP = "print('up', flush=True)"
WAITS = f"import signal, sys; signal.signal(15, lambda *_: sys.exit(0)); {SAYS_UP}; signal.pause()"
DEAF = f"import signal; signal.signal(15, signal.SIG_IGN); {SAYS_UP}\nwhile True: signal.pause()"


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Child]:
    monkeypatch.setattr(child_module, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(child_module, "LONGEST_PAUSE", 0.2)
    log = tmp_path / "program.log"

    def make(code: str, **settings: object) -> Child:
        command = Command([sys.executable, "-c", code], plain_environment())
        ready = lambda: log.exists() and "up" in log.read_text()  # noqa: E731  read as part of the next line
        return Child(Program("program", 0, lambda: command, ready, **settings), log)  # type: ignore[arg-type]  # settings by name

    return make


def ticking(child: Child, condition: Callable[[], bool]) -> bool:
    def turn() -> bool:
        child.tick()
        return condition()

    return wait_until(turn, SECONDS)


def test_a_killed_program_is_started_again(start: Callable[..., Child]) -> None:
    child = start(WAITS)
    assert ticking(child, lambda: child.ready)
    first = child.status().pid
    assert first
    os.kill(first.number, signal.SIGKILL)
    assert ticking(child, lambda: child.restarts == 1 and child.ready)
    now = child.status()
    assert now.pid != first
    assert (now.state, now.last_exit, now.restarts) == ("ready", "signal 9", 1)
    child.ask_to_stop()
    assert child.wait_stopped(_deadline())


def test_one_that_keeps_dying_is_started_with_growing_pauses(start: Callable[..., Child]) -> None:
    child = start("raise SystemExit(7)")
    assert ticking(child, lambda: child.restarts >= 3)
    assert child.last_exit == "exit code 7"
    assert not child.ready
    assert child._pause == pytest.approx(0.2)


def test_one_that_cannot_even_be_started_is_tried_again(tmp_path: Path, start: Callable[..., Child]) -> None:
    missing = Command([str(tmp_path / "no such program")], plain_environment())
    child = Child(Program("program", 0, lambda: missing, lambda: True), tmp_path / "program.log")
    assert ticking(child, lambda: child.restarts >= 2)
    assert "No such file" in child.last_exit
    assert child.status().state == "waiting"


def test_one_that_does_not_listen_is_killed_after_its_time(start: Callable[..., Child]) -> None:
    child = start(DEAF)
    assert ticking(child, lambda: child.ready)
    pid = child.status().pid
    assert pid
    child.ask_to_stop()
    assert not child.wait_stopped(_deadline(0.3))
    assert pid.process() is None


def test_what_it_leaves_after_a_clean_stop_is_taken_care_of_once(start: Callable[..., Child]) -> None:
    calls: list[str] = []
    child = start(WAITS, stopped=lambda: calls.append("stopped"))
    assert ticking(child, lambda: child.ready)
    child.ask_to_stop()
    assert child.wait_stopped(_deadline())
    assert child.wait_stopped(_deadline())
    assert calls == ["stopped"]


def test_a_log_is_emptied_in_place_and_one_older_part_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "program.log"
    with log.open("ab") as writer:
        writer.write(b"old\n" * 100)
        writer.flush()
        rotate(log, 100)
        writer.write(b"new\n")
        writer.flush()
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "program.log.1").read_bytes() == b"old\n" * 100
    rotate(log, 100)
    assert log.read_bytes() == b"new\n"


def _deadline(seconds: float = SECONDS) -> float:
    return time.monotonic() + seconds
