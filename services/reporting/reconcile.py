"""Reconciling: every roll-up against the facts, and every fact against the topics, to the cent.

The roll-ups are compared with the views that say the same figures from the facts. The facts, and the movements behind
the figures by event date, are made once more from the topics, by themselves, one partition at a time so that memory
holds a part of the orders. What is reported without being in the topics is found by the orders known at the beginning.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from contracts.money import from_minor
from services.reporting import store
from services.reporting.projections.facts import Fact, Movement
from services.reporting.reading import Progress, events, partitions
from services.reporting.settings import Settings
from services.reporting.told import AMOUNTS, Known, Told, amounts_of, fold, unlike
from shared.postgres import Database

FIGURES: Final = ("status_day", "channel_day", "seller_day", "saving_day", "reply_day")
# Differences of each kind (a roll-up's, orders') that are told one by one.
MOST_TOLD: Final = 20
CHUNK: Final = 1_000
# What is in the topics is reported within moments; what is not after so long is not on its way.
PATIENCE_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.5


@dataclass(slots=True)
class Sums:
    """Orders and amounts of one marketplace and currency, by the topics and by the reports."""

    told_orders: int = 0
    reported_orders: int = 0
    told: list[int] = field(default_factory=lambda: [0] * len(AMOUNTS))
    reported: list[int] = field(default_factory=lambda: [0] * len(AMOUNTS))


@dataclass(slots=True)
class Result:
    """What was compared and what was not equal.

    `behind`: orders with events that were not taken in, which is a difference. `ahead`: orders that went on while the
    topics were read: nothing is said of those. `untold`: orders that are reported and in no topic.
    """

    figures: int = 0
    orders: int = 0
    behind: int = 0
    ahead: int = 0
    unreadable: int = 0
    untold: int = 0
    differences: int = 0
    told: list[str] = field(default_factory=list)
    sums: dict[tuple[UUID, str], Sums] = field(default_factory=dict)

    def add(self, kind: str, difference: str) -> None:
        self.differences += 1
        if sum(told.startswith(kind) for told in self.told) < MOST_TOLD:
            self.told.append(f"{kind} {difference}")

    @property
    def equal(self) -> bool:
        return self.differences == 0


async def reconcile(settings: Settings, db: Database, progress: Progress, patience: float = PATIENCE_SECONDS) -> Result:
    """Compare everything. Raises ScanError where the topics cannot be read.

    Orders that are behind the topics are waited for, `patience` seconds in all.
    """
    result = Result()
    await _figures(settings, db, progress, result)
    known = await _known(settings, db)
    count = await partitions(settings)
    late: dict[UUID, Told] = {}
    for partition in range(count):
        told: dict[UUID, Told] = {}
        stage = f"orders of partition {partition + 1} of {count}"
        async for read in events(settings, progress, stage, messages=False, partition=partition):
            result.unreadable += read.unreadable
            fold(told, read.orders)
        result.orders += len(told)
        _meet(known, told, result)
        late |= await _facts(db, told, result)
    deadline = time.monotonic() + patience
    while late and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
        late = await _facts(db, late, result)
    _missing(late, result)
    for order_id in known.unmet():
        result.untold += 1
        result.add("order", f"{order_id}: reported here, but in no topic")
    return result


async def _known(settings: Settings, db: Database) -> Known:
    """The orders that are reported at this moment: whatever the topics hold from now on, they must hold these."""
    known = Known()
    async with db.transaction() as tx:
        await store.allow_long(tx, settings.reporting_compute_seconds)
        async for order_id, sequence in store.every_fact(tx):
            known.add(order_id, sequence)
    return known


def _meet(known: Known, told: dict[UUID, Told], result: Result) -> None:
    for order_id, order in told.items():
        sequence = known.meet(order_id)
        if sequence > order.sequence:
            result.add("order", f"{order_id}: change {sequence} is reported here, the topics end with {order.sequence}")


async def _figures(settings: Settings, db: Database, progress: Progress, result: Result) -> None:
    async with db.transaction() as tx:
        places = await store.all_marketplaces(tx)
    for done, marketplace_id in enumerate(places, 1):
        for figure in FIGURES:
            async with db.transaction() as tx:
                await store.allow_long(tx, settings.reporting_compute_seconds)
                rows = await store.unequal_figures(tx, figure, marketplace_id, MOST_TOLD)
                result.figures += await store.count_figures(tx, figure, marketplace_id)
            for row in rows:
                result.add(figure, f"{row['source']} only: {row['row']}")
        progress("figures by marketplace", done, len(places))


async def _facts(db: Database, told: dict[UUID, Told], result: Result) -> dict[UUID, Told]:
    """Compare the orders with what is reported of them; those that reporting is behind with."""
    ids, behind = sorted(told), {}
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        async with db.transaction() as tx:
            await store.one_moment(tx)
            facts = await store.facts_of(tx, chunk)
            moved = await store.movements_of(tx, chunk)
        for order_id in chunk:
            fact = facts.get(order_id)
            order, own = told[order_id], moved.get(order_id, [])
            # a later event may have come by its topic before an earlier one by another
            if fact is None or fact[0].sequence < order.sequence or len(own) < order.events:
                behind[order_id] = order
            elif fact[0].sequence > order.sequence or len(own) > order.events:
                result.ahead += 1
            else:
                _compare(order, *fact, own, result)
    return behind


def _compare(told: Told, fact: Fact, zone: str, moved: Sequence[Movement], result: Result) -> None:
    sums = result.sums.setdefault((told.marketplace_id, told.currency), Sums())
    sums.told_orders += 1
    sums.reported_orders += 1
    for i, (given, kept) in enumerate(zip(told.amounts, amounts_of(fact), strict=True)):
        sums.told[i] += given
        sums.reported[i] += kept
    apart = unlike(told, fact, zone, moved)
    if apart:
        result.add("order", f"{fact.order_id}: " + ", ".join(apart))


def _missing(late: dict[UUID, Told], result: Result) -> None:
    """Orders that reporting never came to, with their amounts: these are in the topics and not in the reports."""
    result.behind = len(late)
    for order_id, told in sorted(late.items()):
        sums = result.sums.setdefault((told.marketplace_id, told.currency), Sums())
        sums.told_orders += 1
        for i, given in enumerate(told.amounts):
            sums.told[i] += given
        result.add("order", f"{order_id}: not all of its {told.events} events in the topics were taken in")


def lines(result: Result) -> list[str]:
    """The result for a person to read."""
    said = [f"{result.figures} figures compared with the facts, {result.orders} orders with the topics."]
    for (marketplace_id, currency), sums in sorted(result.sums.items(), key=lambda item: (str(item[0][0]), item[0][1])):
        amounts = ", ".join(
            f"{name} {from_minor(sums.told[i], currency)} / {from_minor(sums.reported[i], currency)}"
            for i, name in enumerate(AMOUNTS)
        )
        said.append(f"  {marketplace_id} {currency}: {sums.told_orders} orders; topics / reports: {amounts}")
    if result.unreadable:
        said.append(f"{result.unreadable} records could not be read (see the dead letters).")
    if result.ahead:
        said.append(f"{result.ahead} orders went on while the topics were read; nothing is said of them.")
    if result.behind:
        said.append(
            f"{result.behind} orders have events that reporting has not taken in: is its consumer running? See "
            "its dead letters and parked events."
        )
    said += [f"DIFFERENT {d}" for d in result.told]
    if result.differences > len(result.told):
        said.append(f"... and {result.differences - len(result.told)} more differences.")
    if result.untold:
        said.append(
            f"{result.untold} orders are in no topic. Was Kafka's log lost? A rebuild refuses to forget them, unless "
            "it is given --forget."
        )
    mends = "" if result.untold == result.differences else " Rebuild mends them."
    said.append("All equal, to the cent." if result.equal else f"{result.differences} differences.{mends}")
    return said
