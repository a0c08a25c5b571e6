"""The questions that reports answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from contracts.money import Money
from services.reporting import policy, reports, schemas, store
from services.reporting.errors import bad_period, no_such_factors
from services.reporting.projections.calendar import zone_of
from services.reporting.projections.savings import TABLE, TABLES
from services.reporting.schemas import Clock, Interval, SavingsBy
from shared.postgres import Transaction
from shared.process import Runtime
from shared.web import Principal

MOST_ROWS: Final = 20_000
SELLERS_AT_ONCE: Final = 5_000
# The last row of a page of sellers: its gross in minor units, seller and currency.
After = tuple[int, UUID, str]
FORMULA: Final = (
    "kg = kg per unit x quantity received and kept; co2e = kg x factor of the material x displacement. "
    "What was returned or refunded is taken back in proportion; unknown materials count as weight only."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is asked for: days of the marketplace's time zone (the last 30 by default), and of whom."""

    first: date | None
    last: date | None
    clock: Clock = "placed"
    seller: UUID | None = None


async def orders(run: Runtime, caller: Principal, asked: Asked, interval: Interval) -> schemas.OrdersReport:
    """Orders by day, currency and status."""
    seller = policy.sellers_seen(caller, asked.seller)
    async with run.db.tenant(caller.marketplace_id) as tx:
        period = await _period(tx, run, caller, asked, interval)
        rows = await store.report_statuses(
            tx, caller.marketplace_id, asked.clock, interval, period.first, period.last, MOST_ROWS + 1, seller
        )
    _all_there(rows)
    return schemas.OrdersReport(period=period, interval=interval, rows=tuple(_status_row(r) for r in rows))


def _all_there(rows: Sequence[Any]) -> None:
    if len(rows) > MOST_ROWS:
        raise bad_period(f"The report has more than {MOST_ROWS} rows. Ask for fewer days, or by month.")


def _status_row(r: Any) -> schemas.StatusRow:
    currency = r["currency"]
    return schemas.StatusRow(
        day=r["day"],
        currency=currency,
        lifecycle=r["lifecycle"],
        status=r["status"],
        phase=r["phase"],
        orders=r["orders"],
        gross=Money.of(r["value_minor"], currency),
        paid=Money.of(r["paid_minor"], currency),
        refunded=Money.of(r["refunded_minor"], currency),
        commission=Money.of(r["commission_minor"], currency),
        commission_reversed=Money.of(r["commission_reversed_minor"], currency),
    )


async def sellers(
    run: Runtime, caller: Principal, asked: Asked, after: After | None, rows: int
) -> tuple[schemas.Period, list[tuple[int, schemas.SellerRow]]]:
    """Figures by seller and currency, largest gross first; each with its gross in minor units, for the cursor."""
    seller = policy.sellers_seen(caller, asked.seller)
    async with run.db.tenant(caller.marketplace_id) as tx:
        await store.one_moment(tx)
        period = await _period(tx, run, caller, asked, "all")
        return period, await _sellers(tx, caller.marketplace_id, period, seller, after, rows)


async def every_seller(
    run: Runtime, caller: Principal, asked: Asked, rows: int
) -> AsyncIterator[tuple[schemas.Period, list[schemas.SellerRow]]]:
    """The same of all sellers, as they are at one moment, some thousand at a time; at least one batch.

    Raises Unprocessable where there are more than `rows`.
    """
    seller, found, after = policy.sellers_seen(caller, asked.seller), 0, None
    async with run.db.tenant(caller.marketplace_id) as tx:
        await store.one_moment(tx)
        period = await _period(tx, run, caller, asked, "all")
        while True:
            batch = await _sellers(tx, caller.marketplace_id, period, seller, after, SELLERS_AT_ONCE)
            found += len(batch)
            if found > rows:
                raise bad_period(f"There are more than {rows} rows of sellers. Ask for one seller, or page the report.")
            yield period, [row for _, row in batch]
            if len(batch) < SELLERS_AT_ONCE:
                return
            gross, last = batch[-1]
            after = gross, last.seller_organisation_id, last.figures.currency


async def _sellers(
    tx: Transaction, marketplace_id: UUID, period: schemas.Period, seller: UUID | None, after: After | None, rows: int
) -> list[tuple[int, schemas.SellerRow]]:
    found = await store.report_sellers(
        tx, marketplace_id, period.clock, period.first, period.last, seller, after, rows
    )  # fmt: skip
    ids = sorted({r["seller_organisation_id"] for r in found})
    rates = await _rates_by_seller(tx, marketplace_id, period, ids)
    answers: dict[UUID, list[Any]] = {i: [] for i in ids}
    for a in await store.report_replies(tx, marketplace_id, period.first, period.last, ids):
        answers[a["seller_organisation_id"]].append(a)
    return [(r["gross_minor"], _seller_row(r, period.clock, rates, answers)) for r in found]


