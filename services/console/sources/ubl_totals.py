"""The sums of a UBL order: charges, allowances, tax and the total, so that they add up as the document says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from contracts.money import exponent, round_minor
from services.console.sources.model import Refusal, money, number
from services.console.sources.ubl_tree import Element, child, children, first_text

Line = dict[str, Any]


def amount(element: Element, path: str, currency: str, what: str) -> Decimal | None:
    """An amount at `path`, None where absent. Raises Refusal for another currency than the document's."""
    found = child(element, path)
    if found is None or not (found.text or "").strip():
        return None
    stated = found.get("currencyID")
    if stated and stated != currency:
        raise Refusal(f"{what}: {path} is in {stated}, but the order is in {currency}")
    return number(found.text, f"{what}: {path}")


def allowances(element: Element, currency: str, what: str) -> Decimal:
    """Charges less allowances directly under an element."""
    result = Decimal(0)
    for a in children(element, "cac:AllowanceCharge"):
        value = amount(a, "cbc:Amount", currency, what) or Decimal(0)
        result += value if _is_charge(a) else -value
    return result


def totals(root: Element, currency: str, lines: list[Line], warnings: list[str]) -> dict[str, Any]:
    """Document charges become shipping, allowances the discount; total = payable + what was prepaid.

    The stated tax is laid on the lines by their rates; what it has beyond them is the tax of a charge, or what an
    allowance saves.
    """
    sums = child(root, "cac:AnticipatedMonetaryTotal")

    def stated(name: str) -> Decimal | None:
        return None if sums is None else amount(sums, f"cbc:{name}", currency, "total")

    charges, discount = _document_level(root, currency)
    charges = charges or stated("ChargeTotalAmount") or Decimal(0)
    discount = discount or stated("AllowanceTotalAmount") or Decimal(0)
    prepaid = stated("PrepaidAmount") or Decimal(0)
    payable, inclusive = stated("PayableAmount"), stated("TaxInclusiveAmount")
    total = inclusive if payable is None else payable + prepaid
    if prepaid and prepaid != total:
        warnings.append(f"{prepaid} {currency} was prepaid; the order is taken as not paid until a payment settles it")
    tax = _stated_tax(root, currency)
    exclusive = stated("TaxExclusiveAmount")
    if tax is None and inclusive is not None and exclusive is not None:
        tax = inclusive - exclusive
    if tax is None and total is not None:
        tax = _implied_tax(lines, total - charges + discount, _tax_beside_lines(root, currency), currency)
    if tax is not None:
        more_charges, more_discount = _lay_on_lines(lines, tax, bool(charges), bool(discount), currency)
        charges, discount = charges + more_charges, discount + more_discount
    silent = any("tax" not in line for line in lines)
    return {
        "shipping": money(charges, currency, "charges") if charges else None,
        "discount": money(discount, currency, "allowances") if discount else None,
        "tax": money(tax, currency, "tax") if tax is not None and silent else None,
        "total": None if total is None else money(total, currency, "total"),
        "paid": bool(prepaid) and prepaid == total,
    }


def _stated_tax(root: Element, currency: str) -> Decimal | None:
    """The tax in the document's currency: a second total may state it in the currency that it is accounted in."""
    stated = [child(t, "cbc:TaxAmount") for t in children(root, "cac:TaxTotal")]
    own = [t for t in stated if t is not None and (t.get("currencyID") or currency) == currency]
    if own:
        return amount(own[0].getparent(), "cbc:TaxAmount", currency, "tax")
    return amount(root, "cac:TaxTotal/cbc:TaxAmount", currency, "tax")


def _document_level(root: Element, currency: str) -> tuple[Decimal, Decimal]:
    """(charges, allowances) of the whole document; one below zero is the other."""
    charges = discount = Decimal(0)
    for a in children(root, "cac:AllowanceCharge"):
        value = amount(a, "cbc:Amount", currency, "allowance or charge") or Decimal(0)
        if _is_charge(a) == (value >= 0):
            charges += abs(value)
        else:
            discount += abs(value)
    return charges, discount


def _tax_beside_lines(root: Element, currency: str) -> Decimal:
    """The tax of the document's charges less that of its allowances, as far as they state their rates."""
    tax = Decimal(0)
    for a in children(root, "cac:AllowanceCharge"):
        percent = first_text(a, "cac:TaxCategory/cbc:Percent")
        value = amount(a, "cbc:Amount", currency, "allowance or charge") or Decimal(0)
        if percent is not None:
            part = value * number(percent, "allowance or charge: cbc:Percent") / 100
            tax += part if _is_charge(a) else -part
    return tax


def _is_charge(a: Element) -> bool:
    return (first_text(a, "cbc:ChargeIndicator") or "").lower() in ("true", "1")


def _implied_tax(lines: list[Line], goods_and_tax: Decimal, beside: Decimal, currency: str) -> Decimal | None:
    """The document states a total but no tax: tax is what the total has beyond the lines, where the rates agree.

    `beside` is the tax of charges and allowances. Each line's tax may be off by one minor unit of rounding; a total
    that equals the lines has no tax in it.
    """
    if any("net" not in line for line in lines):
        return None
    net = sum((_net(line) for line in lines), Decimal(0))
    by_rate = sum((_net(line) * Decimal(line.get("tax_rate", "0")) for line in lines), Decimal(0))
    rest = goods_and_tax - net
    for expected in (by_rate + beside, by_rate):
        if abs(round_minor(rest, currency) - round_minor(expected, currency)) <= len(lines):
            return rest
    return Decimal(0)


def _net(line: Line) -> Decimal:
    return Decimal(line["net"]["amount"])


def _lay_on_lines(
    lines: list[Line], tax: Decimal, has_charges: bool, has_discount: bool, currency: str
) -> tuple[Decimal, Decimal]:
    """Give each line its tax, where every line has an amount and a rate; the rest as (charges, discount).

    A rest of some minor units is rounding and goes to the largest line. A larger one without a charge or an allowance
    to explain it stays out: the stated total then shows it as an adjustment.
    """
    if any("net" not in line or "tax_rate" not in line for line in lines):
        return Decimal(0), Decimal(0)
    parts = [round_minor(_net(line) * Decimal(line.pop("tax_rate")), currency) for line in lines]
    rest = round_minor(tax, currency) - sum(parts)
    unit = Decimal(1).scaleb(-exponent(currency))
    charges = discount = Decimal(0)
    if abs(rest) <= len(lines) or tax == 0:
        if tax == 0:
            parts = [0] * len(parts)
        else:
            largest = max(range(len(lines)), key=lambda n: parts[n])
            parts[largest] += rest
    elif rest > 0 and has_charges:
        charges = rest * unit
    elif rest < 0 and has_discount:
        discount = -rest * unit
    for line, part in zip(lines, parts, strict=True):
        line["tax"] = money(part * unit, currency, "tax")
    return charges, discount
