"""Commands on all orders: `verify-timeline`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated, NoReturn
from uuid import UUID

import typer

from cli.dead_letters import worker_database_url
from services.order.verification import Fault, Verified, verify
from shared.postgres import Database
from shared.postgres.database import TRANSIENT


def register(app: typer.Typer) -> None:
    app.command("verify-timeline")(verify_timeline)


def verify_timeline(
    marketplace: Annotated[UUID | None, typer.Option(help="one marketplace only, by its id")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable")] = False,
) -> None:
    """Check the hash chain of every order's timeline. Exit code 0: all are whole; 1: faults; 2: could not look."""
    try:
        faults, seen = asyncio.run(_verified(marketplace))
    except TRANSIENT as e:
        _fail(f"the database of the order service does not answer: {e}")
    if marketplace is not None and not seen.orders:
        _fail(f"no orders of a marketplace {marketplace} -- is that its id? Without --marketplace all are looked at")
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


def _fail(reason: str) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(2)
