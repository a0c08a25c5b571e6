"""What a running installation says about itself in `run`/status.json, and the lock that keeps it the only one."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from deploy.embedded.errors import explained
from deploy.embedded.installation import write_private

Phase = Literal["starting", "ready", "stopping", "stopped", "failed"]
STOP_SECONDS = 120.0
ALREADY_SUPERVISED = 3  # exit code of a second supervisor


@dataclass(frozen=True)
class Pid:
    """A process, told apart from a later one with the same number by its start time (seconds since the epoch)."""

    number: int
    created: float

    @classmethod
    def of(cls, number: int) -> Pid | None:
        try:
            return cls(number, psutil.Process(number).create_time())
        except psutil.Error:
            return None

    def process(self) -> psutil.Process | None:
        """The process, if it still lives."""
        try:
            found = psutil.Process(self.number)
            same = abs(found.create_time() - self.created) < 1.0
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


@dataclass
class ProgramStatus:
    """One supervised program. `state`: starting, ready, waiting (for its next start) or stopped."""

    state: str = "stopped"
    pid: Pid | None = None
    restarts: int = 0
    port: int | None = None
    last_exit: str = ""


@dataclass
class Status:
    """The supervisor's own account; `progress` are the lines shown while it starts or stops."""

    phase: Phase = "stopped"
    supervisor: Pid | None = None
    error: str = ""
    programs: dict[str, ProgramStatus] = field(default_factory=dict)
    progress: list[str] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        return self.supervisor is not None and self.supervisor.process() is not None


def read_status(run: Path) -> Status:
    """The last account, or an empty one where there is none that can be read (a start that was cut off)."""
    try:
        raw = json.loads((run / "status.json").read_text())
        return Status(
            phase=raw["phase"],
            supervisor=_pid(raw["supervisor"]),
            error=raw["error"],
            programs={name: ProgramStatus(**{**one, "pid": _pid(one["pid"])}) for name, one in raw["programs"].items()},
            progress=raw["progress"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Status()


def write_status(run: Path, status: Status) -> None:
    write_private(run / "status.json", json.dumps(asdict(status)) + "\n")


def _pid(raw: dict[str, float] | None) -> Pid | None:
    return Pid(int(raw["number"]), float(raw["created"])) if raw else None


def lock(run: Path) -> int | None:
    """Take the installation for this process, until it ends; None when another has it."""
    with explained(run):
        descriptor = os.open(run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def left_behind(status: Status) -> list[psutil.Process]:
    """Programs that outlived their supervisor."""
    found = [one.pid.process() for one in status.programs.values() if one.pid]
    return [process for process in found if process]


def stop_left_behind(processes: Iterable[psutil.Process]) -> None:
    """Ask them to stop, then kill them. PostgreSQL ends its sessions only on SIGINT."""
    processes = list(processes)
    for process in processes:
        try:
            process.send_signal(2 if process.name() == "postgres" else 15)
        except psutil.Error:
            continue
    _, alive = psutil.wait_procs(processes, timeout=STOP_SECONDS)
    for process in alive:
        try:
            process.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(alive, timeout=STOP_SECONDS)


def memory_bytes(process: psutil.Process, *, children: bool = True) -> int:
    """Proportional memory of a process (and its children): shared pages are counted once over all who share them."""
    total = 0
    try:
        family = [process, *(process.children(recursive=True) if children else ())]
    except psutil.Error:
        return 0
    for one in family:
        try:
            total += one.memory_full_info().pss
        except (psutil.Error, AttributeError):
            continue
    return total


def age(seconds: float) -> str:
    """A span for people: 42s, 12m, 3h, 5d."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def since(pid: Pid) -> str:
    return age(max(0.0, time.time() - pid.created))
