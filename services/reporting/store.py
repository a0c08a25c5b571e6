"""The database of reporting, statement by statement. Nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from services.reporting.projections.facts import Fact, Movement
from services.reporting.projections.rollups import Difference, OrderDifferences
from shared.postgres import Queries, Transaction

q = Queries.load(__package__)
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