def _seller_row(
    r: Any, clock: Clock, rates: dict[UUID, schemas.Rates], answers: dict[UUID, list[Any]]
) -> schemas.SellerRow:
    seller = r["seller_organisation_id"]
    return schemas.SellerRow(
        seller_organisation_id=seller,
        seller_name=r["seller_name"],
        figures=reports.figures(r, clock),
        rates=rates[seller],
        replies=reports.replies(answers[seller]),
    )


async def _rates_by_seller(
    tx: Transaction, marketplace_id: UUID, period: schemas.Period, ids: Sequence[UUID]
) -> dict[UUID, schemas.Rates]:
    placed: dict[UUID, list[Any]] = {i: [] for i in ids}
    for r in await store.sellers_placed(tx, marketplace_id, period.first, period.last, ids):
        placed[r["seller_organisation_id"]].append(r)
    return {i: reports.rates(own) for i, own in placed.items()}


async def summary(run: Runtime, caller: Principal, asked: Asked) -> schemas.Summary:
    """The period at a glance, and the one before it, as they are at one moment."""
    seller, clock = policy.sellers_seen(caller, asked.seller), asked.clock
    marketplace_id = caller.marketplace_id
    async with run.db.tenant(marketplace_id) as tx:
        await store.one_moment(tx)
        period = await _period(tx, run, caller, asked, "all")
        days = period.first, period.last
        earlier = reports.before(*days)
        now = await store.report_totals(tx, marketplace_id, clock, *days, seller)
        then = await store.report_totals(tx, marketplace_id, clock, *earlier, seller)
        placed = now
        if clock != "placed":
            placed = await store.report_totals(tx, marketplace_id, "placed", *days, seller)
        channels = await store.report_channels(tx, marketplace_id, clock, *days, MOST_ROWS + 1, seller)
        answers = await store.report_replies(tx, marketplace_id, *days, None if seller is None else [seller])
    _all_there(channels)
    return schemas.Summary(
        period=period,
        figures=tuple(reports.figures(r, clock) for r in now),
        previous=period.model_copy(update={"first": earlier[0], "last": earlier[1]}),
        previous_figures=tuple(reports.figures(r, clock) for r in then),
        channels=tuple(
            schemas.ChannelFigures(channel=r["channel"], figures=reports.figures(r, clock)) for r in channels
        ),
        rates=reports.rates(placed),
        replies=reports.replies(answers),
    )


async def savings(run: Runtime, caller: Principal, asked: Asked, by: SavingsBy) -> schemas.Savings:
    """What reuse saved, by the day of receipt."""
    organisation = policy.savings_seen(caller, asked.seller)
    async with run.db.tenant(caller.marketplace_id) as tx:
        period = await _period(tx, run, caller, asked, "all")
        rows = await store.report_savings(
            tx, caller.marketplace_id, period.first, period.last, organisation, by, MOST_ROWS + 1
        )
    _all_there(rows)
    return schemas.Savings(
        period=period.model_copy(update={"clock": "event"}), rows=tuple(_saving_row(r) for r in rows)
    )


def _saving_row(r: Any) -> schemas.SavingRow:
    return schemas.SavingRow(
        organisation_id=r["organisation_id"],
        organisation_name=r["organisation_name"],
        side=r["side"],
        currency=r["currency"],
        factors=r["factors"],
        orders=r["orders"],
        kg=reports.kilograms(r["grams"]),
        co2e_kg=reports.kilograms(r["co2e_grams"]),
        value=Money.of(r["value_minor"], r["currency"]),
    )


def factors(caller: Principal, version: str | None) -> schemas.Factors:
    """A published factor table with its sources: of a version, or the newest. Raises NotFound."""
    policy.savings_seen(caller)
    table = next((t for t in TABLES if t.version == version), None) if version is not None else TABLE
    if table is None:
        raise no_such_factors(version or "")
    return schemas.Factors(
        version=table.version,
        published=table.published,
        versions=tuple(t.version for t in TABLES),
        formula=FORMULA,
        materials=tuple(
            schemas.FactorRow(
                material=name,
                co2e_kg_per_kg=str(f.co2e),
                displacement=str(f.displacement),
                source=f.source,
                source_title=table.sources[f.source]["title"],
                source_url=table.sources[f.source]["url"],
            )
            for name, f in sorted(table.materials.items())
        ),
    )


async def _period(tx: Transaction, run: Runtime, caller: Principal, asked: Asked, interval: Interval) -> schemas.Period:
    zone = await store.time_zone(tx, caller.marketplace_id)
    today = run.clock().astimezone(zone_of(zone)).date()
    begin, end = reports.period(asked.first, asked.last, today, interval)
    return schemas.Period(first=begin, last=end, clock=asked.clock, time_zone=zone)
