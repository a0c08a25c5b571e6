"""The print view: one order as a page that styles itself and loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from contracts.order import Address, OrderSnapshot
from services.order.papers.words import N_, Words

# Inline styles only: nothing runs, nothing is loaded, no other page may frame it.
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

# The sums of an order in the order of the page; those of nothing are left out, but for these.
SUMS: Final[Mapping[str, str]] = {
    "lines": N_("Items"),
    "tax": N_("Tax"),
    "shipping": N_("Shipping"),
    "discount": N_("Discount"),
    "adjustment": N_("Adjustment"),
    "total": N_("Total"),
    "paid": N_("Paid"),
    "refunded": N_("Refunded"),
}
ALWAYS: Final = frozenset({"lines", "total", "paid"})


@cache
def _template() -> Template:
    loader = PackageLoader("services.order", "papers")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("order.html.j2")


def print_view(
    order: OrderSnapshot, timeline: Sequence[Mapping[str, Any]], line_labels: Mapping[str, str], words: Words
) -> str:
    """The page for one side, in its reader's `words`: the snapshot and the timeline entries are that side's already.

    `line_labels` are the lifecycle's, by the status of a line.
    """
    addresses = [
        (heading, _address(a))
        for heading, a in (
            (words.tr("Delivery address"), order.customer.shipping_address),
            (words.tr("Billing address"), order.customer.billing_address),
        )
        if a is not None
    ]
    return _template().render(
        _=words.tr,
        words=words,
        order=order,
        timeline=timeline,
        addresses=addresses,
        line_labels=line_labels,
        sums=[
            (words.tr(name), amount)
            for field, name in SUMS.items()
            for amount in (getattr(order.totals, field),)
            if field in ALWAYS or amount.minor
        ],
    )


def _address(a: Address) -> list[str]:
    town = " ".join(p for p in (a.postal_code, a.city) if p)
    return [p for p in (a.name, a.line1, a.line2, town, a.region, a.country) if p]
