"""The database of reporting, statement by statement. Nothing here commits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from services.reporting.projections.facts import Fact, Movement
from services.reporting.projections.rollups import Difference, OrderDifferences
from shared.postgres import Queries, Transaction
from shared.postgres.database import Row

q = Queries.load(__package__)
rebuilding = Queries.load(__package__, "rebuilding.sql")
# Advisory locks are the whole database's; this number is reporting's lock on its roll-ups.
FIGURES_LOCK: Final = 0x0D_E2_7A_64


@dataclass(frozen=True, slots=True)
class Marketplace:
    """What the projections need of a marketplace; `generations` are those that events are written to."""

    marketplace_id: UUID
    zone: str
    settings: dict[str, str]
    generation: int
    building: int | None

    @property
    def generations(self) -> tuple[int, ...]:
        return (self.generation,) if self.building is None else (self.generation, self.building)


class Clock(NamedTuple):
    """The reply clock of a thread; `asked_*` is the message that waits for an answer. In the order of `set_clocks`."""

    thread_id: UUID
    last_seq: int
    asked_seq: int | None
    asked_at: datetime | None
    replies: int


class Reply(NamedTuple):
    """An answered question; in the order of `add_replies`."""

    thread_id: UUID
    asked_seq: int
    marketplace_id: UUID
    seller_organisation_id: UUID
    asked_at: datetime
    replied_at: datetime
    day: date
    first: bool
    elapsed_seconds: int
    business_seconds: int


def columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Rows as the parallel arrays that unnest takes. There must be at least one row."""
    return [list(column) for column in zip(*rows, strict=True)]


async def marketplaces(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, Marketplace]:
    """The marketplaces by id, share-locked until the transaction ends; unknown ones are made, in UTC."""
    rows = await tx.fetch(q.marketplaces, ids)
    if len(rows) < len(ids):
        await tx.execute(q.add_marketplaces, sorted(set(ids) - {r["marketplace_id"] for r in rows}))
        rows = await tx.fetch(q.marketplaces, ids)
    return {r["marketplace_id"]: Marketplace(**dict(r)) for r in rows}


async def add_organisations(tx: Transaction, names: dict[UUID, tuple[UUID, str]]) -> None:
    """Names by organisation (marketplace, name), for those that are not known yet."""
    ordered = sorted(names.items())
    await tx.execute(
        q.add_organisations, [i for i, _ in ordered], [m for _, (m, _) in ordered], [n for _, (_, n) in ordered]
    )


async def lock_facts(tx: Transaction, generation: int, orders: Sequence[UUID]) -> dict[UUID, Fact]:
    """The facts of those orders that have one, locked until the transaction ends."""
    rows = await tx.fetch(q.lock_facts, generation, orders)
    return {r["order_id"]: Fact(*r.values()) for r in rows}


async def movements(tx: Transaction, generation: int, orders: Sequence[UUID]) -> dict[UUID, list[Movement]]:
    """The known events of each of the orders, by sequence."""
    found: dict[UUID, list[Movement]] = {i: [] for i in orders}
    if orders:
        for r in await tx.fetch(q.movements, generation, orders):
            found[r["order_id"]].append(Movement(*r.values()))
    return found


async def save_facts(
    tx: Transaction, generation: int, new: Sequence[Fact], changed: Sequence[Fact], moved: Sequence[Movement]
) -> None:
    """Rows of orders that are new here, of known ones that changed, and of events.

    Raises SerializationError where another transaction has met one of the new orders in the meantime.
    """
    try:
        if new:
            await tx.execute(q.insert_facts, generation, *columns(new))
        if changed:
            await tx.execute(q.update_facts, generation, *columns(changed))
        if moved:
            await tx.execute(q.add_movements, generation, *columns(moved))
    except asyncpg.UniqueViolationError as e:
        raise asyncpg.SerializationError(f"another consumer was faster, so this batch is done again: {e}") from None


async def add_order_figures(tx: Transaction, generation: int, differences: OrderDifferences) -> None:
    """Add the differences to the roll-ups, as the only writer until the commit."""
    await tx.execute(q.lock_figures, FIGURES_LOCK)
    for sql, difference in (
        (q.add_status_day, differences.status),
        (q.add_channel_day, differences.channel),
        (q.add_seller_day, differences.seller),
        (q.add_saving_day, differences.saving),
    ):
        if (given := difference.columns()) is not None:
            await tx.execute(sql, generation, *given)


async def add_reply_figures(tx: Transaction, generation: int, difference: Difference) -> None:
    if (given := difference.columns()) is not None:
        await tx.execute(q.lock_figures, FIGURES_LOCK)
        await tx.execute(q.add_reply_day, generation, *given)


async def locked_clocks(tx: Transaction, generation: int, threads: dict[UUID, tuple[UUID, UUID]]) -> dict[UUID, Clock]:
    """Lock the reply clocks of threads (thread -> marketplace, seller), making what is missing."""
    ids = sorted(threads)
    await tx.execute(q.claim_clocks, generation, ids, [threads[i][0] for i in ids], [threads[i][1] for i in ids])
    return {r["thread_id"]: Clock(**dict(r)) for r in await tx.fetch(q.lock_clocks, generation, ids)}


