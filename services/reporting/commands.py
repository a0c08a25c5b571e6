"""`python -m services.reporting reconcile | rebuild`: for people and schedules, with progress on standard error.

Exit codes: 0 all is equal or was rebuilt, 1 there are differences, 2 it could not be done.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from services.reporting import rebuild, reconcile
from services.reporting.settings import Settings
from services.reporting.told import AMOUNTS
from shared import logs
from shared.kafka.scan import ScanError
from shared.postgres import Database
from shared.postgres.database import TRANSIENT

NAMES: Final = ("reconcile", "rebuild")
TELL_SECONDS: Final = 2.0


def main(argv: Sequence[str], settings: Settings | None = None) -> int:
    """Run a command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.reporting")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("reconcile", "compare every figure with the facts and every order with the topics, to the cent"),
        ("rebuild", "make all figures anew from the topics while reports are served, compare, swap"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("--json", action="store_true", help="print the result as one JSON document")
        command.add_argument("--quiet", action="store_true", help="no progress")
        if name == "rebuild":
            command.add_argument("--compare-only", action="store_true", help="build and compare, but do not swap")
            command.add_argument("--forget", action="store_true", help="leave out orders that are in no topic")
    given = parser.parse_args(argv)
    logs.setup("reporting", given.command, "warning")
    settings = settings or Settings()
    work = _reconcile if given.command == "reconcile" else _rebuild
    return asyncio.run(_run(work, given, settings))


async def _run(
    work: Callable[[argparse.Namespace, Settings, Database], Awaitable[int]], given: argparse.Namespace, s: Settings
) -> int:
    db = Database(s.worker_database_url.get_secret_value(), name="ordertrail-reporting-command", max_size=2)
    await db.open()
    try:
        return await work(given, s, db)
    except (ScanError, rebuild.RebuildError) as e:
        _say(f"{given.command}: {e}", error=True)
    except TRANSIENT as e:
        _say(f"{given.command}: the database did not answer ({type(e).__name__}: {e}). Try again.", error=True)
    finally:
        await db.close()
    return 2


async def _reconcile(given: argparse.Namespace, settings: Settings, db: Database) -> int:
    result = await reconcile.reconcile(settings, db, _progress(given.quiet))
    if given.json:
        sums = [
            {"marketplace_id": str(m), "currency": c, "orders": s.told_orders,
             **{name: {"topics_minor": s.told[i], "reports_minor": s.reported[i]}
                for i, name in enumerate(AMOUNTS)}}
            for (m, c), s in result.sums.items()
        ]  # fmt: skip
        _say_json(
            equal=result.equal,
            figures=result.figures,
            orders=result.orders,
            behind=result.behind,
            ahead=result.ahead,
            unreadable=result.unreadable,
            differences=result.differences,
            told=result.told,
            sums=sums,
        )
    else:
        for line in reconcile.lines(result):
            _say(line)
    return 0 if result.equal else 1


async def _rebuild(given: argparse.Namespace, settings: Settings, db: Database) -> int:
    result = await rebuild.rebuild(
        settings, db, _progress(given.quiet), swap=not given.compare_only, forget=given.forget
    )
    if given.json:
        _say_json(marketplaces=result.marketplaces, events=result.events, unreadable=result.unreadable,
                  swapped=result.swapped, differences=result.differences)  # fmt: skip
    else:
        _say(f"{result.events} events of {result.marketplaces} marketplaces were read again.")
        for difference in result.differences:
            _say(f"DIFFERENT {difference}")
        if not result.differences:
            _say("The figures are equal to those that were served.")
        _say("The new figures are served now." if result.swapped else "Nothing was changed.")
    return 1 if result.differences and not result.swapped else 0


def _progress(quiet: bool) -> Callable[[str, int, int], None]:
    """Tells how far it is, with an estimate, at most every two seconds; overwrites its line on a terminal."""
    if quiet:
        return lambda stage, done, total: None
    terminal = sys.stderr.isatty()
    began: dict[str, float] = {}
    last = 0.0

    def tell(stage: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        start = began.setdefault(stage, now)
        if not total or (now - last < TELL_SECONDS and done < total):
            return
        last = now
        share = done / total
        left = (now - start) / share * (1 - share) if share else 0.0
        text = f"{stage}: {done} of {total} ({share:.0%}), {left:.0f} s left"
        sys.stderr.write(f"\r{text:<79}" + ("\n" if done >= total else "") if terminal else text + "\n")
        sys.stderr.flush()

    return tell


def _say(text: str, *, error: bool = False) -> None:
    (sys.stderr if error else sys.stdout).write(text + "\n")


def _say_json(**document: Any) -> None:
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
