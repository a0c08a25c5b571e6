"""Commands for dead letters: records that a consumer gave up, until a person decides what becomes of them."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import typer

import contracts.catalog  # noqa: F401  registers the classes by which a record is read again
from cli.plain import plain
from contracts.envelope import ContractError
from deploy.embedded.installation import Installation
from shared.clock import utc_now
from shared.inbox import DeadLetters
from shared.postgres import Database
from shared.postgres.database import TRANSIENT
from shared.postgres.migrate import SCHEMAS, worker_role
from shared.settings import ServiceSettings

T = TypeVar("T")
MOST_LISTED = 1_000

Service = Annotated[str, typer.Argument(help=f"one of {', '.join(SCHEMAS)}")]
Letter = Annotated[UUID, typer.Argument(help="the dead letter's id, as list shows it")]
AsJson = Annotated[bool, typer.Option("--json", help="machine-readable")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="List, show, redrive or discard dead letters.")
    group.command("list")(list_letters)
    for command in (show, redrive, discard):
        group.command()(command)
    app.add_typer(group, name="dead-letters")


def list_letters(
    service: Annotated[str | None, typer.Argument(help="one service; all when none is given")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED)] = 100,
    as_json: AsJson = False,
) -> None:
    """Dead letters, oldest first. Exit code 1 where there are any, 0 where there are none."""
    found: list[dict[str, Any]] = []
    for name in [_known(service)] if service else list(SCHEMAS):
        for letter in _with(name, lambda letters: letters.list(limit=limit)):
            found.append({"service": name, **letter})
    if as_json:
        typer.echo(json.dumps(found, default=_json, indent=2))
    elif found:
        # an id has to be whole, to be copied: a table would cut it off where the terminal is narrow
        for f in found:
            where = f"{f['topic']}  {plain(f['key'] or '-')}"
            typer.echo(f"{f['service']}  {f['id']}  {f['dead_at']:%Y-%m-%d %H:%M}  {where}")
            typer.echo(f"    after {f['attempts']} tries: {plain(f['reason'])}")
    else:
        typer.echo("No dead letters.")
    raise typer.Exit(1 if found else 0)


def show(service: Service, letter: Letter, as_json: AsJson = False) -> None:
    """One dead letter with its headers and value."""
    found = _with(_known(service), lambda letters: letters.show(letter))
    if found is None:
        _fail(f"{service} has no dead letter {letter}")
    if as_json:
        typer.echo(json.dumps(found, default=_json, indent=2))
        return
    for name, value in found.items():
        typer.echo(f"{name:<16}{_json(value) if isinstance(value, bytes) else value}")


def redrive(
    service: Service,
    letter: Annotated[UUID | None, typer.Argument(help="one; or --all")] = None,
    every: Annotated[bool, typer.Option("--all", help="each one of this service, oldest first")] = False,
) -> None:
    """Hand it to the handlers again. It keeps its event id, so an effect that it already had is not repeated."""
    _known(service)
    if (letter is None) == (not every):
        _fail("name one dead letter, or give --all")
    ids = [f["id"] for f in _with(service, lambda ls: ls.list(limit=MOST_LISTED))] if every else [letter]
    if not ids:
        typer.echo("No dead letters.")
    failed = 0
    for one in ids:
        try:
            typer.echo(_with(service, lambda letters, i=one: letters.redrive(i, utc_now())))  # type: ignore[misc]  # mypy cannot type a default argument of a lambda
        except (LookupError, ContractError) as e:
            failed += 1
            typer.echo(f"{one}: {e}", err=True)
    raise typer.Exit(1 if failed else 0)


def discard(
    service: Service,
    letter: Letter,
    yes: Annotated[bool, typer.Option("--yes", help="do it without asking")] = False,
) -> None:
    """Forget a dead letter for good."""
    _known(service)
    if not yes:
        typer.confirm(f"Discard the dead letter {letter} of {service} for good?", abort=True)
    try:
        _with(service, lambda letters: letters.discard(letter))
    except LookupError as e:
        _fail(str(e))
    typer.echo("Discarded.")


def _known(service: str) -> str:
    if service not in SCHEMAS:
        _fail(f"{service!r} is no service with an inbox; there are {', '.join(SCHEMAS)}")
    return service


def _fail(reason: str) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(2)


def worker_database_url(service: str) -> str:
    """Where this service's dead letters are: as its own process would know, else in this checkout's installation."""
    if os.environ.get("ORDERTRAIL_WORKER_DATABASE_URL") or os.environ.get("ORDERTRAIL_SECRETS_DIR"):
        return _of(service, ServiceSettings().worker_database_url.get_secret_value())
    folder: Path = Installation.current().secrets.directory / service
    url = ServiceSettings(_secrets_dir=folder).worker_database_url.get_secret_value() if folder.is_dir() else ""
    if not url:
        _fail("no installation here: start it with make up, or set ORDERTRAIL_WORKER_DATABASE_URL")
    return url


def _of(service: str, url: str) -> str:
    """The address, unless it is another service's: there the same tables hold other things, or are not there."""
    role = urlsplit(url).username
    other = next((name for name in SCHEMAS if role == worker_role(name)), service)
    if other != service:
        _fail(
            f"the settings here are those of {other}, and this asks for {service}'s database -- ask where {service} "
            "runs; with Compose `docker compose run --rm cli` has all of them"
        )
    return url


def _with(service: str, use: Callable[[DeadLetters], Awaitable[T]]) -> T:
    async def connected() -> T:
        db = Database(worker_database_url(service), name="ordertrail-dead-letters", max_size=1)
        await db.open()
        try:
            return await use(DeadLetters(db))
        finally:
            await db.close()

    try:
        return asyncio.run(connected())
    except TRANSIENT as e:
        _fail(f"the database of {service} does not answer: {e}")


def _json(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
