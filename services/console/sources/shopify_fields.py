"""Reading the fields of Shopify's JSON: amounts in the shop's money, objects and lists that may be missing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from services.console.sources.model import Refusal, money, number, text

Json = dict[str, Any]


def stated(o: Json, name: str, currency: str) -> dict[str, str] | None:
    found = amount(o, name, currency)
    return None if found is None else money(found, currency, name)


def amount(o: Json, name: str, currency: str, what: str = "") -> Decimal | None:
    """A plain amount, else the shop's money of `<name>_set`. Raises Refusal for another currency or a bad number."""
    value = o.get(name)
    if value is None or value == "":
        shop = member(member(o, f"{name}_set"), "shop_money")
        value = shop.get("amount")
        own = text(shop.get("currency_code"), 3)
        if value is None:
            return None
        if own and own != currency:
            raise Refusal(f"{what or name} is in {own}, but the order is in {currency}")
    return number(value, what or name)


def member(o: Json, name: str) -> Json:
    value = o.get(name)
    return value if isinstance(value, dict) else {}


def members(o: Json, name: str) -> list[Json]:
    value = o.get(name)
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def first(o: Json, name: str) -> Json:
    found = members(o, name)
    return found[0] if found else {}
