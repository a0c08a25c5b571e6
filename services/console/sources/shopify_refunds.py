"""What a shop gave back of an order already, in the shop's money.

Rule: what left the till counts (`transactions` of kind refund that succeeded). Where those are in the customer's
currency, the same refund in the shop's money is its items with their tax, and its duties, less its adjustments
(Shopify writes shipping that went back as an adjustment below zero, and what was kept back as one above zero).
"""

from __future__ import annotations

from decimal import Decimal

from services.console.sources.model import SourceRefund, money, text
from services.console.sources.shopify_fields import Json, amount, members


def refunds(o: Json, currency: str, warnings: list[str]) -> list[SourceRefund]:
    """The refunds by which money left the till; what cannot be booked is told in `warnings`."""
    found = []
    for refund in members(o, "refunds"):
        paid_out = [
            t
            for t in members(refund, "transactions")
            if text(t.get("kind")) == "refund" and text(t.get("status")) == "success"
        ]
        moved = sum((amount(t, "amount", currency) or Decimal(0) for t in paid_out), Decimal(0))
        other = sorted({c for t in paid_out if (c := text(t.get("currency"), 3))} - {currency})
        if moved > 0 and other:
            told = f"a refund of {moved} in {', '.join(other)}"
            moved = _in_shop_money(refund, currency)
            if moved <= 0:
                warnings.append(f"{told} was not booked: the order is in {currency}")
        identity = text(refund.get("id"), 100)
        if moved > 0 and identity:
            note, line = text(refund.get("note"), 400), _line(refund, moved, currency)
            found.append(SourceRefund(identity, money(moved, currency, "refund"), note, line))
        elif moved > 0:
            warnings.append(f"a refund of {moved} {currency} has no id and was not booked")
    return found


def _line(refund: Json, moved: Decimal, currency: str) -> str | None:
    """The line that the whole refund was for, where it was for one."""
    rows = members(refund, "refund_line_items")
    if len(rows) != 1 or _in_shop_money(refund, currency) != moved or members(refund, "order_adjustments"):
        return None
    return text(rows[0].get("line_item_id"), 100)


def _in_shop_money(refund: Json, currency: str) -> Decimal:
    def total(rows: list[Json], *names: str) -> Decimal:
        return sum((amount(r, name, currency) or Decimal(0) for r in rows for name in names), Decimal(0))

    items = total(members(refund, "refund_line_items"), "subtotal", "total_tax")
    items += total(members(refund, "duties"), "amount")
    return items - total(members(refund, "order_adjustments"), "amount", "tax_amount")
