"""The `ordertrail` command. Each group of commands is a module with `register(app)`; this table says which is where.

Only the module of the command that was asked for is loaded, so that no command waits for another's imports.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer

COMMANDS: Mapping[str, str] = {
    "up": "cli.stack",
    "down": "cli.stack",
    "status": "cli.watch",
    "logs": "cli.watch",
    "clean": "cli.stack",
    "doctor": "cli.doctor",
    "dead-letters": "cli.dead_letters",
    "demo": "cli.demo",
    "token": "cli.token",
    "seed-demo": "cli.demo_seed",
    "import": "cli.importing",
    "seed": "cli.seeding",
    "verify-timeline": "cli.orders",
    "lifecycle": "cli.lifecycles",
    "webhooks": "cli.webhooks",
    "replay": "cli.webhooks",
    "reconcile": "cli.figures",
    "rebuild": "cli.figures",
}

# What belongs to an installation without containers, and what does the same with Compose.
OF_MAKE_UP: Mapping[str, str] = {
    "up": "docker compose up --wait",
    "down": "docker compose down",
    "status": "docker compose ps",
    "logs": "docker compose logs --follow",
    "clean": "docker compose down --volumes",
    "doctor": "docker compose ps, and docker compose logs of what is not healthy",
    "demo": "nothing: it needs the mailbox and the free ports of `make up`",
}
UNEXPECTED = 2


def build(argv: Sequence[str]) -> typer.Typer:
    """The application, with all commands when `argv` names none of them (help, a typing error)."""
    app = typer.Typer(
        name="ordertrail",
        help="Runs and works an Ordertrail installation. Each command has --help of its own.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_whole)  # without it, typer turns a single command into the whole program
    asked = argv[0] if argv else ""
    for module in [COMMANDS[asked]] if asked in COMMANDS else sorted(set(COMMANDS.values())):
        import_module(module).register(app)
    return app


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"ordertrail {version('ordertrail')}")
        raise typer.Exit


def _whole(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the console script. Whatever goes wrong is one line: what, and what to do."""
    instead = OF_MAKE_UP.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if instead and os.environ.get("ORDERTRAIL_COMPOSE"):
        sys.stderr.write(f"{sys.argv[1]} is for `make up` -- with Compose: {instead}\n")
        sys.exit(UNEXPECTED)
    try:
        build(sys.argv[1:])()
    except Exception as error:
        if os.environ.get("ORDERTRAIL_TRACEBACK"):
            traceback.print_exc()
        sys.stderr.write(_in_one_line(error) + "\n")
        sys.exit(UNEXPECTED)


def _in_one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:500]
    if any(c.__name__ in ("SetupError", "DemoError") for c in type(error).__mro__):
        return text
    return f"{type(error).__name__}: {text} -- unexpected; with ORDERTRAIL_TRACEBACK=1 it shows where"


if __name__ == "__main__":
    main()
