"""Commands on all reports, `reconcile` and `rebuild`: the reporting service's own, with the installation's settings."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer

from cli.dead_letters import worker_database_url
from deploy.embedded.installation import Installation

AsJson = Annotated[bool, typer.Option("--json", help="print the result as one JSON document")]
Quiet = Annotated[bool, typer.Option("--quiet", help="no progress")]


def register(app: typer.Typer) -> None:
    for command in (reconcile, rebuild):
        app.command()(command)


def reconcile(as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Compare every figure with the orders in the topics, to the cent. Exit code 0: equal; 1: not; 2: could not."""
    _run("reconcile", json=as_json, quiet=quiet)


def rebuild(
    as_json: AsJson = False,
    quiet: Quiet = False,
    compare_only: Annotated[bool, typer.Option("--compare-only", help="build and compare, but do not swap")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="leave out orders that are in no topic, as after Kafka's log was lost")
    ] = False,
) -> None:
    """Make all figures anew from the topics while reports are served, compare, swap. Exit codes as of reconcile."""
    _run("rebuild", json=as_json, quiet=quiet, compare_only=compare_only, forget=forget)


def _run(name: str, **flags: bool) -> None:
    # says in one line where there is neither an installation here nor a database named
    worker_database_url("reporting")
    named = os.environ.get("ORDERTRAIL_WORKER_DATABASE_URL") or os.environ.get("ORDERTRAIL_SECRETS_DIR")
    own = {} if named else Installation.current().service_environment("reporting")
    asked = [f"--{flag.replace('_', '-')}" for flag, given in flags.items() if given]
    command = [sys.executable, "-m", "services.reporting", name, *asked]
    raise typer.Exit(subprocess.run(command, env={**os.environ, **own}, check=False).returncode)
