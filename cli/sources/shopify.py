"""Orders as Shopify's REST Admin API and its webhooks give them: one `order`, `orders`, a bare list or a bare order.

Rules: amounts are the shop's money (`*_set.shop_money` where the plain field is gone). The order is taken as it was
placed (`total_price`, `quantity`); what was edited or refunded later (`current_*`, `refunds`) is told beside it. The
stated total is kept. Only `financial_status` paid, partially_refunded and refunded mean that money came in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from cli.sources.model import (
    Found,
    Refusal,
    Refused,
    SourceRefund,
    attributes,
    check_currency,
    compact,
    country,
    email,
    is_exact,
    money,
    number,
    spread,
    text,
)
from contracts.money import exponent, round_minor

CHANNEL: Final = "shopify"
PAID: Final = frozenset({"paid", "partially_refunded", "refunded"})
Json = dict[str, Any]


def read(content: bytes) -> Iterator[Found | Refused]:
    """The orders of a Shopify document. Raises Refusal where the document is not one."""
    return iter([_guarded(order, where) for where, order in _orders(_parse(content))])


def _parse(content: bytes) -> Any:
    try:
        return json.loads(
            content.decode(json.detect_encoding(content)).removeprefix("\ufeff"),
            parse_float=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_no_duplicates,
        )
    except UnicodeDecodeError:
        raise Refusal("the file is not UTF-8, UTF-16 or UTF-32 text, as JSON is") from None
    except json.JSONDecodeError as e:
        raise Refusal(f"not valid JSON: {e.msg} at line {e.lineno}, column {e.colno}") from None
    except RecursionError:
        raise Refusal("the JSON is nested too deeply") from None
    except ValueError:
        raise Refusal("not valid JSON: a number in it has thousands of digits") from None


def _no_constant(name: str) -> None:
    raise Refusal(f"not valid JSON: {name} is not a number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> Json:
    found: Json = {}
    for name, value in pairs:
        if name in found:
            raise Refusal(f"the field {name[:60]!r} stands twice in one object; which one counts cannot be known")
        found[name] = value
    return found


def _orders(document: Any) -> list[tuple[str, Any]]:
    if isinstance(document, list):
        return [(f"[{n}]", item) for n, item in enumerate(document)]
    if isinstance(document, dict):
        if isinstance(document.get("orders"), list):
            return [(f"orders[{n}]", item) for n, item in enumerate(document["orders"])]
        if "order" in document and "line_items" not in document:
            return [("order", document["order"])]
        if "line_items" in document:
            return [("order", document)]
    raise Refusal("no Shopify order in it: {'order': …}, {'orders': […]}, a list of orders or one order is expected")


def _guarded(order: Any, where: str) -> Found | Refused:
    if isinstance(order, dict) and isinstance(order.get("order"), dict) and "line_items" not in order:
        order = order["order"]
    try:
        if not isinstance(order, dict):
            raise Refusal("not an order (a JSON object is expected)")
        return _convert(order, where)
    except Refusal as e:
        identity = text(order.get("id"), 200) if isinstance(order, dict) else None
        return Refused(where, identity, e.reason)


def _convert(o: Json, where: str) -> Found:
    external_id = text(o.get("id"), 200)
    if external_id is None:
        raise Refusal("the order has no id, so it could not be recognised when it comes again")
    currency = check_currency(o.get("currency"), "currency")
    warnings: list[str] = []
    included = o.get("taxes_included") is True
    lines = _lines(o, currency, included, warnings)
    discount = _amount(o, "total_discounts", currency) or Decimal(0)
    # Where every line has its own tax, what is left of the order's is the shipping's, and stays with it.
    shipping = _shipping(o, currency, included, lines, discount)
    own_taxes = all("tax" in line.body for line in lines)
    if own_taxes and not included:
        shipping += _shipping_tax(o, currency)
    order = compact(
        {
            "external_id": external_id,
            "external_number": text(o.get("name"), 100) or text(o.get("order_number"), 100),
            "external_status": _status(o),
            "channel": CHANNEL,
            "placed_at": text(o.get("processed_at")) or text(o.get("created_at")),
            "currency": currency,
            "customer": _customer(o, warnings),
            "lines": [line.body for line in lines],
            "shipping": money(shipping, currency, "shipping"),
            "discount": money(discount, currency, "total_discounts"),
            "tax": None if own_taxes else _stated(o, "total_tax", currency),
            "total": _stated(o, "total_price", currency),
            "paid": (text(o.get("financial_status")) or "") in PAID,
            "delivery_method": text(_first(o, "shipping_lines").get("title"), 100),
            "note": text(o.get("note"), 5_000),
            "attributes": attributes(_facts(o), warnings),
        }
    )
    _tell_what_else_is_known(o, currency, warnings)
    return Found(
        where=where,
        external_id=external_id,
        number=order.get("external_number", external_id),
        order=order,
        warnings=warnings,
        refunds=_refunds(o, currency, warnings),
        canceled=text(o.get("cancelled_at")),
        test=o.get("test") is True,
    )


class _Line:
    """A line of the API and the gross amount that it stands for."""

    def __init__(self, body: Json, gross: Decimal) -> None:
        self.body = body
        self.gross = gross


def _lines(o: Json, currency: str, included: bool, warnings: list[str]) -> list[_Line]:
    items = _list(o, "line_items")
    lines: list[_Line] = []
    for n, item in enumerate(items, 1):
        what = f"line_items[{n - 1}]"
        quantity = number(item.get("quantity"), f"{what}.quantity")
        if quantity == 0:
            warnings.append(f"line {n} ({text(item.get('name'), 60)}) has quantity 0 and was left out")
            continue
        if quantity < 0:
            raise Refusal(f"{what}.quantity is {quantity}; it must be above zero")
        price = _amount(item, "price", currency, f"{what}.price")
        if price is None or price < 0:
            raise Refusal(f"{what}.price is missing or below zero")
        if not is_exact(price, currency):
            warnings.append(
                f"line {n}: the price {price} is finer than {currency} has units; the line's worth is rounded"
            )
        lines.append(_line(item, n, quantity, price, currency, included))
    if not lines:
        raise Refusal("the order has no lines with a quantity above zero")
    if included and not any("tax" in line.body for line in lines):
        _take_tax_out(o, currency, lines)
    return lines


def _line(item: Json, n: int, quantity: Decimal, price: Decimal, currency: str, included: bool) -> _Line:
    gross = price * quantity
    tax_lines = _list(item, "tax_lines")
    tax = sum((_amount(t, "price", currency) or Decimal(0) for t in tax_lines), Decimal(0))
    body = compact(
        {
            "sku": text(item.get("sku"), 100) or text(item.get("variant_id"), 100) or text(item.get("product_id"), 100),
            "name": text(item.get("name")) or text(item.get("title")) or f"Line {n}",
            "quantity": f"{quantity:f}",
            "unit_price": money(price, currency, f"line {n} price"),
            "tax": money(tax, currency, f"line {n} tax") if tax_lines else None,
            "external_line_id": text(item.get("id"), 100),
        }
    )
    if included and tax_lines:
        body["net"] = money(gross - tax, currency, f"line {n}")
    elif not is_exact(price, currency):
        body["net"] = money(gross, currency, f"line {n}")
    return _Line(body, gross)


def _take_tax_out(o: Json, currency: str, lines: list[_Line]) -> None:
    """Prices include tax and only the order says how much: share it out over the lines by their worth."""
    tax = (_amount(o, "total_tax", currency) or Decimal(0)) - _shipping_tax(o, currency)
    shares = spread(round_minor(tax, currency), [line.gross for line in lines])
    for line, minor in zip(lines, shares, strict=True):
        part = Decimal(minor).scaleb(-exponent(currency))
        line.body["tax"] = money(part, currency, "tax")
        line.body["net"] = money(line.gross - part, currency, "line")


def _shipping_tax(o: Json, currency: str) -> Decimal:
    taxes = [t for s in _list(o, "shipping_lines") for t in _list(s, "tax_lines")]
    return sum((_amount(t, "price", currency) or Decimal(0) for t in taxes), Decimal(0))


def _shipping(o: Json, currency: str, included: bool, lines: list[_Line], discount: Decimal) -> Decimal:
    """Shipping before its discounts, or after them where only that agrees with the stated total."""
    rows = _list(o, "shipping_lines")
    full = sum((_amount(s, "price", currency) or Decimal(0) for s in rows), Decimal(0))
    reduced = Decimal(0)
    for s in rows:
        after = _amount(s, "discounted_price", currency)
        reduced += after if after is not None else (_amount(s, "price", currency) or Decimal(0))
    tax = Decimal(0) if included else (_amount(o, "total_tax", currency) or Decimal(0))
    rest = (_amount(o, "total_price", currency) or Decimal(0)) - sum((line.gross for line in lines), Decimal(0))
    return reduced if rest - tax + discount == reduced else full


def _status(o: Json) -> str:
    if o.get("cancelled_at"):
        return "cancelled"
    done = [f for f in _list(o, "fulfillments") if text(f.get("status")) == "success"]
    status = text(o.get("fulfillment_status"), 60)
    if status == "fulfilled" and done and all(text(f.get("shipment_status")) == "delivered" for f in done):
        return "delivered"
    return status or "unfulfilled"


def _customer(o: Json, warnings: list[str]) -> Json:
    who = _dict(o, "customer")
    shipping, billing = _dict(o, "shipping_address"), _dict(o, "billing_address")
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
    for note in _list(o, "note_attributes"):
        yield str(note.get("name")), note.get("value")
    for n, item in enumerate(_list(o, "line_items"), 1):
        for p in _list(item, "properties"):
            yield f"line {n}: {p.get('name')}", p.get("value")
    codes = [text(d.get("code"), 60) for d in _list(o, "discount_codes")]
    yield "discount codes", ", ".join(c for c in codes if c)
    gateways = o.get("payment_gateway_names")
    yield "payment gateway", ", ".join(map(str, gateways)) if isinstance(gateways, list) else o.get("gateway")
    for name in ("financial_status", "tags", "source_name", "reference", "po_number", "closed_at", "cancelled_at"):
        yield name.replace("_", " "), o.get(name)
    yield "cancel reason", o.get("cancel_reason")
    for f in _list(o, "fulfillments"):
        if text(f.get("status")) == "success":
            yield f"tracking {f.get('id')}", f"{f.get('tracking_company') or ''} {f.get('tracking_number') or ''}"


def _tell_what_else_is_known(o: Json, currency: str, warnings: list[str]) -> None:
    status = text(o.get("financial_status")) or "unknown"
    if status in ("partially_paid", "voided"):
        warnings.append(f"financial_status {status}: taken as not paid")
    failed = [f for f in _list(o, "fulfillments") if text(f.get("status")) in ("failure", "error", "cancelled")]
    if failed:
        warnings.append(f"{len(failed)} fulfillment(s) that failed or were canceled do not count as shipped")
    total, now = _amount(o, "total_price", currency), _amount(o, "current_total_price", currency)
    if total is not None and now is not None and now != total:
        warnings.append(f"the order was edited or refunded at the source: {total} when placed, {now} now")
    for name in ("total_tip_received", "original_total_duties"):
        extra = _amount(o, name, currency)
        if extra:
            warnings.append(f"{name} {extra} {currency} is part of the stated total and is kept as adjustment")
    presented = text(o.get("presentment_currency"), 3)
    if presented and presented != currency:
        warnings.append(f"the customer paid in {presented}; amounts are the shop's, in {currency}")


def _refunds(o: Json, currency: str, warnings: list[str]) -> list[SourceRefund]:
    found = []
    for refund in _list(o, "refunds"):
        moved = sum(
            (
                _amount(t, "amount", currency) or Decimal(0)
                for t in _list(refund, "transactions")
                if text(t.get("kind")) == "refund" and text(t.get("status")) == "success"
            ),
            Decimal(0),
        )
        identity = text(refund.get("id"), 100)
        other = sorted({c for t in _list(refund, "transactions") if (c := text(t.get("currency"), 3))} - {currency})
        if moved > 0 and other:
            warnings.append(f"a refund of {moved} in {', '.join(other)} was not booked: the order is in {currency}")
        elif moved > 0 and identity:
            found.append(SourceRefund(identity, money(moved, currency, "refund"), text(refund.get("note"), 400)))
        elif moved > 0:
            warnings.append(f"a refund of {moved} {currency} has no id and was not booked")
    return found


def _stated(o: Json, name: str, currency: str) -> dict[str, str] | None:
    amount = _amount(o, name, currency)
    return None if amount is None else money(amount, currency, name)


def _amount(o: Json, name: str, currency: str, what: str = "") -> Decimal | None:
    """A plain amount, else the shop's money of `<name>_set`. Raises Refusal for another currency or a bad number."""
    value = o.get(name)
    if value is None or value == "":
        shop = _dict(_dict(o, f"{name}_set"), "shop_money")
        value = shop.get("amount")
        stated = text(shop.get("currency_code"), 3)
        if value is None:
            return None
        if stated and stated != currency:
            raise Refusal(f"{what or name} is in {stated}, but the order is in {currency}")
    return number(value, what or name)


def _dict(o: Json, name: str) -> Json:
    value = o.get(name)
    return value if isinstance(value, dict) else {}


def _list(o: Json, name: str) -> list[Json]:
    value = o.get(name)
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _first(o: Json, name: str) -> Json:
    found = _list(o, name)
    return found[0] if found else {}
