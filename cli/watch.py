"""Commands that look at the local installation: status, logs."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.stack import one_line_errors
from deploy.embedded.errors import SetupError
from deploy.embedded.installation import Installation
from deploy.embedded.status import ProgramStatus, Status, left_behind, memory_bytes, read_status, since

FOLLOW_SECONDS = 0.2
LINE_BYTES = 4 * 1024  # read this much for each past line that is asked for


def register(app: typer.Typer) -> None:
    for command in (status, logs):
        app.command()(command)


def status(as_json: Annotated[bool, typer.Option("--json", help="machine-readable")] = False) -> None:
    """What runs, since when, how often restarted, how much memory. Exit code 0 when everything is ready."""
    with one_line_errors():
        installation = Installation.current()
        found = read_status(installation.run)
        if as_json:
            typer.echo(json.dumps(_described(found), indent=2))
            raise typer.Exit(3 if not found.alive else 0 if _all_ready(found) else 1)
        if not found.alive:
            typer.echo(f"Ordertrail is not running.{f' Last start: {found.error}' if found.error else ''}")
            strays = left_behind(found)
            if strays:
                typer.echo(f"{len(strays)} programs run without their supervisor: `make up` or `make down` ends them.")
            raise typer.Exit(3)
        typer.echo(f"{'program':<14}{'state':<10}{'port':>6}{'process':>9}{'up':>6}{'restarts':>10}{'memory':>9}")
        total = _print_programs(found)
        typer.echo(f"\n{found.phase}; {total / 2**20:.0f} MB in all (shared pages counted once)")
        if not _all_ready(found):
            raise typer.Exit(1)


def _all_ready(found: Status) -> bool:
    return found.phase == "ready" and all(one.state == "ready" for one in found.programs.values())


def _described(found: Status) -> dict[str, Any]:
    """The status for machines; of what does not run, only that."""
    programs = {
        name: {
            "state": one.state,
            "port": one.port,
            "process": one.pid.number if one.pid else None,
            "restarts": one.restarts,
            "last_exit": one.last_exit,
        }
        for name, one in found.programs.items()
    }
    return {"running": found.alive, "phase": found.phase, "error": found.error, "programs": programs}


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
    with one_line_errors():
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
    """The last `lines` lines (of the last LINE_BYTES x lines), and the position after them."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - LINE_BYTES * max(1, lines)))
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
