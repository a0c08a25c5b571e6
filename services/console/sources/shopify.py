"""Orders as Shopify's REST Admin API and its webhooks give them: one `order`, `orders`, a bare list or a bare order.

Rules: amounts are the shop's money (`*_set.shop_money` where the plain field is gone). The order is taken as it was
placed (`total_price`, `quantity`); what was edited or refunded later (`current_*`, `refunds`) is told beside it. The
stated total is kept. Only `financial_status` paid, partially_refunded and refunded mean that money came in.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import chain
from typing import Any, Final

from contracts.money import exponent, round_minor
from services.console.sources.json_values import Value, values
from services.console.sources.model import (
    Found,
    Refusal,
    Refused,
    attributes,
    check_currency,
    compact,
    country,
    email,
    external_id,
    is_exact,
    moment,
    money,
    number,
    quantity,
    spread,
    text,
)
from services.console.sources.shopify_fields import Json, amount, first, member, members, stated
from services.console.sources.shopify_refunds import refunds

CHANNEL: Final = "shopify"
REFUNDED: Final = frozenset({"partially_refunded", "refunded"})
PAID: Final = REFUNDED | {"paid"}
# parts of the stated total that are neither lines nor shipping
_EXTRAS: Final = ("total_tip_received", "original_total_duties")
_DRAFT: Final = "a draft order is no order yet; complete it in the shop, then import the order that it becomes"


def read(content: bytes) -> Iterator[Found | Refused]:
    """The orders of a Shopify document, or of one document per line. Raises Refusal where the file is none."""
    found = (x for v in values(content, "orders") for x in _of_value(v))
    first_one = next(found, None)  # a document that is no order is refused before anybody takes the first
    return iter(()) if first_one is None else chain((first_one,), found)


def _of_value(v: Value) -> Iterator[Found | Refused]:
    if v.wrong is not None:
        yield Refused(v.where, None, v.wrong)
        return
    try:
        for where, order in _orders(v):
            yield _guarded(order, where)
    except Refusal as e:
        if not v.where.startswith("line "):
            raise
        yield Refused(v.where, None, e.reason)


def _orders(v: Value) -> list[tuple[str, Any]]:
    """The order, or orders, of a value and their places. Raises Refusal where there is none in it."""
    document = v.value
    if v.where.endswith("]"):
        return [(v.where, document)]
    if isinstance(document, dict):
        if isinstance(document.get("orders"), list):
            return [(f"{v.where} orders[{n}]".lstrip(), item) for n, item in enumerate(document["orders"])]
        if isinstance(document.get("order"), dict) or "line_items" in document:
            return [(v.where or "order", document)]
        if "draft_order" in document or "draft_orders" in document:
            raise Refusal(_DRAFT)
        if str(document.get("id", "")).startswith("gid://") or "__parentId" in document or "data" in document:
            raise Refusal(
                "this is an answer of Shopify's GraphQL API; orders as its REST Admin API gives them are read"
            )
        if "order" in document:
            return [("order", document["order"])]
    raise Refusal("no Shopify order in it: {'order': …}, {'orders': […]}, a list of orders or one order is expected")


def _guarded(order: Any, where: str) -> Found | Refused:
    if isinstance(order, dict) and isinstance(order.get("order"), dict) and "line_items" not in order:
        order = order["order"]
    try:
        if not isinstance(order, dict):
            raise Refusal("not an order (a JSON object is expected)")
        if "invoice_sent_at" in order and "financial_status" not in order:
            raise Refusal(_DRAFT)
        return _convert(order, where)
    except Refusal as e:
        identity = text(order.get("id"), 200) if isinstance(order, dict) else None
        return Refused(where, identity, e.reason)


def _convert(o: Json, where: str) -> Found:
    identity = external_id(o.get("id"), "id")
    if identity is None:
        raise Refusal("the order has no id, so it could not be recognised when it comes again")
    currency = check_currency(o.get("currency"), "currency")
    warnings: list[str] = []
    included = o.get("taxes_included") is True
    lines = _lines(o, currency, included, warnings)
    discount = amount(o, "total_discounts", currency) or Decimal(0)
    # Where every line has its own tax, what is left of the order's is the shipping's, and stays with it.
    shipping, discount = _shipping(o, currency, included, lines, discount)
    _lay_discounts(lines, discount, currency)
    own_taxes = all("tax" in line.body for line in lines)
    if own_taxes and not included:
        shipping += _shipping_tax(o, currency)
    order = compact(
        {
            "external_id": identity,
            "external_number": text(o.get("name"), 100) or text(o.get("order_number"), 100),
            "external_status": _status(o),
            "channel": CHANNEL,
            "placed_at": moment(o.get("processed_at"), "processed_at") or moment(o.get("created_at"), "created_at"),
            "currency": currency,
            "customer": _customer(o, warnings),
            "lines": [line.body for line in lines],
            "shipping": money(shipping, currency, "shipping"),
            "discount": money(discount, currency, "total_discounts"),
            "tax": None if own_taxes else stated(o, "total_tax", currency),
            "total": stated(o, "total_price", currency),
            "paid": (text(o.get("financial_status")) or "") in PAID,
            "delivery_method": text(first(o, "shipping_lines").get("title"), 100),
            "note": text(o.get("note"), 5_000),
            "attributes": attributes(_facts(o), warnings),
        }
    )
    _tell_what_else_is_known(o, currency, warnings)
    given_back = refunds(o, currency, warnings)
    if not given_back and (status := text(o.get("financial_status"))) in REFUNDED:
        warnings.append(f"financial_status {status}, but no refund with a transaction is in the file: none was booked")
    return Found(
        where=where,
        external_id=identity,
        number=order.get("external_number", identity),
        order=order,
        warnings=warnings,
        refunds=given_back,
        canceled=text(o.get("cancelled_at")),
        test=o.get("test") is True,
    )


class _Line:
    """A line of the API, the gross amount that it stands for, and what the shop took off it."""

    def __init__(self, body: Json, gross: Decimal, off: Decimal) -> None:
        self.body = body
        self.gross = gross
        self.off = off


def _lines(o: Json, currency: str, included: bool, warnings: list[str]) -> list[_Line]:
    items = members(o, "line_items")
    lines: list[_Line] = []
    for n, item in enumerate(items, 1):
        what = f"line_items[{n - 1}]"
        ordered = number(item.get("quantity"), f"{what}.quantity")
        if ordered == 0:
            warnings.append(f"line {n} ({text(item.get('name'), 60)}) has quantity 0 and was left out")
            continue
        ordered = quantity(item.get("quantity"), f"{what}.quantity")
        price = amount(item, "price", currency, f"{what}.price")
        if price is None or price < 0:
            raise Refusal(f"{what}.price is missing or below zero")
        if not is_exact(price, currency):
            warnings.append(
                f"line {n}: the price {price} is finer than {currency} has units; the line's worth is rounded"
            )
        lines.append(_line(item, n, ordered, price, currency, included))
    if not lines:
        raise Refusal("the order has no lines with a quantity above zero")
    if any("tax" in line.body for line in lines):
        for line in lines:
            line.body.setdefault("tax", money(Decimal(0), currency, "tax"))  # beside lines with tax: free of it
    elif included:
        _take_tax_out(o, currency, lines)
    return lines


def _line(item: Json, n: int, ordered: Decimal, price: Decimal, currency: str, included: bool) -> _Line:
    gross = price * ordered
    tax_lines = members(item, "tax_lines")
    tax = sum((amount(t, "price", currency) or Decimal(0) for t in tax_lines), Decimal(0))
    body = compact(
        {
            "sku": text(item.get("sku"), 100) or text(item.get("variant_id"), 100) or text(item.get("product_id"), 100),
            "name": text(item.get("name")) or text(item.get("title")) or f"Line {n}",
            "quantity": f"{ordered:f}",
            "unit_price": money(price, currency, f"line {n} price"),
            "tax": money(tax, currency, f"line {n} tax") if tax_lines else None,
            "external_line_id": text(item.get("id"), 100),
        }
    )
    if included and tax_lines:
        body["net"] = money(gross - tax, currency, f"line {n}")
    elif not is_exact(price, currency):
        body["net"] = money(gross, currency, f"line {n}")
    return _Line(body, gross, _off(item, currency))


def _off(row: Json, currency: str) -> Decimal:
    """What of the order's discounts the shop put on a line, or on shipping."""
    return sum((amount(a, "amount", currency) or Decimal(0) for a in members(row, "discount_allocations")), Decimal(0))


