"""The `ordertrail` command. Each group of commands is a module with `register(app)`; this table says which is where.

Only the module of the command that was asked for is loaded, so that no command waits for another's imports.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

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
}


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
    app.callback()(lambda: None)  # without it, typer turns a single command into the whole program
    asked = argv[0] if argv else ""
    for module in [COMMANDS[asked]] if asked in COMMANDS else sorted(set(COMMANDS.values())):
        import_module(module).register(app)
    return app


def main() -> None:
    """Entry point of the console script."""
    build(sys.argv[1:])()


if __name__ == "__main__":
    main()
