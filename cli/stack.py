"""Commands that run the local installation: up, down, status, logs, clean."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from deploy.embedded.errors import SetupError, explained
from deploy.embedded.installation import ROOT, SERVICE_PORTS, Installation, write_private
from deploy.embedded.process import last_line
from deploy.embedded.status import (
    ALREADY_SUPERVISED,
    ProgramStatus,
    Status,
    left_behind,
    memory_bytes,
    read_status,
    since,
    stop_left_behind,
)

FOLLOW_SECONDS = 0.1
UP_SECONDS = 600.0
DOWN_SECONDS = 120.0
SEED_SECONDS = 180.0
TAIL_BYTES = 16 * 1024
MARKETPLACES = ("storefront", "loopfront", "marketpush", "lengow", "supplier")
PEOPLE = ("operator", "seller", "buyer")


def register(app: typer.Typer) -> None:
    for command in (up, down, status, logs, clean):
        app.command()(command)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except SetupError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def up() -> None:
    """Start everything, wait until it is ready, print addresses and sign-ins."""
    with _one_line_errors():
        installation = Installation.current()
        installation.make_directories()
        found = read_status(installation.run)
        began = time.monotonic()
        if found.alive and found.phase == "ready":
            typer.echo("Ordertrail is running already.")
        else:
            _start_and_follow(installation, found)
            typer.echo(f"Everything is ready after {time.monotonic() - began:.0f} s.")
        _seed(installation)
        _print_addresses(installation)


def _start_and_follow(installation: Installation, found: Status) -> None:
    if found.alive:
        typer.echo(f"Ordertrail is {found.phase} already; following that.")
        process = None
    else:
        strays = left_behind(found)
        if strays:
            typer.echo(f"An earlier run ended without cleaning up: stopping {len(strays)} programs it left behind.")
        process = _spawn_supervisor(installation)
    try:
        ended = _follow(installation, lambda now: now.phase in ("ready", "failed", "stopped"), UP_SECONDS, process)
    except KeyboardInterrupt:
        typer.echo("\nInterrupted: stopping what was started.")
        _stop(installation)
        raise typer.Exit(130) from None
    if ended.phase != "ready":
        typer.echo(ended.error or f"It ended before everything was ready -- see {installation.logs}", err=True)
        raise typer.Exit(1)


def _spawn_supervisor(installation: Installation) -> subprocess.Popen[bytes]:
    with (installation.logs / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.embedded.supervisor"],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def _follow(
    installation: Installation, done: Callable[[Status], bool], seconds: float, process: subprocess.Popen[bytes] | None
) -> Status:
    """Print the supervisor's progress until `done` or its end. `process`: only its account counts, not an older one."""
    shown = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = read_status(installation.run)
        if process and (now.supervisor is None or now.supervisor.number != process.pid):
            code = process.poll()
            if code == ALREADY_SUPERVISED:
                process = None
            elif code is not None:
                log = installation.logs / "supervisor.log"
                raise SetupError(f"the supervisor ended at once: {last_line(log)}", f"see {log}")
        else:
            shown = shown if shown <= len(now.progress) else 0
            for line in now.progress[shown:]:
                typer.echo(line)
            shown = len(now.progress)
            if done(now) or not now.alive:
                return now
        time.sleep(FOLLOW_SECONDS)
    raise SetupError(f"nothing came of it within {seconds:.0f} s", f"see {installation.logs}")


def _seed(installation: Installation) -> None:
    """Demo data, once per version of it: a marker keeps later starts fast."""
    source = ROOT / "cli" / "demo_seed.py"
    marker = installation.run / "seeded"
    version = hashlib.sha256(source.read_bytes()).hexdigest() if source.exists() else ""
    if not version or (marker.exists() and marker.read_text() == version):
        return
    typer.echo("Making the demo data.")
    log = installation.logs / "seed.log"
    environment = {**os.environ, "ORDERTRAIL_DEMO_PASSWORD": _demo_password(installation)}
    with log.open("ab") as file:
        done = subprocess.run(
            [sys.executable, "-m", "cli", "seed-demo"],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=SEED_SECONDS,
            check=False,
        )  # fmt: skip
    if done.returncode:
        raise SetupError(f"the demo data could not be made: {last_line(log)}", f"see {log}, then `make up` again")
    write_private(marker, version)


def _demo_password(installation: Installation) -> str:
    return os.environ.get("ORDERTRAIL_DEMO_PASSWORD") or installation.secrets.read("demo", "password")


def _print_addresses(installation: Installation) -> None:
    lines = [f"  {'Console':<13} {installation.url('console')}", f"  {'Mailbox':<13} {installation.url('mailbox')}"]
    for name in SERVICE_PORTS:
        if name != "console":
            lines.append(f"  {name.capitalize():<13} {installation.url(name)}/docs")
    typer.echo("\n".join(["", *lines, ""]))
    typer.echo(f"Sign in with the password {_demo_password(installation)} as, for instance,")
    for marketplace in MARKETPLACES:
        typer.echo("  " + "  ".join(f"{person}@{marketplace}.example" for person in PEOPLE))
    typer.echo("\nmake status | logs | demo | down")


