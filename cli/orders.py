"""Commands on orders and lifecycles: `verify-timeline`, `lifecycle lint`, `lifecycle diagram`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn
from uuid import UUID

import typer

from cli.dead_letters import worker_database_url
from services.order import workflow
from services.order.verification import Fault, Verified, verify
from shared.postgres import Database
from shared.postgres.database import TRANSIENT


def register(app: typer.Typer) -> None:
    app.command("verify-timeline")(verify_timeline)
    group = typer.Typer(no_args_is_help=True, help="Check and draw lifecycles.")
    group.command("lint")(lint)
    group.command("diagram")(diagram)
    app.add_typer(group, name="lifecycle")


def verify_timeline(
    marketplace: Annotated[UUID | None, typer.Option(help="one marketplace only, by its id")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable")] = False,
) -> None:
    """Check the hash chain of every order's timeline. Exit code 0: all are whole; 1: faults; 2: could not look."""
    try:
        faults, seen = asyncio.run(_verified(marketplace))
    except TRANSIENT as e:
        _fail(f"the database of the order service does not answer: {e}")
    if as_json:
        found = {"orders": seen.orders, "entries": seen.entries, "faults": [asdict(f) for f in faults]}
        typer.echo(json.dumps(found, default=str, indent=2))
    else:
        for f in faults:
            typer.echo(f"{f.number} ({f.order_id}), entry {f.sequence}: {f.reason}")
        typer.echo(f"{seen.entries} entries of {seen.orders} orders: {len(faults) or 'no'} fault(s)")
    raise typer.Exit(1 if faults else 0)


async def _verified(marketplace: UUID | None) -> tuple[list[Fault], Verified]:
    db = Database(worker_database_url("order"), name="ordertrail-verify", max_size=1)
    await db.open()
    seen = Verified()
    try:
        return [f async for f in verify(db, marketplace_id=marketplace, verified=seen)], seen
    finally:
        await db.close()


def lint(
    files: Annotated[list[Path], typer.Argument(help="lifecycles as TOML", show_default=False)],
) -> None:
    """Check lifecycle files. Each finding names its line and what to do. Exit code 1 where there are any."""
    found = 0
    for file in files:
        findings = workflow.lint(_read(file))
        found += len(findings)
        for f in findings:
            typer.echo(f"{file}:{f.line}: {f.message}. {f.remedy}")
    typer.echo(f"{len(files)} lifecycle(s): {found or 'no'} finding(s)")
    raise typer.Exit(1 if found else 0)


def diagram(
    lifecycle: Annotated[str, typer.Argument(help=f"a TOML file, or one of {', '.join(workflow.BUILTIN)}")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="standard output unless given")] = None,
) -> None:
    """Draw a lifecycle as SVG."""
    try:
        drawn = (
            workflow.builtin(lifecycle)
            if lifecycle in workflow.BUILTIN
            else workflow.load_lifecycle(_read(Path(lifecycle)))
        )
    except workflow.LifecycleError as e:
        for f in e.findings:
            typer.echo(f"{lifecycle}:{f.line}: {f.message}. {f.remedy}", err=True)
        raise typer.Exit(1) from None
    svg = workflow.draw(drawn)
    if output is None:
        typer.echo(svg)
        return
    try:
        output.write_text(svg, encoding="utf-8")
    except OSError as e:
        _fail(f"{output} cannot be written: {e.strerror}")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        _fail(f"{file} cannot be read: {e}")


def _fail(reason: str) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(2)
