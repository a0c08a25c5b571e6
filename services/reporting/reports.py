"""From rows of roll-ups to what callers are shown: money with its currency, shares with their base. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, Protocol

from contracts.money import Money
from services.reporting.errors import bad_period
from services.reporting.schemas import Clock, Figures, Interval, Rate, Rates, Replies, ReplyTime

PHASES: Final = ("approval", "pending", "preparing", "in_transit", "completed", "canceled")
# Rows by day stay below some ten thousand: 366 days x about ten statuses x a few currencies.
MOST_DAYS: Final[Mapping[Interval, int]] = {"day": 366, "month": 3_660, "all": 3_660}
USUAL_DAYS: Final = 30
NO_REPLIES: Final = ReplyTime(
    replies=0, mean_seconds=None, mean_business_seconds=None, within_1h=0, within_4h=0, within_8h=0, within_24h=0
)


class Row(Protocol):
    """A row whose columns are reached by name."""

    def __getitem__(self, key: str, /) -> Any: ...


def period(first: date | None, last: date | None, today: date, interval: Interval) -> tuple[date, date]:
    """The period asked for, or the last 30 days. Raises Unprocessable for one that is turned round or too long."""
    last = last or (max(today, first) if first else today)
    first = first or last - timedelta(days=min(USUAL_DAYS - 1, (last - date.min).days))
    if first > last:
        raise bad_period(f"The period ends ({last}) before it begins ({first}). Turn from and to round.")
    days = (last - first).days + 1
    if days > MOST_DAYS[interval]:
        raise bad_period(f"{days} days are more than the {MOST_DAYS[interval]} that one report by {interval} takes.")
    return first, last


def before(first: date, last: date) -> tuple[date, date]:
    """The period of the same length that ends the day before."""
    days = (last - first).days + 1
    try:
        return first - timedelta(days=days), first - timedelta(days=1)
    except OverflowError:
        raise bad_period("There is no period before this one. Begin later.") from None


def figures(row: Row, clock: Clock) -> Figures:
    """The figures of a row of `channel_day` or `seller_day` sums."""
    currency = row["currency"]

    def money(minor: int) -> Money:
        return Money.of(minor, currency)

    phases = {p: row[p] for p in PHASES}
    # By event date an order enters several phases; into pending, its placing, it counts once (see `facts.movement`).
    orders = sum(phases.values()) if clock == "placed" else phases["pending"]
    gross, commission, reverted = row["gross_minor"], row["commission_minor"], row["commission_reversed_minor"]
    # by event date, gross is what changed, also on orders that were placed before: no average of those placed
    whole = clock == "placed" and orders > 0
    average = int((Decimal(gross) / orders).quantize(Decimal(1), ROUND_HALF_EVEN)) if whole else None
    return Figures(
        currency=currency,
        orders=orders,
        phases=phases,
        gross=money(gross),
        average=None if average is None else money(average),
        canceled=money(row["canceled_minor"]),
        paid=money(row["paid_minor"]),
        refunded=money(row["refunded_minor"]),
        net=money(row["paid_minor"] - row["refunded_minor"]),
        commission=money(commission),
        commission_reversed=money(reverted),
        commission_net=money(commission - reverted),
    )


def rates(rows: Iterable[Row]) -> Rates:
    """Shares over all currencies together: they count orders, not money. Rows are by placed date."""
    summed: dict[str, int] = {}
    for row in rows:
        for name in (*PHASES, "accepted", "rejected", "due", "late", "issues", "paid_orders", "refunded_orders"):
            summed[name] = summed.get(name, 0) + row[name]

    def of(name: str) -> int:
        return summed.get(name, 0)

    placed = sum(of(p) for p in PHASES if p != "approval")
    return Rates(
        acceptance=rate(of("accepted"), of("accepted") + of("rejected"), "orders that were accepted or rejected"),
        late=rate(of("late"), of("due"), "orders that the seller had a deadline for"),
        issue=rate(of("issues"), placed, "orders placed"),
        refund=rate(of("refunded_orders"), of("paid_orders"), "orders paid"),
        cancel=rate(of("canceled"), placed, "orders placed"),
    )


def rate(numerator: int, denominator: int, of: str) -> Rate:
    """A share to four decimals."""
    share = None
    if denominator > 0:
        share = str((Decimal(numerator) / denominator).quantize(Decimal("0.0001"), ROUND_HALF_EVEN))
    return Rate(numerator=numerator, denominator=denominator, of=of, rate=share)


def replies(rows: Iterable[Row]) -> Replies:
    """First and next reply times out of rows of `report_replies`."""
    by_first = {bool(row["first"]): row for row in rows}
    return Replies(first=_reply_time(by_first.get(True)), next=_reply_time(by_first.get(False)))


def _reply_time(row: Row | None) -> ReplyTime:
    count = row["replies"] if row else 0
    if row is None or not count:
        return ReplyTime(
            replies=0,
            mean_seconds=None,
            mean_business_seconds=None,
            within_1h=0,
            within_4h=0,
            within_8h=0,
            within_24h=0,
        )
    return ReplyTime(
        replies=count,
        mean_seconds=round(row["elapsed_seconds"] / count),
        mean_business_seconds=round(row["business_seconds"] / count),
        within_1h=row["within_1h"],
        within_4h=row["within_4h"],
        within_8h=row["within_8h"],
        within_24h=row["within_24h"],
    )


def kilograms(grams: int) -> str:
    """Grams as kilograms: 12500 is "12.5"."""
    text = f"{Decimal(grams) / 1000:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
