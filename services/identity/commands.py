"""What an administrator does from a shell: first set-up, a new signing key, checking the audit."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
from pydantic import ValidationError

from services.identity.actions.auditing import broken_links
from services.identity.actions.setting_up import Report, set_up
from services.identity.app import service
from services.identity.context import Context
from services.identity.plan import Plan
from services.identity.settings import Settings
from services.identity.vault import VaultError
from shared.errors import Problem
from shared.postgres.database import TRANSIENT
from shared.process import running

COMMANDS = ("bootstrap", "rotate-keys", "verify-audit")


def main(argv: Sequence[str]) -> int:
    """Run one of COMMANDS. Returns the exit code: 0 done, 1 not done or chain broken, 2 wrong use."""
    parser = argparse.ArgumentParser(prog="python -m services.identity", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    plan = commands.add_parser("bootstrap", help="make the marketplaces, organisations and people of a plan")
    plan.add_argument("plan", type=Path, help="JSON file: {marketplaces: [{slug, organisations: [{people: [...]}]}]}")
    commands.add_parser("rotate-keys", help="sign with a new key from now on and withdraw every other (after a leak)")
    commands.add_parser("verify-audit", help="check that no row of the audit was changed or taken out")
    asked = parser.parse_args(argv)
    work = {"rotate-keys": _rotate, "verify-audit": _verify}
    try:
        if asked.command == "bootstrap":
            return asyncio.run(_bootstrap(Plan.model_validate_json(asked.plan.read_bytes())))
        return asyncio.run(work[asked.command]())
    except (ValidationError, ValueError, OSError, VaultError, Problem, *TRANSIENT) as e:
        sys.stderr.write(f"{asked.command}: {e}\n")
        return 1


@asynccontextmanager
async def context(settings: Settings | None = None) -> AsyncIterator[Context]:
    """Identity's context without any role running: for one-shot work on its database."""
    async with running(service(settings), roles=frozenset()) as run:
        yield Context.of(run)


async def carry_out(plan: Plan, password: str | None = None, settings: Settings | None = None) -> Report:
    """Carry out a plan on identity's database; its relay, in its own process, tells the others."""
    async with context(settings) as here:
        return await set_up(here, plan, password)


async def _bootstrap(plan: Plan) -> int:
    report = await carry_out(plan)
    sys.stdout.buffer.write(orjson.dumps(vars(report), default=str, option=orjson.OPT_INDENT_2) + b"\n")
    return 0


async def _rotate() -> int:
    async with context() as here:
        keys = await here.ring.renew(at_once=True)
    sys.stdout.write(f"signing with {keys.signing.kid}; every other key is withdrawn\n")
    return 0


async def _verify() -> int:
    async with context() as here:
        broken = await broken_links(here.run.worker_db)
    for marketplace_id, sequences in broken.items():
        sys.stdout.write(f"marketplace {marketplace_id}: the chain does not hold at {sequences}\n")
    if not broken:
        sys.stdout.write("every chain holds\n")
    return 1 if broken else 0
