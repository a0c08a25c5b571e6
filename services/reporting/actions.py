"""The questions that reports answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from contracts.money import Money
from services.reporting import policy, reports, schemas, store
from services.reporting.errors import bad_period
from services.reporting.projections.calendar import zone_of
from services.reporting.projections.savings import TABLE
from services.reporting.schemas import Clock, Interval
from shared.postgres import Transaction
from shared.process import Runtime
from shared.web import Principal

MOST_ROWS: Final = 20_000
MOST_CHANNELS: Final = 500
FORMULA: Final = (
    "kg = kg per unit x quantity received and kept; co2e = kg x factor of the material x displacement. "
    "What was returned or refunded is taken back in proportion; unknown materials count as weight only."
)


async def orders(
    run: Runtime, caller: Principal, first: date | None, last: date | None, clock: Clock, interval: Interval
) -> schemas.OrdersReport:
    """Orders by day, currency and status."""
    seller = policy.sellers_seen(caller)
    async with run.db.tenant(caller.marketplace_id) as tx:
        period = await _period(tx, run, caller, first, last, clock, interval)
        rows = await store.report_statuses(
            tx, caller.marketplace_id, clock, interval, period.first, period.last, MOST_ROWS + 1, seller
        )
    if len(rows) > MOST_ROWS:
        raise bad_period(f"The report has more than {MOST_ROWS} rows. Ask for fewer days, or by month.")
    return schemas.OrdersReport(period=period, interval=interval, rows=tuple(_status_row(r) for r in rows))


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
    run: Runtime, caller: Principal, first: date | None, last: date | None, clock: Clock,
    after: tuple[int, UUID, str] | None, rows: int,
) -> tuple[schemas.Period, list[tuple[int, schemas.SellerRow]]]:  # fmt: skip
    """Figures by seller and currency, largest gross first; each with its gross in minor units, for the cursor."""
    seller = policy.sellers_seen(caller)
    async with run.db.tenant(caller.marketplace_id) as tx:
        period = await _period(tx, run, caller, first, last, clock, "all")
        found = await store.report_sellers(
            tx, caller.marketplace_id, clock, period.first, period.last, seller, after, rows
        )
        ids = sorted({r["seller_organisation_id"] for r in found})
        rates = await _rates_by_seller(tx, caller.marketplace_id, period, ids)
        answers = await store.report_replies(tx, caller.marketplace_id, period.first, period.last, ids)
    rows_of = {i: [a for a in answers if a["seller_organisation_id"] == i] for i in ids}
    return period, [(r["gross_minor"], _seller_row(r, clock, rates, rows_of)) for r in found]


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
    placed = await store.sellers_placed(tx, marketplace_id, period.first, period.last, ids)
    return {i: reports.rates(r for r in placed if r["seller_organisation_id"] == i) for i in ids}


async def summary(
    run: Runtime, caller: Principal, first: date | None, last: date | None, clock: Clock
) -> schemas.Summary:
    """The period at a glance, and the one before it."""
    seller = policy.sellers_seen(caller)
    marketplace_id = caller.marketplace_id
    async with run.db.tenant(marketplace_id) as tx:
        period = await _period(tx, run, caller, first, last, clock, "all")
        earlier = reports.before(period.first, period.last)
        now = await store.report_totals(tx, marketplace_id, clock, period.first, period.last, seller)
        then = await store.report_totals(tx, marketplace_id, clock, *earlier, seller)
        placed = now
        if clock != "placed":
            placed = await store.report_totals(tx, marketplace_id, "placed", period.first, period.last, seller)
        channels = []
        if seller is None:
            channels = await store.report_channels(tx, marketplace_id, clock, period.first, period.last, MOST_CHANNELS)
        whose = None if seller is None else [seller]
        answers = await store.report_replies(tx, marketplace_id, period.first, period.last, whose)
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


async def savings(run: Runtime, caller: Principal, first: date | None, last: date | None) -> schemas.Savings:
    """What reuse saved, by the day of receipt."""
    organisation = policy.savings_seen(caller)
    async with run.db.tenant(caller.marketplace_id) as tx:
        period = await _period(tx, run, caller, first, last, "event", "all")
        rows = await store.report_savings(tx, caller.marketplace_id, period.first, period.last, organisation)
    return schemas.Savings(
        period=period,
        rows=tuple(
            schemas.SavingRow(
                side=r["side"],
                currency=r["currency"],
                factors=r["factors"],
                orders=r["orders"],
                kg=reports.kilograms(r["grams"]),
                co2e_kg=reports.kilograms(r["co2e_grams"]),
                value=Money.of(r["value_minor"], r["currency"]),
            )
            for r in rows
        ),
    )


def factors(caller: Principal) -> schemas.Factors:
    """The published factor table, with its sources."""
    policy.savings_seen(caller)
    return schemas.Factors(
        version=TABLE.version,
        formula=FORMULA,
        materials=tuple(
            schemas.FactorRow(
                material=name,
                co2e_kg_per_kg=str(f.co2e),
                displacement=str(f.displacement),
                source=f.source,
                source_title=TABLE.sources[f.source]["title"],
                source_url=TABLE.sources[f.source]["url"],
            )
            for name, f in sorted(TABLE.materials.items())
        ),
    )


async def _period(
    tx: Transaction, run: Runtime, caller: Principal, first: date | None, last: date | None, clock: Clock,
    interval: Interval,
) -> schemas.Period:  # fmt: skip
    zone = await store.time_zone(tx, caller.marketplace_id)
    today = run.clock().astimezone(zone_of(zone)).date()
    begin, end = reports.period(first, last, today, interval)
    return schemas.Period(first=begin, last=end, clock=clock, time_zone=zone)
