"""The order list: filters, pages, and what each side sees of an order in a list."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from contracts.order import Side
from services.order import policy
from services.order.actions.acting import facts_for
from services.order.actions.changing import lifecycle_of
from services.order.actions.showing import order_json
from services.order.store import channels, orders, pages
from services.order.store.search import Filters, Whose
from shared.errors import BadRequest
from shared.postgres import Transaction
from shared.process import Runtime
from shared.web import Cursor, Page, Principal

_CURSORS: Final = {
    "placed_at": (datetime, UUID),
    "total": (int, UUID),
    "status": (str, datetime, UUID),
}
_KEYS: Final = {
    "placed_at": ("placed_at", "id"),
    "total": ("total_minor", "id"),
    "status": ("status", "placed_at", "id"),
}
MOST_FULL: Final = 100


async def page(
    run: Runtime, caller: Principal, filters: Filters, seller: str | None, buyer: str | None, page: Page, *, full: bool
) -> bytes:
    """GET /v1/orders as JSON: {items, next_cursor}."""
    sort = filters.sort.removeprefix("-")
    cursor = Cursor(f"orders.{filters.sort}", *_CURSORS[sort])
    after = cursor.decode(page.cursor)
    if full and page.limit > MOST_FULL:
        raise BadRequest("limit_too_large", f"view=full takes a limit of at most {MOST_FULL}.")
    async with run.db.tenant(caller.marketplace_id) as tx:
        wanted = await narrowed(tx, caller, filters, seller, buyer)
        if wanted is None:
            return b'{"items":[],"next_cursor":null}'
        whose = Whose(caller.marketplace_id, policy.scopes(caller), wanted)
        rows = await pages.page(tx, whose, after, page.fetch)
        shown, next_cursor = page.of(rows, lambda r: cursor.encode(*(r[k] for k in _KEYS[sort])))
        items = [await _whole(run, tx, caller, r["id"]) for r in shown] if full else [card(r, caller) for r in shown]
    return b'{"items":[%b],"next_cursor":%b}' % (b",".join(items), orjson.dumps(next_cursor))


async def narrowed(
    tx: Transaction, caller: Principal, filters: Filters, seller: str | None, buyer: str | None
) -> Filters | None:
    """The filters with the named organisations; None where there is none of that name, so nothing to list."""
    names = [n for n in (seller, buyer) if n is not None]
    if not names:
        return filters
    known: dict[str, UUID] = {}
    for row in await channels.organisations(tx, caller.marketplace_id, names):
        known.setdefault(row["alias"], row["id"])
    if any(n not in known for n in names):
        return None
    return replace(filters, seller=known.get(seller or ""), buyer=known.get(buyer or ""))


def card(row: Any, caller: Principal) -> bytes:
    """What a list shows of an order, in the words of the caller's side."""
    shown = orjson.loads(row["card"])
    return orjson.dumps(for_side(shown, side_of(shown, caller)))


def side_of(shown: dict[str, Any], caller: Principal) -> Side:
    if caller.is_operator:
        return "operator"
    return "seller" if shown["seller"]["organisation_id"] == str(caller.organisation_id) else "buyer"


def for_side(shown: dict[str, Any], side: Side) -> dict[str, Any]:
    """A card without what is not for that side."""
    label = shown.pop("labels").get(side)
    if label is not None:
        shown["status_label"] = label
    shown.pop("excess", None)
    late_for = shown.pop("overdue_to", None)
    if late_for is not None and side not in late_for:
        shown["overdue"] = False
    if side == "buyer":
        del shown["commission"], shown["payout_held"]
    return shown


async def _whole(run: Runtime, tx: Transaction, caller: Principal, order_id: UUID) -> bytes:
    held = await orders.read(tx, order_id)
    assert held is not None
    lifecycle = await lifecycle_of(tx, held)
    facts = await facts_for(tx, held, lifecycle)
    return order_json(held.order, lifecycle, caller, facts, run.clock())
