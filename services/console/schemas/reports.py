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
    refunded: Money
    net: Money
    commission_net: Money


class Rate(Read):
    numerator: int
    denominator: int
    of: str
    rate: str | None = None


class Summary(Read):
    period: Period
    figures: tuple[Figures, ...] = ()
    previous: Period
    previous_figures: tuple[Figures, ...] = ()
    rates: dict[str, Rate] = Field(default_factory=dict)


class SavingRow(Read):
    side: str
    currency: str
    orders: int
    kg: str
    co2e_kg: str
    value: Money


class Savings(Read):
    period: Period
    rows: tuple[SavingRow, ...] = ()


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
