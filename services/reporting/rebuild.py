"""Rebuilding: the figures of a next generation from the topics, beside those that are served; compare, swap, clear.

From its beginning on, the consumers write to both generations; what came before is read from the topics. Both ways
of writing are idempotent, so it does not matter which of them meets an event first, or that both do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from contracts.money import from_minor
from services.reporting import store
from services.reporting.projections import orders, replies
from services.reporting.reading import Progress, Read, events
from services.reporting.settings import Settings
from shared.postgres import Database
from shared.postgres.database import TRANSIENT, connect

# Only one rebuild at a time, on a connection of its own.
REBUILD_LOCK: Final = 0x0D_E2_7A_65
TRIES: Final = 20
CLEAR_ROWS: Final = 10_000


class RebuildError(Exception):
    """The rebuild did not come to its end; what is served is as before. The text says why."""


@dataclass(slots=True)
class Rebuilt:
    """How the new generation differs from the one that was served."""

    marketplaces: int = 0
    events: int = 0
    unreadable: int = 0
    swapped: bool = False
    # orders that are served and that no topic tells of
    forgotten: int = 0
    differences: list[str] = field(default_factory=list)


async def rebuild(
    settings: Settings, db: Database, progress: Progress, *, swap: bool = True, forget: bool = False
) -> Rebuilt:
    """Build, compare, and unless told otherwise swap. Reports are served from the old figures until the swap.

    Orders that are served and in no topic would be gone from the reports, as after Kafka's log was lost: without
    `forget` there is no swap then, and RebuildError.
    """
    guard = await connect(settings.worker_database_url.get_secret_value(), name="ordertrail-reporting-rebuild")
    try:
        if not await guard.fetchval(store.rebuilding.try_rebuild_lock, REBUILD_LOCK):
            raise RebuildError("another rebuild is at work; wait for its end")
        result = Rebuilt()
        async with db.transaction() as tx:
            await store.allow_long(tx, settings.reporting_compute_seconds)
            building = await store.begin_building(tx)
        result.marketplaces = len(building)
        await _clear(db, progress, "leftovers of an earlier rebuild")
        async for read in events(settings, progress, "events from the topics", messages=True):
            result.events += len(read.orders) + len(read.messages)
            result.unreadable += read.unreadable
            await _write(db, building, read)
        for marketplace_id, generation in building.items():
            result.differences += await _compare(settings, db, marketplace_id, generation)
            async with db.transaction() as tx:
                await store.allow_long(tx, settings.reporting_compute_seconds)
                result.forgotten += await store.forgotten_facts(tx, marketplace_id, generation)
        swap_now = swap and (forget or not result.forgotten)
        async with db.transaction() as tx:
            await store.allow_long(tx, settings.reporting_compute_seconds)
            await (store.swap(tx) if swap_now else store.drop_building(tx))
        result.swapped = swap_now
        await _clear(db, progress, "the generation that is not served")
        if swap and not swap_now:
            raise RebuildError(
                f"{result.forgotten} orders that are reported are in no topic, so they would be forgotten. Nothing was "
                "changed. Was Kafka's log lost? Then the reports are all that knows of them; --forget leaves them out"
            )
        return result
    finally:
        await guard.close()


async def _write(db: Database, building: dict[UUID, int], read: Read) -> None:
    """A batch into the next generations; what another writer is in the way of is done again."""
    for attempt in range(1, TRIES + 1):
        try:
            async with db.transaction() as tx:
                ids = {e.marketplace_id for e in (*read.orders, *read.messages)} & building.keys()
                known = await store.marketplaces(tx, sorted(ids))
                zones = await store.organisation_zones(tx, sorted({e.seller_organisation_id for e in read.messages}))
                for generation in sorted({building[i] for i in ids}):
                    own = [e for e in read.orders if building.get(e.marketplace_id) == generation]
                    if own:
                        await orders.apply(tx, generation, own, known)
                    said = [m for m in read.messages if building.get(m.marketplace_id) == generation]
                    said = [m for m in said if m.thread_kind == "buyer_seller"]
                    if said:
                        await replies.apply(tx, generation, said, known, zones)
            return
        except TRANSIENT as e:
            if attempt == TRIES:
                raise RebuildError(f"the database refused a batch {TRIES} times: {type(e).__name__} {e}") from e


async def _compare(settings: Settings, db: Database, marketplace_id: UUID, generation: int) -> list[str]:
    """How many orders the two generations tell otherwise; by currency and clock, where their sums are not equal."""
    async with db.transaction() as tx:
        await store.allow_long(tx, settings.reporting_compute_seconds)
        orders_apart = await store.compare_facts(tx, marketplace_id, generation)
        rows = await store.compare_generations(tx, marketplace_id, generation)
    found = [f"{marketplace_id}: {orders_apart} orders"] if orders_apart else []
    for r in rows:
        currency = r["currency"]
        pairs = [
            f"{name} {from_minor(r['old_' + name], currency)} -> {from_minor(r['new_' + name], currency)}"
            for name in ("gross", "refunded", "commission_net")
            if r["old_" + name] != r["new_" + name]
        ]
        if r["old_orders"] != r["new_orders"]:
            pairs.insert(0, f"orders {r['old_orders']} -> {r['new_orders']}")
        found.append(f"{marketplace_id} {currency} by {r['clock']} date: {', '.join(pairs)}")
    return found


async def _clear(db: Database, progress: Progress, stage: str) -> None:
    """Delete rows of generations that are neither served nor built, some thousand at a time."""
    cleared = 0
    for table in store.GENERATIONAL:
        deleted = CLEAR_ROWS
        while deleted == CLEAR_ROWS:
            async with db.transaction() as tx:
                deleted = await store.clear_generations(tx, table, CLEAR_ROWS)
            cleared += deleted
            progress(stage, cleared, cleared)