async def save_clocks(tx: Transaction, generation: int, clocks: Sequence[Clock], replies: Sequence[Reply]) -> None:
    await tx.execute(q.set_clocks, generation, *columns(clocks))
    if replies:
        await tx.execute(q.add_replies, generation, *columns(replies))


async def organisation_zones(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, str | None]:
    return {r["organisation_id"]: r["time_zone"] for r in await tx.fetch(q.organisation_zones, ids)}


async def set_marketplaces(tx: Transaction, rows: Sequence[tuple[UUID, str, str, dict[str, str], datetime]]) -> None:
    """(marketplace, name, time zone, settings, as of), one per marketplace."""
    await tx.execute(q.set_marketplaces, *columns(rows))


async def set_organisations(tx: Transaction, rows: Sequence[tuple[UUID, UUID, str, str, datetime]]) -> None:
    """(organisation, marketplace, name, time zone, as of), one per organisation."""
    await tx.execute(q.set_organisations, *columns(rows))


async def time_zone(tx: Transaction, marketplace_id: UUID) -> str:
    """The zone that decides a day in the marketplace's figures; UTC while nothing is known of it."""
    return str(await tx.fetchval(q.time_zone, marketplace_id) or "UTC")


async def report_statuses(
    tx: Transaction, marketplace_id: UUID, clock: str, interval: str, first: date, last: date, rows: int,
    seller: UUID | None,
) -> list[Row]:  # fmt: skip
    """Orders by day, currency and status, of the marketplace or of one seller."""
    if seller is None:
        return await tx.fetch(q.report_statuses, marketplace_id, clock, interval, first, last, rows)
    return await tx.fetch(q.report_statuses_of_seller, marketplace_id, clock, interval, first, last, rows, seller)


async def report_totals(
    tx: Transaction, marketplace_id: UUID, clock: str, first: date, last: date, seller: UUID | None
) -> list[Row]:
    """Sums by currency, of the marketplace or of one seller."""
    if seller is None:
        return await tx.fetch(q.report_totals, marketplace_id, clock, first, last)
    return await tx.fetch(q.report_totals_of_seller, marketplace_id, clock, first, last, seller)


async def one_moment(tx: Transaction) -> None:
    """Have all statements of this transaction see the figures as they are at one moment. Before any other statement."""
    await tx.execute(q.one_moment)


async def report_channels(
    tx: Transaction, marketplace_id: UUID, clock: str, first: date, last: date, rows: int, seller: UUID | None
) -> list[Row]:
    """Sums by channel and currency, of the marketplace or of one seller."""
    if seller is None:
        return await tx.fetch(q.report_channels, marketplace_id, clock, first, last, rows)
    return await tx.fetch(q.report_channels_of_seller, marketplace_id, clock, first, last, rows, seller)


async def report_sellers(
    tx: Transaction, marketplace_id: UUID, clock: str, first: date, last: date, seller: UUID | None,
    after: tuple[int, UUID, str] | None, rows: int,
) -> list[Row]:  # fmt: skip
    """Sums by seller and currency, largest gross first; of one seller where it is given."""
    cursor = after or (None, None, None)
    return await tx.fetch(q.report_sellers, marketplace_id, clock, first, last, seller, *cursor, rows)


async def sellers_placed(
    tx: Transaction, marketplace_id: UUID, first: date, last: date, sellers: Sequence[UUID]
) -> list[Row]:
    """Sums by placed date of each of the sellers: what their rates are made of."""
    return await tx.fetch(q.sellers_placed, marketplace_id, first, last, sellers)


async def report_replies(
    tx: Transaction, marketplace_id: UUID, first: date, last: date, sellers: Sequence[UUID] | None
) -> list[Row]:
    """Reply times of each of the sellers, or of the marketplace as one."""
    return await tx.fetch(q.report_replies, marketplace_id, first, last, sellers)


async def report_savings(
    tx: Transaction, marketplace_id: UUID, first: date, last: date, organisation: UUID | None, by: str, rows: int
) -> list[Row]:
    """Sums by side, or by organisation and side; of one organisation, or of all."""
    return await tx.fetch(q.report_savings, marketplace_id, first, last, organisation, by, rows)


async def changed_zones(tx: Transaction) -> list[UUID]:
    """Marketplaces whose zone is not the one that identity wants."""
    return [r["marketplace_id"] for r in await tx.fetch(rebuilding.changed_zones)]


async def allow_long(tx: Transaction, seconds: float) -> None:
    """Let this transaction's statements take so long."""
    await tx.execute(rebuilding.allow_long, f"{int(seconds * 1000)}ms")


async def wanted_zone(tx: Transaction, marketplace_id: UUID) -> str | None:
    """Lock the marketplace against batches; its wanted zone, or None where that is the one it has."""
    row = await tx.fetchrow(rebuilding.lock_marketplace, marketplace_id)
    return None if row is None or row["zone"] == row["wanted_zone"] else str(row["wanted_zone"])


