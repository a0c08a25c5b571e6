"""`ordertrail import FILE...`: orders of shops and purchasing systems, handed in through the order service's API.

Reads Shopify order JSON, Peppol BIS 3 / UBL 2 Order XML and CSV, from files, folders and standard input. Each order is
recognised by (marketplace, channel, external id): what is there already is not taken twice, and the same id with
another content is refused.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.demo_client import DemoError
from cli.import_client import Importer, SignIn
from deploy.embedded.errors import SetupError
from services.console.sources import STDIN, Found, Options, Outcome, Refusal, Refused, files_of, read_file

EXIT_REFUSED: Final = 1
EXIT_NOTHING_DONE: Final = 2
IN_HAND: Final = 64  # orders of a file that are read ahead of being sent
TELL_SECONDS: Final = 5.0
_STYLES: Final = {"taken": "green", "already there": "cyan", "refused": "red"}


def register(app: typer.Typer) -> None:
    app.command("import")(import_orders)


def import_orders(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Shopify JSON (or one order per line), Peppol/UBL XML or CSV; a folder of such files; - reads stdin",
            show_default=False,
        ),
    ],
    marketplace: Annotated[str, typer.Option(help="a demo marketplace, whose operator imports")] = "storefront",
    email: Annotated[str | None, typer.Option("--as", help="who imports, instead of the demo's operator")] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="read the password from there")] = False,
    channel: Annotated[str | None, typer.Option(help="the channel, instead of shopify, peppol or csv")] = None,
    buyer: Annotated[str | None, typer.Option(help="buying organisation: id, slug or external id")] = None,
    seller: Annotated[str | None, typer.Option(help="selling organisation: id, slug or external id")] = None,
    with_test: Annotated[bool, typer.Option("--with-test", help="take test orders too")] = False,
    with_canceled: Annotated[bool, typer.Option("--with-canceled", help="take orders that were canceled too")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the report for machines")] = False,
) -> None:
    """Import orders from files, and report what was taken, what was there already, and what was refused and why.

    Signs in with ORDERTRAIL_TOKEN (an access token), or ORDERTRAIL_API_KEY_ID and ORDERTRAIL_API_KEY_SECRET, or --as.
    Exit code 0: everything is there now; 1: something was refused; 2: nothing could be done.
    """
    if password_stdin and STDIN in files:
        raise typer.BadParameter("standard input cannot give both the password and orders; set ORDERTRAIL_TOKEN")
    options = Options(channel, buyer, seller, with_test, with_canceled)
    password = typer.get_text_stream("stdin").readline().rstrip("\n") if password_stdin else None
    sign_in = SignIn(email or f"operator@{marketplace}.example", password)
    try:
        outcomes = asyncio.run(_import(files, sign_in, options))
    except (DemoError, SetupError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_NOTHING_DONE) from None
    counts = {result: sum(1 for o in outcomes if o.result == result) for result in _STYLES}
    if as_json:
        typer.echo(json.dumps({"summary": counts, "orders": [asdict(o) for o in outcomes]}, indent=2))
    else:
        _print(outcomes, counts)
    if counts["refused"]:
        raise typer.Exit(EXIT_REFUSED)


async def _import(files: Sequence[Path], sign_in: SignIn, options: Options) -> list[Outcome]:
    """One outcome per order, in the order of the files."""
    async with Importer.signed_in(sign_in, options) as importer:
        await importer.greet()
        outcomes: list[Outcome] = []
        progress = Progress()
        for named in files:
            try:
                for file in files_of(named):
                    label = _label(named, file)
                    try:
                        await _import_file(importer, label, read_file(file), outcomes, progress)
                    except Refusal as refusal:
                        outcomes.append(Outcome(label, "", None, None, "refused", detail=refusal.reason))
            except Refusal as refusal:
                outcomes.append(Outcome(_label(named, named), "", None, None, "refused", detail=refusal.reason))
        return outcomes


def _label(named: Path, file: Path) -> str:
    """How the report calls a file: by its name, and in a folder by its path there."""
    if file == STDIN:
        return "(standard input)"
    return file.name if file == named else str(file.relative_to(named))


async def _import_file(
    importer: Importer, label: str, orders: Iterator[Found | Refused], outcomes: list[Outcome], progress: Progress
) -> None:
    """Send what the file holds, some at once; what cannot be sent any more is told of every order that is left."""
    while together := list(islice(orders, IN_HAND)):
        outcomes += await importer.send(label, together)
        progress.tell(label, len(outcomes))


class Progress:
    """How far a long import is, on standard error every some seconds; a short one says nothing."""

    def __init__(self) -> None:
        self._next = time.monotonic() + TELL_SECONDS

    def tell(self, label: str, count: int) -> None:
        if time.monotonic() >= self._next:
            typer.echo(f"{count} orders done, in {label}", err=True)
            self._next = time.monotonic() + TELL_SECONDS


def _print(outcomes: Sequence[Outcome], counts: dict[str, int]) -> None:
    table = Table("file", "order", "result", "here", "what to know")
    for o in outcomes:
        known = "\n".join(filter(None, [o.detail, *o.warnings]))
        where = o.number or o.external_id or o.where
        table.add_row(
            escape(o.file),
            escape(where or ""),
            f"[{_STYLES[o.result]}]{o.result}[/]",
            escape(", ".join(o.orders)),
            escape(known),
        )
    console = Console()
    console.print(table)
    console.print(", ".join(f"{count} {result}" for result, count in counts.items()))
