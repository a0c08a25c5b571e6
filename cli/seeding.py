"""`ordertrail seed`: very many orders in one marketplace, for trying lists, exports and searches at size.

Rows go in by COPY as the administrator, past the service: nothing is told to the other services, no clock runs for
the seeded orders, and their timelines verify. The same seed makes the same lives, customers and amounts.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from typing import Annotated, Final
from uuid import UUID

import asyncpg
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.seed_indexes import build_again, set_aside
from cli.seed_rows import Task, connected, write_all
from cli.seed_templates import Cast, Template, template
from contracts.order import Party
from deploy.embedded.installation import Installation
from services.order import workflow
from services.order.workflow import Lifecycle

MOST_ORDERS: Final = 20_000_000
MOST_PROCESSES: Final = 4
TEMPLATES: Final = 6_000
# Templates that one process makes at a time.
LOT: Final = 1_000
OTHER_SELLERS: Final = 40
# vacuum passes over rows whose commit is not on disk yet: a commit that waits takes those before it along
_COMMITTED: Final = "SET synchronous_commit = on; SELECT pg_current_xact_id()"


class SeedError(Exception):
    """One line: what did not work, and what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made, and where. `url` is the administrator's address of the database."""

    url: str
    orders: int
    seed: int
    marketplace: str


def register(app: typer.Typer) -> None:
    app.command("seed")(seed)


def seed(
    orders: Annotated[int, typer.Option(min=1, max=MOST_ORDERS, help="how many")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="the same seed makes the same orders")] = 1,
    marketplace: Annotated[str, typer.Option(help="its slug")] = "storefront",
) -> None:
    """Make very many orders. Uses ORDERTRAIL_ADMIN_DATABASE_URL, else the database of this checkout's installation."""
    began = time.monotonic()
    try:
        fill(Plan(admin_url(), orders, seed, marketplace))
    except (SeedError, asyncpg.PostgresError, OSError) as error:
        typer.echo(f"{error}", err=True)
        raise typer.Exit(1) from None
    seconds = time.monotonic() - began
    typer.echo(f"{orders:,} orders in {seconds:.1f} s ({orders / seconds:,.0f} per second)")


def admin_url() -> str:
    """The administrator's database address. Raises SeedError."""
    given = os.environ.get("ORDERTRAIL_ADMIN_DATABASE_URL")
    if given:
        return given
    try:
        return str(json.loads((Installation.current().run / "stack.json").read_text())["admin_database_url"])
    except (OSError, KeyError, ValueError):
        raise SeedError("no installation here: run `make up`, or set ORDERTRAIL_ADMIN_DATABASE_URL") from None


def fill(plan: Plan) -> None:
    """Make the orders of a plan, with a bar that shows how far it is. Raises SeedError and PostgresError."""
    task = asyncio.run(_prepared(plan))
    bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with bar:
        shown = bar.add_task("orders", total=plan.orders)
        try:
            for count in write_all(task, min(os.cpu_count() or 1, MOST_PROCESSES, len(task.batches()))):
                bar.advance(shown, count)
            bar.update(shown, description="vacuum")
            asyncio.run(_vacuumed(plan.url))
        except asyncpg.UniqueViolationError:
            raise SeedError("these orders are there already; another --seed makes others") from None
        except BrokenProcessPool:
            raise SeedError("a process that wrote orders died; what it had written so far is there") from None
        finally:
            indexes = bar.add_task("indexes", total=None, visible=False)
            asyncio.run(build_again(plan.url, partial(bar.update, indexes, visible=True)))
        bar.update(shown, description="statistics")
        asyncio.run(_analyzed(plan.url))


async def _prepared(plan: Plan) -> Task:
    conn = await connected(plan.url)
    try:
        cast, lifecycle = await _cast(conn, plan.marketplace)
        templates = tuple(_templates(plan, cast, lifecycle))
        first = await _numbers(conn, cast.marketplace_id, plan.orders)
        await set_aside(conn, plan.orders)
    finally:
        await conn.close()
    return Task(
        plan.url,
        plan.orders,
        f"{plan.seed}:{cast.marketplace_id}",
        first,
        datetime.now(UTC) - timedelta(days=3),
        templates,
    )


