"""Commands that run the local installation: up, down, clean."""

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
from typing import Annotated

import typer

from deploy.embedded.errors import SetupError, explained
from deploy.embedded.installation import ROOT, Installation, write_private
from deploy.embedded.process import last_line
from deploy.embedded.status import (
    ALREADY_SUPERVISED,
    Status,
    left_behind,
    read_status,
    stop_left_behind,
)

FOLLOW_SECONDS = 0.1
UP_SECONDS = 600.0
DOWN_SECONDS = 240.0  # more than the slowest service and then the slowest server may take
SEED_SECONDS = 180.0
SEEDED_THROUGH = {"identity", "order"}
TAIL_BYTES = 16 * 1024
MARKETPLACES = ("storefront", "loopfront", "marketpush", "lengow", "supplier")
PEOPLE = ("operator", "seller", "buyer")


def register(app: typer.Typer) -> None:
    for command in (up, down, clean):
        app.command()(command)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """What is wrong with the machine is told in one line, and the command ends with 1."""
    try:
        yield
    except SetupError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def up() -> None:
    """Start everything, wait until it is ready, print addresses and sign-ins."""
    with one_line_errors():
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
    if found.alive and found.phase in ("stopping", "stopped", "failed"):
        typer.echo("Ordertrail is just stopping; waiting for that.")
        found = _follow(installation, lambda now: not now.alive, DOWN_SECONDS, None, len(found.progress))
    if found.alive:
        typer.echo("Ordertrail is starting already; following that.")
        process = None
    else:
        strays = left_behind(found)
        if strays:
            typer.echo(f"An earlier run ended without cleaning up: stopping {len(strays)} programs it left behind.")
        process = _spawn_supervisor(installation)
    try:
        ended = _follow(installation, lambda now: now.phase == "ready", UP_SECONDS, process)
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
    installation: Installation,
    done: Callable[[Status], bool],
    seconds: float,
    process: subprocess.Popen[bytes] | None,
    shown: int = 0,
) -> Status:
    """Print the supervisor's progress until `done` or its end. `process`: only its account counts, not an older one.

    `shown`: so many lines of the present progress are known already.
    """
    ending = False
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
            alive = now.alive
            if not alive:
                now = read_status(installation.run)  # its last words
            if not ending and now.phase in ("stopping", "stopped", "failed"):
                ending, shown = True, 0  # a new list begins
            for line in now.progress[shown:]:
                typer.echo(line)
            shown = len(now.progress)
            if done(now) or not alive:
                return now
        time.sleep(FOLLOW_SECONDS)
    raise SetupError(f"nothing came of it within {seconds:.0f} s", f"see {installation.logs}")


def _seed(installation: Installation) -> None:
    """Demo data, once per version of it: a marker keeps later starts fast."""
    source = ROOT / "cli" / "demo_seed.py"
    marker = installation.run / "seeded"
    version = hashlib.sha256(source.read_bytes()).hexdigest() if source.exists() else ""
    able = set(installation.services) >= SEEDED_THROUGH
    if not version or not able or installation.outside_only or (marker.exists() and marker.read_text() == version):
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
    if (public := installation.public_url("console")) != installation.url("console"):
        lines[0] += f" (from outside: {public})"
    for name in installation.services:
        if name != "console":
            lines.append(f"  {name.capitalize():<13} {installation.url(name)}/docs")
    typer.echo("\n".join(["", *lines, ""]))
    if installation.outside_only:
        typer.echo("People sign in with the outside provider alone (ORDERTRAIL_OIDC_ONLY), so there is no demo.")
        typer.echo("\nmake status | logs | down")
        return
    typer.echo(f"Sign in with the password {_demo_password(installation)} as, for instance,")
    for marketplace in MARKETPLACES:
        typer.echo("  " + "  ".join(f"{person}@{marketplace}.example" for person in PEOPLE))
    typer.echo("\nmake status | logs | demo | down")


def down() -> None:
    """Stop everything; the data stays."""
    with one_line_errors():
        _stop(Installation.current())


def _stop(installation: Installation) -> None:
    found = read_status(installation.run)
    if found.alive and found.supervisor:
        os.kill(found.supervisor.number, signal.SIGTERM)
        known = len(found.progress)
        _follow(installation, lambda now: not now.alive, DOWN_SECONDS, None, known)
        typer.echo("Ordertrail is stopped; its data stays (make clean deletes it).")
        return
    strays = left_behind(found)
    if strays:
        typer.echo(f"The supervisor is gone; stopping the {len(strays)} programs it left behind.")
        stop_left_behind(strays)
    else:
        typer.echo("Ordertrail is not running.")


def clean(yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False) -> None:
    """Stop everything and delete all data, logs and secrets of this installation."""
    with one_line_errors():
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
