"""`ordertrail lifecycle`: check, draw and add lifecycles that are files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from cli.demo_client import DemoError, service_url
from cli.import_client import Importer, SignIn
from deploy.embedded.errors import SetupError
from services.console.sources import Options
from services.order import workflow
from services.order.workflow import Finding

EXIT_FINDINGS: Final = 1
EXIT_NOTHING_DONE: Final = 2
Files = Annotated[list[Path], typer.Argument(help="lifecycles as TOML", show_default=False)]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Check, draw and add lifecycles.")
    group.command("lint")(lint)
    group.command("diagram")(diagram)
    group.command("add")(add)
    app.add_typer(group, name="lifecycle")


def lint(files: Files) -> None:
    """Check lifecycle files. Each finding names its line and what to do. Exit code 1 where there are any."""
    found = sum(_told(file, workflow.lint(_read(file))) for file in files)
    typer.echo(f"{len(files)} lifecycle(s): {found or 'no'} finding(s)")
    raise typer.Exit(EXIT_FINDINGS if found else 0)


def diagram(
    lifecycle: Annotated[str, typer.Argument(help=f"a TOML file, or one of {', '.join(workflow.BUILTIN)}")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="standard output unless given")] = None,
) -> None:
    """Draw a lifecycle as SVG."""
    if lifecycle not in workflow.BUILTIN and not Path(lifecycle).exists():
        _fail(f"{lifecycle} is neither a file nor one of {', '.join(workflow.BUILTIN)}")
    try:
        drawn = (
            workflow.builtin(lifecycle)
            if lifecycle in workflow.BUILTIN
            else workflow.load_lifecycle(_read(Path(lifecycle)))
        )
    except workflow.LifecycleError as e:
        _told(Path(lifecycle), e.findings, err=True)
        raise typer.Exit(EXIT_FINDINGS) from None
    svg = workflow.draw(drawn)
    if output is None:
        typer.echo(svg)
        return
    try:
        output.write_text(svg, encoding="utf-8")
    except OSError as e:
        _fail(f"{output} cannot be written: {e.strerror}")


def add(
    files: Files,
    marketplace: Annotated[str, typer.Option(help="a demo marketplace, whose operator adds them")] = "storefront",
    email: Annotated[str | None, typer.Option("--as", help="who adds them, instead of the demo's operator")] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="read the password from there")] = False,
) -> None:
    """Add lifecycle files to a marketplace: new ones, or new versions; running orders stay on theirs.

    All files are checked first; with a finding in one of them none is added. Signs in as `ordertrail import` does.
    Exit code 0: all are there now; 1: something was refused; 2: nothing could be done.
    """
    texts = [_read(file) for file in files]
    if sum(_told(file, workflow.lint(text)) for file, text in zip(files, texts, strict=True)):
        raise typer.Exit(EXIT_FINDINGS)
    password = typer.get_text_stream("stdin").readline().rstrip("\n") if password_stdin else None
    try:
        refused = asyncio.run(_add(files, texts, SignIn(email or f"operator@{marketplace}.example", password)))
    except (DemoError, SetupError) as error:
        _fail(str(error))
    raise typer.Exit(EXIT_FINDINGS if refused else 0)


async def _add(files: Sequence[Path], texts: Sequence[str], sign_in: SignIn) -> int:
    """How many were refused."""
    refused = 0
    async with Importer.signed_in(sign_in, Options()) as client:
        for file, text in zip(files, texts, strict=True):
            status, answer = await client.call("POST", service_url("order") + "/v1/lifecycles", {"text": text})
            if status in (200, 201):
                known = "" if status == 201 else ", which was there already"
                typer.echo(f"{file}: {answer['name']} version {answer['version']}{known}")
                continue
            refused += 1
            typer.echo(f"{file}: {_reason(status, answer)}", err=True)
    return refused


def _reason(status: int, answer: Any) -> str:
    unknown = f"the order service answered {status}"
    return str(answer.get("detail", unknown)) if isinstance(answer, dict) else unknown


def _told(file: Path, findings: Sequence[Finding], *, err: bool = False) -> int:
    for f in findings:
        typer.echo(f"{file}:{f.line}: {f.message}. {f.remedy}", err=err)
    return len(findings)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        why = e.strerror if isinstance(e, OSError) else "it is not UTF-8 text"
        _fail(f"{file} cannot be read: {why}")


def _fail(reason: str) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(EXIT_NOTHING_DONE)