def down() -> None:
    """Stop everything; the data stays."""
    with _one_line_errors():
        _stop(Installation.current())


def _stop(installation: Installation) -> None:
    found = read_status(installation.run)
    if found.alive and found.supervisor:
        os.kill(found.supervisor.number, signal.SIGTERM)
        _follow(installation, lambda now: now.phase in ("stopped", "failed") and not now.alive, DOWN_SECONDS, None)
        typer.echo("Ordertrail is stopped; its data stays (make clean deletes it).")
        return
    strays = left_behind(found)
    if strays:
        typer.echo(f"The supervisor is gone; stopping the {len(strays)} programs it left behind.")
        stop_left_behind(strays)
    else:
        typer.echo("Ordertrail is not running.")


def status() -> None:
    """What runs, since when, how often restarted, how much memory. Exit code 0 when everything is ready."""
    with _one_line_errors():
        installation = Installation.current()
        found = read_status(installation.run)
        if not found.alive:
            typer.echo(f"Ordertrail is not running.{f' Last start: {found.error}' if found.error else ''}")
            strays = left_behind(found)
            if strays:
                typer.echo(f"{len(strays)} programs run without their supervisor: `make up` or `make down` ends them.")
            raise typer.Exit(3)
        typer.echo(f"{'program':<14}{'state':<10}{'port':>6}{'process':>9}{'up':>6}{'restarts':>10}{'memory':>9}")
        total = _print_programs(found)
        typer.echo(f"\n{found.phase}; {total / 2**20:.0f} MB in all (shared pages counted once)")
        if found.phase != "ready" or any(one.state != "ready" for one in found.programs.values()):
            raise typer.Exit(1)


def _print_programs(found: Status) -> int:
    supervisor = ProgramStatus("ready", found.supervisor)
    total = 0
    for name, one in {**found.programs, "supervisor": supervisor}.items():
        process = one.pid.process() if one.pid else None
        memory = memory_bytes(process, children=name != "supervisor") if process else 0
        total += memory
        typer.echo(
            f"{name:<14}{one.state:<10}{one.port or '':>6}{one.pid.number if one.pid else '':>9}"
            f"{since(one.pid) if one.pid else '':>6}{one.restarts:>10}{memory / 2**20:>6.0f} MB"
            + (f"  last ended with {one.last_exit}" if one.last_exit else "")
        )
    return total


def logs(
    names: Annotated[list[str] | None, typer.Argument(help="programs; all when none is given")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=10_000, help="of the past, each")] = 20,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", "-f", help="go on until Ctrl-C")] = False,
) -> None:
    """The latest log lines of programs, each with its name before it."""
    with _one_line_errors():
        folder = Installation.current().logs
        known = {path.stem: path for path in sorted(folder.glob("*.log"))}
        unknown = sorted(set(names or ()) - set(known))
        if unknown or not known:
            raise SetupError(
                f"no log of {', '.join(unknown)}" if unknown else f"no logs in {folder}",
                f"there are: {', '.join(known)}" if known else "start with `make up`",
            )
        chosen = {name: known[name] for name in names} if names else known
        width = max(len(name) for name in chosen)
        places = {}
        for name, path in chosen.items():
            past, places[name] = tail(path, lines)
            for line in past:
                typer.echo(f"{name:<{width}} | {line}")
        if follow:
            _follow_logs(chosen, places, width)


def tail(path: Path, lines: int) -> tuple[list[str], int]:
    """The last `lines` lines (of the last TAIL_BYTES x lines), and the position after them."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - TAIL_BYTES * max(1, lines)))
        text = file.read(end - file.tell()).decode(errors="replace")
    return (text.splitlines()[-lines:] if lines else []), end


def _follow_logs(chosen: dict[str, Path], places: dict[str, int], width: int) -> None:
    try:
        while True:
            for name, path in chosen.items():
                size = path.stat().st_size
                if size < places[name]:  # rotated
                    places[name] = 0
                if size > places[name]:
                    with path.open("rb") as file:
                        file.seek(places[name])
                        text = file.read(size - places[name])
                    complete = text.rfind(b"\n") + 1
                    places[name] += complete
                    for line in text[:complete].decode(errors="replace").splitlines():
                        typer.echo(f"{name:<{width}} | {line}")
            time.sleep(FOLLOW_SECONDS)
    except KeyboardInterrupt:
        return


def clean(yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False) -> None:
    """Stop everything and delete all data, logs and secrets of this installation."""
    with _one_line_errors():
        installation = Installation.current()
        if not installation.run.exists():
            typer.echo(f"There is nothing to delete: {installation.run} does not exist.")
            return
        if not yes and sys.stdin.isatty():
            typer.confirm(f"Delete {installation.run} with all orders, mails and secrets?", abort=True)
        _stop(installation)
        with explained(installation.run):
            shutil.rmtree(installation.run)
        typer.echo(f"Deleted {installation.run}.")
