"""The order confirmation: the order as a document that can be printed and worked from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from contracts.money import Money
from contracts.order import Address, Customer, OrderSnapshot, Party, Side
from services.notification.channels.mail import Fact, Item, Sum
from services.notification.channels.texts import N_
from services.notification.channels.words import Words
from services.notification.telling.plain import plain

# A mail of some hundred rows is cut off by mail programs; the order page shows all of them.
MOST_ITEMS: Final = 60
MOST_NAME: Final = 200


def facts(order: OrderSnapshot, side: Side, words: Words) -> tuple[Fact, ...]:
    """Date, number, who ordered from whom, and where it goes."""
    rows = [
        Fact(words.text(N_("Order")), (plain(order.number),)),
        Fact(words.text(N_("Date")), (words.moment(order.placed_at),)),
        Fact(words.text(N_("Ordered by")), tuple(_who(order.buyer, order.customer, side))),
        Fact(words.text(N_("Seller")), (plain(order.seller.name, MOST_NAME),)),
        _goes_to(order, words),
    ]
    if order.external_number:
        rows.insert(1, Fact(words.text(N_("Channel")), (f"{plain(order.channel)} {plain(order.external_number)}",)))
    if order.scheduled_for:
        rows.append(Fact(words.text(N_("Delivery date")), (words.day(order.scheduled_for),)))
    note = next((n for n in order.notes if side in n.audience and n.side == "buyer"), None)
    if note is not None:
        rows.append(Fact(words.text(N_("Note")), (plain(note.text, 1_000),)))
    return tuple(row for row in rows if any(row.rows))


def items(order: OrderSnapshot, words: Words) -> tuple[Item, ...]:
    return tuple(
        Item(
            plain(line.name, MOST_NAME),
            plain(line.sku, MOST_NAME),
            words.quantity(line.ordered, line.unit_code),
            _money(line.unit_price, words),
            _money(line.net, words),
        )
        for line in order.lines[:MOST_ITEMS]
    )


def more_items(order: OrderSnapshot, words: Words) -> str:
    hidden = len(order.lines) - MOST_ITEMS
    if hidden <= 0:
        return ""
    return words.count("%(count)s more item is on the order page", "%(count)s more items are on the order page", hidden)


def sums(order: OrderSnapshot, words: Words) -> tuple[Sum, ...]:
    """The totals that are not zero; the grand total always."""
    t = order.totals
    parts = (
        (N_("Items"), t.lines, 1),
        (N_("Shipping"), t.shipping, 1),
        (N_("Discount"), t.discount, -1),
        (N_("Tax"), t.tax, 1),
        (N_("Adjustment"), t.adjustment, 1),
    )
    shown = [
        Sum(words.text(label), _money(Money.of(sign * money.minor, money.currency), words))
        for label, money, sign in parts
        if money.minor
    ]
    return (*(shown if len(shown) > 1 else ()), Sum(words.text(N_("Total")), _money(t.total, words), strong=True))


def _money(money: Money, words: Words) -> str:
    return words.money({"amount": money.amount, "currency": money.currency})


def _who(buyer: Party, customer: Customer, side: Side) -> Iterator[str]:
    person = plain(buyer.person_name or customer.name, MOST_NAME)
    yield person
    if plain(buyer.name, MOST_NAME) != person:
        yield plain(buyer.name, MOST_NAME)
    if side == "buyer" and customer.email:
        yield plain(customer.email)


def _goes_to(order: OrderSnapshot, words: Words) -> Fact:
    if order.delivery_mode == "pickup":
        return Fact(words.text(N_("Delivery")), (words.text(N_("Pickup at the seller's")),))
    address = order.customer.shipping_address or order.customer.billing_address
    lines = tuple(row for row in _address(address, words) if row) if address else ()
    return Fact(words.text(N_("Deliver to")), lines or (plain(order.customer.name, MOST_NAME),))


def _address(a: Address, words: Words) -> Iterator[str]:
    yield from (plain(part, MOST_NAME) for part in (a.name, a.line1, a.line2) if part)
    yield " ".join(plain(part, MOST_NAME) for part in (a.postal_code, a.city) if part)
    yield ", ".join(plain(part, MOST_NAME) for part in (a.region, words.country(a.country)) if part)
