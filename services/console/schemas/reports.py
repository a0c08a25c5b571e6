"""Figures and balances. Money is never summed over currencies."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from contracts.money import Money
from services.console.schemas.base import Read


class Period(Read):
    first: date
    last: date
    time_zone: str = "UTC"


class StatusRow(Read):
    """Orders of one status on one day, in one currency."""

    day: date
    currency: str
    status: str
    phase: str
    orders: int
    gross: Money
    paid: Money
    refunded: Money
    commission: Money
    commission_reversed: Money


class OrdersReport(Read):
    period: Period
    interval: str = "day"
    rows: tuple[StatusRow, ...] = ()


class Figures(Read):
    currency: str
    orders: int
    gross: Money
    average: Money | None = None
    canceled: Money
    paid: Money
    refunded: Money
    net: Money
    commission_net: Money


class Rate(Read):
    numerator: int
    denominator: int
    of: str
    rate: str | None = None


class ReplyTime(Read):
    replies: int = 0
    mean_seconds: int | None = None
    mean_business_seconds: int | None = None
    within_1h: int = 0
    within_24h: int = 0


class Replies(Read):
    """How long the buyers' first and later messages waited for the seller's answer."""

    first: ReplyTime = ReplyTime()
    next: ReplyTime = ReplyTime()


class SellerFigures(Read):
    """A seller's figures in one currency; rates and reply times are those of all its orders."""

    seller_organisation_id: UUID
    seller_name: str
    figures: Figures
    rates: dict[str, Rate] = Field(default_factory=dict)
    replies: Replies = Replies()


class SellersReport(Read):
    period: Period
    items: tuple[SellerFigures, ...] = ()
    next_cursor: str | None = None


class ChannelFigures(Read):
    channel: str
    figures: Figures


class Summary(Read):
    period: Period
    figures: tuple[Figures, ...] = ()
    previous: Period
    previous_figures: tuple[Figures, ...] = ()
    channels: tuple[ChannelFigures, ...] = ()
    rates: dict[str, Rate] = Field(default_factory=dict)
    replies: Replies = Replies()


class SavingRow(Read):
    organisation_name: str | None = None
    side: str
    currency: str
    factors: str
    orders: int
    kg: str
    co2e_kg: str
    value: Money


class Savings(Read):
    period: Period
    rows: tuple[SavingRow, ...] = ()


class FactorRow(Read):
    material: str
    co2e_kg_per_kg: str
    displacement: str
    source_title: str
    source_url: str


class Factors(Read):
    """The published table of the savings formula."""

    version: str
    published: date
    formula: str
    materials: tuple[FactorRow, ...] = ()


class BalanceSeller(Read):
    organisation_id: UUID
    name: str


class BalanceRow(Read):
    """One currency: paid less refunded and commission is the balance, which is pending, held or available."""

    currency: str
    orders: int
    paid: Money
    refunded: Money
    commission: Money
    pending: Money
    held: Money
    available: Money
    balance: Money


class Balance(Read):
    seller: BalanceSeller
    as_of: datetime
    items: tuple[BalanceRow, ...] = ()
