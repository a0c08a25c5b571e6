"""What callers are shown. Money is never summed over currencies: every figure has its own."""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contracts.money import Money

Clock = Literal["placed", "event"]
Interval = Literal["day", "month", "all"]
SavingsBy = Literal["side", "organisation"]


class Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class Period(Shown):
    """Days of the marketplace's time zone, both included. clock: by the day an order was placed, or things happened."""

    first: date
    last: date
    clock: Clock
    time_zone: str


class StatusRow(Shown):
    """Orders of one status. By placed date: as they stand now. By event date: entries into the status on the day.

    `gross` is their totals; refunds and commission by event date are what was booked while they were in the status.
    """

    day: date
    currency: str
    lifecycle: str
    status: str
    phase: str
    orders: int
    gross: Money
    paid: Money
    refunded: Money
    commission: Money
    commission_reversed: Money


class OrdersReport(Shown):
    period: Period
    interval: Interval
    rows: tuple[StatusRow, ...]


class Rate(Shown):
    """A share with what it is a share of. `rate` is None where the denominator is 0."""

    numerator: int
    denominator: int
    of: str
    rate: str | None


class Rates(Shown):
    """Of the orders placed in the period, by either clock."""

    acceptance: Rate
    late: Rate
    issue: Rate
    refund: Rate
    cancel: Rate


class ReplyTime(Shown):
    """Mean times in seconds over `replies` answers; `business` counts the seller's working hours only."""

    replies: int
    mean_seconds: int | None
    mean_business_seconds: int | None
    within_1h: int
    within_4h: int
    within_8h: int
    within_24h: int


class Replies(Shown):
    first: ReplyTime
    next: ReplyTime


class Figures(Shown):
    """net = paid - refunded; commission_net = commission - commission_reversed; average = gross / orders.

    By event date, `orders` are those placed (or revealed) in the period, however often they come back to pending, money
    is what changed in it, and there is no average.
    """

    currency: str
    orders: int
    phases: dict[str, int]
    gross: Money
    average: Money | None
    canceled: Money
    paid: Money
    refunded: Money
    net: Money
    commission: Money
    commission_reversed: Money
    commission_net: Money


class SellerRow(Shown):
    seller_organisation_id: UUID
    seller_name: str
    figures: Figures
    rates: Rates
    replies: Replies


class SellersPage(Shown):
    period: Period
    items: tuple[SellerRow, ...]
    next_cursor: str | None


class ChannelFigures(Shown):
    channel: str
    figures: Figures


class Summary(Shown):
    """Figures by currency, the same for the period of equal length before, and by channel."""

    period: Period
    figures: tuple[Figures, ...]
    previous: Period
    previous_figures: tuple[Figures, ...]
    channels: tuple[ChannelFigures, ...]
    rates: Rates
    replies: Replies


class SavingRow(Shown):
    """Savings of received orders. side: as buyer, as seller, or internal (both at once).

    By side, the organisation is the one whose savings they are, or None for the whole marketplace: then an order
    between two organisations is told once, as its seller's. By organisation, it is told for each of the two.
    """

    organisation_id: UUID | None
    organisation_name: str | None
    side: Literal["buyer", "seller", "internal"]
    currency: str
    factors: str
    orders: int
    kg: str
    co2e_kg: str
    value: Money


class Savings(Shown):
    """kg x factor x displacement x quantity, by the table of each row's version; see /v1/reports/savings/factors."""

    period: Period
    rows: tuple[SavingRow, ...]


class FactorRow(Shown):
    material: str
    co2e_kg_per_kg: str
    displacement: str
    source: str
    source_title: str
    source_url: str


class Factors(Shown):
    """A version of the table: receipts from the day `published` (UTC) until the next version's are counted with it."""

    version: str
    published: date
    versions: tuple[str, ...]
    formula: str
    materials: tuple[FactorRow, ...]
