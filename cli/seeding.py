"""`ordertrail seed`: very many orders in one marketplace, for trying lists, exports and searches at size.

Rows go in by COPY as the administrator, past the service: nothing is told to the other services, no clock runs for
the seeded orders, and their timelines verify. The same seed makes the same orders.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import asyncpg
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.seed_templates import Cast, Template, template, values
from contracts.order import Party
from deploy.embedded.installation import Installation
from services.order import workflow
from services.order.store.texts import fold
from services.order.store.writing import GENESIS
from services.order.workflow import Lifecycle
from shared.postgres.database import connect

BATCH: Final = 4_000
MOST_ORDERS: Final = 20_000_000
TEMPLATES: Final = 1_200
OTHER_SELLERS: Final = 40
DAYS: Final = 730
COLUMNS: Final = (
    "marketplace_id", "id", "number", "purchase_id", "channel", "external_id", "part", "fingerprint", "lifecycle",
    "lifecycle_version", "sequence", "status", "shown", "phase", "money", "issue", "known", "overdue", "buyer_org",
    "buyer_person", "seller_org", "customer_name_lc", "customer_email_lc", "search", "currency", "total_minor",
    "placed_at", "updated_at", "closed_at", "timer_at", "chain", "card", "doc",
)  # fmt: skip
TIMELINE: Final = ("marketplace_id", "order_id", "sequence", "occurred_at", "event_id", "audience", "entry", "hash")
FIRST: Final = (
    "John", "Sarah", "Mike", "Åse", "José", "Łukasz", "Ingrid", "Ahmed", "Mei", "Olga", "Paul", "Anna", "Kofi", "Lena",
    "Tom", "Nina", "Ravi", "Eva", "Finn", "Zoë",
)  # fmt: skip
LAST: Final = (
    "Doe", "Miller", "Tran", "Ødegård", "Núñez", "Żak", "Berg", "Haddad", "Lin", "Petrova", "Weber", "Novak", "Mensah",
    "Koch", "Baker", "Rossi", "Iyer", "Horvat", "Larsen", "Dubois",
)  # fmt: skip


class SeedError(Exception):
    """One line: what did not work, and what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made, and where."""

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
        asyncio.run(_seed(Plan(orders, seed, marketplace)))
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


async def _seed(plan: Plan) -> None:
    conns = [await _connected() for _ in range(2)]
    try:
        cast, lifecycle = await _cast(conns[0], plan.marketplace)
        rng = random.Random(plan.seed)  # noqa: S311 - made-up orders, no secrets
        templates = [template(lifecycle, cast, rng) for _ in range(min(TEMPLATES, max(plan.orders, 20)))]
        first = await _numbers(conns[0], cast.marketplace_id, plan.orders)
        batches = _batches(plan, templates, rng, first)
        bar = Progress(TextColumn("orders"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), transient=True)
        with bar:
            task = bar.add_task("orders", total=plan.orders)
            await asyncio.gather(*(_copy(c, batches, lambda n: bar.advance(task, n)) for c in conns))
        await conns[0].execute("ANALYZE orders")
    finally:
        for conn in conns:
            await conn.close()


async def _connected() -> asyncpg.Connection:
    conn = await connect(admin_url(), name="ordertrail-seed")
    await conn.execute("SET search_path = orders, public; SET synchronous_commit = off; SET statement_timeout = 0")
    return conn


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
    rng = random.Random(slug)  # noqa: S311
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
        return workflow.load_lifecycle(row["text"], row["version"])
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


Batch = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]


def _batches(plan: Plan, templates: Sequence[Template], rng: random.Random, first: int) -> Iterator[Batch]:
    """Rows of orders and of their timelines, some thousand orders at a time."""
    end = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    for start in range(0, plan.orders, BATCH):
        orders: list[tuple[Any, ...]] = []
        entries: list[tuple[Any, ...]] = []
        for n in range(start, min(start + BATCH, plan.orders)):
            chosen = templates[rng.randrange(len(templates))]
            placed_at = end - timedelta(seconds=rng.randrange(DAYS * 86_400))
            order, own = _copy_of(chosen, placed_at, first + n, rng)
            orders.append(order)
            entries += own
        yield orders, entries


def _copy_of(t: Template, placed_at: datetime, number: int, rng: random.Random) -> tuple[tuple[Any, ...], list[Any]]:
    """One order of a template: other ids, another customer, another time; the timeline hashed anew."""
    stamp = int(placed_at.timestamp() * 1000)
    ids = [_uuid7(stamp, rng.getrandbits(74)) for _ in range(t.ids)]
    name = f"{FIRST[rng.randrange(len(FIRST))]} {LAST[rng.randrange(len(LAST))]}"
    mail = f"c{rng.randrange(400_000)}@customer.example"
    filled = values(t, ids, placed_at, number, (name, mail))
    row = dict(zip(COLUMNS, t.row, strict=True))
    order_id = ids[_place(t.order.order_id)]
    chain = GENESIS
    entries = []
    for sequence, (text, audience, at) in enumerate(zip(t.entries, t.audiences, t.step_spans, strict=True), 1):
        entry = text.filled(filled)
        chain = hashlib.sha256(chain + entry.encode()).digest()
        event_id = ids[t.ids - len(t.entries) + sequence - 1]
        entries.append(
            (row["marketplace_id"], order_id, sequence, placed_at + t.spans[at], event_id,
             audience[1:-1].split(","), entry, chain)
        )  # fmt: skip
    folded, folded_mail = fold(name), mail
    external = f"SEED-{number}" if t.order.external_id else None
    row |= {
        "id": order_id,
        "number": number,
        "purchase_id": ids[_place(t.order.purchase_id)],
        "external_id": external,
        "customer_name_lc": folded,
        "customer_email_lc": folded_mail,
        "search": f" {folded} {folded_mail}" + (f" {external.lower()}" if external else ""),
        "placed_at": placed_at,
        "updated_at": placed_at + t.spans[t.step_spans[-1]],
        "closed_at": placed_at + (t.order.closed_at - t.order.placed_at) if t.order.closed_at else None,
        "chain": chain,
        "card": t.card.filled(filled),
        "doc": t.doc.filled(filled),
    }
    return tuple(row.values()), entries


def _uuid7(stamp: int, bits: int) -> str:
    """The text of a UUIDv7 of that millisecond with these 74 random bits."""
    t = f"{(stamp << 80) | (0x7 << 76) | ((bits >> 62) << 64) | (0b10 << 62) | (bits & (2**62 - 1)):032x}"
    return f"{t[:8]}-{t[8:12]}-{t[12:16]}-{t[16:20]}-{t[20:]}"


def _place(template_id: UUID) -> int:
    """Which of a template's ids this one is."""
    return (template_id.int & 0xFFFF_FFFF) - 1


async def _copy(conn: asyncpg.Connection, batches: Iterator[Batch], advance: Any) -> None:
    """Take batches while there are any: while one connection's rows are indexed, the other's are made."""
    for orders, entries in batches:
        async with conn.transaction():
            try:
                await conn.copy_records_to_table("orders", records=orders, columns=COLUMNS)
            except asyncpg.UniqueViolationError:
                raise SeedError("these orders are there already; another --seed makes others") from None
            await conn.copy_records_to_table("timeline", records=entries, columns=TIMELINE)
        advance(len(orders))
