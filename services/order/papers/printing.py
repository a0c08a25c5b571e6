"""The print view: one order as a page that styles itself and loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache, partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from contracts.order import Address, OrderSnapshot
from services.order.papers.times import at_minute, on

# Inline styles only: nothing runs, nothing is loaded, no other page may frame it.
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@cache
def _template() -> Template:
    loader = PackageLoader("services.order", "papers")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("order.html.j2")


def print_view(order: OrderSnapshot, timeline: Sequence[Mapping[str, Any]], zone: ZoneInfo) -> str:
    """The page for one side, with times in `zone`: the snapshot and the timeline entries are that side's already."""
    addresses = [
        (heading, _address(a))
        for heading, a in (
            ("Delivery address", order.customer.shipping_address),
            ("Billing address", order.customer.billing_address),
        )
        if a is not None
    ]
    return _template().render(
        order=order,
        timeline=timeline,
        addresses=addresses,
        plain=_plain,
        zone=zone,
        on=partial(on, zone=zone),
        at_minute=partial(at_minute, zone=zone),
    )


def _address(a: Address) -> list[str]:
    town = " ".join(p for p in (a.postal_code, a.city) if p)
    return [p for p in (a.name, a.line1, a.line2, town, a.region, a.country) if p]


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