def _lay_discounts(lines: list[_Line], discount: Decimal, currency: str) -> None:
    """Each line's part of the discount, where the parts fit into it and onto their lines; else it lies on all."""
    if sum((line.off for line in lines), Decimal(0)) > discount or any(not 0 <= x.off <= x.gross for x in lines):
        return
    for line in lines:
        if line.off:
            line.body["discount"] = money(line.off, currency, "discount_allocations")


def _take_tax_out(o: Json, currency: str, lines: list[_Line]) -> None:
    """Prices include tax and only the order says how much: share it out over the lines by their worth."""
    tax = (amount(o, "total_tax", currency) or Decimal(0)) - _shipping_tax(o, currency)
    shares = spread(round_minor(tax, currency), [line.gross for line in lines])
    for line, minor in zip(lines, shares, strict=True):
        part = Decimal(minor).scaleb(-exponent(currency))
        line.body["tax"] = money(part, currency, "tax")
        line.body["net"] = money(line.gross - part, currency, "line")


def _shipping_tax(o: Json, currency: str) -> Decimal:
    taxes = [t for s in members(o, "shipping_lines") for t in members(s, "tax_lines")]
    return sum((amount(t, "price", currency) or Decimal(0) for t in taxes), Decimal(0))


def _shipping(o: Json, currency: str, included: bool, lines: list[_Line], discount: Decimal) -> tuple[Decimal, Decimal]:
    """Shipping after its discounts, and the discount that is left for the goods, as the stated total has them in it."""
    rows = members(o, "shipping_lines")
    full = sum((amount(s, "price", currency) or Decimal(0) for s in rows), Decimal(0))
    reduced = Decimal(0)
    for s in rows:
        after = amount(s, "discounted_price", currency)
        reduced += after if after is not None else (amount(s, "price", currency) or Decimal(0))
    tax = Decimal(0) if included else (amount(o, "total_tax", currency) or Decimal(0))
    rest = (amount(o, "total_price", currency) or Decimal(0)) - sum((line.gross for line in lines), Decimal(0))
    rest -= sum((amount(o, name, currency) or Decimal(0) for name in _EXTRAS), Decimal(0))
    paid, off = rest - tax + discount, sum((_off(s, currency) for s in rows), Decimal(0))
    if paid == reduced != full:
        return reduced, discount
    return (full - off, discount - off) if paid == full and 0 < off <= min(full, discount) else (full, discount)


