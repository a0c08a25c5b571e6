"""Every way that a list may be found by gives the same orders: each is taken, and compared with a plain loop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import pytest

from cli.seeding import Plan, fill
from services.order.schemas import Scope
from services.order.store import finding, named, pages, search, walks, ways
from services.order.store.planned import Planned
from services.order.store.search import Filters, Statement, Whose
from services.order.store.texts import fold
from tests.integration.order.conftest import MakeMarket
from tests.integration.order.market import Market
from tests.stack import StackDatabase

ORDERS: Final = 300
PAGE: Final = 61
AT_ONCE: Final = 3
KEYS: Final = {
    "placed_at": ("placed_at", "id"),
    "total": ("total_minor", "id"),
    "status": ("status", "placed_at", "id"),
}
SORTS: Final[tuple[search.Sort, ...]] = ("placed_at", "-placed_at", "total", "-total", "status", "-status")
# What makes each way be taken, or never taken: how long walks may be, how much may be gathered or looked up, and what
# each is said to cost.
NAMES: Final = {"walk": 1e12, "names": 0, "gather": 1e11}
GATHER: Final = {"walk": 1e12, "names": 1e11, "gather": 0}
WALK: Final = {"walk": 0, "names": 1e12, "gather": 1e12}
SHORT: Final = {"walk": 3, "names": 3, "gather": 3}
FAR: Final = {"walk": 30, "names": 3, "gather": 3}
LEADS: Final = {"seller", "buyer", "channel"}


_COUNTED: Final = itertools.count(1)


async def _fewer_each_time(_: Planned, estimate: Statement) -> float:
    return 1e6 / next(_COUNTED)


BOUNDS: Final[dict[str, dict[str, Any]]] = {
    "as they are": {},
    "short walks": {"WALKED": 20, "NEAR": 5, "NEAR_HITS": 2, "LEAST": SHORT, "UNSEEN": 20},
    "by names and values": {"WALKED": 5, "DENSE": 1_000_000, "NEAR": 0, "START": NAMES},
    "further": {"WALKED": 5, "DENSE": 1, "FURTHER": 0, "NEAR": 0, "START": WALK, "LEAST": SHORT, "MOST": FAR},
    "gathered": {"WALKED": 5, "DENSE": 1, "NEAR": 0, "START": GATHER},
    "everything": {"WALKED": 20, "NEAR": 15, "MOST_FOUND": 3, "DENSE": 1, "MOST": SHORT, "LEAST": SHORT},
    "too short": {"WALKED": 5, "DENSE": 1, "NEAR": 0, "FURTHER": 0, "MANY_MORE": 0, "LEAST": SHORT},
    "no names": {"WALKED": 5, "DENSE": 1, "NEAR": 0, "MOST_NAMES": 0, "START": NAMES},
    "one name": {"WALKED": 5, "DENSE": 1_000_000, "FEWEST": 1, "NEAR": 0, "START": NAMES},
    "small pages": {"WALKED": 2, "DENSE": 1_000_000, "START": NAMES, "PAGE": 3},
    "frequent outside": {"WALKED": 5, "DENSE": 1_000_000, "OUTSIDE": 0},
    "the last one leads": {"NEAR": 0, "expected": _fewer_each_time},
}
# Bounds of lists by date, and what they are by amount or within a side.
ALIKE: Final = {"DENSE": "DENSE_OF_LIKES", "NEAR": "NEAR_OF_SIDE"}
# Of small pages so many are read.
SMALL_PAGES: Final = 9
# The bounds that are tried for every side of a caller; the others are for an operator and a seller.
PLAIN: Final = (BOUNDS["as they are"], BOUNDS["short walks"], BOUNDS["the last one leads"])


async def _rows(market: Market, database: StackDatabase) -> list[Any]:
    slug = f"m-{market.id.hex}"
    async with market.runtime.worker_db.transaction() as tx:
        await tx.execute("UPDATE marketplace SET slug = $2 WHERE marketplace_id = $1", market.id, slug)
    await asyncio.to_thread(fill, Plan(database.admin_dsn, ORDERS, 1, slug))
    async with market.runtime.worker_db.transaction() as tx:
        # as two orders that are placed at one moment leave it
        await tx.execute("INSERT INTO customer_name SELECT * FROM customer_name WHERE marketplace_id = $1", market.id)
    return list(await market.rows("SELECT * FROM orders WHERE marketplace_id = $1", market.id))


def _asked(rows: list[Any]) -> list[dict[str, Any]]:
    placed = sorted(r["placed_at"] for r in rows)
    name = rows[0]["customer_name_lc"]
    late: datetime = placed[-ORDERS // 5]
    return [
        {},
        {"statuses": ("pending",)},
        {"statuses": ("canceled", "refunded")},
        {"statuses": ("refunded",), "money": "unpaid"},
        {"statuses": ("pending", "shipped"), "phases": ("pending",)},
        {"statuses": ("pending", "shipped", "completed"), "phases": ("pending", "completed")},
        {"phases": ("in_transit", "completed"), "issue": "open"},
        {"channel": "shopify"},
        {"channel": "shopify", "placed_from": late},
        {"seller": rows[0]["seller_org"], "money": "paid", "placed_from": placed[9]},
        {"buyer": rows[0]["buyer_org"], "channel": "shopify", "statuses": ("pending", "completed")},
        {"seller": rows[0]["seller_org"], "buyer": rows[0]["buyer_org"], "overdue": False, "placed_to": late},
        {"placed_from": placed[50], "placed_to": placed[120]},
        {"overdue": True},
        {"overdue": False, "money": "paid"},
        {"money": "refunded", "channel": "direct"},
        {"issue": "none", "placed_to": late},
        {"q": "customer.example"},
        {"q": name},
        {"q": name, "placed_from": late},
        {"q": name.split()[1], "statuses": ("pending", "canceled")},
        {"q": name.split()[0], "overdue": True},
        {"q": "customer.example", "statuses": ("refunded",)},
        {"q": "nobody at all", "issue": "open"},
        {"q": name.split()[1], "statuses": ("canceled", "refunded"), "overdue": False, "placed_from": late},
        {"q": f"{name} {rows[0]['customer_email_lc'][:4]}"},
        {"q": f"{name.split()[1]} c", "money": "paid"},
        {"q": name, "customer": "customer.example"},
        {"q": "example", "customer": name},
        {"customer": name, "statuses": ("pending", "shipped")},
        {"customer": name.split()[1], "phases": ("pending",)},
        {"q": rows[5]["customer_email_lc"]},
        {"q": name.split()[1], "statuses": ("refunded",)},
        {"q": name.split()[1], "overdue": False, "statuses": ("refunded", "completed")},
        {"q": name.split()[1], "money": "paid", "placed_from": late},
        {"q": "j"},
        {"customer": "a"},
        {"q": "customer.example", "channel": "shopify", "money": "unpaid"},
        {"q": "customer.example", "customer": name.split()[0], "placed_from": late},
    ]


def _fits(row: Any, filters: Filters) -> bool:
    words, customer = fold(filters.q), fold(filters.customer)
    whole = f"{row['customer_name_lc']} {row['customer_email_lc']}" if customer else " "
    return (
        (not filters.statuses or row["status"] in filters.statuses or row["over"] in filters.statuses)
        and (not filters.phases or row["phase"] in filters.phases)
        and (filters.channel in (None, row["channel"]))
        and (filters.seller in (None, row["seller_org"]))
        and (filters.buyer in (None, row["buyer_org"]))
        and (filters.money in (None, row["money"]))
        and (filters.issue in (None, row["issue"]))
        and (filters.overdue in (None, row["overdue"]))
        and (filters.placed_from is None or row["placed_at"] >= filters.placed_from)
        and (filters.placed_to is None or row["placed_at"] < filters.placed_to)
        and (f" {words}" if len(words) < 3 else words) in row["search"] + (" " if not words else "")
        and (f" {customer}" if len(customer) < 3 else customer) in f" {whole}"
    )


def _is_of(row: Any, scope: Scope) -> bool:
    if scope.side == "seller":
        return bool(row["known"] and row["seller_org"] == scope.organisation_id)
    if scope.person_id is not None and row["buyer_person"] != scope.person_id:
        return False
    return scope.side == "operator" or bool(row["buyer_org"] == scope.organisation_id)


def _expected(rows: list[Any], whose: Whose) -> list[UUID]:
    filters = whose.filters
    keys = KEYS[filters.sort.removeprefix("-")]
    own = [r for r in rows if any(_is_of(r, scope) for scope in whose.scopes)]
    found = sorted((r for r in own if _fits(r, filters)), key=lambda r: tuple(r[k] for k in keys))
    return [r["id"] for r in (reversed(found) if filters.sort.startswith("-") else found)]


async def _paged(market: Market, whose: Whose, page: int, most: int) -> Sequence[UUID]:
    keys = KEYS[whose.filters.sort.removeprefix("-")]
    found: list[UUID] = []
    after: tuple[Any, ...] | None = None
    for _ in range(most):
        async with market.runtime.db.tenant(market.id) as tx:
            rows = await pages.page(tx, whose, after, page)
        found += [r["id"] for r in rows]
        if len(rows) < page:
            break
        after = tuple(rows[-1][k] for k in keys)
    return found


async def test_every_way_finds_the_same(
    make_market: MakeMarket, module_database: StackDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = await make_market()
    rows = await _rows(market, module_database)
    seller, buyer = Scope("seller", market.shop.organisation_id), Scope("buyer", rows[0]["buyer_org"])
    person = Scope("buyer", rows[0]["buyer_org"], rows[0]["buyer_person"])
    scopes = ([Scope("operator")], [seller], [buyer], [seller, buyer], [person])
    for name, bounds in BOUNDS.items():
        page = int(bounds.get("PAGE", PAGE))
        most = SMALL_PAGES if "PAGE" in bounds else ORDERS
        for constant, value in bounds.items():
            if constant == "PAGE":
                continue
            owner = next(m for m in (finding, named, pages, search, walks, ways, Planned) if constant in vars(m))
            monkeypatch.setattr(owner, constant, value)
            if constant in ALIKE:
                monkeypatch.setattr(owner, ALIKE[constant], value)
        sides = scopes if bounds in PLAIN else (*scopes[:2], [person]) if page < PAGE else scopes[:2]
        wanted = [asked for asked in _asked(rows) if "expected" not in bounds or LEADS & asked.keys()]
        lists = itertools.product(wanted, sides, SORTS)

        async def look(name: str = name, lists: Iterator[Any] = lists, page: int = page, most: int = most) -> None:
            for asked, scope, sort in lists:
                whose = Whose(market.id, scope, Filters(**asked, sort=sort))
                expected = _expected(rows, whose)[: page * most]
                assert await _paged(market, whose, page, most) == expected, (name, asked, scope, sort)

        # several at once: one waits for PostgreSQL half of its time
        await asyncio.gather(*(look() for _ in range(AT_ONCE)))
        monkeypatch.undo()