async def zone_exists(tx: Transaction, zone: str) -> bool:
    return bool(await tx.fetchval(rebuilding.zone_exists, zone))


async def refuse_zone(tx: Transaction, marketplace_id: UUID) -> None:
    """Forget a wanted zone that does not exist."""
    await tx.execute(rebuilding.refuse_zone, marketplace_id)


async def move_days(tx: Transaction, marketplace_id: UUID, zone: str) -> None:
    """Give every fact its day in a zone, in all generations."""
    await tx.execute(rebuilding.set_zone, marketplace_id, zone)
    for sql in (rebuilding.move_fact_days, rebuilding.move_movement_days, rebuilding.move_reply_days):
        await tx.execute(sql, marketplace_id, zone)


async def compute_figures(tx: Transaction, marketplace_id: UUID) -> None:
    """Make a marketplace's roll-ups anew from its facts, in all generations."""
    await tx.execute(q.lock_figures, FIGURES_LOCK)
    for clear, compute in (
        (rebuilding.clear_status_day, rebuilding.compute_status_day),
        (rebuilding.clear_channel_day, rebuilding.compute_channel_day),
        (rebuilding.clear_seller_day, rebuilding.compute_seller_day),
        (rebuilding.clear_saving_day, rebuilding.compute_saving_day),
        (rebuilding.clear_reply_day, rebuilding.compute_reply_day),
    ):
        await tx.execute(clear, marketplace_id)
        await tx.execute(compute, marketplace_id)


GENERATIONAL: Final = (
    "order_fact", "order_movement", "status_day", "channel_day", "seller_day", "saving_day", "reply_clock", "reply",
    "reply_day",
)  # fmt: skip


async def all_marketplaces(tx: Transaction) -> list[UUID]:
    return [r["marketplace_id"] for r in await tx.fetch(rebuilding.all_marketplaces)]


async def every_fact(tx: Transaction) -> AsyncIterator[tuple[UUID, int]]:
    """Each order that is served with its sequence, by rising id."""
    async for r in tx.stream(rebuilding.every_fact, prefetch=5_000):
        yield r["order_id"], r["sequence"]


async def facts_of(tx: Transaction, orders: Sequence[UUID]) -> dict[UUID, tuple[Fact, str]]:
    """What is reported of orders, in the generation that is served, and the zone that decides its days."""
    return {
        r["order_id"]: (Fact(*(r[name] for name in Fact._fields)), r["zone"])
        for r in await tx.fetch(rebuilding.facts_of, orders)
    }


async def movements_of(tx: Transaction, orders: Sequence[UUID]) -> dict[UUID, list[Movement]]:
    """The known events of orders, in the generation that is served."""
    found: dict[UUID, list[Movement]] = {}
    for r in await tx.fetch(rebuilding.movements_of, orders):
        found.setdefault(r["order_id"], []).append(Movement(*r.values()))
    return found


async def unequal_figures(tx: Transaction, figure: str, marketplace_id: UUID, rows: int) -> list[Row]:
    """Rows that only the roll-up (served) or only the facts (computed) say; up to `rows` of each."""
    return await tx.fetch(getattr(rebuilding, f"unequal_{figure}"), marketplace_id, rows)


async def count_figures(tx: Transaction, figure: str, marketplace_id: UUID) -> int:
    return int(await tx.fetchval(getattr(rebuilding, f"count_{figure}"), marketplace_id))


async def begin_building(tx: Transaction) -> dict[UUID, int]:
    """Have the consumers write to a next generation too; that generation by marketplace."""
    return {r["marketplace_id"]: r["building"] for r in await tx.fetch(rebuilding.begin_building)}


async def swap(tx: Transaction) -> None:
    """Serve the generation that was built."""
    await tx.execute(rebuilding.swap)


async def drop_building(tx: Transaction) -> None:
    """Give up the generation that was built."""
    await tx.execute(rebuilding.drop_building)


async def compare_generations(tx: Transaction, marketplace_id: UUID, generation: int) -> list[Row]:
    """By clock and currency, sums of what is served and of another generation where they differ."""
    return await tx.fetch(rebuilding.compare_generations, marketplace_id, generation)


async def compare_facts(tx: Transaction, marketplace_id: UUID, generation: int) -> int:
    """How many orders what is served and another generation do not tell alike."""
    return int(await tx.fetchval(rebuilding.compare_facts, marketplace_id, generation))


async def forgotten_facts(tx: Transaction, marketplace_id: UUID, generation: int) -> int:
    """How many orders that are served another generation knows nothing of."""
    return int(await tx.fetchval(rebuilding.forgotten_facts, marketplace_id, generation))


async def clear_generations(tx: Transaction, table: str, rows: int) -> int:
    """Delete up to `rows` rows of generations that are neither served nor built; how many there were."""
    status = await tx.execute(getattr(rebuilding, f"clear_generations_{table}"), rows)
    return int(status.split()[-1])