def _status(o: Json) -> str:
    if o.get("cancelled_at"):
        return "cancelled"
    done = [f for f in members(o, "fulfillments") if text(f.get("status")) == "success"]
    status = text(o.get("fulfillment_status"), 60)
    if status == "fulfilled" and done and all(text(f.get("shipment_status")) == "delivered" for f in done):
        return "delivered"
    return status or "unfulfilled"


def _customer(o: Json, warnings: list[str]) -> Json:
    who = member(o, "customer")
    shipping, billing = member(o, "shipping_address"), member(o, "billing_address")
    address = email(o.get("email") or o.get("contact_email") or who.get("email"), warnings)
    name = _name(who) or _name(shipping) or _name(billing) or address
    if name is None:
        warnings.append("the order names no customer")
    return compact(
        {
            "name": name or "Unknown customer",
            "email": address,
            "phone": text(o.get("phone"), 100) or text(who.get("phone"), 100) or text(shipping.get("phone"), 100),
            "shipping_address": _address(shipping),
            "billing_address": _address(billing),
        }
    )


def _name(who: Json) -> str | None:
    both = [p for p in (text(who.get("first_name"), 240), text(who.get("last_name"), 240)) if p]
    return " ".join(both) or text(who.get("name"))


def _address(a: Json) -> Json | None:
    company = text(a.get("company"), 240)
    name = _name(a)
    found = compact(
        {
            "name": ", ".join(p for p in (name, company) if p)[:500] or None,
            "line1": text(a.get("address1")),
            "line2": text(a.get("address2")),
            "postal_code": text(a.get("zip"), 100),
            "city": text(a.get("city")),
            "region": text(a.get("province")),
            "country": country(a.get("country_code")),
        }
    )
    return found or None


def _facts(o: Json) -> Iterator[tuple[str, Any]]:
    for note in members(o, "note_attributes"):
        yield str(note.get("name")), note.get("value")
    for n, item in enumerate(members(o, "line_items"), 1):
        for p in members(item, "properties"):
            yield f"line {n}: {p.get('name')}", p.get("value")
    codes = [text(d.get("code"), 60) for d in members(o, "discount_codes")]
    yield "discount codes", ", ".join(c for c in codes if c)
    gateways = o.get("payment_gateway_names")
    yield "payment gateway", ", ".join(map(str, gateways)) if isinstance(gateways, list) else o.get("gateway")
    for name in ("financial_status", "tags", "source_name", "reference", "po_number", "closed_at", "cancelled_at"):
        yield name.replace("_", " "), o.get(name)
    yield "cancel reason", o.get("cancel_reason")
    for f in members(o, "fulfillments"):
        if text(f.get("status")) == "success":
            yield f"tracking {f.get('id')}", f"{f.get('tracking_company') or ''} {f.get('tracking_number') or ''}"


def _tell_what_else_is_known(o: Json, currency: str, warnings: list[str]) -> None:
    status = text(o.get("financial_status")) or "unknown"
    if status in ("partially_paid", "voided"):
        warnings.append(f"financial_status {status}: taken as not paid")
    failed = [f for f in members(o, "fulfillments") if text(f.get("status")) in ("failure", "error", "cancelled")]
    if failed:
        warnings.append(f"{len(failed)} fulfillment(s) that failed or were canceled do not count as shipped")
    total, now = amount(o, "total_price", currency), amount(o, "current_total_price", currency)
    if total is not None and now is not None and now != total:
        warnings.append(f"the order was edited or refunded at the source: {total} when placed, {now} now")
    for n, item in enumerate(members(o, "line_items"), 1):
        ordered, left = item.get("quantity"), item.get("current_quantity")
        if left is not None and left != ordered:
            what = f"line {n} ({text(item.get('name'), 60) or text(item.get('title'), 60)})"
            warnings.append(
                f"{what}: {left} of {ordered} are left at the source; the rest was removed or returned there"
            )
    for name in _EXTRAS:
        extra = amount(o, name, currency)
        if extra and not (name == "total_tip_received" and any("tip" in i for i in members(o, "line_items"))):
            warnings.append(f"{name} {extra} {currency} is part of the stated total and is kept as adjustment")
    presented = text(o.get("presentment_currency"), 3)
    if presented and presented != currency:
        warnings.append(f"the customer paid in {presented}; amounts are the shop's, in {currency}")