def _templates(plan: Plan, cast: Cast, lifecycle: Lifecycle) -> Iterator[Template]:
    """Each some milliseconds of the engine's work: many are made by processes side by side, and are the same."""
    count = min(TEMPLATES, max(plan.orders, 20))
    lots = [(n, min(LOT, count - start)) for n, start in enumerate(range(0, count, LOT))]
    made = partial(_lot, plan.seed, cast, lifecycle)
    if len(lots) == 1:
        yield from made(lots[0])
        return
    with ProcessPoolExecutor(min(os.cpu_count() or 1, MOST_PROCESSES), get_context("spawn")) as pool:
        try:
            for lot in pool.map(made, lots):
                yield from lot
        except BrokenProcessPool:
            raise SeedError("a process that made model orders died; nothing was written") from None


def _lot(seed: int, cast: Cast, lifecycle: Lifecycle, lot: tuple[int, int]) -> list[Template]:
    number, count = lot
    rng = random.Random(f"{seed}:{number}")  # noqa: S311 - made-up orders, no secrets
    return [template(lifecycle, cast, rng) for _ in range(count)]


async def _vacuumed(url: str) -> None:
    """What PostgreSQL would do by itself in the next minutes: what it waits for must not slow the first lists down.

    Before indexes are built: they then find every row's commit noted beside it.
    """
    vacuum = "VACUUM (BUFFER_USAGE_LIMIT '64MB') "
    await asyncio.gather(*(_run(url, _COMMITTED, vacuum + table) for table in ("orders", "timeline")))


async def _analyzed(url: str) -> None:
    await _run(url, "VACUUM customer_name", "ANALYZE orders, customer_name, timeline")


async def _run(url: str, *statements: str) -> None:
    conn = await connected(url)
    try:
        for statement in statements:
            await conn.execute(statement)
    finally:
        await conn.close()


async def _cast(conn: asyncpg.Connection, slug: str) -> tuple[Cast, Lifecycle]:
    """The marketplace's own buyers and sellers, further made-up sellers, and its lifecycle. Raises SeedError."""
    place = await conn.fetchrow("SELECT marketplace_id, currency, lifecycle FROM marketplace WHERE slug = $1", slug)
    if place is None:
        raise SeedError(f"the order service knows no marketplace {slug!r} -- run `ordertrail seed-demo` first")
    found = await conn.fetch(
        "SELECT id, name, kind FROM organisation WHERE marketplace_id = $1 ORDER BY id", place["marketplace_id"]
    )
    sides: dict[str, list[Party]] = {"buyer": [], "seller": []}
    for o in found:
        for side in ("buyer", "seller"):
            if o["kind"] in (side, "both"):
                sides[side].append(Party(organisation_id=o["id"], name=o["name"]))
    if not sides["buyer"] or not sides["seller"]:
        raise SeedError(f"the marketplace {slug!r} has no buying or no selling organisation")
    rng = random.Random(slug)  # noqa: S311  demo data is no secret
    others = [Party(organisation_id=UUID(int=rng.getrandbits(128)), name=f"Seller {n}") for n in range(OTHER_SELLERS)]
    cast = Cast(place["marketplace_id"], place["currency"], sides["buyer"], [*sides["seller"] * 10, *others])
    return cast, await _lifecycle(conn, place["marketplace_id"], place["lifecycle"])


async def _lifecycle(conn: asyncpg.Connection, marketplace_id: UUID, name: str) -> Lifecycle:
    """The newest stored version; a built-in one is stored where the marketplace has not used it yet."""
    row = await conn.fetchrow(
        "SELECT version, text FROM lifecycle WHERE marketplace_id = $1 AND name = $2 ORDER BY version DESC LIMIT 1",
        marketplace_id, name,
    )  # fmt: skip
    if row is not None:
        return workflow.load_stored(row["text"], row["version"])
    found = workflow.builtin(name)
    await conn.execute(
        "INSERT INTO lifecycle (marketplace_id, name, version, digest, text, builtin, added_by, added_at)"
        " VALUES ($1, $2, 1, $3, $4, true, 'Ordertrail', now()) ON CONFLICT DO NOTHING",
        marketplace_id, name, found.digest, workflow.builtin_text(name),
    )  # fmt: skip
    return found


async def _numbers(conn: asyncpg.Connection, marketplace_id: UUID, count: int) -> int:
    """The first of `count` order numbers that nobody else gets."""
    async with conn.transaction():
        first: int = await conn.fetchval("SELECT next_order_number($1)", marketplace_id)
        name = f"orders.order_number_{marketplace_id.hex}"
        await conn.execute("SELECT setval($1::text::regclass, $2)", name, first + count)
    return first
