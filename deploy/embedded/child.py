"""One supervised program over its lives: started, probed, started again with growing pauses when it dies."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from deploy.embedded.errors import SetupError
from deploy.embedded.process import spawn
from deploy.embedded.programs import Program
from deploy.embedded.status import Pid, ProgramStatus

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
# A program that lived this long has its pauses start from the first again.
SETTLED_SECONDS = 60.0
PROBE_EVERY = 0.25


class Child:
    """A program and its present process. `tick` does whatever is due; nothing here waits."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.log = log
        self.ready = False
        self.restarts = 0
        self.last_exit = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._pid: Pid | None = None
        self._started = 0.0
        self._next_start = 0.0
        self._next_probe = 0.0
        self._pause = FIRST_PAUSE

    def tick(self) -> bool:
        """Start, probe or notice a death, as is due now; returns whether anything changed."""
        now = time.monotonic()
        if self._process is None:
            return self._start(now) if now >= self._next_start else False
        if self._process.poll() is not None:
            code = self._process.returncode
            self._died(now, f"signal {-code}" if code < 0 else f"exit code {code}")
            return True
        if self.ready:
            if now - self._started > SETTLED_SECONDS:
                self._pause = FIRST_PAUSE
            return False
        if now < self._next_probe:
            return False
        self.ready = self.program.ready()
        self._next_probe = time.monotonic() + PROBE_EVERY
        return self.ready

    def _start(self, now: float) -> bool:
        try:
            self._process = spawn(self.program.command(), self.log)
        except (OSError, SetupError) as trouble:
            self._died(now, f"not started: {trouble}")
            return True
        self._pid = Pid.of(self._process.pid)
        self._started = now
        self._next_probe = now + PROBE_EVERY
        return True

    def _died(self, now: float, how: str) -> None:
        self._process, self._pid, self.ready = None, None, False
        self.last_exit = how
        self.restarts += 1
        self._next_start = now + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ask_to_stop(self) -> None:
        if self._process and self.running:
            self._process.send_signal(self.program.stop_signal)

    def wait_stopped(self, deadline: float) -> bool:
        """Until it ended by itself, or kill it at `deadline` (monotonic seconds); returns whether it was clean."""
        if self._process is None:
            return True
        clean = True
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            clean = False
        if clean:
            self.program.stopped()
        self._process, self._pid, self.ready = None, None, False
        return clean

    def status(self) -> ProgramStatus:
        state = "ready" if self.ready else "starting" if self._process else "waiting" if self.restarts else "stopped"
        return ProgramStatus(state, self._pid, self.restarts, self.program.port, self.last_exit)
