"""Money on the wire: a decimal string and an ISO 4217 currency; in the database and in sums: minor units."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import cache, lru_cache
from typing import Annotated, Any, Self

from iso4217 import Currency
from pydantic import BaseModel, ConfigDict, Field, model_validator

# 15 significant digits stay exact in every JSON reader that uses doubles; minor units then fit a bigint.
MAX_MINOR = 999_999_999_999_999


@cache
def exponent(currency: str) -> int:
    """Digits after the point of a currency (JPY 0, EUR 2, BHD 3). Raises ValueError for an unknown code."""
    try:
        digits = Currency(currency).exponent
    except ValueError:
        raise ValueError(f"{currency!r} is not an ISO 4217 currency code") from None
    if digits is None:
        raise ValueError(f"{currency!r} has no minor unit and cannot carry an order's money")
    return int(digits)


def to_minor(amount: Decimal, currency: str) -> int:
    """Minor units of an exact amount. Raises ValueError where the amount is finer than the minor unit."""
    scaled = amount.scaleb(exponent(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} has more decimals than {currency} has ({exponent(currency)})")
    if abs(scaled) > MAX_MINOR:
        raise ValueError(f"{amount} {currency} is beyond the largest amount, {MAX_MINOR} minor units")
    return int(scaled)


def round_minor(amount: Decimal, currency: str) -> int:
    """Minor units of any amount, rounded half to even: the one rounding rule of all money here."""
    scaled = amount.scaleb(exponent(currency)).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    if abs(scaled) > MAX_MINOR:
        raise ValueError(f"{amount} {currency} is beyond the largest amount, {MAX_MINOR} minor units")
    return int(scaled)


@lru_cache(maxsize=65_536)
def from_minor(minor: int, currency: str) -> str:
    """The decimal string of minor units: 1250 EUR is "12.50", 1250 JPY is "1250"."""
    digits = exponent(currency)
    return f"{Decimal(minor).scaleb(-digits):.{digits}f}"


@lru_cache(maxsize=65_536)
def _minor(amount: str, currency: str) -> int:
    # A snapshot holds some fifteen amounts, most of them zero or equal: remembering halves the cost of reading one.
    try:
        return to_minor(Decimal(amount), currency)
    except InvalidOperation:
        raise ValueError(f"{amount!r} is not an amount") from None


AmountText = Annotated[str, Field(pattern=r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?$", examples=["12.50"])]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])]


class Money(BaseModel):
    """An amount in a currency, exact to the currency's minor unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: AmountText
    currency: CurrencyCode

    @model_validator(mode="after")
    def _exact(self) -> Self:
        _minor(self.amount, self.currency)
        return self

    @property
    def minor(self) -> int:
        return _minor(self.amount, self.currency)

    @classmethod
    def of(cls, minor: int, currency: str) -> Money:
        """Money of minor units; trusted, so not validated again (this is the hot path of every event)."""
        return _money(minor, currency)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Money) and (self.currency, self.minor) == (other.currency, other.minor)

    def __hash__(self) -> int:
        return hash((self.currency, self.minor))


@lru_cache(maxsize=65_536)
def _money(minor: int, currency: str) -> Money:
    # Frozen, so that equal amounts may be one object: an order shows some fifteen, most of them zero or equal.
    return Money.model_construct(amount=from_minor(minor, currency), currency=currency)
