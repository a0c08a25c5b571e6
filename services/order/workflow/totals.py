"""Sums of a purchase: what each line costs, and how order-level amounts are divided between sellers.

One rounding rule, that of contracts.money.round_minor (half to even), on integers, so that no digit is lost however
large the amounts; everything divided adds up exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from contracts.inbound import SubmittedLine, SubmittedOrder
from contracts.money import MAX_MINOR, Money
from services.order.workflow.facts import LineFacts
from services.order.workflow.proportion import allocate, share
from services.order.workflow.refusals import BadOrder


@dataclass(frozen=True, slots=True)
class Priced:
    """A line's money in minor units: one unit's price, quantity x price, tax, and its own part of the discount."""

    unit_price: int
    net: int
    tax: int
    discount: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """What one seller's order bears of the order-level amounts, in minor units."""

    shipping: int
    discount: int
    adjustment: int


def minor(money: Money | None, currency: str, path: str) -> int:
    """Minor units of a stated amount (0 where none is). Raises BadOrder for another currency than the order's."""
    if money is None:
        return 0
    if money.currency != currency:
        raise BadOrder((path, f"is in {money.currency}; the order is in {currency}"))
    return money.minor


def price_lines(submitted: SubmittedOrder, facts: Sequence[LineFacts]) -> list[Priced]:
    """The money of every line. Raises BadOrder where a price is missing, negative or in another currency."""
    priced = [_price(line, facts[i], submitted.currency, i) for i, line in enumerate(submitted.lines)]
    if submitted.tax is None:
        return priced
    # tax stated for the whole order only: divided over the lines that state none, in proportion to their net
    whole = minor(submitted.tax, submitted.currency, "tax")
    if whole < 0:
        raise BadOrder(("tax", "must not be negative"))
    silent = [i for i, line in enumerate(submitted.lines) if line.tax is None and line.tax_rate is None]
    rest = whole - sum(p.tax for p in priced)
    if not silent or rest < 0:
        return priced
    for i, tax in zip(silent, allocate(rest, [priced[i].net for i in silent]), strict=True):
        priced[i] = replace(priced[i], tax=tax)
    return priced


def _price(line: SubmittedLine, facts: LineFacts, currency: str, i: int) -> Priced:
    stated = line.unit_price or facts.unit_price
    if stated is None and line.net is None:
        raise BadOrder((f"lines.{i}.unit_price", f"{facts.sku} has no price: state one, or a listing that has one"))
    unit_price = minor(stated, currency, f"lines.{i}.unit_price")
    net = minor(line.net, currency, f"lines.{i}.net") if line.net else share(unit_price, line.quantity, 1)
    if stated is None:
        unit_price = share(net, 1, line.quantity)
    tax = minor(line.tax, currency, f"lines.{i}.tax")
    if line.tax is None and line.tax_rate is not None:
        tax = share(net, line.tax_rate, 1)
    discount = minor(line.discount, currency, f"lines.{i}.discount")
    for name, value in (("unit_price", unit_price), ("net", net), ("tax", tax), ("discount", discount)):
        if value < 0:
            raise BadOrder((f"lines.{i}.{name}", "must not be negative; use the order's discount"))
        if value > MAX_MINOR:
            raise BadOrder((f"lines.{i}.{name}", f"is beyond the largest amount, {MAX_MINOR} minor units"))
    return Priced(unit_price, net, tax, discount)


def check_discounts(submitted: SubmittedOrder, priced: Sequence[Priced]) -> None:
    """Raises BadOrder where the lines' own discounts are more than they cost, or than the order's."""
    for i, p in enumerate(priced):
        if p.discount > p.net + p.tax:
            raise BadOrder((f"lines.{i}.discount", "is more than the line costs"))
    own = sum(p.discount for p in priced)
    if submitted.discount is not None and own > minor(submitted.discount, submitted.currency, "discount"):
        raise BadOrder(("discount", "is less than the lines' discounts together, which are part of it"))


def divide(
    submitted: SubmittedOrder, nets: Sequence[int], taxes: Sequence[int], own: Sequence[int] | None = None
) -> list[Part]:
    """Order-level amounts per seller: shipping and discount by net, the adjustment by what the order comes to.

    `own` are the discounts of each seller's lines, which are part of the order's. The adjustment is what a stated total
    differs from the sum by. Raises BadOrder where a total would be negative.
    """
    own = own or [0] * len(nets)
    currency = submitted.currency
    shipping = minor(submitted.shipping, currency, "shipping")
    discount = minor(submitted.discount, currency, "discount") if submitted.discount else sum(own)
    if shipping < 0 or discount < 0:
        raise BadOrder(("shipping" if shipping < 0 else "discount", "must not be negative"))
    shippings = allocate(shipping, nets)
    gross = [net + tax + s for net, tax, s in zip(nets, taxes, shippings, strict=True)]
    if discount > sum(gross):
        raise BadOrder(("discount", "is more than everything costs"))
    # a discount beyond the goods themselves would leave a seller below zero if divided by the goods
    rest, goods = discount - sum(own), [max(net - o, 0) for net, o in zip(nets, own, strict=True)]
    by = goods if rest <= sum(goods) else [g - o for g, o in zip(gross, own, strict=True)]
    discounts = [o + part for o, part in zip(own, allocate(rest, by), strict=True)]
    due = [g - d for g, d in zip(gross, discounts, strict=True)]
    total = sum(due) if submitted.total is None else minor(submitted.total, currency, "total")
    if not 0 <= total <= MAX_MINOR:
        raise BadOrder(("total", f"must lie between zero and {MAX_MINOR} minor units"))
    adjustments = allocate(total - sum(due), due)
    return [Part(*p) for p in zip(shippings, discounts, adjustments, strict=True)]
