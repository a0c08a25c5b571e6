"""Reconciling: every roll-up against the facts, and every fact against the topics, to the cent.

The roll-ups are compared with the views that say the same figures from the facts; the facts with the newest snapshot
of each order in the topics, read by themselves, one partition at a time so that memory holds a part of the orders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID

from contracts.money import from_minor
from contracts.order import OrderEvent
from services.reporting import store
from services.reporting.reading import Progress, events, partitions
from services.reporting.settings import Settings
from shared.postgres import Database

FIGURES: Final = ("status_day", "channel_day", "seller_day", "saving_day", "reply_day")
AMOUNTS: Final = ("gross", "paid", "refunded", "commission", "commission_reversed")
# Differences of each kind (a roll-up's, orders') that are told one by one.
MOST_TOLD: Final = 20
CHUNK: Final = 1_000


class Told(NamedTuple):
    """An order as the topics tell it: its newest sequence, status and amounts in minor units."""

    marketplace_id: UUID
    sequence: int
    status: str
    currency: str
    amounts: tuple[int, int, int, int, int]


@dataclass(slots=True)
class Sums:
    """Orders and amounts of one marketplace and currency, by the topics and by the reports."""

    told_orders: int = 0
    reported_orders: int = 0
    told: list[int] = field(default_factory=lambda: [0] * len(AMOUNTS))
    reported: list[int] = field(default_factory=lambda: [0] * len(AMOUNTS))


@dataclass(slots=True)
class Result:
    """What was compared and what was not equal. `behind`: orders whose newest events are still to be consumed."""

    figures: int = 0
    orders: int = 0
    behind: int = 0
    unreadable: int = 0
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


async def reconcile(settings: Settings, db: Database, progress: Progress) -> Result:
    """Compare everything. Raises ScanError where the topics cannot be read."""
    result = Result()
    await _figures(settings, db, progress, result)
    count = await partitions(settings)
    for partition in range(count):
        told: dict[UUID, Told] = {}
        stage = f"orders of partition {partition + 1} of {count}"
        async for read in events(settings, progress, stage, messages=False, partition=partition):
            result.unreadable += read.unreadable
            _fold(told, read.orders)
        await _facts(db, told, result)
    return result


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


def _fold(told: dict[UUID, Told], arrived: Iterable[OrderEvent]) -> None:
    for e in arrived:
        known = told.get(e.order_id)
        if known is None or e.sequence > known.sequence:
            told[e.order_id] = _told(e)


def _told(e: OrderEvent) -> Told:
    totals, commission = e.order.totals, e.order.commission
    amounts = (
        totals.total.minor, totals.paid.minor, totals.refunded.minor, commission.amount.minor, commission.reversed.minor
    )  # fmt: skip
    return Told(e.marketplace_id, e.sequence, e.order.status, e.order.currency, amounts)


async def _facts(db: Database, told: dict[UUID, Told], result: Result) -> None:
    ids = sorted(told)
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        async with db.transaction() as tx:
            facts = {r["order_id"]: r for r in await store.facts_of(tx, chunk)}
        for order_id in chunk:
            result.orders += 1
            _compare(order_id, told[order_id], facts.get(order_id), result)


def _compare(order_id: UUID, told: Told, fact: Any, result: Result) -> None:
    if fact is None or fact["sequence"] < told.sequence:
        result.behind += 1
        return
    if fact["sequence"] > told.sequence:
        return  # it went on while the topics were read
    sums = result.sums.setdefault((told.marketplace_id, told.currency), Sums())
    reported = tuple(fact[f"{name}_minor"] for name in ("total", *AMOUNTS[1:]))
    sums.told_orders += 1
    sums.reported_orders += 1
    for i in range(len(AMOUNTS)):
        sums.told[i] += told.amounts[i]
        sums.reported[i] += reported[i]
    if reported != told.amounts or fact["status"] != told.status or fact["currency"] != told.currency:
        result.add("order", f"{order_id}: " + ", ".join(_apart(told, fact, reported)))


def _apart(told: Told, fact: Any, reported: Sequence[int]) -> list[str]:
    found = []
    for name, given, kept in zip(AMOUNTS, told.amounts, reported, strict=True):
        if given != kept:
            currency = told.currency
            found.append(f"{name} {from_minor(given, currency)} in the topics, {from_minor(kept, currency)} here")
    if fact["status"] != told.status:
        found.append(f"status {told.status} in the topics, {fact['status']} here")
    if fact["currency"] != told.currency:
        found.append(f"currency {told.currency} in the topics, {fact['currency']} here")
    return found


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
    if result.behind:
        said.append(f"{result.behind} orders have events that reporting has not taken in yet: run this again later.")
    said += [f"DIFFERENT {d}" for d in result.told]
    if result.differences > len(result.told):
        said.append(f"... and {result.differences - len(result.told)} more differences.")
    said.append("All equal, to the cent." if result.equal else f"{result.differences} differences. Rebuild mends them.")
    return said
