"""What the list benchmark asks for: every filter of the API, common and rare values, words of every kind, and pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from shared.web import Cursor
from tests.e2e.market import Market

SORTS: Final = ("-placed_at", "placed_at", "-total", "total", "-status", "status")
SIDES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "operator": ("operator", ("operator",)),
    "seller": ("seller", ("seller",)),
    "buyer": ("buyer", ("admin",)),
}
_COLUMNS: Final = {
    "placed_at": ("placed_at", "id"),
    "total": ("total_minor", "id"),
    "status": ("status", "placed_at", "id"),
}
_WHOSE: Final = {"operator": "marketplace_id", "seller": "seller_org", "buyer": "buyer_org"}


@dataclass(frozen=True)
class Known:
    """One order that is there, to look for, and the last day on which one was placed."""

    order: Mapping[str, Any]
    last: datetime


async def known(admin: asyncpg.Connection, market: Market) -> Known:
    """An order of a channel from the middle of the list."""
    found = await admin.fetchrow(
        "SELECT * FROM orders.orders WHERE marketplace_id = $1 AND external_id IS NOT NULL ORDER BY placed_at"
        " OFFSET (SELECT count(*) / 4 FROM orders.orders WHERE external_id IS NOT NULL) LIMIT 1",
        market.marketplace_id,
    )
    last = await admin.fetchval("SELECT max(placed_at) FROM orders.orders")
    assert found is not None
    return Known(dict(found), last)


async def deep_cursor(admin: asyncpg.Connection, market: Market, side: str, sort: str) -> str:
    """The cursor of the page in the middle of a side's list."""
    name = sort.removeprefix("-")
    columns = _COLUMNS[name]
    own = market.marketplace_id if side == "operator" else market.organisations[side]
    order = ", ".join(f"{c} {'DESC' if sort.startswith('-') else ''}" for c in columns)
    row = await admin.fetchrow(
        f"SELECT {', '.join(columns)} FROM orders.orders WHERE {_WHOSE[side]} = $1 ORDER BY {order}"
        f" OFFSET (SELECT count(*) / 2 FROM orders.orders WHERE {_WHOSE[side]} = $1) LIMIT 1",
        own,
    )
    assert row is not None
    return Cursor(f"orders.{sort}").encode(*row)


def filters(known: Known, market: Market) -> dict[str, dict[str, str]]:
    """Query parameters by a name for each."""
    return {**_plain(known, market), **_words(known), **_together(known)}


def _plain(known: Known, market: Market) -> dict[str, dict[str, str]]:
    order, last = known.order, known.last
    day = f"{last - timedelta(days=300):%Y-%m-%d}"
    return {
        "all": {},
        **{f"status {s}": {"status": s} for s in ("pending", "processing", "shipped", "completed", "canceled")},
        "status refunded (shown over others)": {"status": "refunded"},
        "status that no order has": {"status": "closed"},
        "two statuses": {"status": "canceled,shipped"},
        **{f"phase {p}": {"phase": p} for p in ("pending", "preparing", "in_transit", "completed", "canceled")},
        "phase that no order has": {"phase": "approval"},
        "two phases": {"phase": "pending,canceled"},
        "one day": {"placed_from": day, "placed_to": day},
        "one week": {"placed_from": f"{last - timedelta(days=7):%Y-%m-%d}"},
        "one month": {"placed_from": day, "placed_to": f"{last - timedelta(days=270):%Y-%m-%d}"},
        "up to a year ago": {"placed_to": f"{last - timedelta(days=365):%Y-%m-%d}"},
        "dates to come": {"placed_from": f"{last + timedelta(days=30):%Y-%m-%d}"},
        "seller": {"seller": str(market.organisations["seller"])},
        "buyer": {"buyer": str(market.organisations["buyer"])},
        "channel shopify": {"channel": "shopify"},
        "channel peppol": {"channel": "peppol"},
        "channel that no order has": {"channel": "lengow"},
        "overdue": {"overdue": "true"},
        "not overdue": {"overdue": "false"},
        **{f"money {m}": {"money": m} for m in ("paid", "unpaid", "refunded", "partially_refunded")},
        **{f"issue {i}": {"issue": i} for i in ("none", "open", "resolved")},
        "external id": {"external_id": order["external_id"]},
        "purchase": {"purchase_id": str(order["purchase_id"])},
    }


def _words(known: Known) -> dict[str, dict[str, str]]:
    order = known.order
    mail = order["customer_email_lc"]
    return {
        "q order number": {"q": f"ORD-{order['number']}"},
        "q digits of a number": {"q": str(order["number"])},
        "q order id": {"q": str(order["id"])},
        "q e-mail": {"q": mail},
        "q beginning of an e-mail": {"q": mail.partition("@")[0][:5]},
        "q end of an e-mail": {"q": mail[2:]},
        "q domain": {"q": "customer.example"},
        "q external id": {"q": order["external_id"]},
        "q last name with accents": {"q": "Núñez"},
        "q part of a name": {"q": "degar"},
        "q whole name": {"q": "José Núñez"},
        "q two letters": {"q": "jo"},
        "q one letter": {"q": "å"},
        "q letter that no name begins with": {"q": "x"},
        "q nothing found": {"q": "nobody at all"},
        "customer whole name": {"customer": "Zoë Dubois"},
        "customer e-mail": {"customer": mail},
        "customer last name": {"customer": "Żak"},
    }


def _together(known: Known) -> dict[str, dict[str, str]]:
    day = f"{known.last - timedelta(days=30):%Y-%m-%d}"
    return {
        "status + channel": {"status": "canceled", "channel": "peppol"},
        "status + money": {"status": "shipped", "money": "unpaid"},
        "status + money that do not go together": {"status": "refunded", "money": "unpaid"},
        "phase + overdue": {"phase": "completed", "overdue": "true"},
        "phase + issue": {"phase": "in_transit", "issue": "open"},
        "status + last month": {"status": "completed", "placed_from": day},
        "channel + money + last month": {"channel": "shopify", "money": "paid", "placed_from": day},
        "q name + status": {"q": "nunez", "status": "canceled"},
        "q name + last month": {"q": "jose nunez", "placed_from": day},
        "q name + overdue": {"q": "petrova", "overdue": "true"},
        "customer + phase": {"customer": "horvat", "phase": "pending"},
        "q name + frequent status": {"q": "nunez", "status": "completed"},
        "q name + two statuses": {"q": "jose", "status": "canceled,refunded"},
        "q name + channel": {"q": "nunez", "channel": "peppol"},
        "q name + money": {"q": "petrova", "money": "refunded"},
        "q name + issue": {"q": "petrova", "issue": "open"},
        "q e-mail + status": {"q": known.order["customer_email_lc"], "status": "completed"},
        "q domain + status": {"q": "customer.example", "status": "canceled"},
        "q two letters + overdue": {"q": "jo", "overdue": "true"},
        "q nothing found + status": {"q": "nobody at all", "status": "shipped"},
    }
