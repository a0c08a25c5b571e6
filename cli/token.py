"""`ordertrail token`: an access token of the demo's people, for curl and for trying things out."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from cli.demo_client import Caller, DemoError, demo_password, session
from deploy.embedded.errors import SetupError


def register(app: typer.Typer) -> None:
    app.command("token")(token)


def token(
    email: Annotated[str, typer.Option("--as", help="whose token, such as seller@storefront.example")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="read the password from standard input, not the demo's")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="everything that sign-in answers")] = False,
) -> None:
    """Print an access token (15 minutes) of somebody who can sign in. Without more, with the demo's password."""
    try:
        password = typer.get_text_stream("stdin").readline().rstrip("\n") if password_stdin else demo_password()
        tokens = asyncio.run(_tokens(email, password))
    except (DemoError, SetupError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(json.dumps(tokens, indent=2) if as_json else tokens["access_token"])


async def _tokens(email: str, password: str) -> dict[str, object]:
    async with session() as http:
        return dict((await Caller.signed_in(http, email, password)).tokens)
